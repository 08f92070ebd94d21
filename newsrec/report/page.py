"""The report of a run: a short Markdown summary for a pull request, and one HTML page.

Titles and predictors' names come from outside. In the page the template escapes every value; in
Markdown a name stands in a code span, where neither mark-up nor a mention works.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from newsrec.errors import UserError
from newsrec.report.figures import confusion_matrix, loss_curve, printable

DASH = "\u2013"
MINUS = "\u2212"
# What a row's key is in metrics/evaluate.json, and how the column is headed.
COLUMNS = {
    "auc": "AUC (per impression)",
    "pooled_auc": "pooled AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "unparsed_rate": "unparsed",
    "answer_mass": "answer mass",
}
ID_COLUMNS = ("impression_id", "user_id", "news_id", "label")
# A score of this or more counts as Yes.
YES_SCORE = 0.5
FALSE_POSITIVE = "false positive"
FALSE_NEGATIVE = "false negative"

Metrics = Mapping[str, Mapping[str, float | None]]


def verdict(metrics: Metrics) -> str:
    """Whether fine-tuning helped, as one paragraph of plain text; it holds no predictor's name.

    Raises:
        UserError: base or tuned is missing, or they were scored on different numbers of candidates.
    """
    for name in ("base", "tuned"):
        if name not in metrics:
            found = ", ".join(sorted(metrics)) or "none"
            raise UserError(
                f"evaluation metrics: no predictor {name!r}, found: {found}; run dvc repro evaluate"
            )
    base, tuned = metrics["base"], metrics["tuned"]
    if base["num_candidates"] != tuned["num_candidates"]:
        raise UserError(
            f"evaluation metrics: tuned has {tuned['num_candidates']} candidates, base has "
            f"{base['num_candidates']}; only equal candidates compare, run dvc repro evaluate"
        )
    before, after = base["auc"], tuned["auc"]
    if before is None or after is None:
        return (
            f"No verdict: AUC per impression is {_score(after)} for tuned and {_score(before)} "
            f"for base ({DASH}: not defined on these candidates)."
        )
    # The sentence has to agree with the digits printed beside it.
    gain = round(after - before, 4)
    word = "better than" if gain > 0 else "worse than" if gain < 0 else "no different from"
    counts = f"{_number(tuned['num_impressions'])} impressions"
    better = sum(_rank(row) > after for name, row in metrics.items() if name not in _FIRST)
    others = len(metrics) - 2
    return (
        f"The tuned model is {word} the base model: AUC per impression {_score(after)} against "
        f"{_score(before)}, a difference of {_signed(gain)} on {counts}. "
        "No confidence interval was computed, so this does not tell a real difference from noise."
        + (f" Above the tuned model by AUC: {better} of {others} baselines." if others else "")
    )


_FIRST = ("base", "tuned")


def predictor_order(metrics: Metrics) -> list[str]:
    """Base, tuned, then the rest by falling AUC; equal AUCs by name."""
    rest = [name for name in metrics if name not in _FIRST]
    return [*_FIRST, *sorted(rest, key=lambda name: (-_rank(metrics[name]), name))]


def summary_markdown(
    metrics: Metrics, model: Mapping[str, Any], provenance: Mapping[str, str]
) -> str:
    """The verdict, one row for each predictor and the protocol, as Markdown for a pull request."""
    parts = [verdict(metrics)]
    if model["source"] == "tiny":
        parts.append(f"> **Tiny model.** {_tiny_notice(model)}")
    if provenance["feedback"] == "same_impression":
        parts.append(f"> **The prompt leaks the label.** {LEAK_NOTICE}")
    lines = [
        f"| predictor | {' | '.join(COLUMNS.values())} |",
        f"|:--|{'--:|' * len(COLUMNS)}",
    ]
    for name in predictor_order(metrics):
        cells = [_score(metrics[name].get(key)) for key in COLUMNS]
        lines.append(f"| {_code(name)} | {' | '.join(cells)} |")
    parts.append("\n".join(lines))
    protocol = {"model": model["name"], **provenance}
    parts.append(
        "Protocol: " + "; ".join(f"{_code(k)} = {_code(str(v))}" for k, v in protocol.items()) + "."
    )
    return "\n\n".join(parts) + "\n"


LEAK_NOTICE = (
    "It shows feedback from the impression that is being judged: what the user did with the other "
    "candidates gives the answer away. These figures are no forecast of clicks to come."
)


def most_confident_mistakes(
    candidates: pd.DataFrame, predictions: pd.DataFrame, num: int
) -> pd.DataFrame:
    """Up to `num` false positives, then up to `num` false negatives, the most confident first.

    The two kinds are kept apart because clicks are rare: in one list the commoner kind would push
    the other out. Equal confidence keeps the order of the tables. An unscored row is no mistake.

    Args:
        candidates: one row for each candidate.
        predictions: the same rows in the same order, with a score from 0 to 1.

    Returns:
        The rows of `candidates` with two more columns: score, and kind.

    Raises:
        UserError: the tables do not hold the same rows in the same order.
    """
    if len(candidates) != len(predictions):
        raise UserError(
            f"predictions: {len(predictions)} rows for {len(candidates)} candidates; "
            "run dvc repro predict"
        )
    for column in ID_COLUMNS:
        expected, found = candidates[column].to_numpy(), predictions[column].to_numpy()
        differing = (expected != found).nonzero()[0]
        if len(differing):
            row = int(differing[0])
            raise UserError(
                f"predictions: row {row} has {column} {found[row]!r}, the candidate there has "
                f"{expected[row]!r}; run dvc repro predict"
            )
    scored = candidates.reset_index(drop=True)
    scored["score"] = predictions["score"].to_numpy(dtype=float)
    clicked = scored["label"] == 1
    false_positives = scored[~clicked & (scored["score"] >= YES_SCORE)]
    false_negatives = scored[clicked & (scored["score"] < YES_SCORE)]
    positives = false_positives.sort_values("score", ascending=False, kind="stable").head(num)
    negatives = false_negatives.sort_values("score", ascending=True, kind="stable").head(num)
    kinds = [FALSE_POSITIVE] * len(positives) + [FALSE_NEGATIVE] * len(negatives)
    return pd.concat([positives, negatives], ignore_index=True).assign(kind=kinds)


def render(
    *,
    metrics: Metrics,
    model: Mapping[str, Any],
    provenance: Mapping[str, str],
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    mistakes: pd.DataFrame,
    timings: Mapping[str, Any],
    row_counts: Mapping[str, Any],
) -> str:
    """The whole report as one HTML page that loads nothing and runs no script.

    Args:
        metrics: what metrics/evaluate.json holds, by predictor.
        model: what model.json holds: name, source, num_parameters and more.
        provenance: what the run was made of, shown as given; the key feedback is required.
        train_loss: columns step and loss.
        val_loss: columns step and loss; may be empty.
        mistakes: what `most_confident_mistakes` returns, for the tuned model.
        timings: measures by stage.
        row_counts: what preprocess kept and dropped; counts, nested at will.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(score=_score, number=_number)
    order = predictor_order(metrics)
    matrices = [
        (name, Markup(confusion_matrix(*_cells(metrics[name]), title=name)))
        for name in ("tuned", "base")
    ]
    return environment.get_template("page.html.j2").render(
        verdict=verdict(metrics),
        tiny_notice=_tiny_notice(model) if model["source"] == "tiny" else "",
        leak_notice=LEAK_NOTICE if provenance["feedback"] == "same_impression" else "",
        columns=COLUMNS,
        predictors=[(name, metrics[name]) for name in order],
        num_candidates=metrics["tuned"]["num_candidates"],
        num_impressions=metrics["tuned"]["num_impressions"],
        loss_svg=Markup(loss_curve(train_loss, val_loss)),
        matrices=matrices,
        mistake_groups=[
            (kind, mistakes[mistakes["kind"] == kind].to_dict("records"))
            for kind in (FALSE_POSITIVE, FALSE_NEGATIVE)
        ],
        yes_score=YES_SCORE,
        timings=[(stage, list(_flat(values))) for stage, values in timings.items()],
        provenance=[*((f"model {k}", v) for k, v in _flat(model)), *_flat(provenance)],
        row_counts=list(_flat(row_counts)),
    )


def _cells(row: Mapping[str, float | None]) -> tuple[int, int, int, int]:
    """A predictor's confusion matrix as whole numbers: tn, fp, fn, tp."""
    tn, fp, fn, tp = (int(row[key] or 0) for key in ("tn", "fp", "fn", "tp"))
    return tn, fp, fn, tp


def _tiny_notice(model: Mapping[str, Any]) -> str:
    """What a reader has to know before reading figures from the tiny model."""
    return (
        f"This run used a tiny stand-in model ({_number(model['num_parameters'])} parameters). It "
        "shows that the pipeline runs from end to end; its figures say nothing about the method."
    )


def _rank(row: Mapping[str, float | None]) -> float:
    """A predictor's AUC to sort by; below every other where it has none."""
    auc = row.get("auc")
    return -math.inf if auc is None else auc


def _score(value: float | None) -> str:
    """Four digits, enough to tell two models apart; a dash for what a predictor does not have."""
    return DASH if value is None else f"{value:.4f}"


def _signed(value: float) -> str:
    """A difference to four digits, with its sign unless it is zero."""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{abs(value):.4f}"


def _number(value: object) -> str:
    """A count or measure with thousands set apart; anything else as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH if value is None else str(value)
    if isinstance(value, int) or value.is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a nested mapping in its order, each with the keys that lead to it."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} / ")
        else:
            yield f"{prefix}{key}", value


def _finalize(value: object) -> object:
    """Make every text printable before it is escaped; what is safe mark-up already stays."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> str:
    """`text` as inline code in a Markdown table, whatever it holds."""
    text = printable(text) or "(empty)"
    if not re.search(r"[`|\\]", text):
        return f"`{text}`"
    # A code span can hold neither a backtick nor, in a table, a bar; an entity stands for any sign
    # and is never read as mark-up.
    coded = re.sub(r"[^\w .-]|_", lambda found: f"&#{ord(found[0])};", text)
    return f"<code>{coded}</code>"
