"""The settings of each engine, and the one that a name chooses."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

from newsrec.errors import unknown_choice

# Where a server behind a URL is; never in params.yaml, which is committed.
URL_VARIABLE = "NEWSREC_API_URL"
KEY_VARIABLE = "NEWSREC_API_KEY"
MODEL_VARIABLE = "NEWSREC_API_MODEL_"  # followed by the name of what is scored, in capitals


@dataclass(frozen=True)
class VllmSettings:
    """vLLM, offline, in an environment of its own.

    Attributes:
        dtype: vLLM's: `auto` takes bfloat16 for float32 weights.
        max_model_len: tokens of a prompt and its answer.
        gpu_memory_utilization: share of the GPU's memory to use.
        cpu_kv_cache_gib: memory for the cache where there is no GPU.
        enforce_eager: start sooner, run slower.
        batch_size: prompts given to the engine at once; bounds the memory for answers.
        seed: of the engine; greedy answers do not depend on it.
    """

    dtype: str
    max_model_len: int
    gpu_memory_utilization: float
    cpu_kv_cache_gib: int
    enforce_eager: bool
    batch_size: int
    seed: int


@dataclass(frozen=True)
class TransformersSettings:
    """transformers, in this process.

    Attributes:
        dtype: PyTorch's name of it; `auto` takes the model's own, float32 included, which vLLM's
            `auto` does not.
        batch_size: prompts computed at once; higher: more memory, faster on a GPU.
        device: `auto` is the GPU where PyTorch finds one, else the CPU.
    """

    dtype: str
    batch_size: int
    device: str = "auto"


@dataclass(frozen=True)
class OnnxSettings:
    """ONNX Runtime, in this process, on the CPU, in float32; for classifiers.

    Attributes:
        batch_size: texts computed at once; higher: more memory.
    """

    batch_size: int


@dataclass(frozen=True)
class ApiSettings:
    """A server that speaks OpenAI's chat completions.

    Attributes:
        server: `llamafactory` starts LLaMA-Factory's; `url` uses the one at `URL_VARIABLE`.
        template: LLaMA-Factory's name of the chat template, for a server that is started.
        dtype: of a server that is started.
        port: of a server that is started.
        top_logprobs: tokens that the server is asked to list; 20 is the most that OpenAI allows,
            0 asks for none.
        concurrency: requests under way at once.
        max_tries: of one request; only what may pass (429, 5xx, time-outs) is tried again.
        timeout: seconds of silence after which a request has failed.
        turns_thinking_off: send what vLLM's own server understands to the one at `URL_VARIABLE`:
            `chat_template_kwargs`, and `structured_outputs` with a prompt that has choices.
        first_wait: seconds before the second try; doubled each time, longer if the server asks.
    """

    server: str
    template: str
    dtype: str
    port: int
    top_logprobs: int
    concurrency: int
    max_tries: int
    timeout: float
    turns_thinking_off: bool
    first_wait: float = 1.0

    @property
    def extra_body(self) -> dict[str, Any]:
        """What is added to each request to the server at `URL_VARIABLE`.

        It makes vLLM's server open the same empty think block as everywhere else; a server that is
        started does so by its own settings.
        """
        if not self.turns_thinking_off:
            return {}
        return {"chat_template_kwargs": {"enable_thinking": False}}


Settings = VllmSettings | TransformersSettings | ApiSettings


def settings_of_model(settings: Settings, name: str) -> Settings:
    """The settings to score the model `name` with: `base`, or another one."""
    if isinstance(settings, ApiSettings) and name != "base":
        # Both models may be served at once, by stages that run side by side.
        return replace(settings, port=settings.port + 1)
    return settings


ClassifierSettings = VllmSettings | TransformersSettings | OnnxSettings
_S = TypeVar("_S")

_SETTINGS: dict[str, type[Settings]] = {
    "vllm": VllmSettings,
    "transformers": TransformersSettings,
    "openai-api": ApiSettings,
}
_CLASSIFIERS: dict[str, type[ClassifierSettings]] = {
    "vllm": VllmSettings,
    "transformers": TransformersSettings,
    "onnx": OnnxSettings,
}


def choose_settings(engine: str, options: Mapping[str, Any]) -> Settings:
    """The settings of the engine of that name, which answers prompts.

    Args:
        engine: `vllm`, `transformers` or `openai-api`.
        options: values by field, those of every engine together; a field of `ApiSettings` may have
            the prefix `api_`.

    Raises:
        UserError: no engine has that name.
    """
    return _choose(_SETTINGS, engine, options)


def choose_classifier_settings(engine: str, options: Mapping[str, Any]) -> ClassifierSettings:
    """The settings of the engine of that name, which puts texts into classes.

    Args:
        engine: `vllm`, `transformers` or `onnx`.
        options: values by field, those of every engine together.

    Raises:
        UserError: no engine of that name does so.
    """
    return _choose(_CLASSIFIERS, engine, options)


def _choose(kinds: Mapping[str, type[_S]], engine: str, options: Mapping[str, Any]) -> _S:
    if engine not in kinds:
        raise unknown_choice("score.engine", engine, kinds)
    kind = kinds[engine]
    plain = {name.removeprefix("api_"): value for name, value in options.items()}
    names = [entry.name for entry in fields(cast(Any, kind))]
    return kind(**{name: plain[name] for name in names if name in plain})
