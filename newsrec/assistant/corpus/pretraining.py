"""The corpus that the tiny base is pre-trained on; `python -m stages.fetch_model` names its module.

As a base from a hub can, this one can read the language of the made-up platform, say what a
sentence is about and what its speaker wants, say it in other words, and copy text, without which a
few hundred rows teach it no name (docs/LOG.md). As such a base it has read the names of places and
layers, those of the test split too, but none of its phrases. No prompt of the four tasks and none
of their labels is here, only lists of the words that they are made of.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.sentences import (
    GENERAL,
    PLATFORM,
    UNRELATED,
    Draw,
    ask,
    dress,
    name_file,
    name_layer,
    say,
)
from newsrec.chat.examples import Example
from newsrec.chat.messages import user_turn

# Of the examples; the rest are copies.
_TEXT_SHARE, _ABOUT_SHARE, _WANTED_SHARE, _FILE_SHARE, _WORDS_SHARE = 0.12, 0.12, 0.24, 0.18, 0.01
_REPHRASED_SHARE = 0.18
# Of the prompts and labels of the tasks. The tokenizer splits words that are not in its corpus into
# single bytes.
_PROMPT_WORDS = (
    *("任务", "输入", "问题", "场景", "类型", "分类", "回答", "文件", "名称", "提取"),
    *("相关", "通用", "无关", "处理", "无"),
)
# What is asked of {text}, and the answers.
_ABOUT = ("这句话说的是什么：{text}", "{text}\n上面在说什么")
_TOPICS = {PLATFORM: "平台上的数据", GENERAL: "一般知识", UNRELATED: "闲聊"}
_WANTED = ("说话的人想要什么：{text}", "{text}\n上面是想知道还是想办")
_WANTS = {True: "想知道", False: "想办"}
_FILE = ("写出文件：{text}", "{text}\n提到了哪个文件")
_NO_FILE = "没有提到"
_REPHRASE = ("换个说法：{text}", "{text}\n把这句话换个说法")
# What is asked of {text}, which holds what is to be copied.
_COPY = ("照抄一遍：{text}", "请重复：{text}", "{text}\n把上面这行再写一遍")
_QUOTED = ("写出引号里的字：{text}", "{text}\n引号里写了什么")
_PLACE = ("写出地名：{text}", "{text}\n说的是哪里")
_LAYER = ("写出图层的全名：{text}", "{text}\n说的是哪个图层")
_LATIN = "abcdefghijklmnopqrstuvwxyz0123456789_-."
_SUFFIXES = "市区县镇"

_PIECES = (
    *(*words.PLACES, *words.NEW_PLACES, *words.LAYERS, *words.NEW_LAYERS, *words.FILE_KINDS),
    *(*words.STATES, *words.TERMS, *words.PREFIXES, *words.FOODS, *words.PASTIMES, *words.ENDINGS),
    *map(str, words.YEARS),
)
# Of those no slip of the keyboard changes: a name must be in its sentence.
_SPELT_RIGHT = tuple(piece for piece in _PIECES if not any(word in piece for word in words.TYPOS))


def examples(num: int, seed: int) -> list[Example]:
    """`num` examples: texts to be continued from nothing, and chats about a sentence."""
    rng = Random(f"pretraining:{seed}")
    shares = {_text: _TEXT_SHARE, _about: _ABOUT_SHARE, _wanted: _WANTED_SHARE, _file: _FILE_SHARE}
    shares |= {_words: _WORDS_SHARE, _rephrased: _REPHRASED_SHARE}
    shares[_copy] = 1 - sum(shares.values())
    kinds, weights = list(shares), list(shares.values())
    return [rng.choices(kinds, weights)[0](rng) for _ in range(num)]


def _text(rng: Random) -> Example:
    """What users say, and what is known of a layer."""
    draw = _draw(rng)
    return [], ask(draw)[1] if draw.chance(0.3) else _said(draw)


def _words(rng: Random) -> Example:
    """Lists of words, in no order that has a meaning."""
    lines = [rng.sample(_PROMPT_WORDS, 4) for _ in range(2)]
    return [], "\n\n".join("、".join(line) for line in lines)


def _said(draw: Draw) -> str:
    scenario = draw.rng.choice((PLATFORM, PLATFORM, GENERAL, UNRELATED))
    return say(draw, scenario, draw.chance(0.5))


def _about(rng: Random) -> Example:
    """What a sentence is about."""
    draw = _draw(rng)
    scenario = rng.choice(tuple(_TOPICS))
    return _read(draw, _ABOUT, say(draw, scenario, draw.chance(0.5)), scenario, _TOPICS, scenario)


def _wanted(rng: Random) -> Example:
    """Whether a speaker wants to know or to have something done."""
    draw = _draw(rng)
    scenario, asks = rng.choice((PLATFORM, PLATFORM, GENERAL, UNRELATED)), draw.chance(0.5)
    return _read(draw, _WANTED, say(draw, scenario, asks), scenario, _WANTS, asks)


def _read(
    draw: Draw,
    asked: tuple[str, ...],
    text: str,
    scenario: str,
    answers: Mapping[Any, str],
    right: str | bool,
) -> Example:
    wrong = tuple(answer for key, answer in answers.items() if key != right)
    return _chat(draw, asked, dress(draw, text, scenario, 0.3, wrong), answers[right])


def _file(rng: Random) -> Example:
    """The file that a sentence names."""
    draw = _draw(rng)
    if draw.chance(0.25):
        has_words_of_files = draw.chance(0.6)
        text = draw.fill(draw.phrase(phrases.NO_FILE)) if has_words_of_files else ask(draw)[0]
        name = _NO_FILE
    else:
        # Half the names are such as no row has: what is learned is to copy, not to guess a name.
        name, quoted = name_file(draw) if draw.chance(0.5) else _quoted_name(draw)
        text = draw.fill(draw.phrase(phrases.FILE_ASKED), q=quoted)
    return _chat(draw, _FILE, dress(draw, text, PLATFORM, 0.15, ("好的", "空")), name)


def _quoted_name(draw: Draw) -> tuple[str, str]:
    """The name of a file, and how a sentence shows it; see `name_file`."""
    name = draw.fill(_name(draw.rng, _SPELT_RIGHT) + ".{ending}")
    return name, draw.rng.choice((*words.QUOTATION_MARKS, " {} ")).format(name)


def _rephrased(rng: Random) -> Example:
    """A question or an order about a layer, and the same in other words."""
    draw = _draw(rng)
    topic = rng.choice(phrases.TOPICS)
    said = topic.ask if draw.chance(0.8) else topic.order
    name, _ = name_layer(draw, _place(draw), _layer(draw))
    text, other = (one.format(x=name) for one in rng.sample(said.known, 2))
    return _chat(draw, _REPHRASE, dress(draw, text, PLATFORM, 0.15, ("好的", "不知道")), other)


def _copy(rng: Random) -> Example:
    draw = _draw(rng)
    kind = rng.choice(
        (_from_all, _from_quotes, _from_quotes, _from_place, _from_layer, _from_layer)
    )
    return kind(draw)


def _from_all(draw: Draw) -> Example:
    text = _said(draw) if draw.chance(0.3) else _name(draw.rng)
    return _chat(draw, _COPY, text, text)


def _from_quotes(draw: Draw) -> Example:
    """A name in quotation marks, in a sentence about a file or in any other."""
    name = name_file(draw)[0] if draw.chance(0.4) else _name(draw.rng)
    quoted = draw.rng.choice(words.QUOTATION_MARKS).format(name)
    if draw.chance(0.5):
        said = _said(draw)
        cut = draw.rng.randint(0, len(said))
        return _chat(draw, _QUOTED, said[:cut] + quoted + said[cut:], name)
    frame = draw.rng.choice([one for one in phrases.FILE_ASKED.known if "state" not in one])
    return _chat(draw, _QUOTED, draw.fill(frame, q=quoted), name)


def _from_place(draw: Draw) -> Example:
    place = _place(draw)
    frames = [one for one in phrases.UNRELATED_ASKED.known if "{place}" in one]
    return _chat(draw, _PLACE, draw.fill(draw.rng.choice(frames), place=place), place)


def _from_layer(draw: Draw) -> Example:
    """A layer of a place, however it is named, as answers name it."""
    name, full = name_layer(draw, _place(draw), _layer(draw))
    topic = draw.rng.choice(phrases.TOPICS)
    text = draw.rng.choice(topic.ask.known).format(x=name)
    return _chat(draw, _LAYER, text, full)


def _place(draw: Draw) -> str:
    if draw.chance(0.6):
        return draw.fill("{place}")
    return draw.rng.choice(_PIECES) + draw.rng.choice(_SUFFIXES)


def _layer(draw: Draw) -> str:
    return draw.fill("{layer}") if draw.chance(0.4) else _name(draw.rng)


def _name(rng: Random, words_of: Sequence[str] = _PIECES) -> str:
    """A name that no text holds, of words that texts hold, of letters and of digits."""
    pieces = rng.choices(words_of, k=rng.randint(1, 3))
    if rng.random() < 0.3:
        pieces.append("".join(rng.choices(_LATIN, k=rng.randint(1, 4))))
    rng.shuffle(pieces)
    return "".join(pieces)


def _draw(rng: Random) -> Draw:
    return Draw(rng, new_place=rng.random() < 0.5)


def _chat(draw: Draw, asked: tuple[str, ...], text: str, answer: str) -> Example:
    return user_turn(draw.rng.choice(asked).format(text=text)), answer
