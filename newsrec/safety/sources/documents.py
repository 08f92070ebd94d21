"""Labelled documents as a source has them, one label of theirs, and which of them are kept."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter

from newsrec.errors import UserError, unknown_choice
from newsrec.safety.labels import CLASSES
from newsrec.safety.smallest import Smallest

# The order of the rule `most_severe`, worst first: what endangers life, then what the law forbids,
# then what offends.
SEVERITY = ("暴恐", "政治安全", "违法违规", "色情低俗", "歧视", "正常")

# Why a document is refused.
REASONS = ("no_label", "no_text", "text_is_no_string", "empty_text", "lone_surrogate")

# Between several labels in one string, as people join them and as a list is written into a cell.
_SEPARATORS = re.compile(r"[\s,，;；、|\[\]'\"]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """What a source holds, unchecked.

    Attributes:
        key: bytes that only this document of the source has; draws depend on nothing else of it.
        id: the same for people, in tables and errors.
        text: a string, where all is well.
        labels: a string, or a list of strings.
        tags: a string, a list of strings, or None.
    """

    key: bytes
    id: str
    text: object
    labels: object
    tags: object = None


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A document with one label; ordered, so that two of one hash are too."""

    id: str
    text: str
    label: str
    tags: tuple[str, ...]


@dataclass
class Counts:
    """What became of the documents that were read.

    Attributes:
        seen: usable documents, by label.
        several: documents with several labels; by the label that the rule made of them, and those
            it skipped under `skipped`.
        refused: unusable documents, by reason (`REASONS`).
        unknown: labels that are no class and were passed over.
    """

    seen: Counter[str] = field(default_factory=Counter)
    several: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: int = 0


class Draw:
    """Keeps the documents of each label whose keyed hash is smallest.

    The same seed keeps the same ones whatever order they come in, and memory holds no more than
    is kept.
    """

    def __init__(
        self, limits: Mapping[str, int], seed: int, multi_label: str, unknown_label: str
    ) -> None:
        """
        Args:
            limits: how many documents to keep, by label.
            seed: key of the hash.
            multi_label: what to do with a document of several labels: `refuse`, `skip`, take the
                `first` or the `most_severe` (`SEVERITY`).
            unknown_label: what to do with a label that is no class: `refuse`, or `skip` it.
        """
        self.counts = Counts()
        self._limits = limits
        self._hash_key = str(seed).encode()
        self._multi_label, self._unknown_label = multi_label, unknown_label
        self._kept = {label: Smallest[Row](limit) for label, limit in limits.items()}

    def add(self, document: Document) -> None:
        """Count a document, and keep it if it is among the smallest.

        Raises:
            UserError: several labels or an unknown one, where they are to be refused, or tags that
                are no text.
        """
        label = self._label(document)
        if label is None:
            return
        if (fault := _fault(document.text)) is not None:
            self.counts.refused[fault] += 1
            return
        self.counts.seen[label] += 1
        if label not in self._kept:
            return
        digest = hashlib.blake2b(document.key, digest_size=16, key=self._hash_key).digest()
        draw, kept = int.from_bytes(digest), self._kept[label]
        if kept.takes(draw):
            assert isinstance(document.text, str)
            kept.add(draw, Row(document.id, document.text, label, _tags(document)))

    def rows(self) -> list[Row]:
        """The documents kept, in the order of their hashes.

        Raises:
            UserError: two of them have one id.
        """
        entries = [entry for kept in self._kept.values() for entry in kept.entries()]
        entries.sort(key=itemgetter(0))
        for one, other in pairwise(entries):
            if one[0] == other[0]:
                raise UserError(
                    f"id {one[1].id!r}: two documents have it; expected ids that differ; give each "
                    "its own, or leave the column of ids out"
                )
        return [row for _, row in entries]

    def kept_all(self, label: str) -> bool:
        """Whether the source has no more usable documents of a label than are kept."""
        return self.counts.seen[label] <= self._limits.get(label, 0)

    def _label(self, document: Document) -> str | None:
        """The one label of a document; None where it has none or is skipped."""
        known = []
        for label in labels_of(document):
            if label in CLASSES:
                known.append(label)
            elif self._unknown_label == "refuse":
                error = unknown_choice(f"document {document.id!r}: its label", label, CLASSES)
                raise UserError(f"{error}; correct it, or set extract.unknown_label to skip")
            else:
                self.counts.unknown += 1
        if len(known) == 1:
            return known[0]
        if not known:
            self.counts.refused["no_label"] += 1
            return None
        if self._multi_label == "refuse":
            raise UserError(
                f"document {document.id!r} has the labels {', '.join(known)}; expected one; set "
                "extract.multi_label to first, most_severe or skip, or correct the document"
            )
        if self._multi_label == "skip":
            self.counts.several["skipped"] += 1
            return None
        label = known[0] if self._multi_label == "first" else min(known, key=SEVERITY.index)
        self.counts.several[label] += 1
        return label


def labels_of(document: Document) -> list[str]:
    """The labels of a document, each once, in its own order.

    Raises:
        UserError: they are neither a string nor a list of strings.
    """
    found = document.labels
    if found is None:
        return []
    if isinstance(found, str) and found in CLASSES:
        return [found]
    given = [found] if isinstance(found, str) else found
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise UserError(
            f"document {document.id!r}: its label is {str(found)[:60]!r}; expected a string or a "
            "list of strings; choose another extract.label_field"
        )
    pieces: Iterable[str] = (piece for one in given for piece in _SEPARATORS.split(one))
    return list(dict.fromkeys(piece for piece in pieces if piece))


def _fault(text: object) -> str | None:
    """Why a text is of no use; None where it is."""
    if text is None:
        return "no_text"
    if not isinstance(text, str):
        return "text_is_no_string"
    if not text or text.isspace():
        return "empty_text"
    # Neither Parquet nor xlsx can hold one: no character, but half of one.
    return None if _SURROGATE.search(text) is None else "lone_surrogate"


def _tags(document: Document) -> tuple[str, ...]:
    found = document.tags
    if found is None or found == "":
        return ()
    given = [found] if isinstance(found, str) else found
    if isinstance(given, list) and all(
        isinstance(one, str) and not _SURROGATE.search(one) for one in given
    ):
        return tuple(given)
    raise UserError(
        f"document {document.id!r}: its tags are {str(found)[:60]!r}; expected a string or a list "
        "of strings; choose another extract.tags_field"
    )
