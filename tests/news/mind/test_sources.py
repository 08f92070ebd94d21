"""Folders of any MIND naming become train, val and test."""

import shutil
from itertools import combinations
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.tables import read_behaviors


def users(folder: Path) -> set[str]:
    return {row.user_id for row in read_behaviors(folder / "behaviors.tsv")}


def days(folder: Path) -> set[str]:
    return {row.time.date().isoformat() for row in read_behaviors(folder / "behaviors.tsv")}


def count(folder: Path) -> int:
    return sum(1 for _ in read_behaviors(folder / "behaviors.tsv"))


def test_by_user_shares_no_user_and_loses_no_row(synthetic: Path, tmp_path: Path) -> None:
    counts = split_folders(synthetic, tmp_path, "by_user", seed=3)
    splits = [users(tmp_path / name) for name in ("train", "val", "test")]
    for one, other in combinations(splits, 2):
        assert not one & other
    labelled = [counts[name] for name in ("train", "val", "test")]
    assert sum(labelled) == count(synthetic / "train")
    assert counts["unlabelled"] == count(tmp_path / "unlabelled") == 60


def test_by_user_depends_on_the_seed_alone(synthetic: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        split_folders(synthetic, tmp_path / name, "by_user", seed)
    read = [(tmp_path / name / "test/behaviors.tsv").read_bytes() for name in "abc"]
    assert read[0] == read[1] != read[2]


def test_by_time_gives_the_last_days_away(raw: Path) -> None:
    assert max(days(raw / "train")) < min(days(raw / "val")) <= max(days(raw / "val"))
    assert max(days(raw / "val")) < min(days(raw / "test"))


def test_minds_own_names_make_dev_the_test_and_the_last_day_val(
    synthetic: Path, tmp_path: Path
) -> None:
    for name in ("MINDsmall_train", "MINDsmall_dev"):
        shutil.copytree(synthetic / "train", tmp_path / "source" / name)
    counts = split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)
    assert counts["test"] == count(synthetic / "train")
    assert len(days(tmp_path / "raw/val")) == 1


def test_pooled_impression_ids_stay_unique(synthetic: Path, tmp_path: Path) -> None:
    for name in ("MINDsmall_train", "MINDsmall_dev"):
        shutil.copytree(synthetic / "train", tmp_path / "source" / name)
    split_folders(tmp_path / "source", tmp_path / "raw", "by_user", seed=1)
    ids = [row.impression_id for row in read_behaviors(tmp_path / "raw/train/behaviors.tsv")]
    assert len(ids) == len(set(ids))


def test_labelled_splits_are_taken_as_they_are(raw: Path, tmp_path: Path) -> None:
    split_folders(raw, tmp_path, "by_user", seed=1)
    for split in ("train", "val", "test", "unlabelled"):
        for name in ("news.tsv", "behaviors.tsv"):
            assert (tmp_path / split / name).read_bytes() == (raw / split / name).read_bytes()


def test_an_unlabelled_test_is_set_aside(synthetic: Path, tmp_path: Path) -> None:
    shutil.copytree(synthetic / "train", tmp_path / "source/MINDlarge_train")
    shutil.copytree(synthetic / "train", tmp_path / "source/MINDlarge_dev")
    shutil.copytree(synthetic / "unlabelled", tmp_path / "source/MINDlarge_test")
    counts = split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)
    assert counts["unlabelled"] == 60


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ([], ["no train folder"]),
        (["MINDsmall_train", "MINDlarge_train"], ["both", "never mix"]),
        (["MINDsmall_train", "MINDlarge_dev"], ["different data sets"]),
        (["train", "test"], ["no val folder"]),
    ],
)
def test_folders_that_do_not_fit_are_reported(
    folders: list[str], words: list[str], synthetic: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    for name in folders:
        shutil.copytree(synthetic / "train", tmp_path / "source" / name)
    with pytest.raises(UserError) as caught:
        split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)
    for word in words:
        assert word in str(caught.value)


def test_one_day_cannot_be_split_by_time(synthetic: Path, tmp_path: Path) -> None:
    shutil.copytree(synthetic / "train", tmp_path / "source/train")
    path = tmp_path / "source/train/behaviors.tsv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "\t11/9/2019 " in line))
    with pytest.raises(UserError, match="by_user"):
        split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)


def test_labels_that_stop_in_the_middle_are_reported_with_their_line(
    raw: Path, tmp_path: Path
) -> None:
    shutil.copytree(raw, tmp_path / "source")
    path = tmp_path / "source/val/behaviors.tsv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("-0", "").replace("-1", "")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match="line 3: candidates with no labels"):
        split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)


def test_one_id_with_two_titles_means_mixed_data(synthetic: Path, tmp_path: Path) -> None:
    for name in ("train", "dev"):
        shutil.copytree(synthetic / "train", tmp_path / "source" / name)
    path = tmp_path / "source/dev/news.tsv"
    lines = path.read_text().split("\n")
    fields = lines[4].split("\t")
    lines[4] = "\t".join([*fields[:3], "Another title", *fields[4:]])
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"line 5: news id .* another title"):
        split_folders(tmp_path / "source", tmp_path / "raw", "by_user", seed=1)
