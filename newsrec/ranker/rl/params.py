"""The section `rl` of the params."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT

RlMethod = Literal["exact", "softmax", "group", "ppo"]
SOFTMAX: RlMethod = "softmax"
_Positive = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, config=STRICT)
class RlRecipe:
    """What every method of reinforcement takes."""

    k: _Positive  # of the reward, NDCG@k
    trains: Literal["lora", "full"]
    gradient_checkpointing: bool
    rank: _Positive  # of LoRA, as the next three
    alpha: _Positive
    dropout: float
    targets: str
    scheduler: str
    warmup_ratio: float
    epochs: float
    max_steps: int
    batch_size: _Positive  # lists on the device at once
    gradient_accumulation_steps: _Positive
    precision: Literal["auto", "bf16", "fp32"]
    logging_steps: _Positive
    save_steps: _Positive  # between two validations
    early_stopping: _Positive | None
    num_val_lists: _Positive  # of all of them, evenly spaced
    seed: int


@dataclass(frozen=True, config=STRICT)
class Exact:
    """The gradient of the exact expected NDCG."""

    lr: float


@dataclass(frozen=True, config=STRICT)
class Softmax:
    """The supervised likelihood of the target."""

    lr: float


@dataclass(frozen=True, config=STRICT)
class Group:
    """Rankings drawn together, each against the mean of the others."""

    lr: float
    num_rankings: Annotated[int, Field(gt=1)]


@dataclass(frozen=True, config=STRICT)
class Ppo:
    """The published recipe: clipped ratios, and a value head."""

    lr: float  # the actor's
    model_lr_share: float  # of `lr`, for the weights of the language model
    critic_lr: float
    num_rankings: _Positive  # drawn of each list
    inner_epochs: _Positive  # steps on the same draws
    clip: float
    entropy: float
    value_weight: float


@dataclass(frozen=True, config=STRICT)
class Rl:
    """Training by reinforcement; each method has a section of its own beside the recipe."""

    method: RlMethod
    compared: tuple[RlMethod, ...]  # trained and compared beside it; softmax always is
    trained: tuple[RlMethod, ...]  # all of them, filled up with softmax: composed of the two above
    recipe: RlRecipe
    exact: Exact
    softmax: Softmax
    group: Group
    ppo: Ppo

    @model_validator(mode="after")
    def _the_head_is_no_target(self) -> "Rl":
        if "lm_head" in {name.strip() for name in self.recipe.targets.split(",")}:
            raise ValueError(
                "recipe.targets has lm_head, and the score is read from the head's own weights; "
                "leave it out"
            )
        return self

    @model_validator(mode="after")
    def _what_is_trained_is_what_was_chosen(self) -> "Rl":
        repeated = [name for name in self.compared if self.compared.count(name) > 1]
        if repeated:
            raise ValueError(f"compared names {repeated[0]} more than once; name each method once")
        if {*self.trained} != {self.method, SOFTMAX, *self.compared}:
            raise ValueError(
                f"trained is {', '.join(self.trained)}; expected what method and compared name, "
                "and softmax; do not write it, but compose it: newsrec params rl=... "
                "'rl.compared=[...]'"
            )
        return self


def rl_values(rl: Rl, method: str) -> dict[str, Any]:
    """The recipe and options of a method, as `rl.training.train_by_reinforcement` takes them."""
    values = asdict(cast(Any, rl.recipe))
    return {
        "lora": {name: values.pop(name) for name in ("rank", "alpha", "dropout", "targets")},
        "options": asdict(cast(Any, getattr(rl, method))),
        "group_by_length": False,
        **values,
    }
