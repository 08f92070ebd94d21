"""Every engine gives a text the same class, whole models and adapters, whatever the text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from newsrec.engines.classifying import classify
from newsrec.engines.request import ClassRequest, FewPrompts
from newsrec.engines.settings import (
    ClassifierSettings,
    OnnxSettings,
    TransformersSettings,
    VllmSettings,
    choose_classifier_settings,
)
from newsrec.errors import UserError
from tests.engines.classifiers import (
    EMPTY,
    HEAD_OPTIONS,
    TEXTS,
    merge,
    token_ids,
    write_adapter,
)
from tests.engines.conftest import VLLM

TRANSFORMERS = TransformersSettings(dtype="float32", batch_size=3, device="cpu")
ONNX = OnnxSettings(batch_size=3)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter with a head."""
    return write_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "adapter")


@pytest.fixture(scope="module")
def merged(tiny_model: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as one model."""
    return merge(tiny_model, adapter, tmp_path_factory.mktemp("merged") / "merged")


def logits_of(
    settings: ClassifierSettings, model: Path, ids: list[list[int]], work: Path
) -> list[list[float] | None]:
    work.mkdir(exist_ok=True)
    classify(settings, model, ClassRequest(FewPrompts(ids)), work / "classes.parquet", work)
    return pq.read_table(work / "classes.parquet")["logits"].to_pylist()


def one_by_one(model: Path, ids: list[list[int]]) -> list[list[float] | None]:
    """By plain transformers, without padding."""
    network = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32).eval()
    with torch.no_grad():
        return [network(torch.tensor([row])).logits[0].tolist() if row else None for row in ids]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_engines_agree_on_the_logits_of_every_text(
    tiny_model: Path, adapter: Path, merged: Path, tmp_path: Path
) -> None:
    ids = token_ids(tiny_model)
    expected = one_by_one(merged, ids)
    assert [row for row, logits in enumerate(expected) if logits is None] == EMPTY
    found = {
        name: logits_of(settings, model, ids, tmp_path / name)
        for name, settings, model in (
            ("transformers, adapter", TRANSFORMERS, adapter),
            ("transformers, merged", TRANSFORMERS, merged),
            ("onnx", ONNX, merged),
            ("vllm, merged", VLLM, merged),
            ("vllm, adapter", VLLM, adapter),
        )
    }
    there = [row for row in range(len(TEXTS)) if row not in EMPTY]
    wanted = np.array([expected[row] for row in there])
    assert len(set(wanted.argmax(axis=1))) > 1
    for name, logits in found.items():
        assert all(logits[row] is None for row in EMPTY), name
        given = np.array([logits[row] for row in there])
        print(f"{name}: {np.abs(given - wanted).max():.2g}")
        assert np.abs(given - wanted).max() < 1e-4, name
        assert (given.argmax(axis=1) == wanted.argmax(axis=1)).all(), name


@pytest.mark.slow
def test_text_that_ends_in_what_pads_is_read_to_its_end(tiny_model: Path, merged: Path) -> None:
    ids = dict(zip(TEXTS, token_ids(tiny_model), strict=True))
    plain, ending = ids["结尾是控制符"], ids["结尾是控制符<|endoftext|>"]
    assert ending[: len(plain) - 1] == plain[:-1]
    assert len(ending) > len(plain)
    padding = AutoConfig.from_pretrained(merged).pad_token_id
    assert padding is not None
    assert not any(padding in row for row in ids.values())


@pytest.mark.slow
def test_the_merged_folder_knows_the_names_of_its_classes(merged: Path) -> None:
    config = AutoConfig.from_pretrained(merged)
    assert config.architectures == ["Qwen3ForSequenceClassification"]
    assert (config.id2label, config.label2id) == (
        HEAD_OPTIONS["id2label"],
        HEAD_OPTIONS["label2id"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "model", "message"),
    [
        (TRANSFORMERS, lambda base, _: base, r"ForCausalLM.*one \*ForSequenceClassification"),
        (VLLM, lambda base, _: base, r"ForCausalLM.*one \*ForSequenceClassification"),
        (ONNX, lambda _, adapter: adapter, r"an adapter \(lora\).*merge it first"),
    ],
)
def test_what_is_no_classifier_is_refused(
    settings: ClassifierSettings,
    model: Callable[[Path, Path], Path],
    message: str,
    tiny_model: Path,
    adapter: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=message):
        logits_of(settings, model(tiny_model, adapter), [[5, 6]], tmp_path)


@pytest.mark.parametrize(
    ("engine", "kind"),
    [("vllm", VllmSettings), ("transformers", TransformersSettings), ("onnx", OnnxSettings)],
)
def test_a_name_chooses_an_engine(engine: str, kind: type) -> None:
    values = {"dtype": "float32", "batch_size": 5, "max_model_len": 9, "seed": 1}
    values |= {"gpu_memory_utilization": 0.5, "cpu_kv_cache_gib": 1, "enforce_eager": True}
    found = choose_classifier_settings(engine, values)
    assert isinstance(found, kind)
    assert found.batch_size == 5


def test_another_name_is_answered_with_those_that_classify() -> None:
    with pytest.raises(UserError, match="'openai-api'; expected one of: onnx, transformers, vllm"):
        choose_classifier_settings("openai-api", {})
