"""Titles as prompts show them; news without one is as good as missing."""

import re
import unicodedata
from collections.abc import Mapping

from newsrec.chat.text import plain_text
from newsrec.news.mind.tables import BLANK, News

# What `plain_text` leaves as it is, as most titles are: visible ASCII without the brackets that may
# begin a control token, and single spaces between.
_PLAIN = re.compile(r"[!-;=-Z\\-z|}~]+(?: [!-;=-Z\\-z|}~]+)*", re.ASCII)


def shown_titles(news: Mapping[str, News]) -> dict[str, str]:
    """The titles by news id, made safe for a prompt; those that are blank then are left out."""
    shown = {}
    for news_id, row in news.items():
        title = row.title
        if not _PLAIN.fullmatch(title):
            title = plain_text(title)
            if is_blank(title):
                continue
        shown[news_id] = title
    return shown


def is_blank(title: str) -> bool:
    """Whether a title that `plain_text` made shows nothing: no letter, digit, sign or symbol."""
    return not any(
        unicodedata.category(char)[0] in "LNPS" and not BLANK.match(char) for char in title
    )
