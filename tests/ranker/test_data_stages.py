"""The stages of the data from parameters to files; a mistake is one line and leaves nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from newsrec.params.compose import compose
from newsrec.params.load import load_params
from newsrec.ranker.lists import parts_of, read_items, read_lists
from newsrec.ranker.params import Params
from newsrec.ranker.reference import read_reference
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA, PURCHASES_SCHEMA
from newsrec.running.stage import run_stage
from stages.ranker import baselines, fetch_reviews, prepare

pytestmark = pytest.mark.slow

SMALL = [f"fetch_reviews.synthetic.num_{name}" for name in ("users=200", "items=120")]


def run(stage: Any, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit code of a stage and what it shows."""
    code: object = 0
    try:
        run_stage(stage.main)
    except SystemExit as error:
        code = error.code
    shown = capsys.readouterr()
    return code, shown.out + shown.err


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """An empty folder to run stages in, with the parameters of the pipeline."""
    monkeypatch.chdir(tmp_path)

    def write(*overrides: str) -> Path:
        compose(tmp_path / "params.yaml", overrides, "ranker")
        return tmp_path

    return write


def metrics(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"metrics/{name}.json").read_text())
    return found


def ndcg(folder: str, name: str) -> float:
    """NDCG@10 of a file of predictions whose scores are hardly ever tied."""
    targets = {row["id"]: row["target"] for row in read_lists(Path("data/processed/test.parquet"))}
    ranks: dict[str, list[tuple[float, str]]] = {}
    for row in pq.read_table(f"{folder}/{name}.parquet").to_pylist():
        ranks.setdefault(row["id"], []).append((-row["score"], row["item"]))
    gains = []
    for id_, target in targets.items():
        place = [item for _, item in sorted(ranks[id_])].index(target)
        gains.append(1 / np.log2(place + 2) if place < 10 else 0)
    return float(np.mean(gains))


def test_the_default_data_tell_by_history_text_and_popularity_what_is_bought(
    workplace: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    workplace("prepare.max_lists.val=null", "prepare.max_lists.test=null")
    for stage in (fetch_reviews, prepare, baselines):
        code, shown = run(stage, capsys)
        assert code == 0, shown
    found = {
        name: ndcg("data/predictions", name)
        for name in ("random", "popularity", "rating_number", "bm25", "itemknn", "sasrec")
    }
    assert 0.20 < found["random"] < 0.26
    assert 0.29 < found["popularity"] < 0.36
    assert found["popularity"] < found["rating_number"] < 0.38
    assert 0.44 < found["bm25"] < 0.54
    assert 0.55 < found["itemknn"] < 0.66
    assert 0.45 < found["sasrec"] < 0.66
    figures = metrics("prepare")
    assert 700 < figures["lists"]["num_test"] < 1000
    assert figures["lists"]["num_test_targets_not_in_train"] > 10
    num_candidates = 20 * figures["lists"]["num_test"]
    assert pq.read_metadata("data/predictions/sasrec.parquet").num_rows == num_candidates
    assert metrics("baselines")["protocol"] == figures["protocol"]


def test_every_file_has_its_shape_and_prompts_can_be_made(
    workplace: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    workplace(*SMALL)
    assert run(fetch_reviews, capsys)[0] == 0
    Path("data/processed").mkdir(parents=True)
    Path("data/processed/ranker_train.jsonl").write_text("of another stage")
    code, shown = run(prepare, capsys)
    assert code == 0
    assert "lists, in data/processed" in shown
    assert sorted(path.name for path in Path("data/raw").iterdir()) == [
        *("meta.jsonl", "ratings.csv.gz")
    ]
    processed = Path("data/processed")
    for name, schema in (
        ("items", ITEMS_SCHEMA),
        ("purchases", PURCHASES_SCHEMA),
        ("purchases_later", PURCHASES_SCHEMA),
        *((split, LISTS_SCHEMA) for split in ("train", "val", "test")),
    ):
        assert pq.read_schema(processed / f"{name}.parquet").equals(schema)
    protocol = json.loads((processed / "protocol.json").read_text())
    assert all(isinstance(value, str) for value in protocol.values())
    digest = metrics("prepare")["digests"]["test"]
    assert digest[:12] in protocol["lists"]
    assert metrics("fetch_reviews")["digest"][:12] in protocol["data"]
    lists = list(read_lists(processed / "test.parquet"))
    assert read_reference(processed / "candidates_test.json") == lists
    prompts = list(
        parts_of(lists, read_items(processed / "items.parquet"), load_params(Params).prompt)
    )
    assert len(prompts) == len(lists)
    assert {len(candidates) for _, candidates in prompts} == {20}
    assert not Path(".work/prepare").exists()
    assert (processed / "ranker_train.jsonl").exists()


def test_stages_run_again_make_the_same_bytes(
    workplace: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workplace(*SMALL, "baselines.sasrec_epochs=1")
    made = []
    for _ in range(2):
        for stage in (fetch_reviews, prepare, baselines):
            code, shown = run(stage, capsys)
            assert code == 0, shown
        files = [path for name in ("data", "metrics") for path in (folder / name).rglob("*.*")]
        made.append({path: path.read_bytes() for path in files})
        for name in ("data", "metrics"):
            shutil.rmtree(folder / name)
    assert made[0] == made[1]
    assert len(made[0]) >= 20


def test_the_start_that_moved_is_said_and_is_in_the_protocol(
    workplace: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    workplace(*SMALL, "prepare.start=2023-02", "prepare.min_items=80", "prepare.k_core=2")
    assert run(fetch_reviews, capsys)[0] == 0
    code, shown = run(prepare, capsys)
    assert code == 0
    assert "fewer than 80 items from 2023-02 on; the start moved back" in shown
    start = metrics("prepare")["start"]
    assert start < "2023-02"
    assert f"{start} to last month, 2-core" == metrics("prepare")["protocol"]["ratings"]


def test_files_of_ones_own_take_the_same_way(
    workplace: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workplace(*SMALL)
    assert run(fetch_reviews, capsys)[0] == 0
    shutil.copytree("data/raw", folder / "own")
    content = {path: path.read_bytes() for path in (folder / "own").iterdir()}
    workplace("data=local", "data.path=own")
    assert run(fetch_reviews, capsys)[0] == 0
    assert run(prepare, capsys)[0] == 0
    assert {path: path.read_bytes() for path in (folder / "own").iterdir()} == content
    assert metrics("fetch_reviews")["source"] == "local"


@pytest.mark.parametrize(
    ("stage", "overrides", "words"),
    [
        (fetch_reviews, ["data=local", "data.path=nowhere"], ["nowhere", "fetch_reviews.path"]),
        (fetch_reviews, ["fetch_reviews.category=a/b"], ["fetch_reviews.category", "'a/b'"]),
        (prepare, [], ["data/raw", "dvc repro fetch_reviews"]),
        (baselines, [], ["items.parquet", "no such file"]),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    stage: Any,
    overrides: list[str],
    words: list[str],
    workplace: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    workplace(*overrides)
    code, shown = run(stage, capsys)
    assert code == 2
    assert len(shown.strip().splitlines()) == 1
    assert all(word in shown for word in words), shown
    assert not Path("data").exists() or not list(Path("data").rglob("*.*"))


@pytest.mark.parametrize(
    "choice", ["embedded", "musical-instruments", "video-games", "cds", "movies", "local"]
)
def test_every_choice_of_data_is_parsed(choice: str, workplace: Callable[..., Path]) -> None:
    workplace(f"data={choice}")
    params = load_params(Params)
    huggingface = choice not in ("embedded", "local")
    assert (params.fetch_reviews.source == "huggingface") == huggingface
    assert (params.prepare.min_items == 10_000) == huggingface
    assert params.prepare.num_candidates == 20
