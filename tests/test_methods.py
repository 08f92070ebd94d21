"""docs/methods.md is what make compare-methods writes of what ships."""

import re

import pytest
import yaml

from benchmarks import methods
from benchmarks.methods import CHOICES, DOCUMENT, HEADS, memory_at_8b
from tests import ROOT

TEXT = (ROOT / DOCUMENT).read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in TEXT.splitlines()
    if line.startswith("| `")
]


def test_every_method_that_ships_and_every_key_of_lora_has_its_row() -> None:
    shipped = {path.stem for path in (ROOT / "conf/train").glob("*.yaml")}
    assert shipped == {choice.words[0].removeprefix("train=") for choice in CHOICES}
    lora = yaml.safe_load((ROOT / "conf/train/lora.yaml").read_text())["train"]
    variants = {name for name, value in lora.items() if value is False or value is None}
    keys = {re.sub(r"train\.|=.*", "", word) for choice in CHOICES for word in choice.words[1:]}
    assert keys == variants
    assert [row[0] for row in ROWS] == [f"`{choice.name}`" for choice in CHOICES]
    assert all(len(row) == len(HEADS) for row in ROWS)


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_the_memory_at_8b_is_what_the_formula_gives(choice: object) -> None:
    (row,) = (row for row in ROWS if row[0] == f"`{choice.name}`")  # type: ignore[attr-defined]
    assert row[-1] == f"{memory_at_8b(choice) / 1e9:.0f} GB"  # type: ignore[arg-type]


def test_the_document_is_what_the_template_makes_of_its_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = re.search(
        r"(\d+) impressions of users not seen in\s+training; the AUC of the base model is "
        r"(\d\.\d{4})\.",
        TEXT,
    )
    date = re.search(r"from runs of (\d{4}-\d\d-\d\d);", TEXT)
    assert found is not None
    assert date is not None
    evaluate = {
        "tuned": {"num_impressions": int(found[1])},
        "base": {"auc": float(found[2])},
    }
    monkeypatch.setattr(methods, "measured", lambda choice, name: evaluate)
    assert methods.document(ROWS, date[1]) == TEXT
