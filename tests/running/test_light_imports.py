"""A process that needs tokenizers alone imports no PyTorch, and what it starts may."""

import subprocess
import sys
from pathlib import Path

import pytest

from newsrec.running.light_imports import leave_out_torch

PROGRAM = """
import os, sys
from newsrec.running.light_imports import leave_out_torch
{before}
leave_out_torch()
from transformers import AutoTokenizer
from transformers.utils import is_torch_available
print("torch" in sys.modules, is_torch_available(), os.environ.get("USE_TORCH"))
"""


def shown(folder: Path, name: str, before: str = "") -> list[str]:
    """What a program of the package `name` shows."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "__init__.py").touch()
    (folder / name / "program.py").write_text(PROGRAM.format(before=before), encoding="utf-8")
    command = [sys.executable, "-m", f"{name}.program"]
    path = f"{folder}:{Path(__file__).parents[2]}"
    ran = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.slow
def test_a_stage_of_its_own_process_leaves_torch_out(tmp_path: Path) -> None:
    assert shown(tmp_path, "stages") == ["False", "False", "None"]


@pytest.mark.slow
def test_any_other_process_and_one_that_has_it_keep_it(tmp_path: Path) -> None:
    assert shown(tmp_path, "others")[1:] == ["True", "None"]
    assert shown(tmp_path, "stages", "import torch")[1:] == ["True", "None"]
    before = dict(sys.modules)
    leave_out_torch()
    assert sys.modules.keys() == before.keys()
