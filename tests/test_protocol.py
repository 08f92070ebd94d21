"""Figures of two protocols are not put side by side."""

from typing import Any

import pytest

from newsrec.errors import UserError
from newsrec.news.compare import table


def run(**protocol: str) -> dict[str, Any]:
    figures = {"auc": 0.6, "auc_low": 0.5, "auc_high": 0.7}
    known = {"data": "synthetic, a", "feedback": "earlier", "method": "lora", "model": "m"}
    return {"protocol": known | protocol, "tuned": figures}


def test_a_treatment_may_differ_and_is_named() -> None:
    shown = table(run(), run(method="qlora"), ("HEAD~1", "here"))
    assert "| auc | 0.6000 (0.5000 to 0.7000) | 0.6000 (0.5000 to 0.7000) | +0.0000 |" in shown
    assert "method: lora → qlora" in shown


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feedback": "none"}, "feedback is 'earlier' in HEAD~1 and 'none' in here"),
        ({"data": "local, b"}, "data is 'synthetic, a' in HEAD~1 and 'local, b' in here"),
        ({"mrr": "first click"}, "mrr is 'not there' in HEAD~1 and 'first click' in here"),
    ],
)
def test_another_protocol_is_refused_with_the_field(change: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        table(run(), run(**change), ("HEAD~1", "here"))
    assert words in str(caught.value)
