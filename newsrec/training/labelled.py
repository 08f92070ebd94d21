"""Labelled texts in Parquet files, for training and validating a classifier."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from newsrec.chat.text import plain_text
from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_texts

# `balanced` weights a class by the inverse of its share, as in scikit-learn.
ClassWeights = Literal["none", "balanced"]


@dataclass(frozen=True)
class LabelledTexts:
    """Training and validation samples.

    Attributes:
        train: Parquet file of the training samples.
        val: Parquet file of the validation samples.
        text: name of the column with the text, a string.
        label: name of the column with the class, a string.
        classes: the names of all classes, in the order of their ids.
    """

    train: Path
    val: Path
    text: str
    label: str
    classes: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """Both files."""
        return [self.train, self.val]

    def read(self, file: Path) -> Iterator[tuple[str, str]]:
        """The text and label of each row; only a few thousand rows are in memory at a time.

        Raises:
            UserError: see `newsrec.files.read_texts`.
        """
        for texts, labels in read_texts(file, (self.text, self.label)):
            yield from zip(texts, labels, strict=True)

    def count_labels(self, file: Path) -> dict[str, int]:
        """The number of rows of each class, in the order of the classes.

        Raises:
            UserError: see `read`; or a row has no text, or its label is not a class.
        """
        counts: Counter[str] = Counter()
        for number, (text, label) in enumerate(self.read(file), start=1):
            if label not in self.classes:
                raise unknown_choice(f"{file}, row {number}: {self.label}", label, self.classes)
            if not plain_text(text):
                raise UserError(
                    f"{file}, row {number}: {self.text} has no visible character; expected a text "
                    "of the class; remove the row from the data and create the file again"
                )
            counts[label] += 1
        if not counts:
            raise UserError(f"{file}: no rows; expected labelled texts; create the file again")
        return {name: counts[name] for name in self.classes}


def weigh_classes(counts: Mapping[str, int], chosen: ClassWeights) -> list[float]:
    """The weight of each class in the loss; the mean over the counted rows is 1.

    Args:
        counts: number of training rows of each class.
        chosen: `none` gives all classes the same weight.

    Raises:
        UserError: a class has no rows, so its balanced weight is not defined.
    """
    if chosen == "none":
        return [1.0] * len(counts)
    if absent := [name for name, count in counts.items() if not count]:
        raise UserError(
            f"classifier.class_weights is 'balanced', but no training row has the label "
            f"{absent[0]!r}; add rows with this label, or set classifier.class_weights to none"
        )
    total = sum(counts.values())
    return [total / (len(counts) * count) for count in counts.values()]
