"""What the card of a trained model says of the ranker."""

from collections.abc import Mapping

from newsrec.ranker.prompts import NO, YES
from newsrec.report.card import TaskCard

_LIMITS = (
    "Its score is log P(Yes) - log P(No) at the first answer token, comparable within one list "
    "alone: across lists or people it means nothing, and it is no probability of buying.",
    "It was trained and measured on lists of a target and others that were drawn at random: how it "
    "ranks a whole catalogue, or candidates that another system chose, was not measured.",
    "It reads the last products of a history and not their order of importance; somebody without a "
    "history gets what is popular with the model.",
    "Who bought a product is taken as who liked it, whatever the rating was.",
    "It learned the habits of a site's reviewers over some years, and their prejudices.",
    "New products, other categories, other languages and other prompts were not measured.",
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The ranker's part of its card.

    Args:
        protocol: of the training.
    """
    trained = protocol.get("rl")
    how = (
        f"It was first fine-tuned on answers, then trained by reinforcement ({trained}) on whole "
        "lists."
        if trained
        else "It was fine-tuned on answers about single products, and not trained on whole lists."
    )
    return TaskCard(
        title="A ranker of products for a person",
        purpose=(
            "It orders candidate products by how likely a person buys them next, given what they "
            f"bought before. One chat message per candidate asks whether they will, and {YES} "
            f"against {NO} is the score. {how}"
        ),
        data=(
            "Ratings of products with their titles and descriptions; by default made up on the "
            f"spot, else Amazon Reviews 2023. Lists: {protocol.get('lists', 'not recorded')}. No "
            "row of them is part of this model's files."
        ),
        licence="The data: whatever holds for them where they came from.",
        limits=_LIMITS,
        tags=("recommendation", "ranking"),
    )
