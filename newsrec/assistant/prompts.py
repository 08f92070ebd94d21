"""How a task and an input become a prompt, the same in training and in serving."""

from newsrec.assistant.tasks import Task

_INPUT = "输入: "


def sample_input(text: str) -> str:
    """The second part of a prompt, `input` of a record in alpaca form.

    Args:
        text: of the user, with control tokens made plain by `newsrec.chat.text.plain_text`.
    """
    return f"{_INPUT}{text}"


def user_message(task: Task, text: str) -> str:
    """What the model is asked: the instruction of the task, and the input on the next line."""
    return f"{task.instruction}\n{sample_input(text)}"
