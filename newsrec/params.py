"""Each section of params.yaml as a frozen dataclass; unknown keys and wrong values raise.

Only `stages/` reads these: functions of the library take plain arguments. The values, and what each
does, stand in `conf/`.
"""

from pathlib import Path
from typing import Annotated, Literal

from omegaconf import OmegaConf
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from yaml import YAMLError

from newsrec.errors import UserError
from newsrec.params_faults import explain

# What these train stays beside the base model.
UNMERGEABLE = ("p-tuning-v2", "adapter")

_STRICT = ConfigDict(extra="forbid")
_Steps = Annotated[int, Field(gt=0)]


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
class Shape:
    """The size of a model, under the names of its config.json."""

    hidden_size: int
    num_hidden_layers: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool


@dataclass(frozen=True, config=_STRICT)
class Model:
    """Where the base model comes from, and the template that LLaMA-Factory knows it by."""

    source: Literal["tiny", "modelscope", "huggingface", "local"]
    name: str
    revision: str
    path: str
    template: str
    dtype: str
    context: int | None
    lora_targets: str
    tiny: Tiny | None
    shape: Shape | None


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
class Recipe:
    """What every method of fine-tuning takes."""

    lr: float
    scheduler: str
    warmup_ratio: float
    epochs: float
    max_steps: int
    batch_size: int
    gradient_accumulation_steps: int
    cutoff_len: int
    precision: Literal["auto", "bf16", "fp32"]
    logging_steps: _Steps
    save_steps: _Steps
    early_stopping: Annotated[int, Field(gt=0)] | None
    seed: int


@dataclass(frozen=True, config=_STRICT)
class Lora(Recipe):
    """LoRA by LLaMA-Factory, with its variants."""

    method: Literal["lora"]
    rank: int
    alpha: int
    dropout: float
    targets: str
    dora: bool
    rslora: bool
    pissa: bool
    loraplus: float | None

    @model_validator(mode="after")
    def _what_was_trained_can_be_kept(self) -> "Lora":
        if self.pissa and self.dora:
            # PEFT 0.18.1 converts A and B alone, and DoRA's magnitudes would be lost.
            raise ValueError(
                "pissa and dora are both true, and an adapter of PiSSA cannot be converted with "
                "DoRA's magnitudes; choose one of them"
            )
        return self


@dataclass(frozen=True, config=_STRICT)
class Qlora(Recipe):
    """LoRA by LLaMA-Factory on a base held in 4 bit by bitsandbytes."""

    method: Literal["qlora"]
    rank: int
    alpha: int
    dropout: float
    targets: str
    dora: bool
    rslora: bool
    loraplus: float | None
    quantization: Literal["nf4", "fp4"]
    double_quantization: bool


@dataclass(frozen=True, config=_STRICT)
class Full(Recipe):
    """Every weight, by LLaMA-Factory."""

    method: Literal["full"]


@dataclass(frozen=True, config=_STRICT)
class Freeze(Recipe):
    """The last or first layers, by LLaMA-Factory."""

    method: Literal["freeze"]
    num_layers: int


@dataclass(frozen=True, config=_STRICT)
class PTuningV2(Recipe):
    """Prefix tuning with a projection, by PEFT."""

    method: Literal["p-tuning-v2"]
    num_virtual_tokens: int
    projection_size: int


@dataclass(frozen=True, config=_STRICT)
class Adapter(Recipe):
    """Bottleneck adapters, by the library `adapters`."""

    method: Literal["adapter"]
    reduction_factor: int


Train = Annotated[Lora | Qlora | Full | Freeze | PTuningV2 | Adapter, Field(discriminator="method")]


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

    @model_validator(mode="after")
    def _the_engine_can_load_the_model(self) -> "Params":
        if self.train.method in UNMERGEABLE and self.score.engine != "transformers":
            raise ValueError(
                f"score.engine is {self.score.engine}, and train.method is {self.train.method}, "
                f"which cannot be merged: {self.score.engine} cannot load what it trains; set "
                "score.engine to transformers (engine=transformers), or choose lora, qlora, full "
                "or freeze"
            )
        return self


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
        raise explain(path, error, Params) from None
