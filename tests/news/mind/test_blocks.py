"""Blocks of columns hold what single rows do, and `preprocess` what its plain form does."""

import random
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from newsrec.chat.text import plain_text
from newsrec.errors import UserError
from newsrec.news.mind import columns
from newsrec.news.mind.blocks import NewsCodes, read_blocks, to_seconds
from newsrec.news.mind.news_columns import read_news_columns
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.tables import Impression, News, read_behaviors, read_news
from newsrec.news.mind.titles import shown_titles
from tests.fuzz import mutated
from tests.news.mind.slow_preprocess import slow_preprocess

TIME = "11/12/2019 2:14:46 PM"
GOOD = f"1\tU1\t{TIME}\tN1 N2\tN3-1 N4-0\n"
HOSTILE = {
    "quotes and spaces in a user": f'1\tO\'Brien "x"\t{TIME}\t\tN1-0\n2\tA B\t{TIME}\tN1\tN2-1\n',
    "another script": f"1\t用户1\t{TIME}\tN1\tN2-1\n2\tюзер\t{TIME}\té1\té2-0 N1-1\n",
    "long ids": f"1\tU1\t{TIME}\t{'n' * 70}\t{'n' * 70}-1 {'n' * 71}-0\n",
    "spaces around": f"1\tU1\t{TIME}\t  N1   N2 \t N3-1  N4-0 \n",
    "dashes in ids": f"1\tU1\t{TIME}\ta-b N-1\ta-b-0 N-1-1 N-0-0\n",
    "one without labels": GOOD + f"2\tU1\t{TIME}\tN1\tN1 N2\n3\tU1\t{TIME}\t\tN1\n",
    "no history at all": f"1\tU1\t{TIME}\t\tN1-0\n2\tU1\t{TIME}\t\tN1-1\n",
    "no line end": GOOD + GOOD.replace("1\tU1", "2\tU2").removesuffix("\n"),
    "ends of the calendar": "".join(
        f"{id_}\tU1\t{time}\tN1\tN2-1\n"
        for id_, time in enumerate(
            ("1/1/0001 12:00:00 AM", "12/31/9999 11:59:59 PM", "02/29/2020 01:02:03 AM")
        )
    ),
    "labels alone are no ids": f"1\tU1\t{TIME}\t-1 1\t1-1 0-0\n",
}


def rows_of(path: Path) -> Iterator[tuple[Any, ...]]:
    """What `read_blocks` read, row by row."""
    news = NewsCodes(["N1"])
    for block in read_blocks(path, news):
        for row in range(len(block)):
            history, candidates = (
                tuple(
                    news.ids[code] for code in part.codes[part.offsets[row] : part.offsets[row + 1]]
                )
                for part in (block.history, block.candidates)
            )
            first, last = block.candidates.offsets[row], block.candidates.offsets[row + 1]
            yield (
                block.line + row + 1,
                block.impression_ids[row],
                block.user_ids[row].as_py(),
                block.times[row],
                history,
                candidates,
                tuple(block.labels[first:last].tolist()),
            )
            with path.open("rb") as stream:
                stream.seek(block.starts[row])
                text = stream.read(block.starts[row + 1] - block.starts[row])
            assert text.startswith(f"{block.impression_ids[row]}\t".encode())
            assert text.count(b"\n") <= 1


def as_tuple(row: Impression) -> tuple[Any, ...]:
    return (
        row.line,
        row.impression_id,
        row.user_id,
        to_seconds(row.time),
        row.history,
        row.candidates,
        row.labels or (-1,) * len(row.candidates),
    )


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks of a small file."""
    monkeypatch.setattr(columns, "_PIECE_BYTES", 3000)


@pytest.mark.parametrize("name", HOSTILE)
def test_blocks_hold_what_rows_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / "behaviors.tsv"
    path.write_text(HOSTILE[name], encoding="utf-8", newline="\n")
    assert list(rows_of(path)) == [as_tuple(row) for row in read_behaviors(path)]


@pytest.mark.usefixtures("small_pieces")
def test_blocks_of_a_file_follow_one_another(raw: Path) -> None:
    path = raw / "train/behaviors.tsv"
    assert len(list(read_blocks(path, NewsCodes([])))) > 5
    assert list(rows_of(path)) == [as_tuple(row) for row in read_behaviors(path)]


def outcome(read: Callable[[Path], Any], path: Path) -> Any:
    try:
        return read(path)
    except UserError as error:
        return str(error)


@pytest.mark.slow  # a second or so
@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("name", "read", "slow"),
    [
        (
            "behaviors",
            lambda path: list(rows_of(path)),
            lambda path: [as_tuple(row) for row in read_behaviors(path)],
        ),
        ("news", read_news_columns, read_news),
    ],
)
def test_mutated_files_are_read_or_refused_in_the_same_words(
    name: str,
    read: Callable[[Path], Any],
    slow: Callable[[Path], Any],
    raw: Path,
    tmp_path: Path,
) -> None:
    rows = (raw / f"train/{name}.tsv").read_bytes().splitlines(keepends=True)
    path, refused = tmp_path / f"{name}.tsv", 0
    for number in range(200):
        path.write_bytes(mutated(b"".join(rows[:60]), random.Random(number)))
        expected = outcome(slow, path)
        assert outcome(read, path) == expected, number
        refused += isinstance(expected, str)
    assert 25 < refused < 175


def test_a_title_that_is_shown_as_it_is_would_be_by_the_long_way_too() -> None:
    rng = random.Random(1)
    characters = [chr(code) for code in range(0x20, 0x7F)] + [" ", " ", "é", "\u200b"]
    titles = {str(number): "".join(rng.choices(characters, k=4)) for number in range(5_000)}
    shown = shown_titles({id_: News(id_, "", "", title) for id_, title in titles.items()})
    assert all(shown.get(id_, "") == plain_text(title) for id_, title in titles.items())


@pytest.mark.slow
@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("feedback", "target"),
    list(product(("earlier", "none", "same_impression"), ("last", "sampled"))),
)
def test_preprocess_does_what_its_plain_form_does(
    feedback: str, target: str, raw: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "feedback": feedback,
        "num_history": 3,
        "num_feedback": 2,
        "target": target,
        "positive_rate": 0.4,
        "max_samples": {"train": 90, "val": None},
        "test_candidates": "all" if target == "sampled" else "last",
        "num_val_impressions": 5,
        "num_test_impressions": 20,
        "seed": 3,
    }
    counts = preprocess(raw, tmp_path, **settings)
    expected = slow_preprocess(raw, **settings)
    for split in ("train", "val"):
        text = (tmp_path / f"mind_{split}.jsonl").read_text(encoding="utf-8")
        assert text.split("\n")[:-1] == expected["lines"][split]
    for split in ("val", "test"):
        table = pq.read_table(tmp_path / f"candidates_{split}.parquet").drop_columns(["category"])
        assert table.to_pylist() == expected["tables"][split]
    for split, of_split in expected["counts"].items():
        assert {key: counts[split][key] for key in of_split} == of_split
