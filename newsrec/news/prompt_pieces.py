"""The user turns of many candidates at once, as pieces that recur: lines of `user_message`."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from newsrec.chat.pieces import spans
from newsrec.news.prompts import HEADINGS, INSTRUCTION, ITEM, NOTHING, QUESTION

LISTS = ("history", "liked", "disliked")  # in the order of the prompt
_FIXED = [
    f"{INSTRUCTION}\n{HEADINGS[0]}\n",
    *(f"{heading}\n" for heading in HEADINGS[1:]),
    f"{ITEM}{NOTHING}\n",
    QUESTION,
]
_NOTHING, _QUESTION = 4, 5  # rows of `_FIXED`; the first ones are those of the headings


@dataclass
class PromptRows:
    """What the prompts of some candidates show; a title is its row in `titles`.

    Attributes:
        titles: all, each once.
        shown: the titles of every list, one behind the other.
        starts: where each list begins in `shown`, shape (3, prompts); the lists are `LISTS`.
        lengths: titles in each list, shape (3, prompts).
        targets: shape (prompts,).
    """

    titles: pa.StringArray
    shown: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, candidates: pa.RecordBatch) -> "PromptRows":
        """Those of a part of an evaluation set: lists of titles, and the title of the target."""
        lists = [candidates[name] for name in LISTS]
        parts = [*(one.flatten() for one in lists), candidates["target"]]
        coded = pa.concat_arrays(part.cast(pa.string()) for part in parts).dictionary_encode()
        codes = coded.indices.to_numpy()
        before = np.cumsum([0, *map(len, parts)])
        lengths = [one.value_lengths().to_numpy() for one in lists]
        starts = [first + np.cumsum(num) - num for first, num in zip(before, lengths, strict=False)]
        return cls(
            coded.dictionary,
            codes,
            np.stack(starts),
            np.stack(lengths).astype(np.int64),
            codes[before[3] :],
        )

    def take(self, rows: np.ndarray) -> "PromptRows":
        """The prompts of these rows."""
        starts, lengths = self.starts[:, rows], self.lengths[:, rows]
        return PromptRows(self.titles, self.shown, starts, lengths, self.targets[rows])

    def drop_oldest(self, order: tuple[str, ...]) -> np.ndarray:
        """Take the first item out of each prompt's first list, by `order`, that has any.

        Returns:
            Whether there was one, shape (prompts,).
        """
        left = np.ones(len(self.targets), bool)
        for name in order:
            place = LISTS.index(name)
            drops = left & (self.lengths[place] > 0)
            self.starts[place] += drops
            self.lengths[place] -= drops
            left &= ~drops
        return ~left

    def pieces(self) -> pa.ListArray:
        """Each prompt's message as `newsrec.chat.pieces.PIECES`."""
        num_items = np.maximum(self.lengths, 1)  # one says that there is nothing
        sizes = num_items.sum(axis=0) + len(HEADINGS) + 2
        ends = np.cumsum(sizes)
        codes = np.empty(sizes.sum(), np.int32)
        place = ends - sizes
        for number in range(len(LISTS)):
            codes[place] = number
            codes[place + 1] = _NOTHING
            starts, lengths = self.starts[number], self.lengths[number]
            codes[spans(place + 1, lengths)] = self.shown[spans(starts, lengths)] + len(_FIXED)
            place = place + 1 + num_items[number]
        codes[place] = len(LISTS)
        codes[place + 1] = self.targets + len(_FIXED)
        codes[place + 2] = _QUESTION
        texts = [*_FIXED, *(f"{ITEM}{title}\n" for title in self.titles.to_pylist())]
        coded = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.string()))
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, coded)
