"""The parameters of the stage `prepare`."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """How rows are checked, and how many are rewritten to evade."""

    max_chars: Annotated[int, Field(gt=0)]
    num_evasion: Annotated[int, Field(gt=0)]
    seed: int


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class PrepareParams:
    """What the stage `prepare` reads of params.yaml."""

    prepare: Prepare
