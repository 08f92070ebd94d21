"""Made-up labelled documents, as a source would hold them, and clean ones to measure on.

What keeps a comparison honest is in the documents: some labels are wrong, some documents are near
copies of others, some are spelled to evade a filter, some have two labels, classes are of unequal
size, and a few hold what careless readers stumble over.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from newsrec.safety.corpus import phrases
from newsrec.safety.corpus.passages import Passage, make_double, make_passage
from newsrec.safety.corpus.words import LABELLED, UNLABELLED
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.tricks import TRICKS, traditional

EVASIVE, TRADITIONAL, UNLABELLED_WORD = "evasive", "traditional", "unlabelled-word"

# The share of each class among the documents, in the order of `CLASSES`.
CLASS_SHARES = (0.40, 0.12, 0.14, 0.10, 0.12, 0.12)
NOISE_SHARE = 0.03  # of the documents with one label: another one than theirs
COPY_SHARE = 0.08
DOUBLE_SHARE = 0.03  # of all that are unsafe: two labels
EVASIVE_SHARE = 0.05
TRADITIONAL_SHARE = 0.06
ODD_SHARE = 0.01
UNLABELLED_SHARE = 0.15  # of the clean ones
# A near copy is of one of so many documents before it, so that memory does not grow.
_COPIED_FROM = 1_000
# Each keeps the meaning, and most of a short text.
_EDITS = ("转{}", "{}👍", "{}~", "{}！", "{}。", "{} 1")


@dataclass(frozen=True)
class Document:
    """A document, and what the generator knows of it and a source does not."""

    id: str
    text: str
    labels: tuple[str, ...]  # as a source holds them; sometimes wrong
    tags: tuple[str, ...]
    true_label: str  # of two, the first
    is_near_copy_of: str | None = None  # the id of an earlier document


def documents(num: int, seed: int) -> Iterator[Document]:
    """`num` documents, made one at a time.

    Some words of each class (`words.UNLABELLED`) are in none of them.
    """
    rng = Random(f"documents:{seed}")
    earlier: deque[Document] = deque(maxlen=_COPIED_FROM)
    for number in range(num):
        id_ = f"d{seed}-{number:06d}"
        if earlier and rng.random() < COPY_SHARE:
            made = _near_copy(rng.choice(earlier), id_, rng)
        else:
            (target,) = rng.choices(CLASSES, CLASS_SHARES)
            if target != BENIGN and rng.random() < DOUBLE_SHARE:
                passage = make_double(LABELLED, rng)
            else:
                passage = make_passage(target, LABELLED, rng)
            made = _document(id_, passage, rng)
            earlier.append(made)
        # Of each copy anew: a wrong label is one person's slip.
        yield _with_noise(made, rng)


def clean_documents(num: int, seed: int) -> Iterator[Document]:
    """`num` documents to measure on, that are none of `documents`.

    As many of each class, each with its one true label, none a copy, none evasive. Some are about
    words of `words.UNLABELLED` alone; their tags say which.
    """
    rng = Random(f"clean:{seed}")
    for number in range(num):
        is_new = rng.random() < UNLABELLED_SHARE
        target = CLASSES[number % len(CLASSES)]
        passage = make_passage(target, UNLABELLED if is_new else LABELLED, rng)
        made = _document(f"c{seed}-{number:06d}", passage, rng, evasive_share=0)
        yield replace(made, tags=(*made.tags, UNLABELLED_WORD)) if is_new else made


def _document(
    id_: str, passage: Passage, rng: Random, evasive_share: float = EVASIVE_SHARE
) -> Document:
    text, tags = passage.text, passage.tags
    draw = rng.random()
    if draw < evasive_share:
        word, _ = rng.choice(passage.said)
        trick = rng.choice(list(TRICKS))
        text = text.replace(word, TRICKS[trick](word, rng, 1.0))
        tags = (*tags, EVASIVE)
    elif draw < evasive_share + TRADITIONAL_SHARE:
        text = traditional(text, rng, 1.0)
        tags = (*tags, TRADITIONAL)
    if rng.random() < ODD_SHARE:
        text += rng.choice(phrases.ODD)
    labels = passage.classes or (BENIGN,)
    return Document(id_, text, labels, tags, labels[0])


def _near_copy(original: Document, id_: str, rng: Random) -> Document:
    text = rng.choice(_EDITS).format(original.text)
    return replace(original, id=id_, text=text, is_near_copy_of=original.id)


def _with_noise(document: Document, rng: Random) -> Document:
    if len(document.labels) > 1 or rng.random() >= NOISE_SHARE:
        return document
    wrong = rng.choice([name for name in CLASSES if name != document.true_label])
    return replace(document, labels=(wrong,))
