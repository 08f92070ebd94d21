"""What README.md and conf/model/ say that a model needs is what the formulas say."""

import pytest

from newsrec.preflight import needs
from newsrec.preflight.needs import GB
from newsrec.preflight.shape import Shape, num_parameters_on_disk
from stages._examine import DATA_BYTES
from tests.compose_params import ROOT
from tests.preflight.shapes import LORA, QLORA, SHIPPED

BFLOAT16 = 2
MAX_MODEL_LEN, UTILIZATION = 1088, 0.9


def disk(shape: Shape, copies: bool) -> float:
    outputs = (
        num_parameters_on_disk(shape) * BFLOAT16
        + needs.model_trained(shape, BFLOAT16, "lora", LORA)
        + needs.disk_for_merged(shape, BFLOAT16, "lora", LORA)
    )
    work = DATA_BYTES["small"] + needs.disk_for_checkpoints(shape, BFLOAT16, "lora", LORA)
    return (work + (1 + copies) * outputs) / GB


def to_train(shape: Shape, method: str, options: dict) -> float:
    needed = needs.memory_to_train(shape, BFLOAT16, method, options, 1, 1024)
    return (needed + needs.CUDA) / GB


def to_score(shape: Shape) -> float:
    return needs.memory_to_score_vllm(shape, BFLOAT16, MAX_MODEL_LEN) / UTILIZATION / GB


def to_merge(shape: Shape) -> float:
    return needs.ram_to_merge(shape, BFLOAT16, "lora") / GB


@pytest.mark.parametrize("name", SHIPPED)
def test_the_head_of_a_models_file_tells_what_it_needs(name: str) -> None:
    shape = SHIPPED[name]
    lines = (ROOT / f"conf/model/{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert (
        f"# On paper: disk {disk(shape, copies=False):.1f} GB; GPU "
        f"{to_train(shape, 'lora', LORA):.1f} GB to train (LoRA r 8, 1 x 1024 tokens), "
        f"{to_score(shape):.1f} to score; RAM {to_merge(shape):.1f} to merge."
    ) in lines


def test_the_table_tells_what_each_model_needs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [
        "| | disk | GPU: LoRA | QLoRA | full | GPU: score | RAM: merge |",
        "|:--|--:|--:|--:|--:|--:|--:|",
        *(
            f"| `{name}` | {disk(shape, copies=False):.1f} GB ({disk(shape, copies=True):.1f}) "
            f"| {to_train(shape, 'lora', LORA):.1f} GB | {to_train(shape, 'qlora', QLORA):.1f} GB "
            f"| {to_train(shape, 'full', {}):.1f} GB | {to_score(shape):.1f} GB "
            f"| {to_merge(shape):.1f} GB |"
            for name, shape in SHIPPED.items()
        ),
    ]
    assert "\n".join(rows) in readme
