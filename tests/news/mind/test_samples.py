"""From impressions to samples: nothing leaks, nothing is lost, one seed gives one result."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsrec.errors import UserError
from newsrec.news.mind.row_counts import row_warnings
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.tables import read_behaviors

pytestmark = pytest.mark.slow

NEWS = "".join(f"N{number}\ttopic\tsub\tTitle {number}\t\tu\t[]\t[]\n" for number in range(1, 30))
TIME = "11/{day}/2019 9:00:00 AM"


def run(raw: Path, processed: Path, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "feedback": "earlier",
        "num_history": 3,
        "num_feedback": 3,
        "target": "sampled",
        "positive_rate": 0.5,
        "max_samples": {"train": None, "val": None},
        "test_candidates": "all",
        "num_val_impressions": 1,
        "num_test_impressions": None,
        "seed": 1,
    }
    processed.mkdir(exist_ok=True)
    return preprocess(raw, processed, **settings | changes)


def rows(*impressions: tuple[str, str, int, str, str]) -> str:
    return "".join(
        f"{id_}\t{user}\t{TIME.format(day=day)}\t{history}\t{shown}\n"
        for id_, user, day, history, shown in impressions
    )


def small_raw(folder: Path, train: str, val: str, test: str) -> Path:
    for split, behaviors in (("train", train), ("val", val), ("test", test)):
        (folder / split).mkdir(parents=True)
        (folder / split / "news.tsv").write_text(NEWS)
        (folder / split / "behaviors.tsv").write_text(behaviors)
    return folder


def two_days(folder: Path, test: str) -> Path:
    other = rows(("9", "U9", 1, "", "N1-1 N2-0"), ("10", "U9", 3, "", "N1-1 N2-0"))
    return small_raw(folder, rows(("1", "U1", 1, "N1 N2 N1 N3 N4", "N5-1 N6-0 N7-0")), other, test)


def samples(processed: Path, split: str) -> list[dict[str, str]]:
    text = (processed / f"mind_{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_feedback_comes_from_earlier_impressions_across_splits(tmp_path: Path) -> None:
    raw = two_days(tmp_path / "raw", rows(("2", "U1", 2, "N1 N2 N3 N4", "N8-1 N9-0")))
    run(raw, tmp_path / "out")
    (first, second) = pd.read_parquet(tmp_path / "out/candidates_test.parquet").itertuples()
    assert list(first.history) == ["Title 2", "Title 3", "Title 4"]
    assert list(first.liked) == list(second.liked) == ["Title 5"]
    assert list(first.disliked) == ["Title 6", "Title 7"]
    (train,) = {sample["input"].split("Target")[0] for sample in samples(tmp_path / "out", "train")}
    assert "Title 5" not in train
    assert train.count("(none)") == 2


@pytest.mark.parametrize("feedback", ["earlier", "none"])
def test_prompts_know_nothing_of_the_impression_itself_or_a_later_one(
    feedback: str, raw: Path, tmp_path: Path
) -> None:
    run(raw, tmp_path / "before", feedback=feedback)
    changed = tmp_path / "raw"
    shutil.copytree(raw, changed)
    path = changed / "test/behaviors.tsv"
    last_of: dict[str, Any] = {}
    for row in read_behaviors(path):
        if row.user_id not in last_of or row.time > last_of[row.user_id].time:
            last_of[row.user_id] = row
    lines = path.read_text(encoding="utf-8").splitlines()
    flip = str.maketrans("01", "10")
    for row in last_of.values():
        head, _, shown = lines[row.line - 1].rpartition("\t")
        flipped = [token[:-1] + token[-1].translate(flip) for token in shown.split()]
        lines[row.line - 1] = f"{head}\t{' '.join(flipped)}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(changed, tmp_path / "after", feedback=feedback)

    before = pd.read_parquet(tmp_path / "before/candidates_test.parquet")
    after = pd.read_parquet(tmp_path / "after/candidates_test.parquet")
    assert not before["label"].equals(after["label"]), "the change must be one"
    prompt = ["impression_id", "news_id", "history", "liked", "disliked", "target"]
    pd.testing.assert_frame_equal(before[prompt], after[prompt])


def test_two_impressions_of_one_moment_tell_nothing_of_each_other(tmp_path: Path) -> None:
    test = rows(("2", "U2", 2, "", "N8-1 N9-0"), ("3", "U2", 2, "", "N10-1 N11-0"))
    run(two_days(tmp_path / "raw", test), tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out/candidates_test.parquet")
    assert table["liked"].map(len).sum() == table["disliked"].map(len).sum() == 0


def test_same_impression_shows_the_other_candidates_as_published(tmp_path: Path) -> None:
    test = rows(("2", "U2", 2, "", "N8-1 N9-0 N10-1 N11-0"))
    run(two_days(tmp_path / "raw", test), tmp_path / "out", feedback="same_impression")
    row = pd.read_parquet(tmp_path / "out/candidates_test.parquet").iloc[0]
    assert (list(row["liked"]), list(row["disliked"])) == (["Title 10"], ["Title 9", "Title 11"])


def test_last_takes_the_last_candidate_of_each_impression(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "out", target="last", test_candidates="last")
    expected = {row.candidates[-1] for row in read_behaviors(raw / "train/behaviors.tsv")}
    found = samples(tmp_path / "out", "train")
    assert {sample["news_id"] for sample in found} <= expected
    assert len(found) == len({sample["impression_id"] for sample in found})
    table = pd.read_parquet(tmp_path / "out/candidates_test.parquet")
    assert table["impression_id"].is_unique


@pytest.mark.parametrize("positive_rate", [0.25, 0.5, 0.75])
def test_sampled_targets_have_the_wanted_share_of_clicks(
    positive_rate: float, raw: Path, tmp_path: Path
) -> None:
    account = run(raw, tmp_path / "out", positive_rate=positive_rate)
    train = account["train"]
    assert train["num_positives"] / train["num_samples"] == pytest.approx(positive_rate, abs=0.05)


def test_every_row_is_accounted_for(raw: Path, tmp_path: Path) -> None:
    account = run(raw, tmp_path / "out", max_samples={"train": 40, "val": None})
    for split in ("train", "val", "test"):
        read = list(read_behaviors(raw / split / "behaviors.tsv"))
        reported = account[split]
        dropped = reported["num_impressions_dropped"].values()
        assert reported["num_impressions_read"] == len(read)
        assert reported["num_impressions_kept"] + sum(dropped) == len(read)
        assert reported["num_candidates_read"] == sum(len(row.candidates) for row in read)
        assert reported["num_clicks_read"] == sum(sum(row.labels or ()) for row in read)
        assert reported["num_users"] == len({row.user_id for row in read})
        assert reported["history_length"]["num_empty"] == sum(not row.history for row in read)
    assert account["train"]["num_samples"] == len(samples(tmp_path / "out", "train")) == 40
    table = pd.read_parquet(tmp_path / "out/candidates_test.parquet")
    assert account["test"]["num_scored"] == len(table)
    assert account["test"]["num_scored_positives"] == table["label"].sum()
    assert account["test"]["num_candidates_without_news"] > 0
    users = [
        {row.user_id for row in read_behaviors(raw / split / "behaviors.tsv")}
        for split in ("train", "test")
    ]
    assert account["shared"]["train_test"]["num_users"] == len(users[0] & users[1]) > 0


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    raw: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(raw, tmp_path / name, seed=seed, max_samples={"train": 40, "val": 10})
    for file in ("mind_train.jsonl", "mind_val.jsonl", "candidates_test.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert samples(tmp_path / "a", "train") != samples(tmp_path / "c", "train")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "candidates_test.parquet",
        "candidates_val.parquet",
        "dataset_info.json",
        "mind_train.jsonl",
        "mind_val.jsonl",
    ]


def test_candidates_of_an_impression_stand_together_in_the_order_of_the_file(
    raw: Path, tmp_path: Path
) -> None:
    run(raw, tmp_path / "out", num_test_impressions=12)
    table = pd.read_parquet(tmp_path / "out/candidates_test.parquet")
    changes = (table["impression_id"] != table["impression_id"].shift()).sum()
    assert changes == table["impression_id"].nunique() == 12
    shown = {
        row.impression_id: row.candidates for row in read_behaviors(raw / "test/behaviors.tsv")
    }
    for id_, group in table.groupby("impression_id"):
        known = [news_id for news_id in shown[id_] if news_id in set(group["news_id"])]
        assert list(group["news_id"]) == known


def test_an_impression_id_that_is_twice_is_reported_with_its_line(tmp_path: Path) -> None:
    test = rows(("2", "U2", 2, "", "N8-1 N9-0"), ("2", "U3", 2, "", "N8-1 N9-0"))
    with pytest.raises(UserError, match="line 2: impression id '2' is there twice"):
        run(two_days(tmp_path / "raw", test), tmp_path / "out")


def test_training_samples_of_one_answer_alone_are_refused(tmp_path: Path) -> None:
    raw = two_days(tmp_path / "raw", rows(("2", "U2", 2, "", "N8-1 N9-0")))
    with pytest.raises(UserError, match=r"all 1 training samples say 'No\.'"):
        run(raw, tmp_path / "out", target="last")


def test_a_split_of_which_nothing_is_left_is_reported(tmp_path: Path) -> None:
    test = rows(("2", "U2", 2, "", "N98-1 N99-0"))
    with pytest.raises(UserError, match="no impression left to score"):
        run(two_days(tmp_path / "raw", test), tmp_path / "out")


def blanked(raw: Path, *news_ids: str, title: str = "\u200b ") -> Path:
    """The same files with blank titles."""
    for split in ("train", "val", "test"):
        path = raw / split / "news.tsv"
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        lines = [
            "\t".join([*row[:3], title, *row[4:]] if row[0] in news_ids else row) for row in rows
        ]
        path.write_text("\n".join(lines) + "\n")
    return raw


@pytest.mark.parametrize("title", ["", "  ", "\u200b", "\u00a0", "\u3164", "\u2800"])
def test_news_with_a_blank_title_is_in_no_prompt_and_counted(title: str, tmp_path: Path) -> None:
    train = rows(("1", "U1", 1, "", "N5-1 N6-1 N7-0"), ("3", "U2", 1, "N4", "N4-0 N8-1"))
    val = rows(("4", "U3", 2, "N4", "N4-1 N7-0"), ("5", "U3", 2, "N4", "N4-0 N8-1"))
    test = rows(("2", "U1", 2, "N1 N4 N3", "N8-1 N9-0 N10-0"))
    raw = blanked(small_raw(tmp_path / "raw", train, val, test), "N4", "N5", "N9", title=title)
    account = run(raw, tmp_path / "out", target="last")
    table = pd.read_parquet(tmp_path / "out/candidates_test.parquet")
    assert list(table["target"]) == ["Title 8", "Title 10"]
    assert list(table["history"].iloc[0]) == ["Title 1", "Title 3"]
    assert list(table["liked"].iloc[0]) == ["Title 6"]
    for sample in [*samples(tmp_path / "out", "train"), *samples(tmp_path / "out", "val")]:
        shown = [line[2:] for line in sample["input"].splitlines() if line.startswith("- ")]
        assert all(line == "(none)" or line.startswith("Title") for line in shown), shown
    assert account["test"]["num_candidates_with_blank_title"] == 1
    assert account["test"]["num_candidates_without_news"] == 1
    assert account["train"]["num_candidates_with_blank_title"] == 2
    warning = "test: candidates with a blank title, which are left out: 1"
    assert warning in row_warnings(account)


def test_good_files_have_no_count_of_what_they_lack(raw: Path, tmp_path: Path) -> None:
    account = run(raw, tmp_path / "out")
    assert row_warnings(account) == []
    assert not [key for split in account for key in account[split] if "blank" in key]
    assert set(account["shared"]["train_test"]) == {"num_users", "num_news"}


def test_impressions_that_are_twice_or_in_two_splits_are_counted(tmp_path: Path) -> None:
    test = rows(
        ("2", "U2", 2, "", "N8-1 N9-0"),
        ("3", "U2", 2, "", "N8-1 N9-0"),
        ("4", "U1", 1, "N1", "N5-1 N6-0 N7-0"),
        ("5", "U3", 2, "", "N8-1 N9-0 N8-0"),
    )
    account = run(two_days(tmp_path / "raw", test), tmp_path / "out")
    assert account["test"]["num_impressions_repeated"] == 1
    assert account["test"]["num_candidates_repeated"] == 1
    assert account["shared"]["train_test"]["num_impressions"] == 1
    assert "num_impressions" not in account["shared"]["train_val"]
    found = row_warnings(account)
    assert len(found) == 3
    assert "impressions that are in both train and test" in found[-1]
    assert found[-1].endswith(": 1")


@pytest.mark.parametrize(
    ("train", "changes", "reason"),
    [
        ("N98-1 N99-0", {}, "of its 2 candidates 2 are not in news.tsv and 0 have a blank title"),
        ("N28-1 N29-0", {}, "of its 2 candidates 0 are not in news.tsv and 2 have a blank title"),
        ("N5-1 N29-0", {}, "no impression has both a click and another candidate with a title"),
        ("N5-1 N29-0", {"target": "last"}, "no impression's last candidate has a title"),
        (
            "N5-1 N6-0",
            {"max_samples": {"train": 1, "val": None}},
            "preprocess.max_samples.train is 1, fewer than the samples of the first impression",
        ),
    ],
)
def test_the_reason_why_nothing_is_left_is_the_reason(
    train: str, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    other = rows(("9", "U9", 1, "", "N1-1 N2-0"), ("10", "U9", 3, "", "N1-1 N2-0"))
    raw = small_raw(tmp_path / "raw", rows(("1", "U1", 1, "", train)), other, other)
    with pytest.raises(UserError) as caught:
        run(blanked(raw, "N28", "N29"), tmp_path / "out", **changes)
    assert f"train/behaviors.tsv: no impression left to sample: {reason}" in str(caught.value)


def test_a_val_too_short_to_calibrate_and_to_watch_is_the_reason(tmp_path: Path) -> None:
    one = rows(("1", "U1", 1, "", "N5-1 N6-0"))
    raw = small_raw(tmp_path / "raw", one, one, one)
    with pytest.raises(UserError, match="the only 1 with a sample are those that calibrate"):
        run(raw, tmp_path / "out")


def test_no_impression_asked_for_is_the_reason(tmp_path: Path) -> None:
    raw = two_days(tmp_path / "raw", rows(("2", "U2", 2, "", "N8-1 N9-0")))
    with pytest.raises(UserError, match=r"preprocess\.num_impressions is 0; expected 1 or more"):
        run(raw, tmp_path / "out", num_test_impressions=0)
