"""The unlabelled text that the tiny base reads: `python -m stages.fetch_model` names this module.

As a base from a hub has read of words that no labelled row holds, so has this one: the words of
`words.UNLABELLED` are in its text. It names no class. Lists put a word beside others of its
kind, and replies to a passage say again what its author thinks of which word. All is in the one
spelling that the classifier reads.
"""

from random import Random

from newsrec.chat.examples import Example
from newsrec.safety.corpus.passages import Passage, make_passage
from newsrec.safety.corpus.words import LABELLED, UNLABELLED
from newsrec.safety.labels import CLASSES
from newsrec.safety.normalisation import normalise

_LIST_SHARE = 0.25
_REPLY_SHARE = 0.6  # of the passages
_LISTS = ("{}都是一路的", "常说的有{}", "{}归在一起", "分不清{}", "这里收着{}")
_REPLIES = {
    "praise": ("他在夸{}", "他想要{}"),
    "attack": ("他讨厌{}", "他看不惯{}"),
    "report": ("他只转述{}", "新闻讲{}"),
}


def examples(num: int, seed: int) -> list[Example]:
    """`num` texts without a prompt, each to be continued from nothing."""
    rng = Random(f"unlabelled:{seed}")
    return [([], _text(rng)) for _ in range(num)]


def _text(rng: Random) -> str:
    words = {name: LABELLED[name] + UNLABELLED[name] for name in CLASSES}
    if rng.random() < _LIST_SHARE:
        listed = rng.sample(words[rng.choice(CLASSES)], rng.randint(3, 6))
        return normalise(rng.choice(_LISTS).format("、".join(listed)))
    passage = make_passage(rng.choice(CLASSES), words, rng)
    text = normalise(passage.text)
    if rng.random() < _REPLY_SHARE:
        return f"{text}\n{normalise(_reply(passage, rng))}"
    return text


def _reply(passage: Passage, rng: Random) -> str:
    said = rng.sample(passage.said, len(passage.said))
    return "，".join(rng.choice(_REPLIES[stance]).format(word) for word, stance in said)
