"""The settings of each engine, and their choice by name."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

from newsrec.errors import unknown_choice

# The URL of a server; never in params.yaml, which is committed.
URL_VARIABLE = "NEWSREC_API_URL"
KEY_VARIABLE = "NEWSREC_API_KEY"
MODEL_VARIABLE = "NEWSREC_API_MODEL_"  # followed by the name of the scored model, in capitals


@dataclass(frozen=True)
class VllmSettings:
    """vLLM, offline, in a separate environment.

    Attributes:
        dtype: vLLM's dtype; for float32 weights, `auto` means bfloat16.
        max_model_len: maximum number of tokens of a prompt and its answer.
        gpu_memory_utilization: share of the GPU's memory to use.
        cpu_kv_cache_gib: memory for the cache if there is no GPU.
        enforce_eager: start faster, run slower.
        batch_size: prompts passed to the engine at once; limits the memory for answers.
        seed: the seed of the engine; greedy answers do not depend on it.
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
        dtype: PyTorch's name of the dtype; `auto` is the model's own dtype, including float32
            (unlike `auto` in vLLM).
        batch_size: prompts computed at once; higher values need more memory and are faster on a
            GPU.
        device: `auto` is the GPU if PyTorch finds one, else the CPU.
    """

    dtype: str
    batch_size: int
    device: str = "auto"


@dataclass(frozen=True)
class OnnxSettings:
    """ONNX Runtime, in this process, on the CPU, in float32; for classifiers.

    Attributes:
        batch_size: texts computed at once; higher values need more memory.
    """

    batch_size: int


@dataclass(frozen=True)
class ApiSettings:
    """A server with OpenAI's chat completions API.

    Attributes:
        server: `llamafactory` starts LLaMA-Factory's server; `url` uses the one at `URL_VARIABLE`.
        template: LLaMA-Factory's name of the chat template, for a server that is started.
        dtype: the dtype of a server that is started.
        port: the port of a server that is started.
        top_logprobs: number of tokens that the server is asked to list; OpenAI allows at most 20,
            and 0 requests none.
        concurrency: number of concurrent requests.
        max_tries: tries for one request; only temporary errors (429, 5xx, time-outs) are retried.
        timeout: seconds without data after which a request fails.
        turns_thinking_off: send fields that vLLM's server supports to the server at `URL_VARIABLE`:
            `chat_template_kwargs`, and `structured_outputs` for a prompt with choices.
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
        """The fields to add to each request to the server at `URL_VARIABLE`.

        They make vLLM's server add the same empty think block as everywhere else; a server that is
        started here has its own settings for this.
        """
        if not self.turns_thinking_off:
            return {}
        return {"chat_template_kwargs": {"enable_thinking": False}}


Settings = VllmSettings | TransformersSettings | ApiSettings


def settings_of_model(settings: Settings, name: str) -> Settings:
    """The settings to score the model `name`: `base`, or another model."""
    if isinstance(settings, ApiSettings) and name != "base":
        # Both models may be served at the same time, by stages that run in parallel.
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
    """The settings of the engine of that name, for answering prompts.

    Args:
        engine: `vllm`, `transformers` or `openai-api`.
        options: values by field, for all engines together; fields of `ApiSettings` may have the
            prefix `api_`.

    Raises:
        UserError: no engine has that name.
    """
    return _choose(_SETTINGS, engine, options)


def choose_classifier_settings(engine: str, options: Mapping[str, Any]) -> ClassifierSettings:
    """The settings of the engine of that name, for classifying texts.

    Args:
        engine: `vllm`, `transformers` or `onnx`.
        options: values by field, for all engines together.

    Raises:
        UserError: no engine of that name can classify texts.
    """
    return _choose(_CLASSIFIERS, engine, options)


def _choose(kinds: Mapping[str, type[_S]], engine: str, options: Mapping[str, Any]) -> _S:
    if engine not in kinds:
        raise unknown_choice("score.engine", engine, kinds)
    kind = kinds[engine]
    plain = {name.removeprefix("api_"): value for name, value in options.items()}
    names = [entry.name for entry in fields(cast(Any, kind))]
    return kind(**{name: plain[name] for name in names if name in plain})
