"""bfloat16 where a GPU has it, and never float32 in its place without a word."""

import pytest
import torch

from newsrec.errors import UserError
from newsrec.training.precision import chooses_bf16


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
        ("new", "auto", True),
        ("new", "bf16", True),
        ("new", "fp32", False),
        ("old", "fp32", False),
        ("none", "auto", False),
        ("none", "fp32", False),
    ],
    indirect=["gpu"],
)
def test_the_precision_is_what_was_asked_for(
    precision: str, expected: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chooses_bf16(precision) is expected
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("gpu", ["old"], indirect=True)
def test_a_gpu_without_bfloat16_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert chooses_bf16("auto") is False
    assert "train: warning: Tesla T4 has no bfloat16" in capsys.readouterr().err


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("gpu", "found"), [("old", "Tesla T4 has no"), ("none", "there is no GPU")], indirect=["gpu"]
)
def test_bfloat16_that_cannot_be_had_is_refused(found: str) -> None:
    with pytest.raises(UserError, match=rf"train\.precision is 'bf16', and {found}"):
        chooses_bf16("bf16")
