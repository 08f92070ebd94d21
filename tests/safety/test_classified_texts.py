"""Texts that are given one by one are read as those of training, whatever is in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsrec.engines.settings import TransformersSettings
from newsrec.safety import classifying
from newsrec.safety.classifying import Classified, Lines, classify_texts

SETTINGS = TransformersSettings(dtype="float32", batch_size=1, device="cpu")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("今天\ud800天气不错", "今天天气不错"),  # half a surrogate pair
        ("天气\ud83d\ude00不错", "天气\U0001f600不错"),  # both halves
        ("First\nsecond\u2028third\r\n", "First second third"),
    ],
)
def test_what_is_no_line_of_utf8_is_read_as_in_training(
    text: str, plain: str, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def classify_lines(lines: Lines, *_: object) -> Iterator[Classified]:
        for ids in lines.token_ids():
            read.extend(ids.to_pylist())
        for line in lines.texts():
            yield Classified(line, None, None, None, {})

    monkeypatch.setattr(classifying, "classify_lines", classify_lines)
    found = classify_texts([text, plain], SETTINGS, tokenizer_folder, tmp_path, max_tokens=50)
    assert [one.text for one in found] == [text, plain]
    assert read[0] == read[1] != []
