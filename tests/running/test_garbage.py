"""Garbage is looked for rarely while modules are imported, and as ever in what runs long."""

import subprocess
import sys

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
