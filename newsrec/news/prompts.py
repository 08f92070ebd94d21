"""An impression's candidate as a chat message.

The wording is the published Yes/No recipe for MIND; `PROMPT_VERSION` changes with every word of it
and is recorded with every prediction.
"""

import re
from collections.abc import Sequence

PROMPT_VERSION = "yes-no-1"

INSTRUCTION = (
    "You are a news recommendation expert. Based on user's click history and preferences, "
    "predict if they will click the target news."
)
QUESTION = "Will the user click this news? Answer with 'Yes.' or 'No.'"
YES, NO = "Yes.", "No."
NOTHING = "(none)"


# Of the history, the liked news, the disliked news and the target.
HEADINGS = (
    "User click histories:",
    "User's liked news:",
    "User's disliked news:",
    "Target news:",
)
ITEM = "- "  # before each title


def prompt_input(
    history: Sequence[str], liked: Sequence[str], disliked: Sequence[str], target: str
) -> str:
    """The part of the prompt that differs between samples; titles come from `plain_text`."""
    lines: list[str] = []
    for heading, titles in zip(HEADINGS, (history, liked, disliked, [target]), strict=True):
        lines += [heading, *(f"{ITEM}{title}" for title in titles or [NOTHING])]
    return "\n".join([*lines, QUESTION])


def user_message(
    history: Sequence[str], liked: Sequence[str], disliked: Sequence[str], target: str
) -> str:
    """The whole user turn, joined as LLaMA-Factory joins instruction and input."""
    return f"{INSTRUCTION}\n{prompt_input(history, liked, disliked, target)}"


def read_prompt_input(text: str) -> tuple[list[str], list[str], list[str], str]:
    """History, liked and disliked titles and the target of what `prompt_input` wrote."""
    lists: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.startswith(ITEM):
            lists[-1].append(line.removeprefix(ITEM))
        else:  # a heading, or the question
            lists.append([])
    history, liked, disliked, target = (
        [] if titles == [NOTHING] and place < 3 else titles
        for place, titles in enumerate(lists[1:5])
    )
    return history, liked, disliked, target[0]


def prompt_protocol(feedback: str, num_history: int, num_feedback: int) -> dict[str, str]:
    """What a prompt shows, as fields of the protocol."""
    return {
        "feedback": feedback,
        "feedback_from": {
            # A user's own past is known when a page is shown; a model that read none knows less.
            "earlier": "the user's earlier impressions in every split, the scored one too",
            "none": "nowhere",
            "same_impression": "the other candidates of the same impression",
        }[feedback],
        "shown": f"history {num_history}, feedback {num_feedback}",
        "prompt": PROMPT_VERSION,
    }


def parse_answer(text: str) -> bool | None:
    """True for Yes, False for No, None for an answer that is neither.

    Only the answer's first word counts, so `Yes.`, `yes` and `Yes, because` agree and `Yesterday`
    is none.
    """
    match = re.match(r"\W*(yes|no)\b", text, flags=re.IGNORECASE)
    return None if match is None else match[1].lower() == "yes"
