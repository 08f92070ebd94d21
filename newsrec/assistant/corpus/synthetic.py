"""Made-up rows of the four tasks: questions and orders to a data platform, and what is none.

Words alone give little away: what comes last in an input decides, places and words of another kind
stand before it, and a question holds the words of an order. Rows with a phrasing, a place or a
layer that no other split has are named for the test split.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from newsrec.assistant.corpus import phrases
from newsrec.assistant.corpus.sentences import (
    GENERAL,
    PLATFORM,
    UNRELATED,
    UNSEEN_PHRASING,
    UNSEEN_PLACE,
    Draw,
    ask,
    dress,
    name_file,
    say,
)

NO_FILE = "no-file"
QUESTION, ORDER = "问题回答", "任务处理"
NONE = "无"

# The share of the rows with only new phrases, with only new places and layers, and with both.
_NEW_SHARES = {(True, False): 0.12, (False, True): 0.12, (True, True): 0.06, (False, False): 0.7}
_NUM_TRIES = 50  # to make a row that is not there yet


def made_up_rows(task: str, num: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of a task as a line of its file has them.

    Args:
        task: its name; one that is none of the four has no rows.
        num: how many; an input repeats another only where hardly any new one is left.
        seed: of all draws.
    """
    if task not in _MAKERS:
        return
    rng = Random(f"{task}:{seed}")
    seen: set[str] = set()
    for _ in range(num):
        ((new_phrasing, new_place),) = rng.choices(list(_NEW_SHARES), list(_NEW_SHARES.values()))
        for _ in range(_NUM_TRIES):
            draw = Draw(rng, new_phrasing, new_place)
            text, output = _MAKERS[task](draw)
            if text not in seen:
                break
        seen.add(text)
        is_new = draw.tags & {UNSEEN_PHRASING, UNSEEN_PLACE}
        yield {
            "input": text,
            "output": output,
            **({"split": "test"} if is_new else {}),
            "tags": sorted(draw.tags),
        }


def _scenario(draw: Draw) -> tuple[str, str]:
    (label,) = draw.rng.choices((PLATFORM, GENERAL, UNRELATED), (0.4, 0.3, 0.3))
    wrong = tuple(one for one in (PLATFORM, GENERAL, UNRELATED) if one != label)
    return dress(draw, say(draw, label, draw.chance(0.6)), label, 0.35, wrong), label


def _kind(draw: Draw) -> tuple[str, str]:
    is_question = draw.chance(0.5)
    (scenario,) = draw.rng.choices((PLATFORM, GENERAL, UNRELATED), (0.7, 0.15, 0.15))
    label, wrong = (QUESTION, ORDER) if is_question else (ORDER, QUESTION)
    return dress(draw, say(draw, scenario, is_question), scenario, 0.2, (wrong,)), label


def _answer(draw: Draw) -> tuple[str, str]:
    wrong = ("好的", "不知道", "你的指令")
    if draw.chance(0.12):
        scenario = draw.rng.choice((GENERAL, UNRELATED))
        return dress(draw, say(draw, scenario, True), scenario, 0.15, wrong), phrases.REFUSAL
    question, answer = ask(draw)
    return dress(draw, question, PLATFORM, 0.15, wrong), answer


def _file_name(draw: Draw) -> tuple[str, str]:
    wrong = ("好的", "空", NONE)
    if draw.chance(0.3):
        draw.tags.add(NO_FILE)
        core = draw.fill(draw.phrase(phrases.NO_FILE)) if draw.chance(0.6) else ask(draw)[0]
        return dress(draw, core, PLATFORM, 0.15, wrong), NONE
    name, quoted = name_file(draw)
    core = draw.fill(draw.phrase(phrases.FILE_ASKED), q=quoted)
    return dress(draw, core, PLATFORM, 0.15, wrong), name


_MAKERS: dict[str, Callable[[Draw], tuple[str, str]]] = {
    "scenario": _scenario,
    "kind": _kind,
    "answer": _answer,
    "file_name": _file_name,
}
