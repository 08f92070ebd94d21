"""What `merge` does when the written model answers otherwise than what it was made of."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.models.merging import Fidelity
from newsrec.training.dataset import SampleSet, write_dataset_info
from stages import merge
from tests import ROOT


@pytest.fixture
def tree(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the pipeline with all that the stage reads, but no weights of an adapter."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "models/adapter").mkdir(parents=True)
    (tmp_path / "models/base").symlink_to(tiny_model)
    (tmp_path / "models/adapter/adapter_config.json").write_text('{"peft_type": "LORA"}')
    protocol = {"data": "synthetic, 12", "feedback": "earlier", "method": "lora"}
    (tmp_path / "models/adapter/protocol.json").write_text(json.dumps(protocol))
    (tmp_path / "models/adapter/train.yaml").write_text("learning_rate: 0.005\n")
    (tmp_path / "metrics").mkdir()
    model = {"source": "tiny", "name": "tiny", "num_parameters": 9, "digest": "abc"}
    (tmp_path / "metrics/fetch_model.json").write_text(json.dumps(model))
    data = tmp_path / "data/processed"
    data.mkdir(parents=True)
    sample = {"instruction": "Click?", "input": "A title", "output": "Yes."}
    write_dataset_info(SampleSet(data, "mind"))
    (data / "mind_val.jsonl").write_text(json.dumps(sample) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["merge", "mind", "newsrec.news.card"])
    return tmp_path


def merged(found: Fidelity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "merge_adapter", lambda *arguments: found)
    merge.main()


@pytest.mark.parametrize("found", [Fidelity(1e-5, 1e-5), Fidelity(0.3, 0.1), Fidelity(0.0, 1e-6)])
def test_a_difference_of_a_few_roundings_passes(
    found: Fidelity, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged(found, monkeypatch)
    metrics = json.loads((tree / "metrics/merge.json").read_text())
    assert (metrics["max_logit_difference"], metrics["rounding"]) == found


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Fidelity(0.89, 1e-5), r"differs by 0.89 .* times the 1e-05 that rounding"),
        (Fidelity(0.89, 0.15), r"raise merge.tolerance"),
        (Fidelity(float("nan"), 0.1), r"logits are not numbers"),
    ],
)
def test_a_larger_one_is_refused_and_nothing_is_left(
    found: Fidelity, message: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=message):
        merged(found, monkeypatch)
    assert sorted(path.name for path in (tree / "models").iterdir()) == ["adapter", "base"]
    assert not (tree / "metrics/merge.json").exists()
