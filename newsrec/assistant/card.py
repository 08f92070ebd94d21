"""What the card of a tuned model says of the assistant: `python -m stages.merge` names this module.

A word that changes here writes the merged model's folder again, and what follows from it.
"""

from collections.abc import Mapping

from newsrec.assistant.prompts import user_message
from newsrec.assistant.tasks import Task, read_tasks
from newsrec.report.card import TaskCard
from newsrec.report.text import code

# By where the rows came from: what they are, and their licence.
_DATA = {
    "embedded": (
        "Questions and requests around a made-up data platform, from templates and written by "
        "hand: no real user, place or file.",
        "The data were written for the project, under its licence (Apache-2.0).",
    ),
    "files": (
        "Files of rows, input and output, that were on the machine which trained the model. Whose "
        "they are is not recorded. No row of them is part of this model's files.",
        "The data: whatever holds for those files.",
    ),
}
_KINDS = {"labels": "one of", "text": "a free answer", "span": "a part of the input"}
_LIMITS = (
    "It knows the tasks above, asked in these words; what it answers to another instruction was "
    "not measured.",
    "One turn at a time: it was not trained on what was said before.",
    "A free answer can be wrong and sound right: it was trained on questions and answers, and "
    "looks nothing up.",
    "A name that it extracts can be one that is not in the input; compare it with the input before "
    "anything is done with it.",
    "Without a constraint it can write a label that is not in the list.",
    "An input can hold instructions of somebody else. It was trained on rows that hold some, which "
    "proves nothing of others: let no answer run anything.",
    "Texts from the training data can be repeated word for word.",
    "Other languages and platforms were not measured.",
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The assistant's part of its card; the tasks are those of the working directory's table.

    Args:
        protocol: of the training; `data` begins with where the rows came from, and `left_out` is
            there if a task was left out of training.

    Raises:
        UserError: see `newsrec.assistant.tasks.read_tasks`.
    """
    tasks = read_tasks()
    data, licence = _DATA[protocol["data"].partition(",")[0]]
    listed = "\n".join(f"- {_asked(task)}" for task in tasks.values())
    first = next(iter(tasks.values()))
    left_out = protocol.get("left_out")
    limits = list(_LIMITS)
    if left_out is not None:
        limits.insert(0, f"It was not trained on the task {code(left_out)}, one of those above.")
    return TaskCard(
        title=f"An assistant of {len(tasks)} tasks",
        purpose=(
            f"It is asked for one of these tasks, by its instruction:\n\n{listed}\n\n"
            "What it is asked is the user's turn of a chat, the instruction on one line and the "
            f"input on the next: {code(user_message(first, '…').replace(chr(10), ' ⏎ '))}."
        ),
        data=data,
        licence=licence,
        limits=limits,
        tags=("assistant", "chinese"),
    )


def _asked(task: Task) -> str:
    """A task's instruction and what it is answered with."""
    answer = _KINDS[task.answer]
    if task.labels:
        answer += f" {', '.join(code(label) for label in task.labels)}"
    if task.none is not None:
        answer += f", or {code(task.none)} where there is none"
    return f"{code(task.instruction)}: {answer}"
