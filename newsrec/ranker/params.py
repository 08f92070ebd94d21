"""The parameters of the ranker pipeline: the shared sections and its own."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from newsrec.params.load import Pipeline
from newsrec.params.sections import STRICT, SharedParams
from newsrec.ranker.rl.params import Rl

_Positive = Annotated[int, Field(gt=0)]
_NotNegative = Annotated[int, Field(ge=0)]
_Month = Annotated[str, Field(pattern=r"\A\d{4}-(0[1-9]|1[0-2])\z")]


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
    min_items: _NotNegative  # fewer: the start moves back three months, all begins again; 0: never
    max_title_words: _Positive
    min_title_chars: _Positive
    require_price: bool
    k_core: _NotNegative  # ratings of each user and item, at least; 0: none
    window: _Positive  # products of a history, the last ones
    num_candidates: Annotated[int, Field(ge=10)]  # of a list, the target among them; NDCG@10
    split: Literal["shares", "benchmark"]  # 80/10/10 by time, or the benchmark's own cut times
    max_lists: dict[Literal["train", "val", "test"], _Positive | None]  # of each split, by seed
    seed: int


@dataclass(frozen=True, config=STRICT)
class Prompt:
    """What is shown of a candidate beside its title."""

    facts: tuple[Literal["description", "price", "average_rating", "rating_number"], ...]
    max_title_words: _Positive
    max_description_words: _Positive


@dataclass(frozen=True, config=STRICT)
class Teach:
    """Who answers the questions that the model is fine-tuned on, and how many are asked."""

    teacher: Literal["none", "local", "url"]
    model: str | None  # the server's name of it, where teacher is url
    num_train: int | None  # questions, each of another list; null: one of every list
    num_val: int | None
    max_tokens: _Positive  # of an answer
    price_prompt: float  # of a million tokens of prompts
    price_completion: float  # of a million tokens of answers
    seed: int


@dataclass(frozen=True, config=STRICT)
class Compare:
    """Two more systems, neither by default."""

    teacher: str | None  # model of the server at NEWSREC_API_URL that ranks whole lists
    max_tokens: _Positive  # of its answer
    price_prompt: float
    price_completion: float
    reasoner: str | None  # folder of a model that embeds users and products
    # Text whose last token's state is the embedding; null: the token that ends a turn.
    embedding_token: Annotated[str, Field(min_length=1)] | None
    max_user_tokens: int  # of what it writes about a user before that; 0: nothing
    max_item_tokens: int
    batch_size: _Positive
    seed: int


@dataclass(frozen=True, config=STRICT)
class Probes:
    """The lists that are scored with another history too, and without one."""

    num_lists: _Positive | None  # of the test, by seed; null: all of them
    seed: int


@dataclass(frozen=True, config=STRICT)
class Baselines:
    """Systems without a language model."""

    sasrec_epochs: _Positive
    sasrec_max_users: _Positive
    seed: int


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """How intervals are drawn, and the random order of a policy."""

    num_resamples: _Positive
    seed: int
    temperature: Annotated[float, Field(gt=0)]  # of the random order alone
    num_rollouts: _Positive  # orders drawn of each list
    delta: Annotated[float, Field(gt=0, lt=1)]  # the difference in NDCG@10 that is planned for


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_examples: _NotNegative


@dataclass(frozen=True, config=STRICT)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage, `data` is what a choice reads."""

    pipeline: ClassVar[Pipeline] = Pipeline("the ranker", "pipelines/ranker", "fetch_reviews")

    data: Data
    fetch_reviews: FetchReviews
    prepare: Prepare
    prompt: Prompt
    teach: Teach
    rl: Rl
    probes: Probes
    baselines: Baselines
    compare: Compare
    evaluate: Evaluate
    report: Report
