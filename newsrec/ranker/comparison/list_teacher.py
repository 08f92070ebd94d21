"""A language model behind a server that ranks a whole list at once.

It is shown what our models are, in an order of its own for each list: if the target were always at
the same place, a place would be all that there is to learn.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from newsrec.chat.messages import user_turn
from newsrec.engines.api_texts import Server, Written, ask_all, spent
from newsrec.ranker.lists import Item, Row, parts_of
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import CANDIDATE_HEAD
from newsrec.ranker.teaching.answers import THOUGHTS

_TASK = (
    "Which of these products will this person buy next? Rank all {num}, the likeliest first. End "
    "with their numbers in that order, separated by commas, between <answer> and </answer>."
)
_ANSWER = re.compile(r"<answer>([\d\s,>]+)</answer>")


def order_of(list_id: str, num_candidates: int, seed: int) -> list[int]:
    """Which candidate is at each place, from the first on; follows from the list and seed."""
    digest = hashlib.sha256(f"{seed}\0{list_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return [int(place) for place in rng.permutation(num_candidates)]


def messages_of(
    rows: Sequence[Row], items: Mapping[str, Item], prompt: Prompt, seed: int
) -> Iterator[str]:
    """The message of each list: what the person bought, the numbered candidates, and the task."""
    for row, (history, candidates) in zip(rows, parts_of(rows, items, prompt), strict=True):
        shown = [
            candidates[place].replace(CANDIDATE_HEAD, f"Product {number}:\n", 1)
            for number, place in enumerate(order_of(row["id"], len(candidates), seed), start=1)
        ]
        yield history + "".join(shown) + _TASK.format(num=len(candidates))


def read_ranking(written: Written, num_candidates: int) -> list[int] | None:
    """The places that a text ranks, from 0, the likeliest first; some may be missing.

    None where there is no answer, it was cut off, or a number is unknown or comes twice: nothing is
    guessed.
    """
    if written.text is None or written.truncated:
        return None
    found = _ANSWER.findall(THOUGHTS.sub("", written.text))
    if not found:
        return None
    places = [int(number) - 1 for number in re.findall(r"\d+", found[-1])]
    known = all(0 <= place < num_candidates for place in places)
    return places if places and known and len(set(places)) == len(places) else None


def scores_of(ranking: Sequence[int] | None, order: Sequence[int]) -> list[float]:
    """The score of each candidate: higher is better, and those that were not ranked tie below.

    Without a ranking all tie, which evaluation counts as a random order, and not as a miss.

    Args:
        ranking: places in the message, the likeliest first.
        order: which candidate stood at each place.
    """
    scores = [0.0] * len(order)
    for rank, place in enumerate(ranking or ()):
        scores[order[place]] = float(len(order) - rank)
    return scores


def rank_lists(
    rows: Sequence[Row],
    items: Mapping[str, Item],
    prompt: Prompt,
    server: Server,
    journal: Path,
    *,
    prices: tuple[float, float],
    seed: int,
) -> tuple[list[list[float]], dict[str, Any]]:
    """Scores of each list, and what the server's work was worth and took.

    Args:
        rows: of `LISTS_SCHEMA`.
        items: all that the lists name, by id.
        prompt: what is shown of a candidate.
        server: that ranks.
        journal: of its answers; a list is never asked about twice.
        prices: of a million tokens of prompts, and of answers.
        seed: of the order that candidates are shown in.

    Returns:
        Of each list the scores in the order of its candidates; `model`, `num_lists`,
        `num_unparsed`, `num_incomplete` (some candidates not ranked), and what `spent` counts.

    Raises:
        UserError: see `newsrec.engines.api_texts.ask_all`.
    """
    chats = map(user_turn, messages_of(rows, items, prompt, seed))
    answers, _ = ask_all(server, chats, journal)
    scores, num_unparsed, num_incomplete = [], 0, 0
    for row, written in zip(rows, answers, strict=True):
        num = len(row["candidates"])
        ranking = read_ranking(written, num)
        num_unparsed += ranking is None
        num_incomplete += ranking is not None and len(ranking) < num
        scores.append(scores_of(ranking, order_of(row["id"], num, seed)))
    return scores, {
        "model": server.model,
        "num_lists": len(rows),
        "num_unparsed": num_unparsed,
        "num_incomplete": num_incomplete,
        **spent(answers, *prices),
    }
