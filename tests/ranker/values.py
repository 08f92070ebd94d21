"""The values of the ranker pipeline as `conf/` composes them, with changes."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from newsrec.params.compose import compose
from newsrec.ranker.params import Prompt


@cache
def _composed() -> str:
    with tempfile.TemporaryDirectory() as folder:
        compose(Path(folder) / "params.yaml", (), "ranker")
        return (Path(folder) / "params.yaml").read_text(encoding="utf-8")


def write_params(folder: Path, **sections: dict[str, Any]) -> None:
    """Write params.yaml into `folder`, where the keys of `sections` win."""
    values = yaml.safe_load(_composed())
    for name, section in sections.items():
        values[name] |= section
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def prompt_of_default() -> Prompt:
    """What is shown of a candidate by default."""
    return Prompt(**yaml.safe_load(_composed())["prompt"])
