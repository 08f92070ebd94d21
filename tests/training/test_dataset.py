"""A data set is found by its name in dataset_info.json, and read as LLaMA-Factory reads it."""

import json
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.training.dataset import SampleSet, read_samples, write_dataset_info


def write_split(samples: SampleSet, split: str, *records: tuple[str, str, str]) -> Path:
    path = samples.folder / f"{samples.dataset(split)}.jsonl"
    rows = (dict(zip(("instruction", "input", "output"), row, strict=True)) for row in records)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_both_splits_are_found_where_dataset_info_lists_them(tmp_path: Path) -> None:
    samples = SampleSet(tmp_path, "reviews")
    write_dataset_info(samples)
    written = [write_split(samples, split) for split in ("train", "val")]
    assert [samples.file(split) for split in ("train", "val")] == written
    # Another name of the file is followed.
    info = tmp_path / "dataset_info.json"
    info.write_text(info.read_text().replace("reviews_val.jsonl", "held-out.jsonl"))
    written[1].rename(tmp_path / "held-out.jsonl")
    assert samples.file("val") == tmp_path / "held-out.jsonl"


def test_parts_of_the_validation_samples_are_data_sets_of_their_own(tmp_path: Path) -> None:
    samples = SampleSet(tmp_path, "reviews")
    write_dataset_info(samples)
    assert samples.val_parts() == []
    write_dataset_info(samples, ("short", "long_ones"))
    assert samples.val_parts() == ["short", "long_ones"]
    (tmp_path / "reviews_val").mkdir()
    (tmp_path / "reviews_val/long_ones.jsonl").touch()
    assert samples.file("val_long_ones") == tmp_path / "reviews_val/long_ones.jsonl"
    with pytest.raises(UserError, match=r"reviews_val/short\.jsonl: no such file"):
        samples.file("val_short")


def test_a_name_that_is_not_listed_is_answered_with_the_list(tmp_path: Path) -> None:
    write_dataset_info(SampleSet(tmp_path, "reviews"))
    with pytest.raises(UserError) as caught:
        SampleSet(tmp_path, "review").file("val")
    message = str(caught.value)
    assert "dataset_info.json: data set is 'review_val'" in message
    assert "expected one of: reviews_train, reviews_val; did you mean 'reviews_val'?" in message


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    samples = SampleSet(tmp_path, "reviews")
    write_dataset_info(samples)
    with pytest.raises(UserError, match=r"reviews_train\.jsonl: no such file, but .*_info\.json"):
        samples.file("train")


def test_a_folder_without_dataset_info_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset_info\.json: no such file"):
        SampleSet(tmp_path, "reviews").file("train")


def test_a_record_is_read_as_a_message_and_its_answer(tmp_path: Path) -> None:
    samples = SampleSet(tmp_path, "reviews")
    path = write_split(samples, "train", ("Rate it.", "Great\nsoup №5", "good"), ("a", "b", "c"))
    assert list(read_samples(path)) == [("Rate it.\nGreat\nsoup №5", "good"), ("a\nb", "c")]
