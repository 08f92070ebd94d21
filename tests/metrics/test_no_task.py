"""The metrics are of any task."""

from pathlib import Path

import pytest

from tests import ROOT

WORDS = ("impression", "click", "candidate", "news", "mind")
# Where the definition of MRR over all relevant rows comes from.
SOURCE = "MIND's official scorer (msnews/MIND)"
FILES = sorted((ROOT / "newsrec/metrics").glob("*.py"))


def words_of(path: Path) -> str:
    """The text of a file as one line, without the name of the package."""
    return " ".join(path.read_text(encoding="utf-8").split()).replace("newsrec", "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_metric_knows_no_task_but_the_source_of_its_definition(path: Path) -> None:
    text = words_of(path)
    if path.name == "ranking.py":
        text = text.replace(SOURCE, "", 1)
    assert not [word for word in WORDS if word in text.lower()]


def test_the_source_is_named_once() -> None:
    assert [words_of(path).count(SOURCE) for path in FILES if path.name == "ranking.py"] == [1]
