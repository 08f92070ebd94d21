"""The sections of params.yaml that every pipeline has, as frozen dataclasses.

Unknown keys and invalid values raise an error. The values and their meanings are in `conf/`.
"""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.engines.settings import (
    ClassifierSettings,
    Settings,
    choose_classifier_settings,
    choose_settings,
)
from newsrec.models.shape import Shape
from newsrec.params.compose import CONF
from newsrec.params.train import Train
from newsrec.training.methods import UNMERGEABLE

STRICT = ConfigDict(extra="forbid")
_HEAD_DIM = 32  # of the tiny model
# A stage that several pipelines share reads the sections below and ignores the others.
_SHARED = ConfigDict(extra="ignore")


@dataclass(frozen=True, config=STRICT)
class Tiny:
    """The tiny model that is built if `fetch_model.source` is `tiny`; see `build_tiny`."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    max_length: int
    steps: int
    batch_size: int
    lr: float
    seed: int
    num_key_value_heads: int = 1
    rope_theta: float = 10_000.0
    packing: bool = False
    loss_by: Literal["token", "example"] = "token"
    induction_heads: bool = False
    processes: int = 1

    @model_validator(mode="after")
    def _the_sizes_fit(self) -> "Tiny":
        num_heads = self.hidden_size // _HEAD_DIM
        if not num_heads:
            raise ValueError(
                f"hidden_size is {self.hidden_size}; expected {_HEAD_DIM} or more, the width of an "
                "attention head"
            )
        if num_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_key_value_heads is {self.num_key_value_heads}; expected a divisor of "
                f"{num_heads}, the number of heads for hidden_size {self.hidden_size}"
            )
        # The notes take the width of one head, and the words need at least as much.
        if self.induction_heads and (num_heads < 3 or self.num_layers < 2):
            raise ValueError(
                f"induction_heads is true, with hidden_size {self.hidden_size} and num_layers "
                f"{self.num_layers}; expected {3 * _HEAD_DIM} and 2 or more, or induction_heads: "
                "false"
            )
        if not 1 <= self.processes <= self.batch_size:
            raise ValueError(
                f"processes is {self.processes}; expected a number from 1 to {self.batch_size}, "
                "the batch_size, of which each computes a part"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class FetchModel:
    """Where the base model comes from."""

    source: Literal["tiny", "modelscope", "huggingface", "local"]
    name: str
    revision: str
    path: str
    tiny: Tiny | None


@dataclass(frozen=True, config=STRICT)
class Model:
    """The properties of the base model that several stages need."""

    template: str
    dtype: str
    context: int | None
    lora_targets: str
    shape: Shape | None


@dataclass(frozen=True, config=STRICT)
class Merge:
    """How the merged model is written, and the tolerance of its logits in rounding errors."""

    max_shard_size: str
    num_prompts: int
    tolerance: float


@dataclass(frozen=True, config=STRICT)
class Score:
    """The engine that answers the prompts; `onnx` supports only classifiers."""

    engine: Literal["vllm", "openai-api", "transformers", "onnx"]
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

    @property
    def max_prompt_tokens(self) -> int:
        """The number of tokens left for the prompt next to the answer."""
        return self.max_model_len - self.max_answer_tokens


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """How intervals are computed: the number of resamples and the seed."""

    num_resamples: Annotated[int, Field(gt=0)]
    seed: int


@dataclass(frozen=True, config=_SHARED)
class SharedParams:
    """The sections that every pipeline has; a pipeline's own `Params` adds its own.

    A section has the name of its stage; `model` is read by several stages.
    """

    fetch_model: FetchModel
    model: Model
    train: Train
    merge: Merge
    score: Score

    @model_validator(mode="after")
    def _the_engine_can_load_the_model(self) -> "SharedParams":
        if self.train.method in UNMERGEABLE and self.score.engine != "transformers":
            raise ValueError(
                f"score.engine is {self.score.engine}, and train.method is {self.train.method}, "
                f"which cannot be merged: {self.score.engine} cannot load the trained model; set "
                "score.engine to transformers (engine=transformers), or choose lora, qlora, full "
                "or freeze"
            )
        return self

    @property
    def trained_as(self) -> str:
        """The key of `newsrec.training.advice.LIGHTER` for advice on the training."""
        return self.train.method

    def engine_settings(self, engine: str | None = None) -> Settings:
        """The settings of the engine in `score.engine`, or of another engine.

        Another engine takes its own values from `conf/engine/` and the others from `score`.
        """
        options = asdict(self.score) | {"template": self.model.template} | self._own_values(engine)
        return choose_settings(engine or self.score.engine, options)

    def classifier_settings(self, engine: str | None = None) -> ClassifierSettings:
        """The same for a model with a classification head."""
        options = asdict(self.score) | self._own_values(engine)
        return choose_classifier_settings(engine or self.score.engine, options)

    def _own_values(self, engine: str | None) -> dict[str, Any]:
        """The values in `conf/engine/` of an engine other than the chosen one."""
        own = CONF / f"engine/{engine}.yaml"
        return dict(OmegaConf.load(own).score) if engine is not None and own.exists() else {}
