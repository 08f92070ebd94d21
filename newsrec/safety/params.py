"""The parameters of the safety pipeline: the shared sections and its own."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT, SharedParams
from newsrec.training.labelled import ClassWeights


@dataclass(frozen=True, config=STRICT)
class Classifier:
    """What training has beside the section `train`."""

    class_weights: ClassWeights


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Params(SharedParams):
    """All of params.yaml."""

    classifier: Classifier
