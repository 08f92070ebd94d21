"""The parameters of the safety pipeline: the shared sections and its own."""

from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT, SharedParams


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


@dataclass(frozen=True)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage."""

    baselines: Baselines
    audit: Audit
    evaluate: Evaluate
    report: Report
