"""What the card of a tuned model says of the news: `python -m stages.merge` names this module.

A word that changes here writes the merged model's folder again, and what follows from it.
"""

from collections.abc import Mapping

from newsrec.news.prompts import user_message
from newsrec.report.card import TaskCard

# By where the data came from: what they are, their licence, and their name on the hub.
_DATA = {
    "synthetic": (
        "Made-up news and clicks in the form of MIND, drawn from a seed: no real article, no real "
        "user.",
        "The data were made by the code of the project, under its licence (Apache-2.0).",
        (),
    ),
    "huggingface": (
        "[MIND](https://msnews.github.io), the Microsoft News Dataset: English news and the clicks "
        "of users of Microsoft News in November 2019. No row of it is part of this model's files.",
        "The data, MIND: Microsoft Research License Terms, for non-commercial research alone; a "
        "model trained on them is no wider in its use than they are.",
        ("Recommenders/MIND",),
    ),
    "local": (
        "Files in the form of [MIND](https://msnews.github.io) that were on the machine which "
        "trained the model. Whose they are is not recorded.",
        "The data: whatever holds for those files. MIND's own are for non-commercial research "
        "alone (Microsoft Research License Terms).",
        (),
    ),
}
_LIMITS = (
    "It answers one question in one form, the prompt above; anything else it may answer in any "
    "way.",
    "P(Yes) puts the candidates of an impression in order. It is no chance of a click until it is "
    "calibrated on data of the place where the model is used.",
    "It learned what the users of one site clicked in a few days, and what that site showed them "
    "and where: popularity and position are part of it.",
    "The figures hold for the protocol that is named with them. Another language, site or year "
    "was not measured.",
    "Titles from the training data can be repeated word for word.",
)
_LEAKING = (
    "The prompt shows what became of the other candidates of the same impression, which gives the "
    "answer away: a model for comparison alone."
)


def task_card(protocol: Mapping[str, str]) -> TaskCard:
    """The news recommender's part of its card.

    Args:
        protocol: of the training; `data` begins with the source that it was fetched from.
    """
    data, licence, datasets = _DATA[protocol["data"].partition(",")[0]]
    leaks = protocol["feedback"] == "same_impression"
    example = user_message(
        ["Cup final tonight"], ["Five goals in the derby"], [], "Coach looks back on the season"
    )
    return TaskCard(
        title="A news recommender",
        purpose=(
            "It is shown what a user read and one more title, and asked whether the user will "
            "click it; P(Yes) of the first token of the answer ranks the titles. What it is asked, "
            f"as the user's turn of a chat:\n\n```\n{example}\n```"
        ),
        data=data,
        licence=licence,
        limits=(*([_LEAKING] if leaks else []), *_LIMITS),
        datasets=datasets,
        tags=("news-recommendation", "recommendation"),
    )
