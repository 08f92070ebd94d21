"""The parameters of the news pipeline: the shared sections and its own."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.params.load import Pipeline
from newsrec.params.sections import STRICT, Evaluate, SharedParams


@dataclass(frozen=True, config=STRICT)
class Synthetic:
    """The size of the made-up data set where `fetch_mind.source` is `synthetic`."""

    num_users: int
    num_news: int
    num_days: int


@dataclass(frozen=True, config=STRICT)
class FetchMind:
    """Where MIND comes from, and how it is split where there is no labelled test."""

    source: Literal["synthetic", "huggingface", "local"]
    path: str
    repo: str
    revision: str
    files: dict[str, str]
    split: Literal["by_time", "by_user"]
    seed: int
    synthetic: Synthetic | None


@dataclass(frozen=True, config=STRICT)
class Prompt:
    """What a prompt shows of the user."""

    feedback: Literal["earlier", "none", "same_impression"]
    num_history: int
    num_feedback: int


@dataclass(frozen=True, config=STRICT)
class MaxSamples:
    """Samples of each split at most; null takes all."""

    train: int | None
    val: int | None


@dataclass(frozen=True, config=STRICT)
class Preprocess:
    """Which candidates become samples, and which are scored."""

    target: Literal["last", "sampled"]
    positive_rate: Annotated[float, Field(gt=0, lt=1)]
    max_samples: MaxSamples
    candidates: Literal["all", "last"]
    num_impressions: int | Literal["all"]
    num_val_impressions: int
    seed: int


@dataclass(frozen=True, config=STRICT)
class Baselines:
    """Predictors without a language model."""

    smoothing: float
    half_life_days: float
    max_train_impressions: int
    nrms_epochs: int
    seed: int


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_mistakes: int


@dataclass(frozen=True, config=STRICT)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage, `prompt` is what two stages read."""

    pipeline: ClassVar[Pipeline] = Pipeline("the news pipeline", ".", "fetch_mind")

    fetch_mind: FetchMind
    prompt: Prompt
    preprocess: Preprocess
    baselines: Baselines
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def _the_engine_answers_prompts(self) -> "Params":
        if self.score.engine == "onnx":
            raise ValueError(
                "score.engine is onnx, which is for classifiers only; set it to vllm, "
                "transformers or openai-api"
            )
        return self
