"""The settings that an engine's name chooses from the options of every engine."""

from typing import Any

import pytest

from newsrec.engines.settings import (
    ApiSettings,
    Settings,
    TransformersSettings,
    VllmSettings,
    choose_settings,
)
from newsrec.errors import UserError

# As the parameters name them: each value is of one option alone.
OPTIONS: dict[str, Any] = {
    "engine": "set elsewhere",
    "dtype": "bfloat16",
    "max_model_len": 11,
    "max_answer_tokens": 12,
    "gpu_memory_utilization": 0.13,
    "cpu_kv_cache_gib": 14,
    "enforce_eager": True,
    "batch_size": 15,
    "template": "qwen3",
    "api_server": "url",
    "api_port": 16,
    "api_concurrency": 17,
    "api_max_tries": 18,
    "api_timeout": 19.0,
    "api_top_logprobs": 20,
    "api_turns_thinking_off": False,
    "seed": 21,
}
VLLM = VllmSettings(
    dtype="bfloat16",
    max_model_len=11,
    gpu_memory_utilization=0.13,
    cpu_kv_cache_gib=14,
    enforce_eager=True,
    batch_size=15,
    seed=21,
)
TRANSFORMERS = TransformersSettings(dtype="bfloat16", batch_size=15, device="auto")
API = ApiSettings(
    server="url",
    template="qwen3",
    dtype="bfloat16",
    port=16,
    top_logprobs=20,
    concurrency=17,
    max_tries=18,
    timeout=19.0,
    turns_thinking_off=False,
    first_wait=1.0,
)


@pytest.mark.parametrize(
    ("engine", "settings"), [("vllm", VLLM), ("transformers", TRANSFORMERS), ("openai-api", API)]
)
def test_the_name_of_an_engine_chooses_its_settings_from_all_options(
    engine: str, settings: Settings
) -> None:
    assert choose_settings(engine, OPTIONS) == settings


def test_the_prefix_of_an_api_option_may_be_left_out() -> None:
    plain = {name.removeprefix("api_"): value for name, value in OPTIONS.items()}
    assert choose_settings("openai-api", plain) == API


def test_an_option_with_a_default_may_be_given() -> None:
    settings = choose_settings("transformers", {**OPTIONS, "device": "cpu"})
    assert settings == TransformersSettings(dtype="bfloat16", batch_size=15, device="cpu")


@pytest.mark.parametrize("engine", ["vllm", "transformers", "openai-api"])
def test_an_option_without_a_default_must_be_given(engine: str) -> None:
    with pytest.raises(TypeError, match="dtype"):
        choose_settings(engine, {name: OPTIONS[name] for name in OPTIONS if name != "dtype"})


def test_an_unknown_engine_is_answered_with_the_list_and_the_nearest_one() -> None:
    with pytest.raises(UserError) as caught:
        choose_settings("transformer", OPTIONS)
    assert str(caught.value) == (
        "score.engine is 'transformer'; expected one of: openai-api, transformers, vllm; "
        "did you mean 'transformers'?"
    )
