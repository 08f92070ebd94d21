"""The parameters of the safety pipeline: the shared sections and its own."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT, SharedParams
from newsrec.training.labelled import ClassWeights


@dataclass(frozen=True, config=STRICT)
class Classifier:
    """What training has beside the section `train`."""

    class_weights: ClassWeights


@dataclass(frozen=True, config=STRICT)
class Baselines:
    """Predictors without a language model."""

    num_keywords: int


@dataclass(frozen=True, config=STRICT)
class Audit:
    """Which labels of the training rows look wrong."""

    seed: int


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """How intervals are drawn."""

    num_resamples: int
    seed: int


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_mistakes: int
    num_suspects: int


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Params(SharedParams):
    """All of params.yaml."""

    classifier: Classifier
    baselines: Baselines
    audit: Audit
    evaluate: Evaluate
    report: Report
