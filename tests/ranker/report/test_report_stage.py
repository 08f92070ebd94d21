"""The stage from figures to a page and a summary."""

import json
from pathlib import Path

import pytest

from stages.ranker import evaluate, report
from tests.ranker.made_tree import write, write_tree
from tests.report.reading import Page

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tree(tmp_path, methods=("exact", "softmax", "group", "ppo"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evaluate", "base", "sft", "popularity"])
    counts = {"num_asked": 200, "num_right": 160}
    for name, found in {
        "teach": {"teacher": "local", "train": counts},
        "compare": {},
        "train": {"num_steps": 20},
        "fetch_model": {"source": "tiny", "num_parameters": 400_000, "digest": "ab12"},
        "fetch_reviews": {"num_ratings": 500},
        "rl_exact": {"start_noise_one": 4.6},
        "rl_softmax": {"start_noise_one": 4.6},
        "rl_group": {"start_noise_one": 4.5},
        "rl_ppo": {"clip_share": 0.25},
    }.items():
        write(tmp_path / f"metrics/{name}.json", {"protocol": {}, **found})
    for name in ("train", "val"):
        (tmp_path / f"plots/loss_{name}.tsv").write_text("step\tloss\n10\t1.5\n20\t0.8\n")
    evaluate.main()
    return tmp_path


def test_page_summary_and_provenance_are_written(tree: Path) -> None:
    report.main()
    page = (tree / "reports/report.html").read_text()
    summary = (tree / "reports/summary.md").read_text()
    title = (
        "Trained with reinforcement learning, the ranker is better than the model that it started"
    )
    assert title in page
    assert title in summary
    assert "<svg" in page
    assert all(address.startswith("#") for address in Page(page).addresses)
    assert "rank 20" in page or "rank 1" in page  # lists that training moved
    for method in ("exact", "softmax", "group", "ppo"):
        assert f"{method}: 0.300 at step 0, 0.500 at step 10" in page  # a learning curve
        assert f"reinforcement learning, {method}" in page
        assert f"| `{method}` |" in summary
    found = json.loads((tree / "metrics/provenance.json").read_text())
    assert set(found["seeds"]) == {"train", "teach", "evaluate", "rl"}
    report.main()
    assert (tree / "reports/report.html").read_text() == page
