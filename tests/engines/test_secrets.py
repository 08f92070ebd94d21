"""Keys of the environment are in no file, no output, no traceback and no process list of a run."""

import json
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from newsrec.news.mind.samples import preprocess
from newsrec.params.compose import compose
from newsrec.running.stage import run_stage
from stages import score
from tests.engines import stub_server
from tests.engines.stub_server import Fault, Stub
from tests.trees import SECRETS, secrets_in

pytestmark = pytest.mark.slow

KEY = SECRETS["NEWSREC_API_KEY"]


@pytest.fixture
def workplace(
    raw: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder where the stage `score` runs by a server's API, with every key set."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NEWSREC_API_MODEL_BASE", "one-model")
    choices = ("engine=openai-api", "score.api_server=url", "score.api_max_tries=1")
    compose(tmp_path / "params.yaml", choices)
    preprocess(
        raw, tmp_path / "data/processed", feedback="none", num_history=2, num_feedback=1,
        target="sampled", positive_rate=0.5, max_samples={"train": 4, "val": 4},
        test_candidates="last", num_val_impressions=2, num_test_impressions=6, seed=1,
    )  # fmt: skip
    (tmp_path / "models").mkdir()
    (tmp_path / "models/base").symlink_to(tiny_model)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/preprocess.json").write_text('{"protocol": {}}')
    monkeypatch.setattr(score, "check_machine", lambda *_: None)
    monkeypatch.setattr(stub_server, "number_of", lambda body: 1)
    monkeypatch.setattr(sys, "argv", ["score", "base", "models/base"])
    return tmp_path


def run_score(capfd: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit code of the stage, and all that it shows; a traceback as Python prints it."""
    code: object = 0
    try:
        run_stage(score.main)
    except SystemExit as error:
        code = error.code
    except Exception:
        traceback.print_exc()
        code = 1
    return code, "".join(capfd.readouterr())


def leaked(folder: Path, shown: str) -> list[str]:
    """Where a key is: the output, or a file below `folder`."""
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any("params.yaml" in name for name in files)
    for path in folder.rglob("*.parquet"):
        files[str(path)] += pd.read_parquet(path).to_csv().encode()  # what is packed
    return [name for name, data in {**files, "output": shown.encode()}.items() if secrets_in(data)]


def processes() -> bytes:
    """The command lines of all processes of this machine."""
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes()
        except OSError:  # it has ended
            continue
    return found


def test_of_a_run_that_succeeds(
    workplace: Path,
    stub: Stub,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWSREC_API_URL", stub.url)
    listed = b""

    def repeat_the_key(reply: dict) -> dict:
        nonlocal listed
        listed = listed or processes()
        reply["choices"][0]["message"]["content"] = f"Yes, {KEY}"
        return reply

    stub.change = repeat_the_key
    code, shown = run_score(capfd)
    assert code == 0, shown
    assert stub.keys == {f"Bearer {KEY}"}, "the key did not reach the server"
    assert b"pytest" in listed
    assert not secrets_in(listed)
    assert set(pd.read_parquet("data/predictions/base.parquet")["text"]) == {"Yes, ***"}
    assert not leaked(workplace, shown)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((401, {}, f"wrong key {KEY}"), "refuses the key"),
        ((500, {}, "x" * 280 + KEY), "no answer in 1 tries"),
        ((200, {}, f"<html>{KEY}"), "expected a chat completion"),
        ((400, {}, json.dumps({"error": f"content_filter {KEY}"})), "got no answer"),
    ],
)
def test_of_a_run_that_fails(
    fault: Fault,
    words: str,
    workplace: Path,
    stub: Stub,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWSREC_API_URL", stub.url)
    stub.faults = [fault] * 99
    code, shown = run_score(capfd)
    assert code == 2
    assert words in shown
    assert KEY[:20] not in shown
    assert not leaked(workplace, shown)
    assert (workplace / ".work/score_base/journal.jsonl").exists()


def test_of_a_run_that_ends_in_a_traceback(
    workplace: Path,
    stub: Stub,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWSREC_API_URL", stub.url)

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("newsrec.engines.api_completions.read_reply", broken)
    code, shown = run_score(capfd)
    assert code == 1
    assert re.search(r"KeyError: 'a fault of ours'", shown)
    assert not leaked(workplace, shown)
