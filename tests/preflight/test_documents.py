"""What the documents and conf/model/ say that a model needs is what the formulas say."""

from pathlib import Path

import pytest

from newsrec.models.shape import Shape
from newsrec.news.needs import data_needs
from newsrec.news.params import Params
from newsrec.params.load import load_params
from newsrec.preflight import needs
from newsrec.preflight.needs import GB
from tests import ROOT
from tests.compositions import write_params
from tests.preflight.shapes import LORA, QLORA, SHIPPED

BFLOAT16 = 2
MAX_MODEL_LEN, UTILIZATION = 1088, 0.9


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that MINDsmall takes."""
    path = tmp_path_factory.mktemp("mind") / "params.yaml"
    write_params(path, "data=mind-small")
    return data_needs(load_params(Params, path).fetch_mind).disk


def disk(shape: Shape, data: int, copies: bool) -> float:
    outputs = (
        shape.num_parameters_on_disk * BFLOAT16
        + needs.model_trained(shape, BFLOAT16, "lora", LORA)
        + needs.disk_for_merged(shape, BFLOAT16, "lora", LORA)
    )
    work = data + needs.disk_for_checkpoints(shape, BFLOAT16, "lora", LORA)
    return (work + (1 + copies) * outputs) / GB


def to_train(shape: Shape, method: str, options: dict) -> float:
    needed = needs.memory_to_train(shape, BFLOAT16, method, options, 1, 1024)
    return (needed + needs.CUDA) / GB


def to_score(shape: Shape) -> float:
    return needs.memory_to_score_vllm(shape, BFLOAT16, MAX_MODEL_LEN) / UTILIZATION / GB


def to_merge(shape: Shape) -> float:
    return (needs.ram_to_merge(shape, BFLOAT16, "lora") + needs.PROCESS) / GB


@pytest.mark.parametrize("name", SHIPPED)
def test_the_head_of_a_models_file_states_what_it_needs(name: str, data: int) -> None:
    shape = SHIPPED[name]
    lines = (ROOT / f"conf/model/{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert (
        f"# On paper: disk {disk(shape, data, copies=False):.1f} GB; GPU "
        f"{to_train(shape, 'lora', LORA):.1f} GB to train (LoRA r 8, 1 x 1024 tokens), "
        f"{to_score(shape):.1f} to score; RAM {to_merge(shape):.1f} to merge."
    ) in lines


def test_the_table_states_what_each_model_needs(data: int) -> None:
    documents: list[Path] = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    rows = [
        "| | disk | GPU: LoRA | QLoRA | full | GPU: score | RAM: merge |",
        "|:--|--:|--:|--:|--:|--:|--:|",
        *(
            f"| `{name}` | {disk(shape, data, copies=False):.1f} GB "
            f"({disk(shape, data, copies=True):.1f}) "
            f"| {to_train(shape, 'lora', LORA):.1f} GB | {to_train(shape, 'qlora', QLORA):.1f} GB "
            f"| {to_train(shape, 'full', {}):.1f} GB | {to_score(shape):.1f} GB "
            f"| {to_merge(shape):.1f} GB |"
            for name, shape in SHIPPED.items()
        ),
    ]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    # Once, and nowhere an older one.
    assert sum(rows[0] in text for text in texts) == 1
    assert any("\n".join(rows) in text for text in texts)
