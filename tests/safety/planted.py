"""Made-up labelled texts, some of them near copies of others; for tests of the extraction."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from newsrec.safety.labels import CLASSES

_FIRST, _NUM_CHARACTERS = 0x4E00, 2_000


@dataclass(frozen=True)
class Text:
    """What the synthetic corpus yields, and which text it is a near copy of."""

    id: str
    text: str
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    copy_of: str | None


def texts(num: int, seed: int, share: float = 0.08) -> Iterator[Text]:
    """`num` texts of 20 to 120 characters; a share are copies with a few characters changed."""
    rng = random.Random(seed)
    made: list[Text] = []
    for number in range(num):
        label = CLASSES[number % len(CLASSES)]
        source = rng.choice(made) if made and rng.random() < share else None
        one = Text(
            id=f"d{number:06d}",
            text=_changed(source.text, rng) if source else _words(rng.randint(20, 120), rng),
            labels=source.labels if source else (label,),
            tags=("copy",) if source else (),
            copy_of=source.id if source else None,
        )
        made.append(one)
        yield one


def _words(num: int, rng: random.Random) -> str:
    return "".join(_character(rng) for _ in range(num))


def _character(rng: random.Random) -> str:
    return chr(_FIRST + rng.randrange(_NUM_CHARACTERS))


def _changed(text: str, rng: random.Random) -> str:
    """One character in 30 replaced, dropped or doubled, and something said before or after."""
    characters = list(text)
    for _ in range(max(1, len(text) // 30)):
        place = rng.randrange(len(characters))
        characters[place] = rng.choice(["", _character(rng), 2 * characters[place]])
    return rng.choice(["转发：", "", "【" + _character(rng) + "】"]) + "".join(characters)
