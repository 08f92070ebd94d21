"""Ask a teacher, and write what it answers right as samples."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

from newsrec.chat.messages import user_turn
from newsrec.engines.api_texts import Server, Written, ask_all, spent
from newsrec.engines.settings import KEY_VARIABLE, URL_VARIABLE
from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.ranker.teaching.answers import RIGHT, counted, outcome
from newsrec.ranker.teaching.judgements import Judgement
from newsrec.ranker.teaching.local_teacher import NAME, local_teacher

JOURNAL = "journal.jsonl"


class Questions(Protocol):
    """Makes the same judgements each time that it is called."""

    def __call__(self) -> Iterator[Judgement]: ...


def url_server(model: str | None, named_by: str, **options: Any) -> Server:
    """The server that the environment names.

    Args:
        model: its name of the model.
        named_by: the parameter that holds this name.
        options: the other fields of `Server` but its key.

    Raises:
        UserError: the environment names no server, or `model` is None.
    """
    url = os.environ.get(URL_VARIABLE)
    if url is None or model is None:
        missing = URL_VARIABLE if url is None else named_by
        raise UserError(
            f"{missing} is not set; expected {URL_VARIABLE} as the server's address with /v1, "
            f"{KEY_VARIABLE} as its key if it wants one, and {named_by} as its name of the model"
        )
    key = os.environ.get(KEY_VARIABLE)
    return Server(url=url, key=key, model=model, named_by=named_by, **options)


@contextmanager
def local_server(questions: Questions, **options: Any) -> Iterator[Server]:
    """The local teacher, for as long as the block runs.

    Args:
        questions: those that it will be asked.
        options: the other fields of `Server` but its key.
    """
    with local_teacher({one.for_teacher: one.bought for one in questions()}) as url:
        # It has no queue to wait for.
        yield Server(url, None, NAME, named_by="teach.teacher", first_wait=0.0, **options)


def ask_teacher(
    questions: Questions, server: Server, work: Path, price_prompt: float, price_completion: float
) -> tuple[list[Written], dict[str, Any], int]:
    """The answers to all questions, what they took (see `spent`), and how many are new.

    Args:
        questions: to ask.
        server: the teacher.
        work: an existing folder, for the journal.
        price_prompt: of a million tokens.
        price_completion: likewise.

    Raises:
        UserError: see `ask_all`.
    """
    chats = (user_turn(one.for_teacher) for one in questions())
    answers, num_asked = ask_all(server, chats, work / JOURNAL)
    return answers, spent(answers, price_prompt, price_completion), num_asked


def write_samples(
    questions: Questions, answers: list[Written] | None, target: Path
) -> dict[str, int]:
    """Write those that were answered right as alpaca records, in their order.

    Args:
        questions: all of them.
        answers: to each; None: the labels themselves are the answers, all of them right.
        target: JSON lines.

    Returns:
        `num_asked`, how many of each outcome, and `num_yes` and `num_no` of what was written.

    Raises:
        UserError: nothing was answered right, or one of yes and no never.
    """
    outcomes, written = [], []
    with atomic_file(target) as draft, draft.open("w", encoding="utf-8") as stream:
        for one, answer in zip(
            questions(), repeat(None) if answers is None else answers, strict=answers is not None
        ):
            found = RIGHT if answer is None else outcome(answer, one.bought)
            outcomes.append(found)
            if found == RIGHT:
                written.append(one.bought)
                stream.write(json.dumps(one.sample, ensure_ascii=False) + "\n")
        num_yes = sum(written)
        if not 0 < num_yes < len(written):
            raise UserError(
                f"of {len(outcomes):,} questions {num_yes:,} were correctly answered yes and "
                f"{len(written) - num_yes:,} no; expected some of both; choose another "
                "teacher or ask more (teach.num_train, teach.num_val)"
            )
    counts = {"num_asked": len(outcomes), **counted(outcomes)}
    return {**counts, "num_yes": num_yes, "num_no": len(written) - num_yes}
