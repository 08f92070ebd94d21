"""The stages train, merge and score on a few made-up rows, with a tiny model."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoConfig

from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.params.compose import compose
from newsrec.safety.labels import CLASSES
from newsrec.safety.tables import PROBABILITIES
from stages.safety import merge, score, train
from tests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WORDS = ("天气", "外人", "假票", "旗号", "火器", "艳照")
SETTINGS = [
    "engine=transformers",
    "score.batch_size=8",
    "train.max_steps=4",
    "train.save_steps=2",
    "train.logging_steps=1",
    "train.cutoff_len=24",
    "classifier.class_weights=balanced",
    "score.max_model_len=1088",  # of bytes as tokens
]


def write_rows(path: Path, num: int, tricks: bool = False) -> None:
    texts = [f"第{row}条，说的是{WORDS[row % len(WORDS)]}" for row in range(num)]
    columns = {
        "id": [f"{path.stem}-{row}" for row in range(num)],
        "text": texts,
        "label": [CLASSES[row % len(CLASSES)] for row in range(num)],
        "tags": [[] for _ in texts],
        "cluster": list(range(num)),
        "normalised": texts,
    }
    pq.write_table(pa.table(columns | ({"trick": ["拼音"] * num} if tricks else {})), path)


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the pipeline in which train and merge have run; the current one."""
    folder = tmp_path_factory.mktemp("safety")
    compose(folder / "params.yaml", SETTINGS, "safety")
    (folder / "models").mkdir()
    (folder / "models/base").symlink_to(tiny_model)
    (folder / "metrics").mkdir()
    base = {"source": "tiny", "name": "tiny", "num_parameters": 9, "digest": "abc"}
    digest = sha256_folder(tiny_model)[:12]
    base["protocol"] = {"model": f"tiny (tiny), {digest}", "revision": "1"}
    (folder / "metrics/fetch_model.json").write_text(json.dumps(base))
    data = folder / "data/processed"
    data.mkdir(parents=True)
    for name, num in (("train", 24), ("val", 12), ("test", 12)):
        write_rows(data / f"{name}.parquet", num)
    write_rows(data / "evasion.parquet", 6, tricks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.chdir(folder)
        train.main()
        merge.main()
        yield folder


def metrics(name: str) -> dict[str, object]:
    return json.loads(Path(f"metrics/{name}.json").read_text())


@pytest.mark.usefixtures("trained")
def test_training_leaves_an_adapter_figures_and_curves() -> None:
    assert {path.name for path in Path("models/adapter").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "protocol.json", "train.yaml",
    }  # fmt: skip
    found = metrics("train")
    assert found["num_steps"] == 4
    assert 0 <= found["val_macro_f1"] <= 1
    assert found["tokens_per_second"] > 0
    for name, column in (
        ("loss_train", "loss"), ("loss_val", "loss"), ("macro_f1_val", "macro_f1"),
    ):  # fmt: skip
        lines = Path(f"plots/{name}.tsv").read_text().splitlines()
        assert lines[0] == f"step\t{column}"
        assert lines[-1].startswith("4\t")
    assert not Path(".work/train").exists()


@pytest.mark.usefixtures("trained")
def test_the_merged_model_knows_its_classes_and_has_a_card() -> None:
    config = AutoConfig.from_pretrained("models/merged")
    assert config.architectures == ["Qwen3ForSequenceClassification"]
    assert list(config.id2label.values()) == list(CLASSES)
    assert config.label2id == {name: id_ for id_, name in enumerate(CLASSES)}
    assert "text-classification" in Path("models/merged/README.md").read_text()
    assert metrics("merge")["max_logit_difference"] < 1e-4


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("name", "model"), [("tuned", "models/merged"), ("base", "models/base")])
def test_a_model_puts_every_row_of_every_set_into_a_class(
    name: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["score", name, model])
    score.main()
    for of, num in (("test", 12), ("val", 12), ("evasion", 6)):
        rows = pq.read_table(f"data/processed/{of}.parquet").to_pandas()
        found = pq.read_table(f"data/predictions/{of}/{name}.parquet").to_pandas()
        assert len(found) == num
        for column in ("id", "label", "cluster", *(["trick"] if of == "evasion" else [])):
            assert (found[column] == rows[column]).all()
        assert found[list(PROBABILITIES)].sum(axis=1).to_numpy() == pytest.approx([1.0] * num)
    found = metrics(f"score_{name}")
    assert (found["num_rows"], found["engine"]) == (30, "transformers")
    assert found["num_cut"] == 30  # of byte tokens, 24 of which are read
    if name == "base":
        assert found["answers"] == "123456"
        assert 0 < found["mean_mass_outside"] < 1
    assert not Path(f".work/score_{name}").exists()


@pytest.mark.usefixtures("trained")
def test_the_base_model_is_no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["score", "tuned", "models/base"])
    with pytest.raises(UserError, match=r"Qwen3ForCausalLM.*ForSequenceClassification"):
        score.main()
    shutil.rmtree(".work/score_tuned")
