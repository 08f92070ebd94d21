"""The parameters of the assistant pipeline: the shared sections and its own."""

from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from newsrec.params.load import Pipeline
from newsrec.params.sections import STRICT, Evaluate, SharedParams

_Share = Annotated[float, Field(gt=0, lt=0.5)]


@dataclass(frozen=True, config=STRICT)
class Data:
    """Where the files of rows are, one of each task."""

    path: str


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Made-up rows beside those of the files."""

    num_rows: Annotated[int, Field(gt=0)]  # of each task
    seed: int


@dataclass(frozen=True, config=STRICT)
class Prepare:
    """How rows are checked and split."""

    path: str
    corpus: Corpus | None
    max_chars: Annotated[int, Field(gt=0)]
    val_share: _Share
    test_share: _Share
    near_copy_threshold: Annotated[float, Field(gt=0, le=1)]
    leave_out: str | None  # a task that training does not see
    seed: int


@dataclass(frozen=True, config=STRICT)
class Judge:
    """A language model behind an OpenAI-compatible server that compares two answers."""

    model: str | None  # null: nobody is asked
    num_rows: Annotated[int, Field(gt=0)]  # of the task with free answers, by seed
    seed: int


@dataclass(frozen=True, config=STRICT)
class Report:
    """The report."""

    num_examples: int  # of each task, base beside tuned
    num_mistakes: int  # of each task


@dataclass(frozen=True, config=STRICT)
class Params(SharedParams):
    """All of params.yaml; a section has the name of its stage, `data` is what a choice reads."""

    pipeline: ClassVar[Pipeline] = Pipeline("the assistant", "pipelines/assistant", "judge")

    data: Data
    prepare: Prepare
    judge: Judge
    evaluate: Evaluate
    report: Report
