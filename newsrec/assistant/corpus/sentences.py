"""Sentences of the made-up data platform, drawn piece by piece."""

from dataclasses import dataclass, field
from random import Random
from string import Formatter

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.phrases import Phrases

UNSEEN_PHRASING, UNSEEN_PLACE, OUT_OF_SCOPE = "unseen-phrasing", "unseen-place", "out-of-scope"
TYPO, INJECTION = "typo", "injection"

PLATFORM, GENERAL, UNRELATED = "数据平台相关问题", "通用问题", "无关问题"

_TYPO_SHARE, _INJECTION_SHARE = 0.08, 0.07


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
        return str(self.rng.choice(_WORDS[name]))


_NUMBERS = {"n": (2, 99), "m": (2, 99), "digit": (1, 9)}
_WORDS = {
    "place": words.PLACES,
    "layer": words.LAYERS,
    "ending": words.ENDINGS,
    "kind": words.FILE_KINDS,
    "prefix": words.PREFIXES,
    "year": words.YEARS,
    "state": words.STATES,
    "term": words.TERMS,
    "term2": words.TERMS,
    "food": words.FOODS,
    "food2": words.FOODS,
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


def name_file(draw: Draw) -> tuple[str, str]:
    """The name of a file, and how a sentence shows it."""
    if draw.chance(0.25):
        name = draw.fill(draw.rng.choice(words.TITLES))
        return name, draw.rng.choice(words.QUOTATION_MARKS[:3]).format(name)
    name = draw.fill(draw.rng.choice(words.FILE_NAMES))
    marks = draw.rng.choice((*words.QUOTATION_MARKS, " {} ", " {} "))
    return name, marks.format(name)


_OTHERS = {
    PLATFORM: words.PASTIMES + words.ERRANDS,
    GENERAL: words.PASTIMES + words.CHORES,
    UNRELATED: words.ERRANDS + words.CHORES,
}


def dress(draw: Draw, core: str, scenario: str, turns: float, wrong: tuple[str, ...]) -> str:
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
