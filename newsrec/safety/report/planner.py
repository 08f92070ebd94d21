"""The threshold planner: what an allowed rate of false positives costs, and what would prove it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.report.text import counted, percent
from newsrec.safety.labels import BENIGN
from newsrec.safety.report.verdict import allowed, bounds, share_unsafe, too_few_to_choose


class Panel(NamedTuple):
    """What is shown for one allowed rate.

    Attributes:
        name: the rate, as it is chosen.
        sentences: what the threshold is, what it does and what would prove it.
        command: that applies it, in the folder of the pipeline.
        rows: of each unsafe class, and of all of them: its name, recall and bounds, and rows.
        is_chosen: whether it is shown first.
    """

    name: str
    sentences: list[str]
    command: str
    rows: list[tuple[str, str, int]]
    is_chosen: bool


def panels(thresholds: Mapping[str, Any], benign_share: str) -> list[Panel]:
    """A panel for each allowed rate.

    Args:
        thresholds: of the tuned model, as metrics/thresholds.json holds them.
        benign_share: that precision is computed for, see `verdict.benign_share`.
    """
    return [_panel(at, benign_share, key == "at_1") for key, at in thresholds.items()]


def _panel(at: Mapping[str, Any], benign_share: str, is_chosen: bool) -> Panel:
    rate = allowed(at["rate"])
    threshold = repr(at["threshold"])  # all digits: 0.99999996 rounded is 1, above which nothing is
    num_wrong, upper = at["num_false_positives"], at["false_positive_rate_upper"]
    chosen_on = counted(at["num_val_benign"], f"{BENIGN} validation text")
    measured_on = counted(at["num_benign"], f"{BENIGN} test text")
    proof = "" if upper <= at["rate"] else f", which does not prove {rate}"
    as_here = (
        f", or {at['rows_to_prove_with_as_many_found']:,} with {num_wrong:,} flagged as here"
        if num_wrong
        else ""
    )
    sentences = [
        f"Flag a text if unsafe = 1 \u2212 p({BENIGN}) is above {threshold}. This threshold was "
        f"chosen on {chosen_on}, of which it flags at most {rate}{_too_few(at)}.",
        f"Given this threshold, it flags {num_wrong:,} of {measured_on}: "
        f"{bounds(at, 'false_positive_rate')}.",
        f"Where {benign_share}, {share_unsafe(at)}.",
        f"Proven with 95 % confidence, if texts are independent: at most {percent(upper)} of "
        f"{BENIGN} texts are flagged{proof}. To prove {rate} takes {at['rows_to_prove']:,} clean "
        f"{BENIGN} texts of which none is flagged{as_here}.",
    ]
    num_unsafe = sum(found["num_rows"] for found in at["recall_of"].values())
    rows = [
        (name, bounds(found, "recall"), found["num_rows"])
        for name, found in at["recall_of"].items()
    ]
    command = f"newsrec classify --threshold {threshold} --file texts.txt"
    every = ("all unsafe", bounds(at, "recall"), num_unsafe)
    return Panel(rate, sentences, command, [every, *rows], is_chosen)


def _too_few(at: Mapping[str, Any]) -> str:
    """The rest of a sentence where no validation text may be flagged."""
    if not too_few_to_choose(at):
        return ""
    return ": none, so the threshold is their highest score, which says little about that rate"
