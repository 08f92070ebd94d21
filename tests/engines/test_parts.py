"""Answers that are kept are those to the same prompts, of the same model, asked alike."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.engines.parts import Batch, Parts
from newsrec.engines.request import ANSWERS_SCHEMA, FewPrompts, Request
from newsrec.engines.settings import TransformersSettings
from tests.weights import write_weights

SETTINGS = TransformersSettings(dtype="float32", batch_size=2)
IDS = [[1, 2], [3], [4, 5, 6], [7], [8]]
REQUEST = Request(FewPrompts(IDS), (1, 2), 1)
FREE = Request(FewPrompts(IDS), (), 1)
VERSIONS = ["library 1"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_weights(tmp_path / "model")
    return tmp_path / "model"


def answers_to(batch: Batch) -> pa.Table:
    rows = [{"logprobs": [float(-sum(ids))], "text": str(ids)} for ids in batch.ids.to_pylist()]
    return pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA)


def make(tmp_path: Path, model: Path, request: Request = REQUEST) -> Parts:
    return Parts(tmp_path / "parts", SETTINGS, model, request, VERSIONS)


def answer_all(parts: Parts, limit: int | None = None) -> list[list[list[int]]]:
    """Answer what is missing, up to a number of batches; the prompts that were asked."""
    asked = []
    for batch in parts.missing(2):
        if len(asked) == limit:
            break
        asked.append(batch.ids.to_pylist())
        parts.write(batch, answers_to(batch))
    return asked


def test_a_run_goes_on_where_the_one_before_it_ended(tmp_path: Path, model: Path) -> None:
    assert answer_all(make(tmp_path, model), limit=2) == [IDS[:2], IDS[2:4]]
    parts = make(tmp_path, model)
    assert answer_all(parts) == [IDS[4:]]
    parts.join(tmp_path / "joined.parquet")
    shutil.rmtree(tmp_path / "parts")
    parts = make(tmp_path, model)
    assert answer_all(parts) == [IDS[:2], IDS[2:4], IDS[4:]]
    parts.join(tmp_path / "at once.parquet")
    table = pq.read_table(tmp_path / "joined.parquet")
    assert table["text"].to_pylist() == [str(ids) for ids in IDS]
    assert table.schema == ANSWERS_SCHEMA
    assert table.schema.metadata is None
    at_once = (tmp_path / "at once.parquet").read_bytes()
    assert (tmp_path / "joined.parquet").read_bytes() == at_once


def other_weights(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"other")


def base_of_an_adapter(model: Path) -> None:
    (model / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{model.parent}"}}')


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": replace(SETTINGS, dtype="bfloat16")},
        {"settings": replace(SETTINGS, batch_size=3)},
        {"request": replace(REQUEST, answers=(2, 1))},
        {"request": replace(REQUEST, max_tokens=2)},
        {"versions": ["library 2"]},
        {"model": other_weights},
        {"model": base_of_an_adapter},
    ],
)
def test_answers_of_anything_else_are_not_taken(
    changed: dict[str, object], tmp_path: Path, model: Path
) -> None:
    answer_all(make(tmp_path, model))
    assert answer_all(make(tmp_path, model)) == []
    change = changed.pop("model", None)
    if isinstance(change, Callable):
        change(model)
    given = {"settings": SETTINGS, "request": REQUEST, "versions": VERSIONS} | changed
    assert len(answer_all(Parts(tmp_path / "parts", model=model, **given))) == 3  # type: ignore[arg-type]


def test_a_prompt_whose_choices_changed_is_asked_again_with_its_batch_alone(
    tmp_path: Path, model: Path
) -> None:
    answer_all(make(tmp_path, model, FREE))
    constrained = replace(FREE, choices=[(), (), ("a", "b"), (), ()])
    assert answer_all(make(tmp_path, model, constrained)) == [IDS[2:4]]
    assert answer_all(make(tmp_path, model, constrained)) == []
    for changed in (("b", "a"), ("ab",)):
        other = replace(FREE, choices=[(), (), changed, (), ()])
        assert answer_all(make(tmp_path, model, other)) == [IDS[2:4]]
    assert answer_all(make(tmp_path, model, FREE)) == [IDS[2:4]]


def test_every_batch_holds_the_choices_of_its_prompts(tmp_path: Path, model: Path) -> None:
    choices = [(), ("a",), ("b",), (), ("c", "d")]
    parts = make(tmp_path, model, replace(FREE, choices=choices))
    assert [batch.choices for batch in parts.missing(2)] == [choices[:2], choices[2:4], choices[4:]]
    assert [batch.choices for batch in make(tmp_path, model, FREE).missing(2)] == [()] * 3


def test_a_prompt_that_changed_is_asked_again_with_its_batch_alone(
    tmp_path: Path, model: Path
) -> None:
    answer_all(make(tmp_path, model))
    changed = [*IDS[:2], [4, 5], [6, 7], IDS[4]]  # the same ids, cut elsewhere
    request = replace(REQUEST, prompts=FewPrompts(changed))
    assert answer_all(make(tmp_path, model, request)) == [changed[2:4]]


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_part_that_cannot_be_read_is_asked_again(
    content: bytes, tmp_path: Path, model: Path
) -> None:
    answer_all(make(tmp_path, model))
    (tmp_path / "parts/000001.parquet").write_bytes(content)
    assert answer_all(make(tmp_path, model)) == [IDS[2:4]]


def test_parts_behind_the_last_batch_are_left_alone(tmp_path: Path, model: Path) -> None:
    answer_all(make(tmp_path, model))
    fewer = replace(REQUEST, prompts=FewPrompts(IDS[:2]))
    parts = make(tmp_path, model, fewer)
    assert answer_all(parts) == []
    parts.join(tmp_path / "joined.parquet")
    assert pq.read_table(tmp_path / "joined.parquet")["text"].to_pylist() == list(map(str, IDS[:2]))
