"""The systems that rank the lists: their names, as their files are called, and in words."""

import re
from collections.abc import Iterable

from newsrec.errors import UserError

METHODS = ("exact", "softmax", "group", "ppo")  # of training by reinforcement, and its baseline
# Language models whose score is a logit: of these, and no others, a random order can be drawn.
POLICIES = (*METHODS, "sft", "base")

# Baselines that know something of the time after: probes of what a leak is worth.
LEAKS = ("rating_number",)

WORDS = {
    "exact": "exact expected NDCG",
    "softmax": "supervised softmax over the list",
    "group": "policy gradient of many orders",
    "ppo": "PPO as published",
    "sft": "the model fine-tuned on answers",
    "base": "the untuned base model",
    "random": "one order drawn at random",
    "popularity": "popularity before the moment",
    "rating_number": "number of ratings, counted after the test",
    "bm25": "BM25 of history and candidate",
    "itemknn": "ItemKNN",
    "sasrec": "SASRec",
    "teacher": "a language model that ranks the whole list",
    "reasoner": "a reasoning ranker of embeddings",
}

# Predictions of a probe: of a system, of the test lists, but with something else in the prompt.
WRONG_HISTORY, CANDIDATE_ALONE = PROBES = ("wrong_history", "candidate_alone")


def in_words(system: str) -> str:
    """The description of a system, or its name where it has none."""
    return WORDS.get(system, system)


def ordered(names: Iterable[str]) -> list[str]:
    """The names in the order of `WORDS`, any others behind them; none twice.

    Raises:
        UserError: a name is more than letters, digits, `_`, `-` and dots.
    """
    names = list(names)
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name):
            raise UserError(
                f"the system {name!r}: expected a name of letters, digits, _, - and dots, like "
                "sft; rename its file of predictions"
            )
    known = [name for name in WORDS if name in names]
    return [*known, *dict.fromkeys(name for name in names if name not in WORDS)]
