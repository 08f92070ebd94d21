"""Each section of params.yaml as a frozen dataclass; unknown keys and wrong values raise.

Only `stages/` reads these: functions of the library take plain arguments. The values, and what each
does, stand in `conf/`.
"""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from yaml import YAMLError

from newsrec.errors import UserError, unknown_choice

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Tiny:
    """The tiny model that is built where `model.source` is `tiny`."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    max_length: int
    steps: int
    batch_size: int
    lr: float
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Model:
    """Where the base model comes from, and the template that LLaMA-Factory knows it by."""

    source: Literal["tiny", "modelscope", "huggingface", "local"]
    name: str
    revision: str
    path: str
    template: str
    tiny: Tiny | None


@dataclass(frozen=True, config=_STRICT)
class Synthetic:
    """The size of the made-up data set where `mind.source` is `synthetic`."""

    num_users: int
    num_news: int
    num_days: int


@dataclass(frozen=True, config=_STRICT)
class Mind:
    """Where MIND comes from, and how it is split where there is no labelled test."""

    source: Literal["synthetic", "huggingface", "local"]
    path: str
    repo: str
    revision: str
    files: dict[str, str]
    split: Literal["by_time", "by_user"]
    seed: int
    synthetic: Synthetic | None


@dataclass(frozen=True, config=_STRICT)
class Prompt:
    """What a prompt shows of the user."""

    feedback: Literal["earlier", "none", "same_impression"]
    num_history: int
    num_feedback: int


@dataclass(frozen=True, config=_STRICT)
class MaxSamples:
    """Samples of each split at most; null takes all."""

    train: int | None
    val: int | None


@dataclass(frozen=True, config=_STRICT)
class Preprocess:
    """Which candidates become samples."""

    target: Literal["last", "sampled"]
    positive_rate: Annotated[float, Field(gt=0, lt=1)]
    max_samples: MaxSamples
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Train:
    """The recipe of the fine-tuning."""

    method: Literal["lora"]
    rank: int
    alpha: int
    dropout: float
    targets: str
    lr: float
    scheduler: str
    warmup_ratio: float
    epochs: float
    max_steps: int
    batch_size: int
    gradient_accumulation_steps: int
    cutoff_len: int
    precision: Literal["auto", "bf16", "fp32"]
    logging_steps: int
    eval_steps: int
    save_steps: int
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Merge:
    """How the merged model is written, and how far its logits may be off."""

    max_shard_size: str
    num_prompts: int
    tolerance: float


@dataclass(frozen=True, config=_STRICT)
class Score:
    """The engine that answers the prompts."""

    engine: Literal["vllm", "openai-api", "transformers"]
    dtype: str
    max_model_len: int
    max_answer_tokens: int
    gpu_memory_utilization: float
    cpu_kv_cache_gib: int
    enforce_eager: bool
    batch_size: int
    api_server: Literal["llamafactory", "url"]
    api_port: int
    api_concurrency: int
    api_max_tries: int
    api_timeout: float
    api_top_logprobs: int
    api_turns_thinking_off: bool
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Baselines:
    """Predictors without a language model."""

    smoothing: float
    half_life_days: float
    max_train_impressions: int
    nrms_epochs: int
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Evaluate:
    """The evaluation set."""

    candidates: Literal["all", "last"]
    num_impressions: int | Literal["all"]
    num_val_impressions: int
    num_resamples: int
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Report:
    """The report."""

    num_mistakes: int


@dataclass(frozen=True, config=_STRICT)
class Params:
    """All of params.yaml; a section has the name of the stage that uses it first."""

    model: Model
    mind: Mind
    prompt: Prompt
    preprocess: Preprocess
    train: Train
    merge: Merge
    score: Score
    baselines: Baselines
    evaluate: Evaluate
    report: Report


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters of the run.

    Raises:
        UserError: the file is missing or no YAML, a key is unknown or missing, a value is of the
            wrong type or none of its choices.
    """
    try:
        # Not PyYAML: to it `1e-4` is a string, and `dvc exp run -S train.lr=5e-5` writes 5e-05.
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; write it with: make params") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}; write it anew with: make params") from None
    try:
        return TypeAdapter(Params).validate_python(values)
    except ValidationError as error:
        raise _explain(path, error) from None


def _explain(path: Path, error: ValidationError) -> UserError:
    """The first fault, in the words of the file."""
    unknown = ("unexpected_keyword_argument", "extra_forbidden")
    # A misspelt key is missing under its right name too, which would be the lesser help.
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unknown)
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] in unknown:
        section = _section(Params, fault["loc"][:-1])
        return unknown_choice(
            f"{path}: key {key!r}: a key of this section", fault["loc"][-1], section
        )
    if fault["type"] in ("missing", "missing_argument"):
        return UserError(f"{path}: key {key!r} is missing; write the file anew with: make params")
    if fault["type"] == "literal_error":
        expected = fault["ctx"]["expected"]
        return UserError(f"{path}: {key} is {fault['input']!r}; expected one of: {expected}")
    return UserError(f"{path}: {key} is {fault['input']!r}; {fault['msg'].lower()}")


def _section(kind: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at `location`."""
    for name in location:
        kind = next(entry.type for entry in fields(kind) if entry.name == name)
    assert is_dataclass(kind)
    return [entry.name for entry in fields(kind)]
