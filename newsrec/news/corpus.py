"""The corpus that the tiny model is pre-trained on: `python -m stages.fetch_model` names it."""

import numpy as np

from newsrec.chat.examples import Example
from newsrec.chat.messages import user_turn
from newsrec.news.mind.synthetic import TOPICS, make_title
from newsrec.news.prompts import NO, QUESTION, YES, user_message


def examples(num: int, seed: int) -> list[Example]:
    """`num` chats that teach a model the language of these titles, and no clicks.

    All are recommendation prompts. Half ask for the topic of the target instead, so that the model
    learns to find the target in a prompt and to read it. Each of the others occurs twice,
    once with Yes and once with No, so that the model knows the format of an answer and nothing
    about what is clicked: with a coin toss it would learn the luck of the coin.
    """
    rng = np.random.default_rng(seed)
    names = list(TOPICS)
    chats: list[Example] = []
    while len(chats) < num:
        for asks_for_topic in (True, True, False):
            topic = int(rng.integers(len(TOPICS)))
            history, liked, disliked = (
                [make_title(int(rng.integers(len(TOPICS))), rng) for _ in range(rng.integers(4))]
                for _ in range(3)
            )
            message = user_message(history, liked, disliked, make_title(topic, rng))
            if asks_for_topic:
                message = message.replace(QUESTION, "Which topic has the target news?")
                chats.append((user_turn(message), names[topic]))
            else:
                chats += [(user_turn(message), YES), (user_turn(message), NO)]
    return chats[:num]
