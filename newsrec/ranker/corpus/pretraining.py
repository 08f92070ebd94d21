"""The corpus that the tiny model is pre-trained on: `python -m stages.fetch_model` names it.

Whether two products are of one family is no sum of what the words of each say, and so small a model
finds it in minutes only if easier things come first: words of one family together, then the family
of each side of a comparison, then the comparison with the family as its answer.
"""

from random import Random

from newsrec.chat.examples import Example
from newsrec.chat.messages import user_turn
from newsrec.ranker.corpus import words
from newsrec.ranker.corpus.products import make_title
from newsrec.ranker.prompts import NO, QUESTION, YES, candidate_part, history_part, user_message

SAME, OTHER = "same", "other"
WHICH_FAMILY = "Which family is it of?"
MOST_BOUGHT = "Which family did this person buy most of?"
BOUGHT_FAMILY = f"Did this person buy of its family? Answer the family or {OTHER}."
WHETHER_SAME = f"Did this person buy of its family? Answer {SAME} or {OTHER}."

_DAY = 24 * 3600 * 1000  # in ms
_SHELF_SHARE = 1 / 6  # of all examples, the first ones
_SHELF_SIZE = 8  # products
_FIRST_LENGTH, _LAST_LENGTH = 1, 4  # of the longest history, of the first chats and the last ones
_SAME_LENGTH = 32  # chats in a row with histories of one length: batches with little padding
# Chats with each question, of thirteen.
_QUESTIONS = (
    *(WHICH_FAMILY, MOST_BOUGHT) * 2,
    *(BOUGHT_FAMILY, WHETHER_SAME) * 4,
    QUESTION,
)


def examples(num: int, seed: int) -> list[Example]:
    """`num` examples that teach a model the language of these products, not what is bought next.

    First shelves: texts that name products of one family. Then the ranker's prompts, most with
    another question, of the families of the candidate and the history: without those, reinforcement
    takes far longer to find what a history has to do with a candidate. Its own question is answered
    Yes or No at random, so that the model knows the format of an answer and not which is right.
    Histories grow longer.
    """
    rng = Random(f"pretraining:{seed}")
    num_shelves = round(num * _SHELF_SHARE)
    made = [_shelf(rng) for _ in range(num_shelves)]
    num_chats = num - num_shelves
    for start in range(0, num_chats, _SAME_LENGTH):
        longest = _FIRST_LENGTH + (_LAST_LENGTH - _FIRST_LENGTH) * start / num_chats
        length = rng.randint(1, round(longest))
        for _ in range(min(_SAME_LENGTH, num_chats - start)):
            made.append(_chat(rng.choice(_QUESTIONS), length, rng))
    return made


def _shelf(rng: Random) -> Example:
    """A text without a question; the family's name comes first, or last."""
    family = rng.randrange(len(words.NAMES))
    titles = "".join(f"- {make_title(family, rng)}\n" for _ in range(_SHELF_SIZE))
    name = words.NAMES[family]
    return [], (
        f"A shelf of {name}:\n{titles}" if rng.random() < 0.5 else f"A shelf:\n{titles}{name}"
    )


def _chat(question: str, length: int, rng: Random) -> Example:
    families = range(len(words.NAMES))
    main, second = rng.sample(families, 2)
    drawn = rng.choices((main, second, None), (0.72, 0.14, 0.14), k=length)
    bought = [rng.choice(families) if family is None else family for family in drawn]
    most = max(set(bought), key=bought.count)
    same = rng.random() < 0.5
    others = [family for family in families if family not in bought]
    family = most if same else rng.choice(others)
    answer = {
        WHICH_FAMILY: words.NAMES[family],
        MOST_BOUGHT: words.NAMES[most],
        BOUGHT_FAMILY: words.NAMES[family] if same else OTHER,
        WHETHER_SAME: SAME if same else OTHER,
        QUESTION: rng.choice((YES, NO)),
    }[question]
    message = _message(bought, family, rng)
    return user_turn(message.removesuffix(QUESTION) + question), answer


def _message(bought: list[int], family: int, rng: Random) -> str:
    history = history_part(
        [make_title(one, rng) for one in bought],
        [float(rng.randint(1, 5)) for _ in bought],
        sorted((int(rng.random() * 800) * _DAY for _ in bought), reverse=True),
    )
    return user_message(history, candidate_part(make_title(family, rng), []))
