"""Texts that are given one by one are read as those of training, whatever is in them."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax

from newsrec import cli
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.safety import classifying
from newsrec.safety.classifying import Classified, Lines, classify_stream, classify_texts
from newsrec.safety.evaluation.unsafe import unsafe_score
from newsrec.safety.tables import PROBABILITIES
from tests.safety.values import write_params

MODEL = Path("models/merged")  # whose answers are made up
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


@pytest.fixture
def classified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Callable[[], None]]:
    """What happens `meanwhile`, between reading the texts and writing their classes."""
    events: dict[str, Callable[[], None]] = {}

    def classify_lines(lines: Lines, *_: object) -> Iterator[Classified]:
        texts = list(lines.texts())
        if "meanwhile" in events:
            events.pop("meanwhile")()
        for _, line in zip(texts, lines.texts(), strict=True):
            yield Classified(line, "正常", 1.0, 0.0, {"正常": 1.0})

    monkeypatch.setattr(classifying, "classify_lines", classify_lines)
    monkeypatch.setattr(classifying, "load_tokenizer", lambda _: None)
    monkeypatch.chdir(tmp_path)
    return events


@pytest.mark.usefixtures("classified")
def test_what_is_above_a_threshold_is_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def classify_lines(lines: Lines, *_: object) -> Iterator[Classified]:
        yield Classified("a", "暴恐", 1.0, 0.99999997, {"暴恐": 1.0})
        yield Classified("b", "暴恐", 1.0, 0.99999996, {"暴恐": 1.0})  # not above it
        yield Classified("", None, None, None, {})

    monkeypatch.setattr(classifying, "classify_lines", classify_lines)
    Path("texts").write_text("a\nb\n\n")
    arguments = (Path("texts"), Path("classes.jsonl"), SETTINGS, MODEL, 50)
    classify_stream(*arguments, threshold=0.99999996)
    rows = [json.loads(line) for line in Path("classes.jsonl").read_text("utf-8").splitlines()]
    assert [row["flagged"] for row in rows] == [True, False, None]
    classify_stream(*arguments)
    assert "flagged" not in Path("classes.jsonl").read_text("utf-8")


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (("--threshold", "0.99999996"), "flagged: yes, above 0.99999996"),
        (("--threshold", "0.99999997"), "flagged: no, not above 0.99999997"),
        ((), "unsafe: 0.99999997"),
    ],
)
def test_one_text_is_shown_with_unsafe_and_whether_it_is_flagged(
    threshold: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = Classified("炸药", "暴恐", 0.9, 0.99999997, {"暴恐": 0.9, "正常": 0.1})
    monkeypatch.setattr(classifying, "classify_texts", lambda *_: [found])
    monkeypatch.setattr("sys.argv", ["newsrec", "classify", "炸药", *threshold])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["P       class", "0.9000  暴恐"]
    assert lines[-1] == expected


def classify(file: Path | None, model: Path) -> list[str]:
    classify_stream(file, Path("classes.jsonl"), SETTINGS, model, max_tokens=50)
    rows = Path("classes.jsonl").read_text("utf-8").splitlines()
    return [json.loads(row)["text"] for row in rows]


def pipe(texts: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(texts)))


def test_two_at_once_do_not_get_the_texts_of_each_other(
    classified: dict[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = []

    def second() -> None:
        pipe("别的\n".encode(), monkeypatch)
        with pytest.raises(UserError, match=r"process \d+ is classifying it .* kill \d+; or save"):
            classify(None, MODEL)
        refused.append(True)

    classified["meanwhile"] = second
    pipe("今天\n明天\n".encode(), monkeypatch)
    assert classify(None, MODEL) == ["今天", "明天"]
    assert refused == [True]
    pipe("别的\n".encode(), monkeypatch)
    assert classify(None, MODEL) == ["别的"]
    assert not any(Path(".work/classify").iterdir())


@pytest.mark.parametrize("now", ["昨天\n明天\n", "今天\n明天\n后天\n", "今天\n", None])
def test_a_file_that_is_edited_meanwhile_is_refused(
    now: str | None, classified: dict[str, Callable[[], None]]
) -> None:
    texts = Path("texts")
    texts.write_text("今天\n明天\n", "utf-8")
    classified["meanwhile"] = lambda: texts.write_text(now, "utf-8") if now else texts.unlink()
    with pytest.raises(UserError, match=r"^texts: was changed while it was being classified"):
        classify(texts, MODEL)
    assert not Path("classes.jsonl").exists()
    texts.write_text("今天\n明天\n", "utf-8")
    assert classify(texts, MODEL) == ["今天", "明天"]


def test_unsafe_is_the_score_that_thresholds_are_chosen_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32) * 12
    logits[0] = [40, 0, 0, 0, 0, 0]  # of 1 - p no digit is left

    def answer(settings: object, model: object, request: object, target: Path, work: Path) -> None:
        pq.write_table(pa.table({"logits": logits.tolist()}), target)

    monkeypatch.setattr(classifying, "classify", answer)
    monkeypatch.setattr(classifying, "load_tokenizer", lambda _: None)
    texts = [f"第{number}条" for number in range(len(logits))]
    found = classify_texts(texts, SETTINGS, MODEL, tmp_path, max_tokens=50)
    table = pd.DataFrame(softmax(logits.astype(np.float64), axis=1), columns=PROBABILITIES)
    scores = unsafe_score(table)
    assert [one.unsafe for one in found] == scores.tolist()
    assert 0 < scores.min() < 1e-16
    assert scores.max() <= 1
