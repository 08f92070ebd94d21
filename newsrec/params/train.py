"""The section `train`: one dataclass for each method of fine-tuning."""

from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.training.trackers import Tracker

_STRICT = ConfigDict(extra="forbid")
_Steps = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, config=_STRICT)
class Recipe:
    """The settings that every fine-tuning method has."""

    lr: float
    scheduler: str
    warmup_ratio: float
    epochs: float
    max_steps: int
    batch_size: int
    gradient_accumulation_steps: int
    cutoff_len: int
    group_by_length: bool
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    logging_steps: _Steps
    save_steps: _Steps
    early_stopping: Annotated[int, Field(gt=0)] | None
    report_to: Tracker
    processes: Annotated[int, Field(gt=0)]
    seed: int

    @model_validator(mode="after")
    def _processes_share_a_batch(self) -> "Recipe":
        if self.batch_size % self.processes:
            raise ValueError(
                f"processes is {self.processes}, with batch_size {self.batch_size}; expected a "
                "divisor of batch_size, of which each process computes its share on a CPU"
            )
        return self


@dataclass(frozen=True, config=_STRICT)
class Lora(Recipe):
    """LoRA and its variants, with LLaMA-Factory."""

    method: Literal["lora"]
    gradient_checkpointing: bool
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
            # PEFT 0.18.1 converts only A and B, so DoRA's magnitudes would be lost.
            raise ValueError(
                "pissa and dora are both true, but a PiSSA adapter cannot be converted with DoRA's "
                "magnitudes; choose one of them"
            )
        shared = {"lm_head", "embed_tokens"} & {name.strip() for name in self.targets.split(",")}
        if self.pissa and shared:
            # PEFT 0.18.1 subtracts the initial adapter from the base's weight in place.
            raise ValueError(
                f"pissa is true and targets contains {min(shared)}, whose weight may be shared by "
                "the head and the embeddings: PiSSA would change both when it changes one; remove "
                "it from targets, or set pissa to false"
            )
        return self


@dataclass(frozen=True, config=_STRICT)
class Qlora(Recipe):
    """LoRA with LLaMA-Factory on a base model quantized to 4 bits by bitsandbytes."""

    method: Literal["qlora"]
    gradient_checkpointing: bool
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
    """Training of all weights, with LLaMA-Factory."""

    method: Literal["full"]


@dataclass(frozen=True, config=_STRICT)
class Freeze(Recipe):
    """Training of the last or first layers, with LLaMA-Factory."""

    method: Literal["freeze"]
    num_layers: int


@dataclass(frozen=True, config=_STRICT)
class PTuningV2(Recipe):
    """Prefix tuning with a projection, with PEFT."""

    method: Literal["p-tuning-v2"]
    num_virtual_tokens: int
    projection_size: int


@dataclass(frozen=True, config=_STRICT)
class Adapter(Recipe):
    """Bottleneck adapters, with the library `adapters`."""

    method: Literal["adapter"]
    reduction_factor: int


Train = Annotated[Lora | Qlora | Full | Freeze | PTuningV2 | Adapter, Field(discriminator="method")]


def trainer_values(train: Recipe) -> dict[str, Any]:
    """The recipe under the trainers' names; settings of the method alone go to `options`."""
    values = asdict(cast(Any, train))
    common = {entry.name: values.pop(entry.name) for entry in fields(cast(Any, Recipe))}
    return {
        **common,
        "method": values.pop("method"),
        "options": values,
    }
