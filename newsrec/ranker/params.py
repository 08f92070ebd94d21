"""The parameters of the ranker pipeline: the shared sections and its own."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT, SharedParams
from newsrec.ranker.rl.params import Rl

_Positive = Annotated[int, Field(gt=0)]
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
class Baselines:
    """Systems without a language model."""

    sasrec_epochs: _Positive
    sasrec_max_users: _Positive
    seed: int


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
    baselines: Baselines
    evaluate: Evaluate
    report: Report
