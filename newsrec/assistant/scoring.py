"""From the test split and a model to its predictions, whatever the engine.

A row of a task with labels is asked twice, in one start of the engine: for free text, and for one
of the labels alone. A constraint hides answers outside the list, so the first is needed too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.assistant.answers import write_predictions
from newsrec.assistant.prompts import user_message
from newsrec.assistant.tasks import TABLE, Task
from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.pieces import TOKEN_IDS
from newsrec.chat.text import plain_text
from newsrec.chat.tokens import encode_chats, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import Choices, Request, choice_tokens
from newsrec.engines.settings import Settings
from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_scored = set[Path]()  # by this process


@dataclass(frozen=True)
class Scored:
    """What scoring reports of itself.

    Attributes:
        num_rows: of the test split.
        num_prompts: one of each row, two of a row whose task has labels.
        longest_prompt: in tokens.
        engine: what only the engine has to report.
    """

    num_rows: int
    num_prompts: int
    longest_prompt: int
    engine: Mapping[str, object]


class RowPrompts:
    """The rows of a table as prompts, made into token ids anew each time that they are walked.

    The tokenizer, which takes seconds to load, is loaded when an engine reads the first prompt:
    vLLM is loading by then. Before that prompt is yielded, all are checked to fit.
    """

    def __init__(self, model: Path, rows: Path, tasks: Mapping[str, Task], max_tokens: int) -> None:
        """The prompts of a row come one after the other: free, then with its labels as choices.

        Args:
            model: folder of the model, for its tokenizer.
            rows: Parquet file of `ROWS_SCHEMA`.
            tasks: the table of tasks.
            max_tokens: of a prompt; none is cut.

        Raises:
            UserError: a row is of no task of the table, or see `newsrec.files.read_texts`.
        """
        self._model, self._rows, self._tasks, self._max_tokens = model, rows, tasks, max_tokens
        self.choices: list[Choices] = []
        for (names,) in read_texts(rows, ["task"]):
            for name in names:
                if name not in tasks:
                    raise unknown_choice(f"{rows}: not of this {TABLE}: task", name, tasks)
                self.choices += [(), tasks[name].labels] if tasks[name].labels else [()]

    def __len__(self) -> int:
        return len(self.choices)

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """Those of a thousand rows and more at once; raises as `longest`."""
        self.longest()
        yield from self._encoded()

    def messages(self) -> Iterator[Messages]:
        """One after the other; raises as `longest`."""
        self.longest()
        yield from chain.from_iterable(self._chats())

    def longest(self) -> int:
        """The tokens of the longest prompt; counted once.

        Raises:
            UserError: a prompt does not fit, or see `newsrec.chat.tokens.load_tokenizer`.
        """
        num, num_too_long = len(self._lengths), sum(one > self._max_tokens for one in self._lengths)
        longest = max(self._lengths, default=0)
        if num_too_long:
            raise UserError(
                f"{num_too_long} of {num} prompts do not fit: the longest has {longest} tokens, "
                f"and score.max_model_len leaves {self._max_tokens} beside the answer; raise it by "
                f"{longest - self._max_tokens} or more"
            )
        return longest

    @cached_property
    def _lengths(self) -> list[int]:
        """Of each prompt, in tokens."""
        return [length for ids in self._encoded() for length in ids.value_lengths().to_pylist()]

    @cached_property
    def _tokenizer(self) -> "PreTrainedTokenizerBase":
        return load_tokenizer(self._model)

    def _encoded(self) -> Iterator[pa.LargeListArray]:
        for chats in self._chats():
            yield pa.array(encode_chats(self._tokenizer, chats), type=TOKEN_IDS)

    def _chats(self) -> Iterator[list[Messages]]:
        for names, inputs in read_texts(self._rows, ["task", "input"]):
            chats: list[Messages] = []
            for name, text in zip(names, inputs, strict=True):
                chat = user_turn(user_message(self._tasks[name], plain_text(text)))
                chats += [chat, chat] if self._tasks[name].labels else [chat]
            yield chats


def score_rows(
    settings: Settings,
    name: str,
    model: Path,
    tasks: Mapping[str, Task],
    rows: Path,
    target: Path,
    work: Path,
    *,
    max_model_len: int,
    max_answer_tokens: int,
) -> Scored:
    """Let a model answer every row, all in one run of the engine; one model a process.

    PEFT puts an adapter into the base that it is given, in place, so that a process that holds both
    models may hold one model twice. A second one is refused, whatever the engine.

    Args:
        settings: of the engine.
        name: of what is scored, see `newsrec.engines.answering.answer`.
        model: folder of a Hugging Face model, or of what was trained beside one.
        tasks: the table of tasks.
        rows: Parquet file of `ROWS_SCHEMA`.
        target: Parquet file of `PREDICTIONS_SCHEMA` to write, in the order of the rows: the text
            without white space around it, empty where a server did not answer; the choice null
            where a server does not constrain what it writes.
        work: an existing folder for answers.
        max_model_len: tokens of a prompt and its answer; no prompt is cut.
        max_answer_tokens: of a free answer.

    Raises:
        UserError: this process has scored another model, a prompt does not fit, a row cannot be
            read, or the engine failed.
    """
    _scored.add(model.resolve())
    if len(_scored) > 1:
        raise UserError(
            f"{model}: this process has scored another model ({min(_scored - {model.resolve()})}); "
            f"expected a process for each: python -m stages.assistant.score {name} {model}"
        )
    labels = [task.labels for task in tasks.values() if task.labels]
    room = max(max_answer_tokens, *map(choice_tokens, labels))
    prompts = RowPrompts(model, rows, tasks, max_model_len - room)
    request = Request(prompts, (), max_answer_tokens, prompts.choices)
    answers = work / "answers.parquet"
    reported = answer(settings, name, model, request, answers, work)
    num_rows = write_predictions(_answers(rows, tasks, answers), target)
    return Scored(num_rows, len(prompts), prompts.longest(), reported)


def _answers(
    rows: Path, tasks: Mapping[str, Task], answers: Path
) -> Iterator[tuple[str, str, str, str, str | None]]:
    """Of each row id, task, input, free text and choice, from the answers to its prompts."""
    batches = pq.ParquetFile(answers).iter_batches(columns=["text"])
    texts = chain.from_iterable(batch["text"].to_pylist() for batch in batches)
    for ids, names, inputs in read_texts(rows, ["id", "task", "input"]):
        for id_, name, asked in zip(ids, names, inputs, strict=True):
            written = (next(texts) or "").strip()
            yield id_, name, asked, written, next(texts) if tasks[name].labels else None
