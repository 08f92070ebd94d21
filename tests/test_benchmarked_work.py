"""The work of each benchmark on next to nothing: that it still fits the code that it measures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    candidates,
    classify,
    evaluate,
    graph,
    ids,
    preprocess,
    ranker,
    safety_extract,
    submission,
    threads,
)
from benchmarks.preprocess_ways import WAYS
from newsrec.errors import UserError
from tests import ROOT
from tests.quick_yaml import safe_load

pytestmark = pytest.mark.slow


def test_the_host_work_of_a_submission_is_measured_on_a_part_of_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    share = 5 / submission.NUM_IMPRESSIONS
    row = submission.measure(share, tmp_path, tiny_model, num_news=50)
    assert row.work.startswith("2,370,727 impressions, 88 million prompts: CPU time of the host")
    assert row.figure
    assert (tmp_path / "prediction.zip").is_file()


def test_the_row_loop_makes_the_samples_of_preprocess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "NUM_NEWS", 2_000)
    preprocess.write_files(tmp_path / "raw", 100, seed=1)
    for name, way in WAYS.items():
        (tmp_path / name).mkdir()
        way(tmp_path / "raw", tmp_path / name, 1.0)
    found, expected = (
        {
            (sample["instruction"], sample["input"], sample["output"])
            for sample in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        }
        for path in (tmp_path / "row_loop/train.jsonl", tmp_path / "every/mind_train.jsonl")
    )
    assert len(found) == 75
    # Where the last candidate has no row in news.tsv, the row loop takes the one before.
    assert len(expected) >= 73
    assert expected <= found


def test_the_default_size_of_preprocess_is_that_of_mindlarge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def measured(*given: object) -> dict[str, object]:
        asked.append(given)
        raise UserError("enough")

    monkeypatch.setattr(preprocess, "_measure", measured)
    monkeypatch.setattr("sys.argv", ["preprocess"])
    with pytest.raises(UserError):
        preprocess.main()
    assert asked == [(2_609_219, ["default", "every", "row_loop", "floor"], 3)]


def test_all_ways_to_token_ids_agree(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "NUM_NEWS", 50)
    monkeypatch.setattr(ids, "TOKENIZER", tiny_model)
    num_prompts = candidates.write_candidates(tmp_path / "candidates.parquet", 2)
    assert num_prompts == 2 * candidates.NUM_CANDIDATES
    ids.check_same(tmp_path / "candidates.parquet")
    report: Any = ids.measure("batches", tmp_path / "candidates.parquet", 10)
    assert report["peak"] > 1e6


def test_the_loop_beside_evaluate_reads_what_evaluate_reads(tmp_path: Path) -> None:
    assert evaluate.write_inputs(tmp_path, 5, seed=1) > 5
    assert evaluate.looped(tmp_path, 3) > 0


@pytest.mark.slow  # trains
def test_every_way_of_the_ranker_takes_a_step() -> None:
    for make in ranker.WAYS.values():
        make(2)()


def test_documents_to_extract_hold_what_spreadsheets_break() -> None:
    texts = [str(one["text_cn"]) for one in safety_extract.made(100, seed=1)]
    for number, broken in enumerate(safety_extract.BROKEN_BY_SPREADSHEETS):
        assert texts[number].startswith(broken)


def test_lines_to_classify_are_one_text_each(tmp_path: Path) -> None:
    lines = classify.write_lines(tmp_path / "lines.txt", 7).read_text(encoding="utf-8")
    assert lines.count("\n") == 7


def test_training_takes_turns_beside_each_number_of_busy_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter(range(1, 19))
    ran = []
    beside = [0]

    @contextmanager
    def busy(num: int) -> Iterator[None]:
        beside.append(num)
        yield
        beside.pop()

    def run_once(way: str, command: object, env: object) -> tuple[dict[str, float], int]:
        ran.append((way, beside[-1]))
        return {"seconds": next(seconds)}, 0

    monkeypatch.setattr(threads, "busy", busy)
    monkeypatch.setattr(threads, "run_once", run_once)
    found = threads.compare(3, rounds=2)
    each = [(way, num) for num in (0, 1, 2) for way in ("ours", "busily", "asleep")]
    assert ran == each * 2
    assert found == {key: 5.5 + number for number, key in enumerate(each)}  # medians of n and n + 9


def test_the_start_of_every_stage_of_the_default_run_is_measured() -> None:
    stages = safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(graph.STAGES) == set(stages)


@pytest.mark.slow  # starts DVC
def test_a_graph_with_something_to_do_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {new: {cmd: 'true', outs: [made]}}\n")
    monkeypatch.setattr(graph, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["graph"])
    with pytest.raises(UserError, match="a stage is not up to date; run dvc repro"):
        graph.main()
