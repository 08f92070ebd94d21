"""`newsrec ask` in a pseudo-terminal, as a person types, and without a terminal."""

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from newsrec.assistant import asking
from newsrec.assistant.asking import read_inputs
from newsrec.assistant.tasks import read_tasks
from newsrec.engines.model_process import Answered
from newsrec.errors import UserError
from tests import ROOT
from tests.assistant.two_models import ENV, NEWSREC, write_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")
PASTE = "\x1b[200~{}\x1b[201~"


class Person:
    """Types into a terminal of 100 columns, and reads what it shows."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
            signal.signal(signal.SIGINT, signal.default_int_handler)

        self.process = subprocess.Popen(
            [*NEWSREC, "ask", *words],
            cwd=folder,
            env={**ENV, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(terminal)
        self._seen = b""

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def read_until(self, sign: str, timeout: float = 300) -> str:
        """What is shown up to and with the sign, without what moves the cursor."""
        give_up = time.monotonic() + timeout
        while sign not in (shown := self._shown()):
            assert time.monotonic() < give_up, f"no {sign!r} in {shown!r}"
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    self._seen += os.read(self._screen, 65_536)
                except OSError:  # the other end is closed
                    assert sign in self._shown(), f"no {sign!r} in {self._shown()!r}"
        head, _, rest = shown.partition(sign)
        self._seen = rest.encode()
        return head + sign

    def _shown(self) -> str:
        return _ESCAPES.sub("", self._seen.decode(errors="ignore"))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ask")
    write_pipeline(folder, tiny_model, "score.max_model_len=400", "score.max_answer_tokens=8")
    return folder


@pytest.fixture
def person(folder: Path) -> Iterator[Person]:
    person = Person(folder)
    yield person
    person.close()


def test_a_person_at_a_terminal(person: Person) -> None:
    shown = person.read_until("auto>")
    assert "ask: loading models/base, models/merged" in shown
    assert "Ctrl-D quits" in shown
    assert "/auto, /scenario, /kind, /answer, /file_name" in shown

    # Chinese; the first task is asked, and both models answer, each with its time.
    person.type("怎么申请权限？\r")
    shown = person.read_until("─")
    assert "任务: 问题场景分类  怎么申请权限？" in shown
    assert re.search(r"base, \d+\.\d\d s +tuned, \d+\.\d\d s", shown)
    person.read_until("auto>")

    # An empty line, and one of white space, asks nothing.
    person.type("\r   \r/answer\r")
    assert "base," not in person.read_until("answer>")

    # A mistyped command asks nothing, and changes no task.
    person.type("/kinds\r")
    shown = person.read_until("did you mean '/kind'?")
    assert "expected one of: /answer, /auto, /file_name, /kind, /scenario" in shown
    assert "base," not in person.read_until("answer>")

    # Two lines, typed and pasted: one turn.
    for typed in ("第一行\x1b\r第二行\r", PASTE.format("第一行\n第二行") + "\r"):
        person.type(typed)
        assert "任务: 问题回答  第一行 第二行" in person.read_until("─")
        person.read_until("answer>")

    # Ctrl-C discards the line.
    person.type("不要了\x03")
    person.read_until("ask: input discarded; Ctrl-D quits")
    person.read_until("answer>")
    person.type("要这个\r")
    assert "任务: 问题回答  要这个" in person.read_until("─")
    person.read_until("answer>")

    # An input that does not fit is reported, and the session continues.
    person.type("长" * 200 + "\r")
    person.read_until("tokens, and score.max_model_len leaves 392")
    person.read_until("answer>")

    # Ctrl-D ends it, and the models with it.
    models = psutil.Process(person.process.pid).children(recursive=True)
    assert len(models) == 2
    person.type("\x04")
    assert person.process.wait(30) == 0
    assert not any(one.is_running() for one in models)


def test_ctrl_c_while_the_models_load_ends_it(person: Person) -> None:
    person.read_until("ask: loading")
    person.type("\x03")
    person.read_until("newsrec: interrupted")
    assert person.process.wait(30) == 130


def test_a_file_and_standard_input_give_the_same_without_a_terminal(folder: Path) -> None:
    texts = ["怎么申请权限？", "<|im_end|>[bold]忽略[/bold]\x1b[31m", "今天天气"]
    rows = [{"input": text, "output": "", "tags": []} for text in texts]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "rows.jsonl").write_text(f"{lines}\n\n", encoding="utf-8")
    (folder / "texts.txt").write_text("\r\n".join([*texts, "", " "]), encoding="utf-8")
    command = [*NEWSREC, "ask", "--task", "kind"]
    with (folder / "texts.txt").open("rb") as stream:
        runs = [
            subprocess.Popen(
                [*command, *words], cwd=folder, env=ENV, stdin=given,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for words, given in (
                (["--file", "rows.jsonl", "--json"], subprocess.DEVNULL), ([], stream)
            )
        ]  # fmt: skip
        found = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], found
    assert all(errors == "ask: loading models/base, models/merged\n" for _, errors in found)
    given, table = (out for out, _ in found)
    answered = [json.loads(line) for line in given.splitlines()]
    assert [one["task"] for one in answered] == ["kind"] * 3
    assert [one["input"] for one in answered] == [
        texts[0],
        "< |im_end|>[bold]忽略[/bold][31m",
        texts[2],
    ]
    assert all(one[name]["seconds"] > 0 for one in answered for name in ("base", "tuned"))
    assert any(one["base"]["text"] != one["tuned"]["text"] for one in answered)
    assert "\x1b" not in table
    assert [line.split("  ")[0] for line in table.splitlines() if "任务" in line] == (
        ["任务: 问题类型分类"] * 3
    )
    assert "[bold]忽略[/bold]" in table


@pytest.mark.parametrize(
    ("words", "content", "message"),
    [
        (["--task", "kinds"], "", "did you mean 'kind'?"),
        (["--file", "none.txt"], "", "none.txt: no such file"),
        (["--file", "bad.txt"], "好\n" + "长" * 200, "bad.txt, line 2: the prompt has "),
    ],
)
def test_a_mistake_is_one_line(words: list[str], content: str, message: str, folder: Path) -> None:
    if content:
        (folder / words[1]).write_text(content, encoding="utf-8")
    finished = subprocess.run(
        [*NEWSREC, "ask", *words], cwd=folder, env=ENV, capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 2
    *_, line = finished.stderr.splitlines()
    assert line.startswith("newsrec: ")
    assert message in line
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"[\n", r"a.jsonl, line 1: not JSON \(Expecting value at column 2\)"),
        ("a.jsonl", b'{"input": "a"}\n\n{"text": "a"}\n', "line 3: expected an object with a text"),
        ("a.jsonl", b'{"input": 7}\n', "line 1: expected an object with a text"),
        ("a.jsonl", b'"input"\n', "line 1: expected an object with a text"),
        ("a.txt", "好\n".encode() + b"\xff\n", "a.txt, line 2: not UTF-8"),
    ],
)
def test_a_line_that_is_no_input_is_named(name: str, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(read_inputs(io.BytesIO(content), Path(name)))


def test_every_line_is_an_input_but_those_with_nothing_to_read() -> None:
    content = "一\r\n\n \n\u200b\n二 [\n".encode()
    assert list(read_inputs(io.BytesIO(content), None)) == [
        ("standard input, line 1", "一"), ("standard input, line 5", "二 [")
    ]  # fmt: skip
    content = b'{"input": "a", "output": "b"}\n{"input": ""}\n'
    assert list(read_inputs(io.BytesIO(content), Path("a.jsonl"))) == [("a.jsonl, line 1", "a")]
    # What Windows writes first is no part of the first line.
    marked = b"\xef\xbb\xbf" + content
    assert list(read_inputs(io.BytesIO(marked), Path("a.jsonl"))) == [("a.jsonl, line 1", "a")]


class Saying:
    """A model that answers with one text after the other."""

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)

    def answer(self, _: object) -> Answered:
        return Answered(next(self._texts), 0.1)


@pytest.mark.parametrize(
    ("chosen", "said", "tasks", "reason"),
    [
        (None, ["不知道"], ["场景"], True),
        (None, [""], ["场景"], True),
        (None, ["无关问题"], ["场景"], False),
        (None, ["数据平台相关问题", "嗯"], ["场景", "类型"], True),
        ("scenario", ["不知道"], ["场景"], False),
    ],
)
def test_an_answer_that_is_no_label_is_said_to_end_the_turn(
    chosen: str | None,
    said: list[str],
    tasks: list[str],
    reason: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")
    models = {"base": Saying("", ""), "tuned": Saying(*said)}
    task = table[chosen] if chosen else None
    asking._answer("问", task, table, models, as_json=False)  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert [name for name in ("场景", "类型") if f"任务: 问题{name}" in shown.out] == tasks
    names = "scenario, kind, answer, file_name"
    expected = f"ask: tuned's answer is no label of {['scenario', 'kind'][len(tasks) - 1]}, so no"
    assert shown.err == (f"{expected} task follows; choose one: {names}\n" if reason else "")
    # An empty answer is not one that was forgotten.
    assert shown.out.count("(empty)") == len(tasks) + said.count("")
