"""Garbage is looked for rarely while modules are imported, and as ever in what runs long."""

import subprocess
import sys

import pytest

CODE = """
import gc
usual = gc.get_threshold()
import newsrec
assert gc.get_threshold() > usual, gc.get_threshold()
from newsrec.running.garbage import collect_as_usual
collect_as_usual()
assert gc.get_threshold() == usual
assert gc.isenabled() and gc.get_freeze_count() > 1000
"""


def test_imports_are_spared_and_what_follows_is_not() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)


@pytest.mark.parametrize(
    ("imported", "frozen"),
    [
        ("duckdb", False),
        pytest.param("torch", True, marks=pytest.mark.slow),
        pytest.param("torch, duckdb", False, marks=pytest.mark.slow),
    ],
)
def test_no_garbage_is_looked_for_at_the_end_of_what_has_pytorch(
    imported: str, frozen: bool
) -> None:
    # What is registered first runs last.
    code = f"""
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 1000))
import newsrec, {imported}
"""
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == (f"{frozen}\n", "")
