"""The section `extract` of the safety pipeline's parameters."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from newsrec.params.sections import STRICT
from newsrec.safety.labels import CLASSES

_Quota = dict[str, Annotated[int, Field(ge=0)]]


@dataclass(frozen=True, config=STRICT)
class Quotas:
    """How many rows of each label a split gets."""

    train: _Quota
    val: _Quota
    test: _Quota

    @field_validator("train", "val", "test")
    @classmethod
    def _labels_are_classes(cls, quota: dict[str, int]) -> dict[str, int]:
        for label in quota:
            if label not in CLASSES:
                raise ValueError(f"{label} is no label; expected one of: {', '.join(CLASSES)}")
        return quota


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """The size of the synthetic corpus where `source` is `embedded`."""

    num_documents: Annotated[int, Field(gt=0)]
    seed: int


@dataclass(frozen=True, config=STRICT)
class Extract:
    """Where labelled texts come from, and how they are split."""

    source: Literal["embedded", "mongodb", "files"]
    path: str
    uri: str
    database: str
    collection: str
    user: str | None
    auth_source: str
    text_field: str
    label_field: str
    tags_field: str | None
    quotas: Quotas
    multi_label: Literal["refuse", "skip", "first", "most_severe"]
    unknown_label: Literal["refuse", "skip"]
    allow_fewer: bool
    near_copy_threshold: Annotated[float, Field(gt=0, le=1)]
    write_xlsx: bool
    seed: int
    corpus: Corpus | None

    @model_validator(mode="after")
    def _the_source_is_described(self) -> "Extract":
        if self.source == "embedded" and self.corpus is None:
            raise ValueError("corpus is null; expected its size where source is embedded")
        return self
