"""What the card of a trained model says of the ranker: `python -m stages.merge` names this module.

A word that changes here writes the merged model's folder again, and what follows from it.
"""

from collections.abc import Mapping

from newsrec.ranker.prompts import candidate_part, history_part, user_message
from newsrec.report.card import TaskCard

_LIMITS = (
    "It answers one question in one form, the prompt above; anything else it may answer in any "
    "way.",
    "Its score puts the candidates of one list in order. It is not the probability of a purchase, "
    "and scores of different lists cannot be compared.",
    "It learned from the target and products drawn at random, among which a target is easy to "
    "find; how it ranks a whole catalogue was not measured.",
    "It learned what the customers of one site bought and rated, in the months that were used; "
    "what the site showed them is part of it.",
    "Another language, site or category was not measured.",
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The ranker's part of its card.

    Args:
        protocol: of the training; `rl` is there where it was trained by reinforcement.
    """
    month = 30 * 24 * 3600 * 1000
    example = user_message(
        history_part(["Steel guitar strings"], [5.0], [2 * month]),
        candidate_part("Guitar tuner", ["Description: Clips on the head of a guitar."]),
    )
    further = "rl" in protocol
    return TaskCard(
        title="A product ranker",
        purpose=(
            "It is shown what a person bought and one more product, and asked whether the person "
            "will buy it next; the logit of Yes minus that of No ranks the products. "
            + ("It was trained on answers first, and then on whole lists. " if further else "")
            + f"What it is asked, as the user's turn of a chat:\n\n```\n{example}\n```"
        ),
        data=(
            "Ratings and products in the form of [Amazon Reviews 2023]"
            "(https://amazon-reviews-2023.github.io); the table below says where from. No row of "
            "them is part of this model's files."
        ),
        licence="The data keep the terms of their source.",
        limits=_LIMITS,
        tags=("product-recommendation", "ranking"),
    )
