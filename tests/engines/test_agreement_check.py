"""A model that vLLM reads differently from transformers is refused before it is trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from newsrec.engines import agreement, transformers_engine
from newsrec.engines.agreement import MIN_PROBABILITY, TOLERANCES, compare_with_transformers
from newsrec.engines.request import Request
from newsrec.engines.settings import TransformersSettings, VllmSettings
from newsrec.errors import UserError
from newsrec.models.tiny import build_tiny
from newsrec.news.corpus import examples
from tests.engines.conftest import VLLM

pytestmark = pytest.mark.slow  # each is a second or so, and there are many

CHATS = [chat for chat, _ in examples(4, seed=3)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 that knows which words may follow."""
    folder = tmp_path_factory.mktemp("model")
    build_tiny(
        folder,
        examples(400, seed=1),
        vocab_size=600,
        hidden_size=32,
        num_layers=2,
        max_length=512,
        steps=50,
        batch_size=8,
        lr=3e-3,
        seed=1,
    )
    return folder


def changed(model: Path, target: Path, **config: Any) -> Path:
    """A copy whose config.json has other values; None takes a key out."""
    shutil.copytree(model, target)
    path = target / "config.json"
    found = json.loads(path.read_text()) | config
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))
    return target


@pytest.fixture
def engine_reads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let transformers answer for vLLM, on a folder of the test's own in place of the model's."""

    def reads(folder: Path) -> None:
        def answer(
            settings: VllmSettings, model: Path, request: Request, target: Path, work: Path
        ) -> None:
            engine = TransformersSettings(settings.dtype, batch_size=2)
            transformers_engine.answer(engine, folder, request, target, work)

        monkeypatch.setattr(agreement, "answer", answer)

    return reads


def test_the_same_model_agrees(model: Path, tmp_path: Path, engine_reads: Any) -> None:
    engine_reads(model)
    found = compare_with_transformers(VLLM, model, CHATS, tmp_path)
    assert found.num_prompts == len(CHATS) + 1
    assert found.num_prompts <= found.num_tokens <= found.num_prompts * 5
    assert found.max_difference < 1e-4
    assert (found.dtype, found.tolerance) == ("float32", TOLERANCES["float32"])


@pytest.mark.parametrize(
    "config", [{"rope_theta": 1_000.0}, {"rms_norm_eps": 1e-3}, {"sliding_window": 16}]
)
def test_a_model_that_is_read_with_other_settings_is_refused(
    config: dict[str, Any], model: Path, tmp_path: Path, engine_reads: Any
) -> None:
    if "sliding_window" in config:
        config |= {"use_sliding_window": True, "max_window_layers": 0, "layer_types": None}
    engine_reads(changed(model, tmp_path / "other", **config))
    with pytest.raises(UserError, match=r"reads this model differently.*engine=transformers"):
        compare_with_transformers(VLLM, model, CHATS, tmp_path)


def test_a_log_probability_that_is_no_number_is_refused(
    model: Path, tmp_path: Path, engine_reads: Any
) -> None:
    other = changed(model, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"] *= float("nan")
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    engine_reads(other)
    with pytest.raises(UserError, match="reads this model differently"):
        compare_with_transformers(VLLM, model, CHATS, tmp_path)


def test_rounding_to_half_precision_is_no_other_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_reads: Any
) -> None:
    engine_reads(model)
    monkeypatch.setattr(agreement, "_dtype", lambda *_: "bfloat16")
    found = compare_with_transformers(VLLM, model, CHATS, tmp_path)  # float32 against it
    assert TOLERANCES["float32"] < found.max_difference < TOLERANCES["bfloat16"]


@pytest.mark.parametrize(
    ("wished", "stored", "expected"),
    [
        ("auto", {"torch_dtype": "bfloat16"}, "bfloat16"),
        ("auto", {"dtype": "float16"}, "float16"),
        ("auto", {"torch_dtype": "float32"}, "bfloat16"),
        ("auto", {}, "bfloat16"),
        ("float32", {"torch_dtype": "bfloat16"}, "float32"),
        ("half", {}, "float16"),
        ("float", {}, "float32"),
    ],
)
def test_both_compute_in_the_type_that_vllm_takes(
    wished: str, stored: dict[str, str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(stored))
    settings = VllmSettings(**(vars(VLLM) | {"dtype": wished}))
    assert agreement._dtype(settings, tmp_path) == expected


def test_improbable_tokens_are_not_compared(
    model: Path, tmp_path: Path, engine_reads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_reads(model)
    monkeypatch.setattr(agreement, "MIN_PROBABILITY", 0.999)
    few = compare_with_transformers(VLLM, model, CHATS, tmp_path)
    assert few.num_tokens == few.num_prompts  # the most probable one is always compared
    monkeypatch.setattr(agreement, "MIN_PROBABILITY", MIN_PROBABILITY)
    found = compare_with_transformers(VLLM, model, CHATS, tmp_path)
    assert found.num_tokens > found.num_prompts


def test_a_folder_of_transformers_5_that_version_4_reads_otherwise_is_refused(
    model: Path, tmp_path: Path
) -> None:
    rope = {"rope_type": "default", "rope_theta": 1_000.0}
    other = changed(model, tmp_path / "other", rope_theta=None, rope_parameters=rope)
    with pytest.raises(UserError, match="reads this model differently"):
        compare_with_transformers(VLLM, other, CHATS, tmp_path)


def test_weights_that_are_there_twice_and_differ_are_refused(model: Path, tmp_path: Path) -> None:
    other = changed(model, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    shard = "model-00001-of-00001.safetensors"
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, shard)}
    (other / "model.safetensors.index.json").write_text(json.dumps(index))
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"].flip(0).contiguous()
    save_file(weights, other / shard, metadata={"format": "pt"})
    with pytest.raises(UserError, match="the weights are stored twice"):
        compare_with_transformers(VLLM, other, CHATS, tmp_path)
