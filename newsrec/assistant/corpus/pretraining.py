"""The corpus that the tiny base is pre-trained on; `python -m stages.fetch_model` names its module.

As a base from a hub can, this one can read the language of the made-up platform and copy text,
without which a few hundred rows teach it no name (docs/LOG.md). As such a base it has read the
names of places and layers, those of the test split too, but none of its phrases. It knows nothing
of the four tasks: no prompt of theirs is here.
"""

from random import Random
from typing import TYPE_CHECKING

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.sentences import (
    GENERAL,
    PLATFORM,
    UNRELATED,
    Draw,
    ask,
    name_file,
    name_layer,
    say,
)
from newsrec.chat.messages import user_turn

if TYPE_CHECKING:  # PyTorch takes seconds to import
    from newsrec.models.tiny import Example

_TEXT_SHARE = 0.3
# What is asked of {text}, which holds what is to be copied.
_COPY = ("照抄一遍：{text}", "请重复：{text}", "{text}\n把上面这行再写一遍")
_QUOTED = ("写出引号里的字：{text}", "{text}\n引号里写了什么")
_PLACE = ("写出地名：{text}", "{text}\n说的是哪里")
_LAYER = ("写出图层的全名：{text}", "{text}\n说的是哪个图层")
_LATIN = "abcdefghijklmnopqrstuvwxyz0123456789_-."
_SUFFIXES = "市区县镇"


def examples(num: int, seed: int) -> "list[Example]":
    """`num` examples: texts to be continued from nothing, and chats that ask for a copy."""
    rng = Random(f"pretraining:{seed}")
    return [_text(rng) if rng.random() < _TEXT_SHARE else _copy(rng) for _ in range(num)]


def _text(rng: Random) -> "Example":
    """What users say, and what is known of a layer."""
    draw = _draw(rng)
    return [], ask(draw)[1] if draw.chance(0.3) else _said(draw)


def _said(draw: Draw) -> str:
    scenario = draw.rng.choice((PLATFORM, PLATFORM, GENERAL, UNRELATED))
    return say(draw, scenario, draw.chance(0.5))


def _copy(rng: Random) -> "Example":
    draw = _draw(rng)
    kind = rng.choice(
        (_from_all, _from_quotes, _from_quotes, _from_place, _from_layer, _from_layer)
    )
    return kind(draw)


def _from_all(draw: Draw) -> "Example":
    text = _said(draw) if draw.chance(0.3) else _name(draw.rng)
    return _chat(draw, _COPY, text, text)


def _from_quotes(draw: Draw) -> "Example":
    """A name in quotation marks, in a sentence about a file or in any other."""
    name = name_file(draw)[0] if draw.chance(0.4) else _name(draw.rng)
    quoted = draw.rng.choice(words.QUOTATION_MARKS).format(name)
    if draw.chance(0.5):
        said = _said(draw)
        cut = draw.rng.randint(0, len(said))
        return _chat(draw, _QUOTED, said[:cut] + quoted + said[cut:], name)
    frame = draw.rng.choice([one for one in phrases.FILE_ASKED.known if "state" not in one])
    return _chat(draw, _QUOTED, draw.fill(frame, q=quoted), name)


def _from_place(draw: Draw) -> "Example":
    place = _place(draw)
    frames = [one for one in phrases.UNRELATED_ASKED.known if "{place}" in one]
    return _chat(draw, _PLACE, draw.fill(draw.rng.choice(frames), place=place), place)


def _from_layer(draw: Draw) -> "Example":
    """A layer of a place, however it is named, as answers name it."""
    place, layer = _place(draw), draw.fill("{layer}") if draw.chance(0.4) else _name(draw.rng)
    name, full = name_layer(draw, place, layer)
    topic = draw.rng.choice(phrases.TOPICS)
    text = draw.rng.choice(topic.ask.known).format(x=name)
    return _chat(draw, _LAYER, text, full)


def _place(draw: Draw) -> str:
    if draw.chance(0.6):
        return draw.fill("{place}")
    return draw.rng.choice(_PIECES) + draw.rng.choice(_SUFFIXES)


def _name(rng: Random) -> str:
    """A name that no text holds, of words that texts hold, of letters and of digits."""
    pieces = rng.choices(_PIECES, k=rng.randint(1, 3))
    if rng.random() < 0.3:
        pieces.append("".join(rng.choices(_LATIN, k=rng.randint(1, 4))))
    rng.shuffle(pieces)
    return "".join(pieces)


def _draw(rng: Random) -> Draw:
    return Draw(rng, new_place=rng.random() < 0.4)


def _chat(draw: Draw, asked: tuple[str, ...], text: str, answer: str) -> "Example":
    return user_turn(draw.rng.choice(asked).format(text=text)), answer


_PIECES = (
    *(*words.PLACES, *words.NEW_PLACES, *words.LAYERS, *words.NEW_LAYERS, *words.FILE_KINDS),
    *(*words.STATES, *words.TERMS, *words.FOODS, *words.PASTIMES, *words.ENDINGS),
    *(f"{year}" for year in range(2015, 2027)),
)
