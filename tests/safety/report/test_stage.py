"""The stage `report` on what `evaluate` wrote of made-up predictions."""

import os
import shutil
from pathlib import Path

import pytest

from stages.safety import evaluate, report


@pytest.mark.slow
def test_the_page_is_written(tree: Path) -> None:
    evaluate.main()
    report.main()
    if os.environ.get("KEEP"):
        shutil.copytree(tree / "reports", os.environ["KEEP"], dirs_exist_ok=True)
