"""Made-up products: a title and a description that tell something of the family."""

from dataclasses import dataclass
from random import Random

from newsrec.ranker.corpus import words

# The rest has words of every family there. Lower: a text says less of its family.
_THING_SHARE, _LOOK_SHARE, _USE_SHARE = 0.95, 0.6, 0.95
_DESCRIBED_SHARE = 0.8


@dataclass(frozen=True)
class Product:
    """A product, and what the generator knows of it and a file does not."""

    title: str
    description: list[str]  # the parts of it, as the real files have it
    family: int  # its place in `words.NAMES`


def make_product(family: int, rng: Random) -> Product:
    """A product such as `Norvale cedar birdbath, green`."""
    return Product(make_title(family, rng), make_description(family, rng), family)


def make_title(family: int, rng: Random) -> str:
    """A title whose words are, in part, of the family."""
    things, looks, _ = words.FAMILIES[words.NAMES[family]]
    thing = rng.choice(things.split() if rng.random() < _THING_SHARE else words.COMMON_THINGS)
    look = rng.choice(looks.split() if rng.random() < _LOOK_SHARE else words.COMMON_LOOKS)
    tail = f", {rng.choice(words.TAILS)}" if rng.random() < 0.6 else ""
    return f"{rng.choice(words.BRANDS)} {look} {thing}{tail}"


def make_description(family: int, rng: Random) -> list[str]:
    """No text, or a sentence, in part about what the family is for."""
    if rng.random() >= _DESCRIBED_SHARE:
        return []
    if rng.random() >= _USE_SHARE:
        return [words.EMPTY_SENTENCE]
    things, _, uses = words.FAMILIES[words.NAMES[family]]
    shown = rng.choice(things.split()), rng.choice(uses.split())
    return [rng.choice(words.SENTENCES).format(*shown)]
