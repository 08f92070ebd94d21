"""Ask the base and the tuned model side by side: what is typed, or the lines of a file."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from newsrec.assistant.params import Params
from newsrec.assistant.prompts import user_message
from newsrec.assistant.tasks import Task, read_tasks
from newsrec.chat.messages import user_turn
from newsrec.chat.text import plain_text
from newsrec.engines.model_process import Answered, ModelProcess, PromptTooLongError, run_model
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError, unknown_choice
from newsrec.files import parse_json_line, read_text_lines
from newsrec.models.names import MODELS
from newsrec.params.load import load_params
from newsrec.report.text import printable

FOLDERS = dict(zip(MODELS, (Path("models/base"), Path("models/merged")), strict=True))
AUTO = "auto"
_WORK = Path(".work/ask")
# A slash and a word, as no question is: a mistyped name of a task.
_COMMAND = re.compile(r"/[\w-]*")
_KEYS = (
    "Enter asks, Alt+Enter begins another line, Ctrl-C discards the input, Ctrl-D quits. "
    "To choose a task, type its name after a slash:"
)

Models = Mapping[str, ModelProcess]


@dataclass(frozen=True)
class Turn:
    """What each model answers to an input of one task."""

    task: Task
    text: str
    answers: Mapping[str, Answered]


def ask(task: str | None, file: Path | None, *, as_json: bool) -> None:
    """Answer what is typed, the lines of a file, or those of standard input where nobody types.

    Each model is loaded once, by transformers, in a process of its own.

    Args:
        task: of every input; None: the first task's answer chooses what follows.
        file: of JSON lines with `input` where its name ends in .jsonl, else of texts, one a line.
        as_json: print a JSON line of each turn.

    Raises:
        UserError: there is no such task, file or model, a line cannot be read or does not fit.
    """
    params, tasks = load_params(Params), read_tasks()
    if task is not None and task not in tasks:
        raise unknown_choice("--task", task, tasks)
    if file is not None and not file.is_file():
        raise UserError(f"{file}: no such file; expected texts, one a line, or JSON lines")
    for folder in FOLDERS.values():
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; expected a model; make it: dvc repro merge")
    chosen = None if task is None else tasks[task]
    settings = params.engine_settings("transformers")
    assert isinstance(settings, TransformersSettings)
    score = params.score
    with _loaded(settings, score.max_answer_tokens, score.max_prompt_tokens) as models:
        if file is None and sys.stdin.isatty():
            _converse(tasks, models, chosen, as_json)
            return
        with file.open("rb") if file is not None else nullcontext(sys.stdin.buffer) as stream:
            for where, text in read_inputs(stream, file):
                try:
                    _answer(text, chosen, tasks, models, as_json=as_json)
                except PromptTooLongError as error:
                    raise UserError(f"{where}: {error}") from None


@contextmanager
def _loaded(settings: TransformersSettings, max_tokens: int, max_prompt: int) -> Iterator[Models]:
    limits = {"max_tokens": max_tokens, "max_prompt_tokens": max_prompt}
    folders = ", ".join(map(str, FOLDERS.values()))
    _print_line(f"ask: loading {folders}")
    with ExitStack() as stack:
        # Both begin before one is waited for.
        models = {
            name: stack.enter_context(
                run_model(FOLDERS[name], settings, _WORK / f"{name}.log", **limits)
            )
            for name in MODELS
        }
        for model in models.values():
            model.wait_until_loaded()
        yield models


def answer_text(
    text: str, task: Task | None, tasks: Mapping[str, Task], models: Models
) -> Iterator[Turn]:
    """Yield what the models answer to a text, one after the other, so that each has the machine.

    Without a task it is put to the first one, and as long as the tuned model's answer is a label
    that leads to another (`Task.next`), to that.

    Raises:
        UserError: see `newsrec.engines.model_process.ModelProcess.answer`.
    """
    plain = plain_text(text)
    current = task or next(iter(tasks.values()))
    while True:
        chat = user_turn(user_message(current, plain))
        turn = Turn(current, plain, {name: one.answer(chat) for name, one in models.items()})
        yield turn
        following = current.next.get(turn.answers["tuned"].text)
        if task is not None or following is None:
            return
        current = tasks[following]


def read_inputs(stream: BinaryIO, file: Path | None) -> Iterator[tuple[str, str]]:
    """Where each input is and its text; lines of white space are passed over.

    Raises:
        UserError: a line is no input.
    """
    name = "standard input" if file is None else str(file)
    is_json = file is not None and file.suffix == ".jsonl"
    for number, line in enumerate(read_text_lines(stream, name), start=1):
        where, text = f"{name}, line {number}", line
        if is_json and line.strip():
            row = parse_json_line(line, where)
            if not isinstance(row, dict) or not isinstance(row.get("input"), str):
                raise UserError(f'{where}: expected an object with a text, like {{"input": "…"}}')
            text = row["input"]
        if plain_text(text):
            yield where, text


def _converse(
    tasks: Mapping[str, Task], models: Models, chosen: Task | None, as_json: bool
) -> None:
    """One turn after the other, each without those before it, until Ctrl-D."""
    # Imported where it is used, like what draws tables: a file needs neither.
    from newsrec.assistant.terminal import Terminal

    commands = [f"/{name}" for name in (AUTO, *tasks)]
    _print_line(f"{_KEYS} {', '.join(commands)}")
    terminal = Terminal()
    while True:
        try:
            text = terminal.read(chosen.name if chosen else AUTO)
            if text is None:
                return
            command = text.strip()
            if command in commands:
                chosen = tasks.get(command.removeprefix("/"))
            elif _COMMAND.fullmatch(command):
                _print_line(f"ask: {unknown_choice('command', command, commands)}")
            elif plain_text(text):
                _answer(text, chosen, tasks, models, as_json=as_json)
        except PromptTooLongError as error:
            _print_line(f"ask: {error}")
        except KeyboardInterrupt:
            _print_line("ask: input discarded; Ctrl-D quits")


def _answer(
    text: str, task: Task | None, tasks: Mapping[str, Task], models: Models, *, as_json: bool
) -> None:
    """Show each turn, and why none follows on an answer that is no label."""
    for turn in answer_text(text, task, tasks, models):
        _show(turn, as_json)
    if task is None and turn.task.next and turn.answers["tuned"].text not in turn.task.labels:
        _print_line(
            f"ask: tuned's answer is no label of {turn.task.name}, so no task follows; choose one: "
            f"{', '.join(tasks)}"
        )


def _print_line(text: str) -> None:
    """On standard error: the person reads it wherever the answers go."""
    print(text, file=sys.stderr, flush=True)


def _show(turn: Turn, as_json: bool) -> None:
    if as_json:
        answers = {name: asdict(one) for name, one in turn.answers.items()}
        values = {"task": turn.task.name, "input": turn.text, **answers}
        print(json.dumps(values, ensure_ascii=False), flush=True)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, expand=True, title_justify="left")
    table.title = Text(f"{turn.task.instruction}  {printable(turn.text)}")
    for name, answer in turn.answers.items():
        table.add_column(Text(f"{name}, {answer.seconds:.2f} s"), ratio=1, overflow="fold")
    # A model writes anything: no mark-up is read, and no terminal commanded.
    table.add_row(*(Text(_lines(answer.text) or "(empty)") for answer in turn.answers.values()))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))
