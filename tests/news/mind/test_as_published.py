"""`data=as-published` as it ships: split by user, one sample an impression, the leak shown."""

import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from newsrec.chat.text import plain_text
from newsrec.news.mind.tables import Impression, read_behaviors, read_news
from newsrec.news.params import Params
from newsrec.params.compose import compose
from newsrec.params.load import load_params
from stages import fetch_mind, preprocess
from tests import ROOT

pytestmark = pytest.mark.slow

SPLITS = ("train", "val", "test")
# Any but the tiny model, which scores fewer.
SHIPPED = ["data=as-published", "model=qwen3-0.6b"]


def shipped(folder: Path, *overrides: str) -> Params:
    compose(folder / "params.yaml", [*SHIPPED, *overrides])
    return load_params(Params, folder / "params.yaml")


def account(workplace: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workplace / "metrics/preprocess.json").read_text())
    return found


def impressions(workplace: Path, split: str) -> dict[str, Impression]:
    rows = read_behaviors(workplace / "data/raw" / split / "behaviors.tsv")
    return {row.impression_id: row for row in rows}


def samples(workplace: Path, split: str) -> list[dict[str, str]]:
    text = (workplace / f"data/processed/mind_{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def mind(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MINDsmall's two folders: dev is the last day, and both count their impressions from 1."""
    folder = tmp_path_factory.mktemp("mind")
    lines = (synthetic / "train/behaviors.tsv").read_text(encoding="utf-8").splitlines()
    for name, is_dev in (("MINDsmall_train", False), ("MINDsmall_dev", True)):
        (folder / name).mkdir()
        shutil.copyfile(synthetic / "train/news.tsv", folder / name / "news.tsv")
        rows = [line.partition("\t")[2] for line in lines if ("\t11/14/2019 " in line) is is_dev]
        text = "".join(f"{number}\t{row}\n" for number, row in enumerate(rows, start=1))
        (folder / name / "behaviors.tsv").write_text(text, encoding="utf-8", newline="\n")
    return folder


def made(folder: Path, *overrides: str) -> Path:
    """`folder`, after fetch_mind and preprocess ran in it."""
    shipped(folder, *overrides)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_mind.main()
        preprocess.main()
    return folder


@pytest.fixture(scope="module")
def workplace(mind: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stages ran on those files, of which the recipe takes every row."""
    folder = tmp_path_factory.mktemp("workplace")
    return made(folder, "fetch_mind.source=local", f"fetch_mind.path={mind}")


def test_every_output_that_dvc_asks_for_is_there_without_an_unlabelled_split(
    workplace: Path,
) -> None:
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outs = [out for stage in ("fetch_mind", "preprocess") for out in graph[stage]["outs"]]
    names = {name for out in outs for name in out}
    assert all((workplace / name).exists() for name in names)
    # What else is there DVC would not store.
    for folder in ("data/raw", "data/processed"):
        found = {f"{folder}/{path.name}" for path in (workplace / folder).iterdir()}
        assert found <= names


def test_the_shipped_sizes_are_those_of_the_recipe_and_mindsmall_has_enough(tmp_path: Path) -> None:
    params = shipped(tmp_path)
    limits = params.preprocess.max_samples
    wanted = {
        "train": limits.train,
        "val": (limits.val or 0) + params.preprocess.num_val_impressions,
        "test": params.preprocess.num_impressions,
    }
    assert (limits.train, limits.val, wanted["test"]) == (120_000, 20_000, 10_000)
    # Of train and dev together, to which the impressions of a user all fall.
    num_impressions = 156_965 + 73_152
    for split, tenths in (("train", 7), ("val", 2), ("test", 1)):
        assert int(str(wanted[split])) < 0.95 * num_impressions * tenths / 10, split
    assert params.preprocess.num_val_impressions < 0.5 * num_impressions * 2 / 10


def test_validations_read_fewer_samples_than_the_training(tmp_path: Path) -> None:
    params = shipped(tmp_path)
    train, limits = params.train, params.preprocess.max_samples
    num_trained = int(limits.train or 0) * train.epochs
    num_steps = num_trained / (train.batch_size * train.gradient_accumulation_steps)
    assert num_steps / train.save_steps >= 3
    assert num_steps / train.save_steps * int(limits.val or 0) < num_trained


def test_train_and_dev_are_pooled_and_no_user_is_in_two_splits(workplace: Path, mind: Path) -> None:
    users = {split: {r.user_id for r in impressions(workplace, split).values()} for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert not users[one] & users[other]
        assert account(workplace)["shared"][f"{one}_{other}"]["num_users"] == 0
    num_users = sum(map(len, users.values()))
    for split, share in zip(SPLITS, (0.7, 0.2, 0.1), strict=True):
        assert len(users[split]) / num_users == pytest.approx(share, abs=0.12)
    pooled = [
        (row.user_id, row.time, row.candidates)
        for folder in mind.iterdir()
        for row in read_behaviors(folder / "behaviors.tsv")
    ]
    found = [
        (row.user_id, row.time, row.candidates)
        for split in SPLITS
        for row in impressions(workplace, split).values()
    ]
    assert sorted(found) == sorted(pooled)


def test_each_impression_gives_one_sample_and_that_is_its_last_candidate(workplace: Path) -> None:
    table = pd.read_parquet(workplace / "data/processed/candidates_test.parquet")
    of_split: dict[str, list[dict[str, Any]]] = {
        "train": [*samples(workplace, "train")],
        "val": [*samples(workplace, "val")],
        "test": [{str(key): value for key, value in row.items()} for _, row in table.iterrows()],
    }
    for split, found in of_split.items():
        rows = impressions(workplace, split)
        assert len({sample["impression_id"] for sample in found}) == len(found)
        for sample in found:
            row = rows[sample["impression_id"]]
            assert row.labels is not None
            clicked = sample["label"] if split == "test" else sample["output"] == "Yes."
            assert (sample["news_id"], clicked) == (row.candidates[-1], row.labels[-1])


def test_where_there_are_enough_as_many_samples_are_taken_as_asked_for(
    mind: Path, tmp_path: Path
) -> None:
    found = made(
        tmp_path,
        "fetch_mind.source=local",
        f"fetch_mind.path={mind}",
        # A thousandth of the recipe's: fewer than the made-up files hold.
        "preprocess.max_samples.train=120",
        "preprocess.max_samples.val=20",
        "preprocess.num_impressions=10",
        "preprocess.num_val_impressions=5",
    )
    reported = account(found)
    assert (reported["train"]["num_samples"], reported["val"]["num_samples"]) == (120, 20)
    assert (reported["test"]["num_scored"], reported["val"]["num_scored"]) == (10, 5)
    assert len(pd.read_parquet(found / "data/processed/candidates_test.parquet")) == 10


def test_where_there_are_not_all_are_taken_and_half_of_val_calibrates(workplace: Path) -> None:
    reported = account(workplace)
    num_calibration = reported["val"]["num_scored"]
    numbers = {
        "train": reported["train"]["num_samples"],
        "val": reported["val"]["num_samples"],
        "test": reported["test"]["num_scored"],
    }
    news = read_news(workplace / "data/raw/train/news.tsv")
    for split in SPLITS:
        usable = sum(r.candidates[-1] in news for r in impressions(workplace, split).values())
        assert numbers[split] == usable - (num_calibration if split == "val" else 0)
    assert num_calibration == reported["val"]["num_impressions_read"] // 2
    calibrating = pd.read_parquet(workplace / "data/processed/candidates_val.parquet")
    watching = {sample["impression_id"] for sample in samples(workplace, "val")}
    assert watching
    assert not watching & set(calibrating["impression_id"])


def test_the_share_of_clicks_is_the_natural_one(workplace: Path) -> None:
    reported = account(workplace)["train"]
    rows = impressions(workplace, "train").values()
    last = [row.labels[-1] for row in rows if row.labels is not None]
    share = reported["num_positives"] / reported["num_samples"]
    assert share == pytest.approx(sum(last) / len(last), abs=0.1)
    assert share < 0.4, "positive_rate would have made it a half"


def test_the_prompt_shows_which_other_candidates_were_clicked(workplace: Path) -> None:
    titles = {
        id_: plain_text(row.title)
        for id_, row in read_news(workplace / "data/raw/test/news.tsv").items()
    }
    rows = impressions(workplace, "test")
    table = pd.read_parquet(workplace / "data/processed/candidates_test.parquet")
    for sample in table.itertuples():
        row = rows[sample.impression_id]
        assert row.labels is not None
        for shown, label in ((sample.liked, 1), (sample.disliked, 0)):
            others = zip(row.candidates[:-1], row.labels[:-1], strict=True)
            ids = [id_ for id_, found in others if found == label and id_ in titles]
            assert list(shown) == [titles[id_] for id_ in ids[:3]]


def test_where_no_other_candidate_was_clicked_the_answer_is_yes(workplace: Path) -> None:
    rows = impressions(workplace, "train")
    alone = [
        sample
        for sample in samples(workplace, "train")
        if not sum((rows[sample["impression_id"]].labels or ())[:-1])
    ]
    assert alone
    for sample in alone:
        assert sample["output"] == "Yes."
        assert "User's liked news:\n- (none)\n" in sample["input"]


def test_one_word_more_tries_it_on_made_up_files(tmp_path: Path) -> None:
    reported = account(made(tmp_path, "fetch_mind.source=synthetic"))
    params = load_params(Params, tmp_path / "params.yaml")
    assert reported["test"]["num_scored"] > 200
    assert reported["train"]["num_samples"] > 5 * reported["test"]["num_scored"]
    assert reported["protocol"]["split"] == "by_user, seed 42"
    assert reported["protocol"]["feedback"] == params.prompt.feedback == "same_impression"
    assert reported["protocol"]["candidates"] == params.preprocess.candidates == "last"
