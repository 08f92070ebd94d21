"""Titles as prompts show them; news without one is as good as missing."""

import unicodedata
from collections.abc import Mapping

from newsrec.chat.text import plain_text
from newsrec.news.mind.tables import BLANK, News


def shown_titles(news: Mapping[str, News]) -> dict[str, str]:
    """The titles by news id, made safe for a prompt; those that are blank then are left out."""
    plain = {news_id: plain_text(row.title) for news_id, row in news.items()}
    return {news_id: title for news_id, title in plain.items() if not is_blank(title)}


def is_blank(title: str) -> bool:
    """Whether a title that `plain_text` made shows nothing: no letter, digit, sign or symbol."""
    return not any(
        unicodedata.category(char)[0] in "LNPS" and not BLANK.match(char) for char in title
    )
