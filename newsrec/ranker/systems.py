"""The systems that rank the lists: their names, which are also file names, and descriptions."""

import re
from collections.abc import Iterable

from newsrec.errors import UserError

METHODS = ("exact", "softmax", "group", "ppo")  # reinforcement learning and its baseline
# Language models whose score is a logit; only from these can a random order be sampled.
POLICIES = (*METHODS, "sft", "base")

# Baselines that use information from after the test period: they show the effect of a leak.
LEAKS = ("rating_number",)

WORDS = {
    "exact": "exact expected NDCG",
    "softmax": "supervised softmax over the list",
    "group": "a policy gradient over many sampled orders",
    "ppo": "PPO as published",
    "sft": "the model fine-tuned on answers",
    "base": "the untuned base model",
    "random": "one random order",
    "popularity": "popularity before the time of the list",
    "rating_number": "the number of ratings, counted after the test period",
    "bm25": "BM25 of the candidate for the history",
    "itemknn": "ItemKNN",
    "sasrec": "SASRec",
    "teacher": "a language model that ranks the whole list",
    "reasoner": "a reasoning ranker based on embeddings",
}

# Predictions of a probe: those of a system for the test lists, but with a changed prompt.
WRONG_HISTORY, CANDIDATE_ALONE = PROBES = ("wrong_history", "candidate_alone")


def in_words(system: str) -> str:
    """The description of a system, or its name if it has no description."""
    return WORDS.get(system, system)


def ordered(names: Iterable[str]) -> list[str]:
    """The names in the order of `WORDS`, followed by any others, without duplicates.

    Raises:
        UserError: a name has characters other than letters, digits, `_`, `-` and dots.
    """
    names = list(names)
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name):
            raise UserError(
                f"the system {name!r}: expected a name of letters, digits, _, - and dots, such as "
                "sft; rename its predictions file"
            )
    known = [name for name in WORDS if name in names]
    return [*known, *dict.fromkeys(name for name in names if name not in WORDS)]
