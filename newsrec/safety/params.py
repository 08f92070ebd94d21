"""The parameters of the safety pipeline: the shared sections and its own."""

from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from newsrec.params.load import Pipeline
from newsrec.params.sections import STRICT, SharedParams
from newsrec.params.sections import Evaluate as Intervals
from newsrec.safety.sources.params import Extract
from newsrec.training.labelled import ClassWeights


@dataclass(frozen=True, config=STRICT)
class Data:
    """Files of the user's own, read where `extract.source` is `files`."""

    path: str


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """How rows are checked, and how many are rewritten to evade."""

    max_chars: Annotated[int, Field(gt=0)]
    num_evasion: Annotated[int, Field(gt=0)]
    seed: int


@dataclass(frozen=True, config=STRICT)
class Classifier:
    """What training a classifier takes beside the recipe of `train`."""

    class_weights: ClassWeights


@dataclass(frozen=True, config=STRICT)
class Baselines:
    """Predictors without a language model."""

    num_keywords: Annotated[int, Field(gt=0)]


@dataclass(frozen=True, config=STRICT)
class Audit:
    """Which labels of the training rows look wrong."""

    suspect_below: Annotated[float, Field(gt=0, lt=1)]
    seed: int


@dataclass(frozen=True, config=STRICT)
class Evaluate(Intervals):
    """How intervals are drawn, and the share of benign texts where the classifier is used.

    Attributes:
        benign_share: None: that of the labelled source.
    """

    benign_share: Annotated[float, Field(gt=0, lt=1)] | None

    @property
    def benign_share_from(self) -> str:
        """Where the share is from, for people."""
        given = self.benign_share is not None
        return "as set in evaluate.benign_share" if given else "as in the labelled source"


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_mistakes: int
    num_suspects: int


@dataclass(frozen=True, config=STRICT)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage, `data` is what a choice reads."""

    pipeline: ClassVar[Pipeline] = Pipeline("the safety pipeline", "pipelines/safety", "extract")

    data: Data
    extract: Extract
    prepare: Prepare
    classifier: Classifier
    baselines: Baselines
    audit: Audit
    evaluate: Evaluate
    report: Report

    @property
    def trained_as(self) -> str:
        """A classifier, which is not trained in 4 bit."""
        return "lora-classifier"
