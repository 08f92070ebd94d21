"""benchmarks/gpu.py in tiny shapes: that it works, and that both ways of training are the same."""

from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.document import RESULTS
from benchmarks.gpu_training import OURS, PUBLISHED, train_steps
from benchmarks.shapes import impressions, num_unique_tokens, without_shared_beginnings
from newsrec.errors import UserError


def test_what_prompts_share_is_counted_once() -> None:
    prompts = [[1, 2, 3, 4], [1, 2, 5], [1, 2, 3, 4], [6]]
    assert num_unique_tokens(prompts) == 4 + 1 + 0 + 1
    assert num_unique_tokens([]) == 0


def test_prompts_without_shared_beginnings_share_nothing() -> None:
    prompts = [[number % 2, 7, 8, 9] for number in range(50)]
    apart = without_shared_beginnings(prompts, num_words=10)
    assert [ids[2:] for ids in apart] == [ids[2:] for ids in prompts]
    assert len({tuple(ids[:2]) for ids in apart}) == 50
    assert max(max(ids) for ids in apart) < 10


def test_an_impression_shares_all_but_its_candidates() -> None:
    first, *others = (chat[0]["content"].splitlines() for chat in impressions(1))
    assert len(others) == 36
    for other in others:
        assert [one for one, two in zip(first, other, strict=True) if one != two] in (
            [],
            [first[-2]],
        )


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=r"no GPU .* never estimated; .* --tiny"):
        gpu.measure([])


def test_a_row_has_the_goal_of_the_table_and_what_bounds_it() -> None:
    bench = object.__new__(gpu.Bench)
    bench.rows = []
    bench.add("merge", "merge of 16 GB", "60 s", "copying: 20 s", 3.0, "the check")
    bench.add("merge", "merge of 16 GB", "30 s", "copying: 20 s", 1.5, "the check")
    assert [(row.goal, row.at_most, row.bound) for row in bench.rows] == [
        (2, True, "the check"),
        (2, True, ""),
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_benchmark_runs_in_tiny_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    trained = []

    def spied(*given: object) -> object:
        trained.append((given[-1], train_steps(*given)))  # type: ignore[arg-type]
        return trained[-1][1]

    monkeypatch.setattr(gpu, "train_steps", spied)
    before = sorted(RESULTS.glob("*"))
    tiny = ["--tiny", "--folder", str(tmp_path), "--steps", "3", "--impressions", "2"]
    rows = gpu.measure(tiny)
    assert sorted(RESULTS.glob("*")) == before  # a figure of tiny shapes is none
    assert all(row.figure is not None and row.figure > 0 for row in rows)
    assert all(row.reached or row.bound for row in rows if row.work.endswith(", checked"))
    works = [row.work.split(" ")[0] for row in rows]
    assert works == ["LoRA,", "LoRA,", "LoRA,", "memory", "memory", "merge", "merge", "74", "74"]
    (rival, published), (own, ours) = trained
    assert (rival, own) == (PUBLISHED, OURS)
    assert ours.losses == pytest.approx(published.losses, rel=1e-4)  # logged with four decimals
    assert len(set(ours.losses)) == 3
