"""The leaderboard's prediction.txt: written from predictions, checked, and read back.

One line for each impression, in the order of behaviors.tsv: `id [2,1,3]`, the rank of each
candidate in the order of the row, 1 for the one most likely to be clicked. Format and scorer:
https://github.com/msnews/MIND/blob/master/evaluate.py

Check a file: newsrec submission check prediction.zip behaviors.tsv
"""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pandas as pd

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.news.leaderboard.prediction_txt import (
    MEMBER,
    check_line,
    impression_of,
    name_of,
    read_prediction,
    shortened,
)
from newsrec.news.leaderboard.scores import score_store
from newsrec.news.mind.tables import BEHAVIORS_COLUMNS, Impression, read_behaviors, read_rows
from newsrec.news.predictions import KEYS


def write_submission(behaviors: Path, predictions: Path, target: Path) -> int:
    """Write the zip to hand in, the same bytes for the same input; memory stays flat.

    The highest score gets rank 1. Ties are broken by a hash of impression and news id, not by the
    order of the row: where that order depends on the clicks, a predictor that scores all
    candidates alike would gain by it. Candidates without a prediction (their news is missing
    from news.tsv) come last, by the same hash.

    Args:
        behaviors: the behaviors.tsv of the split; labels in it are not looked at.
        predictions: Parquet with impression_id, news_id and score, in any order.
        target: the zip file to write.

    Returns:
        The number of impressions.

    Raises:
        UserError: a fault in either file, or a prediction for no candidate of `behaviors`.
    """
    count = num_without = 0
    # As a file of our own would have it: a date or a machine's habit would change the bytes.
    info = ZipInfo(MEMBER, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type, info.create_system, info.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
    with atomic_file(target) as draft, score_store(predictions, target.parent) as store:
        with ZipFile(draft, "w") as archive, archive.open(info, "w") as stream:
            for row in read_behaviors(behaviors):
                where = f"{behaviors}, line {row.line}"
                news_ids, scores = store.take(row, where)
                num_without += not news_ids
                aligned = _aligned(row, news_ids, scores, where)
                ranks = ",".join(map(str, _ranks(row, aligned)))
                stream.write(f"{row.impression_id} [{ranks}]\n".encode())
                count += 1
        stray = store.first_not_taken()
        if stray is not None:
            raise UserError(
                f"{predictions}: impression {stray!r} is not in {behaviors}; expected predictions "
                "for that file alone; score the same split"
            )
    if num_without:
        print(
            f"submission: warning: {num_without:,} of {count:,} impressions have no prediction at "
            "all; their ranks are a draw",
            file=sys.stderr,
        )
    return count


def validate_submission(prediction: Path, behaviors: Path) -> int:
    """Check a prediction file, whoever wrote it, against the impressions that it is for.

    Stricter than the official scorer, which takes a missing line at the end as a tie.

    Args:
        prediction: prediction.txt, or a .zip that holds it.
        behaviors: the behaviors.tsv of the split.

    Returns:
        The number of impressions.

    Raises:
        UserError: the first fault, with its line.
    """
    count = 0
    expected = read_rows(behaviors, BEHAVIORS_COLUMNS)
    for row, found in zip_longest(expected, read_prediction(prediction)):
        if found is None:
            line, (impression_id, *_) = row
            raise UserError(
                f"{name_of(prediction)}, line {line}: the file ends before it; expected a line for "
                f"impression {impression_id!r} ({behaviors}, line {line}); rank every impression"
            )
        if row is None:
            raise UserError(
                f"{name_of(prediction)}, line {found[0]}: {shortened(found[1])} after the last "
                f"impression; expected the end, {behaviors} has {count:,} lines; remove the rest"
            )
        line, (impression_id, *_, shown) = row
        check_line(
            found[1], impression_id, len(shown.split()), f"{name_of(prediction)}, line {line}"
        )
        count += 1
    return count


def read_prediction_txt(
    prediction: Path, candidates: pd.DataFrame, behaviors: Path
) -> pd.DataFrame:
    """A prediction file for a labelled split as the predictions table of our evaluation set.

    Impressions outside the evaluation set are checked and passed over, so the file may hold the
    whole split or the drawn impressions alone, in any order.

    Args:
        prediction: prediction.txt, or a .zip that holds it.
        candidates: the evaluation set: impression_id, user_id, news_id, label. News that is missing
            from news.tsv is ranked in `prediction` and absent here.
        behaviors: the behaviors.tsv that the evaluation set was drawn from.

    Returns:
        The columns of `newsrec.news.predictions.SCHEMA` for each row of `candidates`; the score is
        1 / rank as the official scorer has it.

    Raises:
        UserError: a fault in a line, an impression that is not in the split, or an impression or a
            candidate that has no rank.
    """
    wanted = dict.fromkeys(candidates["impression_id"])
    shown: dict[str, tuple[str, ...]] = {}
    num_shown: dict[str, int] = {}
    for row in read_behaviors(behaviors):
        num_shown[row.impression_id] = len(row.candidates)
        if row.impression_id in wanted:
            shown[row.impression_id] = row.candidates
    ranks: dict[tuple[str, str], list[int]] = {}  # a list: an impression may show one news twice
    read: dict[str, int] = {}
    for line, text in read_prediction(prediction):
        where = f"{name_of(prediction)}, line {line}"
        impression_id = text.partition(" ")[0]
        if impression_id not in num_shown:
            impression_id = impression_of(text)  # what follows the id may be the fault
        if impression_id not in num_shown:
            raise UserError(
                f"{where}: {shortened(text)} does not begin with an impression of {behaviors}; "
                "expected its impressions alone, a line each, as in '7 [2,1,3]'; correct or remove "
                "the line"
            )
        if impression_id in read:
            raise UserError(
                f"{where}: impression {impression_id!r} is already in line "
                f"{read[impression_id]}; expected it once; remove one of the two lines"
            )
        read[impression_id] = line
        found = check_line(text, impression_id, num_shown[impression_id], where)
        for news_id, rank in zip(shown.get(impression_id, ()), found, strict=False):
            ranks.setdefault((impression_id, news_id), []).append(int(rank))
    lacking = [impression_id for impression_id in wanted if impression_id not in read]
    if lacking:
        place = name_of(prediction) if lacking[0] in shown else str(behaviors)
        raise UserError(
            f"{place}: no line for impression {lacking[0]!r}; expected all {len(wanted):,} of the "
            f"evaluation set, {len(lacking):,} are lacking; rank the split that it was drawn from"
        )
    scores = []
    for impression_id, news_id in zip(
        candidates["impression_id"], candidates["news_id"], strict=True
    ):
        left = ranks.get((impression_id, news_id))
        if not left:
            raise UserError(
                f"{behaviors}: impression {impression_id!r} does not show {news_id!r} as often as "
                "the evaluation set; expected the split that it was drawn from"
            )
        scores.append(1 / left.pop(0))
    table = candidates[[*KEYS, "label"]].assign(score=scores)
    return table.reset_index(drop=True)


def _ranks(row: Impression, scores: Sequence[float | None]) -> list[int]:
    """The rank of each candidate, from 1."""
    keys = [-math.inf if score is None else score for score in scores]
    shares = Counter(keys)
    # Drawn for ties alone: a hash for each of MIND's 90 million candidates would take minutes.
    draws = [
        _draw(row.impression_id, news_id) if shares[key] > 1 else b""
        for news_id, key in zip(row.candidates, keys, strict=True)
    ]
    best_first = sorted(range(len(keys)), key=lambda place: (-keys[place], draws[place]))
    ranks = [0] * len(keys)
    for rank, place in enumerate(best_first, start=1):
        ranks[place] = rank
    return ranks


def _draw(impression_id: str, news_id: str) -> bytes:
    """A number that orders tied candidates, in each impression another way."""
    return blake2b(f"{impression_id}:{news_id}".encode(), digest_size=8).digest()


def _aligned(
    row: Impression, news_ids: list[str], scores: Sequence[float], where: str
) -> list[float | None]:
    """The score of each candidate of the row, None where there is none."""
    if news_ids == list(row.candidates):
        return list(scores)
    left: dict[str, list[float]] = {}
    for news_id, score in zip(news_ids, scores, strict=True):
        left.setdefault(news_id, []).append(score)
    # A list for each: an impression may show one news twice.
    result = [left[id_].pop(0) if left.get(id_) else None for id_ in row.candidates]
    for news_id, rest in left.items():
        if rest:
            raise UserError(
                f"{where}: impression {row.impression_id!r} does not show {news_id!r} as often as "
                "it is predicted; expected a prediction for each candidate; score the same split"
            )
    return result
