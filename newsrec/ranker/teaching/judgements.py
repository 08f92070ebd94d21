"""What is asked about the lists of training: would this person buy this product next?"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import tee
from pathlib import Path

from newsrec.ranker.lists import Item, Row, parts_of, read_lists
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import NO, QUESTION, YES

# Of a teacher, whose reasons are not kept. Not `QUESTION`: a teacher may think before it answers.
TASK = (
    "Will this person buy it next? Give your reasons in a few sentences, then end with "
    "<answer>yes</answer> or <answer>no</answer>."
)


@dataclass(frozen=True)
class Judgement:
    """A question about one candidate of a list, and the right answer.

    Attributes:
        list_id: of the list.
        item: the candidate.
        history: the part of the prompt that all candidates share.
        candidate: the candidate's own part.
        bought: whether it is the target.
    """

    list_id: str
    item: str
    history: str
    candidate: str
    bought: bool

    @property
    def for_teacher(self) -> str:
        """The message to a teacher."""
        return f"{self.history}{self.candidate}{TASK}"

    @property
    def sample(self) -> dict[str, str]:
        """The sample in alpaca's form: instruction and input, joined by a line end, and output."""
        return {
            "instruction": self.history.removesuffix("\n"),
            "input": self.candidate + QUESTION,
            "output": YES if self.bought else NO,
            "list": self.list_id,
            "item": self.item,
        }


def judgements(
    source: Path, items: Mapping[str, Item], prompt: Prompt, num: int | None, seed: int
) -> Iterator[Judgement]:
    """Yield a question of each of some lists, in the order of the lists.

    Every second one, in an order given by a hash, is about the target, the others about a candidate
    that is not, drawn by the same hash: of an odd number one more is about the target.

    Args:
        source: lists of one split.
        items: all that the lists name, by id.
        prompt: what is shown of a candidate.
        num: of lists, drawn by the hash; None: all.
        seed: of the hash.

    Raises:
        UserError: the file is missing or damaged.
    """
    hashed = ((_hash(seed, row["id"]), row["id"]) for row in read_lists(source))
    drawn = sorted(hashed) if num is None else nsmallest(num, hashed)
    about_target = {list_id: place % 2 == 0 for place, (_, list_id) in enumerate(drawn)}
    asked = (
        {**row, "candidates": [_candidate(row, seed, about_target[row["id"]])]}
        for row in read_lists(source)
        if row["id"] in about_target
    )
    rows, again = tee(asked)
    for row, (history, (candidate,)) in zip(rows, parts_of(again, items, prompt), strict=True):
        (item,) = row["candidates"]
        yield Judgement(row["id"], item, history, candidate, item == row["target"])


def _candidate(row: Row, seed: int, about_target: bool) -> str:
    """The candidate that is asked about."""
    target: str = row["target"]
    if about_target:
        return target
    others: list[str] = [item for item in row["candidates"] if item != target]
    return others[_hash(seed, f"{row['id']}\0other") % len(others)]


def _hash(seed: int, text: str) -> int:
    digest = hashlib.sha256(f"{seed}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
