"""Every gate, seen both ways."""

import re
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest

from newsrec.sharing.gates import checked_engine, checked_merge, not_tiny
from tests import ROOT

PROTOCOL = {"model": "a", "method": "lora"}
MERGE = {"kind": "lora", "max_logit_difference": 4e-5, "rounding": 1e-5, "tolerance": 4.0}
EVALUATED = {**PROTOCOL, "engine": "vllm"}


def merge(evaluated: dict[str, str] = EVALUATED, **changes: Any) -> Iterable[str]:
    return checked_merge({**MERGE, "protocol": PROTOCOL, **changes}, evaluated)


def engine(difference: float, engine: str = "vllm") -> Iterable[str]:
    return checked_engine({"engine": engine, "max_difference": difference, "tolerance": 1e-3})


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (merge(), ""),
        (merge(kind="model"), ""),
        (merge(max_logit_difference=0.0, rounding=0.0), ""),
        (merge(max_logit_difference=5e-5), "dvc repro --force merge"),
        (merge(max_logit_difference=float("nan")), "dvc repro --force merge"),
        (merge(kind="prefix"), "train by lora, qlora, full or freeze"),
        (merge(kind="bottleneck"), "train by lora, qlora, full or freeze"),
        (merge({**EVALUATED, "method": "full"}), r"another model \(method differ"),
        (merge({"method": "lora"}), r"another model \(model differ"),
        (engine(1e-6), ""),
        (engine(2e-3), "engine=transformers"),
        (engine(float("nan")), "engine=transformers"),
        (checked_engine({"engine": "transformers", "num_prompts": 0}), ""),
        (checked_engine({"engine": "openai-api", "num_prompts": 0}), "answers of a server"),
        (not_tiny({"source": "tiny"}), "docs/real-run.md"),
        (not_tiny({"source": "local"}), ""),
    ],
)
def test_a_gate_holds_or_says_what_to_do(gate: Iterable[str], words: str) -> None:
    found = list(gate)
    assert len(found) == bool(words)
    assert re.search(words, " | ".join(found))


@pytest.mark.parametrize(("words", "expected"), [((), ""), (("TO=a/b",), '--to "a/b"')])
def test_make_publish_uploads_to_what_is_named_alone(words: tuple[str, ...], expected: str) -> None:
    shown = subprocess.check_output(["make", "-n", "publish", *words], cwd=ROOT, text=True)
    assert shown.splitlines()[-1].partition("newsrec publish")[2].strip() == expected
