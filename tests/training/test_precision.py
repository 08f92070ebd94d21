"""bfloat16 where a GPU has it, and never float32 in its place without a word."""

import pytest
import torch

from newsrec.errors import UserError
from newsrec.training.precision import choose_precision


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with a GPU that has bfloat16, one that has not, or none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param != "none")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: request.param == "new"
    )


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("gpu", "precision", "expected"),
    [
        ("new", "auto", "bf16"),
        ("new", "bf16", "bf16"),
        ("new", "fp16", "fp16"),
        ("new", "fp32", "fp32"),
        ("old", "fp16", "fp16"),
        ("old", "fp32", "fp32"),
        ("none", "auto", "fp32"),
        ("none", "fp32", "fp32"),
    ],
    indirect=["gpu"],
)
def test_the_precision_is_what_was_asked_for(
    precision: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_precision(precision) == expected
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("gpu", ["old"], indirect=True)
def test_a_gpu_without_bfloat16_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_precision("auto") == "fp32"
    assert "train: warning: Tesla T4 has no bfloat16" in capsys.readouterr().err


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("gpu", "precision", "found"),
    [
        ("old", "bf16", "Tesla T4 has no bfloat16; .* 8.0 or more"),
        ("none", "bf16", "there is no GPU; .* 8.0 or more"),
        ("none", "fp16", "there is no GPU; .* use a GPU$"),
    ],
    indirect=["gpu"],
)
def test_a_precision_that_cannot_be_had_is_refused(precision: str, found: str) -> None:
    with pytest.raises(UserError, match=rf"train\.precision is '{precision}', but {found}"):
        choose_precision(precision)
