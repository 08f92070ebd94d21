"""The parameters of the ranker pipeline: the shared sections and its own."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT, SharedParams
from newsrec.training.precision import chooses_bf16

_Positive = Annotated[int, Field(gt=0)]
RlMethod = Literal["exact", "softmax", "group", "ppo"]
_Month = Annotated[str, Field(pattern=r"\A\d{4}-\d{2}\z")]


@dataclass(frozen=True, config=STRICT)
class Data:
    """Files of the user's own, read where `fetch_reviews.source` is `local`."""

    path: str


@dataclass(frozen=True, config=STRICT)
class Synthetic:
    """The size of the made-up reviews."""

    num_users: _Positive
    num_items: _Positive
    seed: int


@dataclass(frozen=True, config=STRICT)
class FetchReviews:
    """Where ratings and products of a category come from."""

    source: Literal["synthetic", "huggingface", "local"]
    category: str
    repo: str
    revision: str
    path: str
    synthetic: Synthetic | None


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """The rules that products, users and lists go by."""

    start: _Month | None  # first month of the ratings; null: all
    end: _Month | None  # last one
    min_items: int  # fewer: the start moves back three months, and all begins again; 0: never
    max_title_words: _Positive
    min_title_chars: _Positive
    require_price: bool
    k_core: int  # ratings of each user and item, at least; 0: none
    window: _Positive  # products of a history, the last ones
    num_candidates: Annotated[int, Field(gt=1)]  # of a list, the target among them
    split: Literal["shares", "benchmark"]  # 80/10/10 by time, or the benchmark's own cut times
    max_lists: dict[Literal["train", "val", "test"], int | None]  # of each split, by seed
    seed: int


@dataclass(frozen=True, config=STRICT)
class Prompt:
    """What is shown of a candidate beside its title."""

    facts: tuple[Literal["description", "price", "average_rating", "rating_number"], ...]
    max_title_words: _Positive
    max_description_words: _Positive


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
    num_val_lists: _Positive  # that are validated on, spread over all of them
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


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """How intervals are drawn."""

    num_resamples: _Positive
    seed: int


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_examples: int


@dataclass(frozen=True, config=STRICT)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage, `data` is what a choice reads."""

    data: Data
    fetch_reviews: FetchReviews
    prepare: Prepare
    prompt: Prompt
    rl: Rl
    evaluate: Evaluate
    report: Report


def rl_values(rl: Rl, method: str) -> dict[str, Any]:
    """The recipe and the options of a method, as `rl.training.train_by_reinforcement` takes them.

    Raises:
        UserError: the precision is none of this machine, see `chooses_bf16`.
    """
    values = asdict(cast(Any, rl.recipe))
    return {
        "lora": {name: values.pop(name) for name in ("rank", "alpha", "dropout", "targets")},
        "bf16": chooses_bf16(values.pop("precision"), "rl.recipe.precision"),
        "options": asdict(cast(Any, getattr(rl, method))),
        "group_by_length": False,
        **values,
    }
