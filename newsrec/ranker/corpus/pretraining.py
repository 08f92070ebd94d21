"""The corpus that the tiny model is pre-trained on: `python -m stages.fetch_model` names it."""

from random import Random

from newsrec.chat.messages import user_turn
from newsrec.models.tiny import Example
from newsrec.ranker.corpus import words
from newsrec.ranker.corpus.products import make_description, make_title
from newsrec.ranker.prompts import NO, QUESTION, YES, candidate_part, history_part, user_message

_DAY = 24 * 3600 * 1000  # in ms
SAME, OTHER = "same", "other"
WHICH_FAMILY = "Which family is it of?"
WHETHER_SAME = f"Is it of a family that this person bought? Answer {SAME} or {OTHER}."


def examples(num: int, seed: int) -> list[Example]:
    """`num` chats that teach a model the language of these products, and nothing of what is bought.

    All are the ranker's prompts. Some ask for the family of the candidate instead, and some whether
    it is one of those bought: without that, reinforcement takes far longer to find what a history
    has to do with a candidate. The others are there twice, once with Yes and once with No, so that
    the model knows the format of an answer and nothing about which is right.
    """
    rng = Random(f"pretraining:{seed}")
    chats: list[Example] = []
    while len(chats) < num:
        for question in (WHICH_FAMILY, WHETHER_SAME, WHETHER_SAME, WHETHER_SAME, QUESTION):
            same = rng.random() < 0.5
            main, stray = rng.sample(range(len(words.NAMES)), 2)
            bought = [main if rng.random() < 0.8 else stray for _ in range(rng.randint(1, 8))]
            others = [family for family in range(len(words.NAMES)) if family not in bought]
            family = max(set(bought), key=bought.count) if same else rng.choice(others)
            message = _message(bought, family, rng)
            if question == QUESTION:
                chats += [(user_turn(message), YES), (user_turn(message), NO)]
            else:
                asked = message.replace(QUESTION, question)
                answer = SAME if same else OTHER
                if question == WHICH_FAMILY:
                    answer = words.NAMES[family]
                chats.append((user_turn(asked), answer))
    return chats[:num]


def _message(bought: list[int], family: int, rng: Random) -> str:
    history = history_part(
        [make_title(one, rng) for one in bought],
        [float(rng.randint(1, 5)) for _ in bought],
        sorted((int(rng.random() * 800) * _DAY for _ in bought), reverse=True),
    )
    description = " ".join(make_description(family, rng))
    facts = [f"Description: {description}"] if description else []
    return user_message(history, candidate_part(make_title(family, rng), facts))
