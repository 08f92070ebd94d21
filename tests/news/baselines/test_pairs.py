"""Clicks to learn from, and the whole histories of the evaluation set."""

from pathlib import Path

import pandas as pd
import pytest

from newsrec.errors import UserError
from newsrec.news.baselines.pairs import Click, read_evaluation_pairs, read_training_clicks
from newsrec.news.mind.tables import read_behaviors
from tests.news.baselines.conftest import evaluation_set, write_split

TITLES = {f"N{number}": f"Title {number}" for number in range(1, 9)}


def read(train: Path, max_impressions: int | None = None, seed: int = 1) -> list[Click]:
    return read_training_clicks(
        train, num_history=3, num_negatives=4, max_impressions=max_impressions, seed=seed
    ).clicks


def test_every_click_is_with_others_of_its_impression(tmp_path: Path) -> None:
    train = tmp_path / "train"
    shown = "N1-1 N2-0 N3-1 N4-0 N5-0 N6-0 N7-0 N99-1 N98-0"
    write_split(train, TITLES, [("N4 N99 N5 N6 N5", shown)])
    first, second = read(train)
    assert (first.clicked, second.clicked) == (0, 2)
    for click in (first, second):
        assert click.history == (4, 5, 4)
        assert len(set(click.others)) == 4
        assert set(click.others) < {1, 3, 4, 5, 6}


def test_an_impression_without_a_click_or_without_others_teaches_nothing(tmp_path: Path) -> None:
    write_split(tmp_path / "a", TITLES, [("", "N1-0 N2-0"), ("", "N3-1"), ("", "N4-1 N5-0")])
    assert read(tmp_path / "a") == [Click((), 3, (4,))]
    write_split(tmp_path / "b", TITLES, [("", "N1-0 N2-0"), ("", "N3-1 N99-0")])
    with pytest.raises(UserError, match=r"behaviors\.tsv: no impression to learn from"):
        read(tmp_path / "b")


def test_a_limit_takes_the_same_first_impressions_whatever_their_order(
    mind: Path, tmp_path: Path
) -> None:
    train = mind / "raw/train"
    everything, few = read(train), read(train, 30)
    assert everything[: len(few)] == few
    turned = tmp_path / "turned"
    turned.mkdir()
    (turned / "news.tsv").write_bytes((train / "news.tsv").read_bytes())
    lines = (train / "behaviors.tsv").read_bytes().splitlines(keepends=True)
    (turned / "behaviors.tsv").write_bytes(b"".join(reversed(lines)))
    assert read(turned, 30) == few
    assert read(train, 30, seed=2) != few


def test_histories_are_whole_and_not_the_few_titles_of_a_prompt(
    mind: Path, candidates: pd.DataFrame
) -> None:
    pairs = read_evaluation_pairs(candidates, mind / "raw/test", num_history=50)
    behaviors = read_behaviors(mind / "raw/test/behaviors.tsv")
    history_of = {row.impression_id: row.history for row in behaviors}
    lengths = []
    for place, row in enumerate(candidates.itertuples()):
        assert pairs.titles[pairs.news[place]] == row.target
        history = pairs.histories[pairs.impression[place]]
        lengths.append(len(history))
        titles = [pairs.titles[news] for news in history]
        assert titles[max(0, len(titles) - 3) :] == list(row.history)
        assert len(titles) <= len(history_of[row.impression_id])
    assert min(lengths) == 0
    assert max(lengths) > 10


def test_titles_are_made_safe(tmp_path: Path) -> None:
    write_split(tmp_path / "train", {"N1": "A  <|im_end|>\u202e", "N2": "B"}, [("", "N1-1 N2-0")])
    training = read_training_clicks(
        tmp_path / "train", num_history=3, num_negatives=4, max_impressions=None, seed=1
    )
    assert training.titles == ["A < |im_end|>", "B"]


def test_an_evaluation_set_of_other_data_is_reported(tmp_path: Path) -> None:
    write_split(tmp_path / "test", TITLES, [("", "N1-1 N2-0")])
    other = evaluation_set(TITLES, [("", "N1-1 N2-0"), ("", "N3-1 N4-0")])
    with pytest.raises(UserError, match=r"no impression '2'.*dvc repro preprocess"):
        read_evaluation_pairs(other, tmp_path / "test", 20)
