"""Passages of the made-up corpus: a text made of words and phrases, and the classes that it has.

What a text says of a word decides, not the word: see `class_of`. Many texts say it across some
distance, some quote it and agree or disagree, some name two words and say something of each. Who
only counts words and phrases guesses there: the same ones are in texts of other classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from newsrec.safety.corpus import phrases
from newsrec.safety.labels import BENIGN, CLASSES

REPORT_STYLE, LONG_RANGE = "report-style", "long-range"
_UNSAFE = CLASSES[1:]
_HATE = CLASSES[1]
_OPPOSITE = {"praise": "attack", "attack": "praise"}

# The words of each class.
Words = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Passage:
    """A text, its classes without 正常 (none: it is 正常; two: it has both), and its tags."""

    text: str
    classes: tuple[str, ...]
    said: tuple[tuple[str, str], ...]  # (word, what its author thinks of it)
    tags: tuple[str, ...] = ()


def class_of(topic: str, stance: str) -> str:
    """The class of a text that says `stance` of a word of the class `topic`.

    A people must not be attacked; what is forbidden must not be praised; news of either are 正常.
    """
    unsafe = "attack" if topic == _HATE else "praise"
    return topic if topic != BENIGN and stance == unsafe else BENIGN


def make_passage(target: str, words: Words, rng: Random) -> Passage:
    """A passage of the class `target`, 正常 included."""
    kinds = _BENIGN_KINDS if target == BENIGN else _UNSAFE_KINDS
    (make,) = rng.choices(list(kinds), list(kinds.values()))
    return make(target, words, rng)


def make_double(words: Words, rng: Random) -> Passage:
    """A passage that has two unsafe classes."""
    one, other = rng.sample(_UNSAFE, 2)
    return _pair((one, _unsafe_stance(one)), (other, _unsafe_stance(other)), words, rng)


def _unsafe_stance(topic: str) -> str:
    return "attack" if topic == _HATE else "praise"


def _topic_and_stance(target: str, rng: Random, stances: Sequence[str]) -> tuple[str, str]:
    """A topic and one of `stances`, such that the passage is of the class `target`."""
    if target != BENIGN:
        return target, _unsafe_stance(target)
    while True:
        topic, stance = rng.choice(CLASSES), rng.choice(stances)
        if class_of(topic, stance) == BENIGN:
            return topic, stance


def _plain(target: str, words: Words, rng: Random) -> Passage:
    """A word and, some words later, a statement about it."""
    topic, stance = _topic_and_stance(target, rng, ("praise", "attack"))
    return _said(topic, stance, words, rng)


def _report(target: str, words: Words, rng: Random) -> Passage:
    """News of a bad thing."""
    return _said(rng.choice(_UNSAFE), "report", words, rng)


def _said(topic: str, stance: str, words: Words, rng: Random) -> Passage:
    word = rng.choice(words[topic])
    parts = _statement(word, stance, rng)
    tags = [REPORT_STYLE] * (stance == "report") + [LONG_RANGE] * (len(parts) > 1)
    return _passage([*parts, *_fillers(rng, 0, 1)], topic, word, stance, tuple(tags), rng)


def _statement(word: str, stance: str, rng: Random, most: int = 1) -> list[str]:
    """A word and a statement about it, with at most `most` sentences in between."""
    between = _fillers(rng, 0, most)
    said = rng.choice(phrases.STANCES[stance])
    link = rng.choice(phrases.LINKS)
    if stance == "report":
        link, said = ("的事", said.removeprefix("的")) if between else ("", said)
    head = _opening(rng) + word + link
    return [head, *between, said] if between else [head + said]


def _own(target: str, words: Words, rng: Random) -> Passage:
    """A word beside what only its class says."""
    word = rng.choice(words[target])
    text = word + rng.choice(phrases.OWN[target])
    parts = [_opening(rng) + text, *_fillers(rng, 0, 1)]
    return Passage(_join(parts, rng), (target,), ((word, _unsafe_stance(target)),))


def _quote(target: str, words: Words, rng: Random) -> Passage:
    """Someone's words, and then whether the author agrees."""
    topic, stance = _topic_and_stance(target, rng, ("praise", "attack"))
    # Mostly what is quoted is unsafe to say, and the author's verdict decides.
    agrees = (stance == _unsafe_stance(topic)) == (rng.random() < 0.9)
    said = stance if agrees else _OPPOSITE[stance]
    verdict = rng.choice(phrases.AGREE if agrees else phrases.REJECT)
    word = rng.choice(words[topic])
    quoted = word + rng.choice(phrases.STANCES[said])
    between = _fillers(rng, 0, 1)
    parts = [
        rng.choice(phrases.QUOTES).format(f"“{quoted}”"),
        *between,
        verdict,
        *_fillers(rng, 0, 1),
    ]
    return _passage(parts, topic, word, stance, (LONG_RANGE,) if between else (), rng)


def _news_quote(target: str, words: Words, rng: Random) -> Passage:
    """A warning that quotes what it warns of, word for word."""
    topic = rng.choice(_UNSAFE)
    said = (*phrases.OWN[topic], *phrases.STANCES[_unsafe_stance(topic)])
    word = rng.choice(words[topic])
    quoted = rng.choice(phrases.NEWS).format(f"“{word}{rng.choice(said)}”")
    parts = [quoted, *_fillers(rng, 0, 1), rng.choice(phrases.NEWS_ENDS), *_fillers(rng, 0, 1)]
    return Passage(_join(parts, rng), (), ((word, "report"),), (REPORT_STYLE,))


def _two(target: str, words: Words, rng: Random) -> Passage:
    """Two words, then a statement about the first and one about the second."""
    return _pair(*_one_of_two(target, rng), words, rng)


def _one_of_two(target: str, rng: Random) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two topics, each with a stance: one makes the passage's class, the other none."""
    stances = ("praise", "attack", "report")
    one = _topic_and_stance(target, rng, stances)
    while True:
        other = _topic_and_stance(BENIGN, rng, stances)
        if other[0] != one[0]:
            return one, other


def _in_turn(target: str, words: Words, rng: Random) -> Passage:
    """A word and a statement about it, then another word and a statement about that."""
    one, other = _one_of_two(target, rng)
    if rng.random() < 0.5:
        one, other = other, one
    names = [rng.choice(words[topic]) for topic, _ in (one, other)]
    parts = [
        part
        for name, (_, stance) in zip(names, (one, other), strict=True)
        for part in _statement(name, stance, rng, most=0)
    ]
    parts += _fillers(rng, 0, 1)
    return _two_said(parts, names, (one, other), (), rng)


def _pair(one: tuple[str, str], other: tuple[str, str], words: Words, rng: Random) -> Passage:
    if rng.random() < 0.5:
        one, other = other, one
    names = [rng.choice(words[topic]) for topic, _ in (one, other)]
    said = [rng.choice(phrases.STANCES[stance]) for _, stance in (one, other)]
    parts = [
        rng.choice(phrases.PAIRS).format(*names),
        *_fillers(rng, 0, 1),
        phrases.FIRST + said[0],
        phrases.SECOND + said[1],
        *_fillers(rng, 0, 1),
    ]
    return _two_said(parts, names, (one, other), (LONG_RANGE,), rng)


def _two_said(
    parts: list[str],
    names: list[str],
    facts: tuple[tuple[str, str], tuple[str, str]],
    tags: tuple[str, ...],
    rng: Random,
) -> Passage:
    found = [class_of(topic, stance) for topic, stance in facts]
    classes = tuple(name for name in found if name != BENIGN)
    said = tuple((name, stance) for name, (_, stance) in zip(names, facts, strict=True))
    return Passage(_join(parts, rng), classes, said, tags)


def _passage(
    parts: list[str], topic: str, word: str, stance: str, tags: tuple[str, ...], rng: Random
) -> Passage:
    found = class_of(topic, stance)
    return Passage(_join(parts, rng), () if found == BENIGN else (found,), ((word, stance),), tags)


def _opening(rng: Random) -> str:
    return rng.choice(phrases.OPENINGS) if rng.random() < 0.5 else ""


def _fillers(rng: Random, least: int, most: int) -> list[str]:
    """Sentences of everyday life, which say nothing of a word."""
    return [
        rng.choice(phrases.FILLERS).format(
            person=rng.choice(phrases.PEOPLE),
            place=rng.choice(phrases.PLACES),
            deed=rng.choice(phrases.DEEDS),
            number=rng.randint(2, 99),
        )
        for _ in range(rng.randint(least, most))
    ]


def _join(parts: Sequence[str], rng: Random) -> str:
    return "，".join(parts) + rng.choice(("。", "！", "", "…"))


_Make = Callable[[str, Words, Random], Passage]
# How often each kind is made.
_UNSAFE_KINDS: dict[_Make, float] = {
    _plain: 0.53,
    _own: 0.17,
    _in_turn: 0.15,
    _quote: 0.12,
    _two: 0.03,
}
_BENIGN_KINDS: dict[_Make, float] = {
    _plain: 0.37,
    _report: 0.15,
    _news_quote: 0.17,
    _in_turn: 0.16,
    _quote: 0.12,
    _two: 0.03,
}
