"""What the judge takes of a machine, for `newsrec doctor`."""

import os
from pathlib import Path

from omegaconf import OmegaConf

from newsrec.engines.settings import URL_VARIABLE
from newsrec.preflight.examine import Finding


def judge_needs(path: Path) -> dict[str, Finding]:
    """By the stage's name what a judge needs; empty without a `judge.model`.

    Args:
        path: of params.yaml, of any pipeline.
    """
    judge = OmegaConf.select(OmegaConf.load(path), "judge.model")
    if judge is None:
        return {}
    is_set = URL_VARIABLE in os.environ
    finding = Finding(
        "judge.model",
        f"a server at {URL_VARIABLE}",
        f"{URL_VARIABLE} is {'set' if is_set else 'not set'}",
        f"set {URL_VARIABLE} to an OpenAI-compatible address with /v1, or judge.model to null",
        problem=not is_set,
    )
    return {"judge": finding}
