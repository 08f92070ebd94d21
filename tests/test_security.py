"""SECURITY.md names tests and files that exist, for every claim of its tables."""

import ast
import re

import pytest

from tests import ROOT
from tests.documents import TEXTS, spans

TEXT = TEXTS["SECURITY.md"]
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| (?!what )[^:]", line)]


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_claim_names_tests_and_files_that_exist(row: str) -> None:
    named = [span for span in spans(row) if "::" in span]
    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert function in functions(path), name
    files = re.findall(r"`((?:newsrec|benchmarks)/[^`]+)`", row)
    assert all((ROOT / file).is_file() for file in files)
    if row.count("|") == 5:  # what comes from outside, what holds, where, tests
        assert files


def test_every_table_is_read() -> None:
    assert len(ROWS) == 15
    assert TEXT.count("::test_") == sum(row.count("::test_") for row in ROWS)
