"""Made-up rows of the four tasks: questions and orders to a data platform, and what is none.

Words alone give little away: what comes last in an input decides, places and words of another kind
stand before it, and a question holds the words of an order. Rows with a phrasing, a place or a
layer that no other split has are named for the test split.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from string import Formatter, ascii_lowercase
from typing import Any

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.phrases import Phrases

UNSEEN_PHRASING, UNSEEN_PLACE = "unseen-phrasing", "unseen-place"
TYPO, OUT_OF_SCOPE, INJECTION, NO_FILE = "typo", "out-of-scope", "injection", "no-file"

PLATFORM, GENERAL, UNRELATED = "数据平台相关问题", "通用问题", "无关问题"
QUESTION, ORDER = "问题回答", "任务处理"
NONE = "无"

# The share of the rows with only new phrases, with only new places and layers, and with both.
_NEW_SHARES = {(True, False): 0.12, (False, True): 0.12, (True, True): 0.06, (False, False): 0.7}
_TYPO_SHARE, _INJECTION_SHARE = 0.08, 0.07
_NUM_TRIES = 50  # to make a row that is not there yet


@dataclass
class Draw:
    """What a row is made of, drawn piece by piece, and its tags.

    Attributes:
        rng: of the draws.
        new_phrasing: phrases are those of the test split.
        new_place: so are places and layers.
        tags: of the row, as far as it is made.
    """

    rng: Random
    new_phrasing: bool = False
    new_place: bool = False
    tags: set[str] = field(default_factory=set)

    def chance(self, share: float) -> bool:
        """True as often as `share` says."""
        return self.rng.random() < share

    def phrase(self, one: Phrases) -> str:
        """One of the phrases, to be filled."""
        if self.new_phrasing:
            self.tags.add(UNSEEN_PHRASING)
        return self.rng.choice(one.new if self.new_phrasing else one.known)

    def fill(self, template: str, **given: str) -> str:
        """A template with words in its places; those of one name are the same word."""
        names = [name for _, name, _, _ in Formatter().parse(template) if name]
        found = {name: given[name] if name in given else self._word(name) for name in names}
        for one in ("term", "food"):
            while found.get(f"{one}2") is not None and found[f"{one}2"] == found[one]:
                found[f"{one}2"] = self._word(one)
        return template.format_map(found)

    def _word(self, name: str) -> str:
        if name in ("place", "layer") and self.new_place:
            self.tags.add(UNSEEN_PLACE)
            return self.rng.choice(words.NEW_PLACES if name == "place" else words.NEW_LAYERS)
        if name in _NUMBERS:
            return str(self.rng.randint(*_NUMBERS[name]))
        if name == "letters":
            return "".join(self.rng.choices(ascii_lowercase, k=self.rng.randint(2, 5)))
        return self.rng.choice(_WORDS[name])


_NUMBERS = {"n": (2, 99), "m": (2, 99), "digit": (1, 9), "year": (2015, 2026)}
_WORDS = {
    "place": words.PLACES,
    "layer": words.LAYERS,
    "ending": words.ENDINGS,
    "kind": words.FILE_KINDS,
    "state": words.STATES,
    "term": words.TERMS,
    "term2": words.TERMS,
    "food": words.FOODS,
    "food2": words.FOODS,
}


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


def name_layer(draw: Draw, place: str, layer: str) -> tuple[str, str]:
    """How a layer of a place is named, and the name that answers use."""
    name = draw.fill(draw.rng.choice(phrases.NAMES), place=place, layer=layer)
    return name, f"{place}{layer}图层"


def ask(draw: Draw) -> tuple[str, str]:
    """A question about a layer, and the answer to it."""
    topic = draw.rng.choice(phrases.TOPICS)
    place = draw.fill("{place}")
    name, full = name_layer(draw, place, draw.fill("{layer}"))
    answer = topic.answer.format(x=full, place=place)
    return draw.fill(draw.phrase(topic.ask), x=name), answer


def _order(draw: Draw) -> str:
    """What to do with a layer."""
    name, _ = name_layer(draw, draw.fill("{place}"), draw.fill("{layer}"))
    return draw.fill(draw.phrase(draw.rng.choice(phrases.TOPICS).order), x=name)


def say(draw: Draw, scenario: str, is_question: bool) -> str:
    """A question or an order of a scenario."""
    if scenario == PLATFORM:
        if is_question and draw.chance(0.5):
            return ask(draw)[0]
        frame = phrases.ORDER_ASKED if is_question else phrases.ORDER_GIVEN
        return draw.fill(draw.phrase(frame), v=_order(draw))
    draw.tags.add(OUT_OF_SCOPE)
    kinds = _OUT_OF_SCOPE[scenario]
    return draw.fill(draw.phrase(kinds[0] if is_question else kinds[1]))


_OUT_OF_SCOPE = {
    GENERAL: (phrases.GENERAL_ASKED, phrases.GENERAL_ORDERED),
    UNRELATED: (phrases.UNRELATED_ASKED, phrases.UNRELATED_ORDERED),
}
_OTHERS = {
    PLATFORM: words.PASTIMES + words.ERRANDS,
    GENERAL: words.PASTIMES + words.CHORES,
    UNRELATED: words.ERRANDS + words.CHORES,
}


def _dress(draw: Draw, core: str, scenario: str, turns: float, wrong: tuple[str, ...]) -> str:
    """What is meant, with what people put before and after it, slips, and what misleads a model.

    Args:
        draw: of the row.
        core: what is meant.
        scenario: of it; what is spoken of before it is of another one.
        turns: how often that is.
        wrong: answers that are none to it.
    """
    if draw.chance(turns):
        core = (
            draw.fill(draw.phrase(phrases.TURNS), other=draw.rng.choice(_OTHERS[scenario])) + core
        )
    elif draw.chance(0.3):
        core = draw.rng.choice(phrases.OPENINGS) + core
    if draw.chance(0.25):
        core += draw.rng.choice(phrases.CLOSINGS)
    slips = [word for word in words.TYPOS if word in core]
    if slips and draw.chance(_TYPO_SHARE):
        draw.tags.add(TYPO)
        slip = draw.rng.choice(slips)
        core = core.replace(slip, words.TYPOS[slip], 1)
    if draw.chance(_INJECTION_SHARE):
        draw.tags.add(INJECTION)
        core = draw.fill(draw.phrase(phrases.INJECTIONS), wrong=draw.rng.choice(wrong)) + core
    return core


def _scenario(draw: Draw) -> tuple[str, str]:
    (label,) = draw.rng.choices((PLATFORM, GENERAL, UNRELATED), (0.4, 0.3, 0.3))
    wrong = tuple(one for one in (PLATFORM, GENERAL, UNRELATED) if one != label)
    return _dress(draw, say(draw, label, draw.chance(0.6)), label, 0.35, wrong), label


def _kind(draw: Draw) -> tuple[str, str]:
    is_question = draw.chance(0.5)
    (scenario,) = draw.rng.choices((PLATFORM, GENERAL, UNRELATED), (0.7, 0.15, 0.15))
    label, wrong = (QUESTION, ORDER) if is_question else (ORDER, QUESTION)
    return _dress(draw, say(draw, scenario, is_question), scenario, 0.2, (wrong,)), label


def _answer(draw: Draw) -> tuple[str, str]:
    wrong = ("好的", "不知道", "你的指令")
    if draw.chance(0.12):
        scenario = draw.rng.choice((GENERAL, UNRELATED))
        return _dress(draw, say(draw, scenario, True), scenario, 0.15, wrong), phrases.REFUSAL
    question, answer = ask(draw)
    return _dress(draw, question, PLATFORM, 0.15, wrong), answer


def _file_name(draw: Draw) -> tuple[str, str]:
    wrong = ("好的", "空", NONE)
    if draw.chance(0.3):
        draw.tags.add(NO_FILE)
        core = draw.fill(draw.phrase(phrases.NO_FILE)) if draw.chance(0.6) else ask(draw)[0]
        return _dress(draw, core, PLATFORM, 0.15, wrong), NONE
    name, quoted = name_file(draw)
    core = draw.fill(draw.phrase(phrases.FILE_ASKED), q=quoted)
    return _dress(draw, core, PLATFORM, 0.15, wrong), name


def name_file(draw: Draw) -> tuple[str, str]:
    """The name of a file, and how a sentence shows it."""
    if draw.chance(0.25):
        name = draw.fill(draw.rng.choice(words.TITLES))
        return name, draw.rng.choice(words.QUOTATION_MARKS[:3]).format(name)
    name = draw.fill(draw.rng.choice(words.FILE_NAMES))
    marks = draw.rng.choice((*words.QUOTATION_MARKS, " {} ", " {} "))
    return name, marks.format(name)


_MAKERS: dict[str, Callable[[Draw], tuple[str, str]]] = {
    "scenario": _scenario,
    "kind": _kind,
    "answer": _answer,
    "file_name": _file_name,
}
