"""The task's part of a trained ranker's card; `python -m stages.merge` gets this module's name.

If any text here changes, DVC runs the merge stage and all stages after it again.
"""

from collections.abc import Mapping

from newsrec.ranker.prompts import candidate_part, history_part, user_message
from newsrec.report.card import TaskCard

_LIMITS = (
    "The model answers one question in one format, the prompt above. Its answers to any other "
    "prompt are unpredictable.",
    "Its score ranks the candidates of one list. It is not the probability of a purchase, and "
    "scores of different lists cannot be compared.",
    "The model was trained on lists of a target and randomly sampled products, in which the target "
    "is easy to find. Its ranking of a full catalogue was not evaluated.",
    "The model learned what the customers of one site bought and rated in the training period. "
    "Their purchases also depend on what the site showed them.",
    "Other languages, sites and categories were not evaluated.",
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The ranker's part of its card.

    Args:
        protocol: of the training; it has the key `rl` after reinforcement learning.
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
            "The model is given the products that a user has bought and one more product, and is "
            "asked whether the user will buy it next. The logit of Yes minus that of No ranks the "
            "products. "
            + ("It was trained on answers first, and then on whole lists. " if further else "")
            + "An example of the question, which is the user turn of a chat:"
            f"\n\n```\n{example}\n```"
        ),
        data=(
            "Ratings and products in the format of [Amazon Reviews 2023]"
            "(https://amazon-reviews-2023.github.io); the table below gives their source. This "
            "model's files include no row of them."
        ),
        licence="The terms of the source of the data apply.",
        limits=_LIMITS,
        tags=("product-recommendation", "ranking"),
    )
