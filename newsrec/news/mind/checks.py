"""What is checked of MIND's files beyond the single row: the rows of a file, files, and splits."""

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from newsrec.errors import UserError
from newsrec.news.mind.tables import (
    NEWS_COLUMNS,
    Impression,
    read_behaviors,
    read_news,
    read_rows,
)
from newsrec.news.mind.titles import shown_titles


@dataclass
class SplitCheck:
    """Whether a split has what the later stages need, seen row by row."""

    titled: Collection[str]  # ids of the news that have a title, see `check_news`
    num_impressions: int = 0
    days: set[date] = field(default_factory=set)
    _has_title: bool = False
    _has_click: bool = False
    _has_other: bool = False
    _has_both: bool = False  # in one impression

    def add(self, row: Impression) -> None:
        """Count one impression."""
        self.num_impressions += 1
        self.days.add(row.time.date())
        if self._has_both:
            return  # all is seen: MIND has tens of millions of candidates
        labels = row.labels or [None] * len(row.candidates)
        shown = {
            label
            for news_id, label in zip(row.candidates, labels, strict=True)
            if news_id in self.titled
        }
        self._has_title |= bool(shown)
        self._has_click |= 1 in shown
        self._has_other |= 0 in shown
        self._has_both |= {0, 1} <= shown

    def require(self, split: str, where: str) -> None:
        """Check the split after its last row.

        Args:
            split: its name in data/raw.
            where: the file that it is, or the source and the rule that made it of it.

        Raises:
            UserError: no candidate has a title, no label is 1 or none is 0, or val is too short.
        """
        if not self._has_title:
            raise UserError(
                f"{where}: not one candidate has a title in news.tsv; expected the news of the "
                "impressions there; put the news.tsv of the same data set beside behaviors.tsv"
            )
        if split == "unlabelled":
            return
        for label, found in (1, self._has_click), (0, self._has_other):
            if not found:
                raise UserError(
                    f"{where}: no candidate with a title has label {label}; expected both labels, "
                    "1 for a click and 0 for none, in each of train, val and test; correct the "
                    "labels, or leave them out of a split that has none"
                )
        if split == "train" and not self._has_both:
            raise UserError(
                f"{where}: no impression has both a click and another candidate with a title; "
                "expected what was shown beside a click, which baselines learn from; give the "
                "candidates that were not clicked in the row of the click"
            )
        if split == "val" and self.num_impressions < 2:
            raise UserError(
                f"{where}: val has 1 impression; expected 2 or more: to watch the training and to "
                "calibrate the scores; give more data"
            )


def check_news(folders: Mapping[str, Path]) -> dict[str, set[str]]:
    """Check news.tsv of each folder, and that one id has one title in all of them.

    Returns:
        By role, the ids of the news that have a title: news with a blank one is as good as missing.

    Raises:
        UserError: a fault in a file (see `newsrec.news.mind.tables`), not one title in it, or an id
            with two titles.
    """
    titled: dict[str, set[str]] = {}
    known: dict[str, tuple[str, Path]] = {}
    for role, folder in folders.items():
        path = folder / "news.tsv"
        shown = shown_titles(read_news(path))
        if not shown:
            raise UserError(
                f"{path}: every title is blank; expected titles in column 4; restore them from the "
                "original file"
            )
        for news_id, title in shown.items():
            other_title, other = known.setdefault(news_id, (title, path))
            if other_title != title:
                rows = read_rows(path, NEWS_COLUMNS)
                line = next(line for line, fields in rows if fields[0] == news_id)
                raise UserError(
                    f"{path}, line {line}: news id {news_id!r} has another title than in {other}; "
                    "keep files of one data set (small or large) there"
                )
        titled[role] = set(shown)
    return titled


def check_behaviors(folder: Path, titled: Collection[str], role: str) -> SplitCheck:
    """Check every row of a folder's behaviors.tsv, against the others and against its role.

    Args:
        folder: holds behaviors.tsv.
        titled: ids of the news that have a title.
        role: `unlabelled`, or another for a folder whose candidates have labels.

    Raises:
        UserError: a fault in a row (see `newsrec.news.mind.tables`), a row with labels where there
            should be none or the other way round, or an impression id that occurs twice.
    """
    path = folder / "behaviors.tsv"
    check = SplitCheck(titled)
    hashes = array("q")  # of the ids: the large train has millions
    for row in read_behaviors(path):
        if (row.labels is None) != (role == "unlabelled"):
            found, expected = ("no labels", "labels") if row.labels is None else ("labels", "none")
            raise UserError(
                f"{path}, line {row.line}: candidates with {found}, expected {expected} in every "
                f"row of {folder.name}/; keep labelled and unlabelled rows in folders apart"
            )
        check.add(row)
        hashes.append(hash(row.impression_id))
    values, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
    repeated = set(values[counts > 1].tolist())
    if repeated:
        _refuse_repeated_id(path, repeated)
    return check


def _refuse_repeated_id(path: Path, hashes: set[int]) -> None:
    first_line: dict[str, int] = {}
    for row in read_behaviors(path):
        if hash(row.impression_id) in hashes:
            line = first_line.setdefault(row.impression_id, row.line)
            if line != row.line:
                raise UserError(
                    f"{path}, line {row.line}: impression id {row.impression_id!r} occurs twice, "
                    f"first in line {line}; remove one of the two rows"
                )
