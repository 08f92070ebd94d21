"""Every folder that holds impressions plays a part, whatever it is called, or is named."""

import shutil
import zipfile
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.news.mind.layout import check_archives, find_folders
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.tables import read_behaviors


def folder(path: Path) -> Path:
    """A folder that holds impressions; what they are is looked at later."""
    path.mkdir(parents=True)
    (path / "behaviors.tsv").write_text("1\n")
    return path


def fault(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        find_folders(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("train", "dev"),
    [
        ("train", "valid"),
        ("train", "validation"),
        ("train", "val"),
        ("train", "dev"),
        ("Train", "VALID"),
        ("TRAIN", "Dev"),
        ("MINDdemo_train", "MINDdemo_dev"),
        ("MINDsmall_train", "mindsmall_valid"),
        ("mindlarge_train", "MINDLARGE_Validation"),
    ],
)
def test_a_dev_folder_of_any_name_is_the_test_and_train_gives_val(
    train: str, dev: str, synthetic: Path, tmp_path: Path
) -> None:
    for name in (train, dev):
        shutil.copytree(synthetic / "train", tmp_path / "source" / name)
    lines = (synthetic / "train/behaviors.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "source" / dev / "behaviors.tsv").write_text("".join(lines[:9]))
    counts = split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)
    assert counts["test"] == 9
    assert counts["train"] + counts["val"] == len(lines)


@pytest.mark.parametrize("name", ["test", "Test", "MINDsmall_test", "unlabelled", "unlabeled"])
def test_an_unlabelled_folder_of_any_name_is_set_aside(
    name: str, synthetic: Path, tmp_path: Path
) -> None:
    prefix = "MINDsmall_" if "_" in name else ""
    shutil.copytree(synthetic / "train", tmp_path / "source" / f"{prefix}train")
    shutil.copytree(synthetic / "unlabelled", tmp_path / "source" / name)
    counts = split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)
    assert counts["unlabelled"] == 60


@pytest.mark.parametrize(
    "unused",
    ["holdout", "valid2", "eval", "MINDsmall-dev", "more/valid", "train/old", ".hidden", "testing"],
)
def test_a_folder_of_impressions_without_a_part_is_named(unused: str, tmp_path: Path) -> None:
    folder(tmp_path / "train")
    folder(tmp_path / unused)
    assert f"{tmp_path / unused}: holds a behaviors.tsv and would not be used" in fault(tmp_path)


@pytest.mark.parametrize("name", ["Behaviors.tsv", "behaviors.tsv.gz", "BEHAVIORS.TSV"])
def test_impressions_in_another_case_or_packed_are_seen_too(name: str, tmp_path: Path) -> None:
    folder(tmp_path / "train")
    (tmp_path / "holdout").mkdir()
    (tmp_path / "holdout" / name).write_text("")
    assert f"{tmp_path / 'holdout'}: holds a" in fault(tmp_path)


def test_a_linked_folder_is_seen_too(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/train").symlink_to(folder(tmp_path / "elsewhere"))
    assert find_folders(tmp_path / "source") == {"train": tmp_path / "source/train"}
    (tmp_path / "source/holdout").symlink_to(tmp_path / "elsewhere")
    assert f"{tmp_path / 'source/holdout'}: holds a" in fault(tmp_path / "source")


def test_folders_without_impressions_are_no_matter(tmp_path: Path) -> None:
    folder(tmp_path / "train")
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils/word_dict.pkl").write_text("")
    (tmp_path / "README.md").write_text("")
    assert find_folders(tmp_path) == {"train": tmp_path / "train"}


def test_the_tables_in_the_source_itself_are_not_passed_over(tmp_path: Path) -> None:
    folder(tmp_path / "MINDsmall_train")
    message = fault(tmp_path / "MINDsmall_train")
    assert "holds a behaviors.tsv itself" in message
    assert "set fetch_mind.path to the folder above" in message
    (tmp_path / "behaviors.tsv").write_text("")
    assert f"{tmp_path}: holds a behaviors.tsv itself" in fault(tmp_path)


def test_an_archive_that_was_not_unpacked_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "MINDsmall_train")
    for name in ("MINDsmall_train.zip", "MINDsmall_dev.zip"):
        with zipfile.ZipFile(tmp_path / name, "w"):
            pass
    assert f"{tmp_path / 'MINDsmall_dev.zip'}: an archive; expected the folder" in fault(tmp_path)
    folder(tmp_path / "MINDsmall_dev")  # unpacked, and the zip kept
    assert sorted(find_folders(tmp_path)) == ["dev", "train"]


def test_two_folders_of_one_part_are_refused_with_the_reason(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        folder(tmp_path / name)
    message = fault(tmp_path)
    assert "both val and valid would be dev; keep one" in message
    assert "MINDlarge" not in message, "these are of one data set"


def test_two_folders_without_labels_are_refused(synthetic: Path, tmp_path: Path) -> None:
    shutil.copytree(synthetic / "train", tmp_path / "source/train")
    for name in ("unlabelled", "test"):
        shutil.copytree(synthetic / "unlabelled", tmp_path / "source" / name)
    with pytest.raises(UserError, match="neither test/ nor unlabelled/ has labels"):
        split_folders(tmp_path / "source", tmp_path / "raw", "by_time", seed=1)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mind.zip").write_text("")
    assert "mind.zip: not a folder" in fault(tmp_path / "mind.zip")
    assert "none: no such folder" in fault(tmp_path / "none")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["MINDsmall_train.zip", "MINDsmall_1.zip"], "the name 'MINDsmall_1.zip'"),
        (["MINDsmall_dev.zip"], "no zip of train"),
        ([], "no zip of train"),
        (["a/train.zip", "b/train.zip"], "both train and train would be train"),
        (["MINDsmall_train.zip", "MINDlarge_dev.zip"], "different data sets"),
    ],
)
def test_zips_that_would_not_be_used_are_refused_before_they_are_downloaded(
    names: list[str], words: str
) -> None:
    check_archives(["MINDsmall_train.zip", "MINDsmall_dev.zip"])
    with pytest.raises(UserError, match=rf"fetch_mind\.files: .*{words}"):
        check_archives(names)


def test_the_folders_found_hold_what_is_read(synthetic: Path) -> None:
    found = find_folders(synthetic)
    assert sorted(found) == ["train", "unlabelled"]
    assert next(read_behaviors(found["unlabelled"] / "behaviors.tsv")).labels is None
