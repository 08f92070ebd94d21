"""vLLM and transformers choose alike, in one start, and free text beside it is not constrained."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chats, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import Choices, FewPrompts, Request
from newsrec.engines.settings import Settings, TransformersSettings
from newsrec.models.merging import export_adapter, merge_adapter
from tests.engines.conftest import VLLM
from tests.models.test_merging import PROMPTS, trained_lora, trained_prefix

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LABELS = (
    ("数据平台相关问题", "通用问题", "无关问题"),
    ("问题", "问题回答", "问题回答和任务"),  # each begins the next
    ("yes", "no", 'q"uo\\te', "a  b"),
    ("only",),
)
WORDS = [
    "权限",
    "清洗",
    "目录",
    "发布",
    "天气",
    "storm",
    "bank",
    "recipe",
    "北京",
    "表",
    "data",
    "谁",
    "how",
]
CHATS = [user_turn(f"{WORDS[row % 13]}{WORDS[row * 5 % 11]} {row}") for row in range(40)]
# Every other prompt is free.
CHOICES: list[Choices] = [
    () if number % 2 else LABELS[number // 2 % len(LABELS)] for number in range(len(CHATS))
]
SETTINGS: dict[str, Settings] = {
    "vllm": VLLM,
    "transformers": TransformersSettings(dtype="float32", batch_size=8, device="cpu"),
}


def texts(engine: str, model: Path, work: Path, choices: list[Choices]) -> list[str]:
    work.mkdir()
    prompts = FewPrompts(encode_chats(load_tokenizer(model), CHATS))
    target = work / "answers.parquet"
    request = Request(prompts, (), 3, choices)
    answer(SETTINGS[engine], "base", model, request, target, work)
    found: list[str] = pq.read_table(target)["text"].to_pylist()
    # Of a character that is cut off, transformers shows a sign and vLLM nothing.
    return [text.rstrip("\ufffd") for text in found]


@pytest.fixture
def base(tokenized: Path) -> Path:
    """A model of either tokenizer whose embeddings are drawn."""
    path, name = tokenized / "model.safetensors", "model.embed_tokens.weight"
    weights = load_file(path)
    weights[name] = torch.randn(weights[name].shape, generator=torch.Generator().manual_seed(1))
    save_file(weights, path, {"format": "pt"})
    return tokenized


def test_both_engines_choose_alike_and_only_where_choices_are_given(
    base: Path, tmp_path: Path
) -> None:
    # Moved far from where it was: as it is, it chooses the same of a list whatever it is asked.
    model = tmp_path / "model"
    model.mkdir()
    trained_lora(base, tmp_path / "adapter", "q_proj", "v_proj", "up_proj")
    merge_adapter(base, tmp_path / "adapter", model, PROMPTS, "4GB")
    free = texts("transformers", model, tmp_path / "free", [])
    found = {engine: texts(engine, model, tmp_path / engine, CHOICES) for engine in SETTINGS}
    assert found["vllm"] == found["transformers"]
    for row, choices in enumerate(CHOICES):
        if choices:
            assert found["vllm"][row] in choices
        else:
            assert found["vllm"][row] == free[row]
    # All this means nothing where it takes the same of every list, or writes a choice anyway.
    taken = [
        {found["vllm"][row] for row, one in enumerate(CHOICES) if one == labels}
        for labels in LABELS
    ]
    assert any(len(some) > 1 for some in taken)
    assert not any(free[row] in choices for row, choices in enumerate(CHOICES) if choices)


def test_a_model_with_a_prefix_chooses_too(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prefix"
    folder.mkdir()
    trained_prefix(base, tmp_path / "adapter")
    export_adapter(base, tmp_path / "adapter", folder)
    found = texts("transformers", folder, tmp_path / "work", CHOICES)
    assert all(found[row] in choices for row, choices in enumerate(CHOICES) if choices)
