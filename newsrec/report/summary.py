"""The short form of the report: Markdown for a pull request.

A predictor's name stands in a code span, where neither mark-up nor a mention works.
"""

from collections.abc import Mapping
from typing import Any

from newsrec.report.published import HEADS, NOTE, Row, beside_published
from newsrec.report.text import code, printable, score
from newsrec.report.verdict import (
    Metrics,
    against_baselines,
    notices,
    predictors,
    verdict,
)

COLUMNS = {
    "auc": "AUC (95 % interval)",
    "mrr": "MRR",
    "ndcg_at_10": "nDCG@10",
    "accuracy": "accuracy",
}


def summary_markdown(metrics: Metrics, model: Mapping[str, Any], probe_rule: str) -> str:
    """The verdict, how the baselines do, one row for each predictor and the protocol.

    Args:
        metrics: what metrics/evaluate.json holds.
        model: what metrics/model.json holds.
        probe_rule: the leak probe's rule, from metrics/baselines.json.
    """
    names = predictors(metrics)
    parts = [verdict(metrics).text]
    for _, title, notice in notices(metrics, model, _plain(probe_rule)):
        parts.append(f"> **{title}** {notice}")
    if rows := beside_published(metrics, _plain(probe_rule)):
        parts += [NOTE, _table(rows)]
    sentences = []
    for phrase, gains in against_baselines(metrics):
        told = "; ".join(f"{code(name)} ({gain})" for name, gain in gains)
        sentences.append(f"{phrase} {told}." if told else phrase)
    parts.append(" ".join(sentences))
    lines = [f"| predictor | {' | '.join(COLUMNS.values())} |", f"|:--|{'--:|' * len(COLUMNS)}"]
    lines += [f"| {code(name)} | {' | '.join(_cells(metrics[name]))} |" for name in names]
    parts.append("\n".join(lines))
    protocol = "; ".join(f"{key} {code(value)}" for key, value in metrics["protocol"].items())
    parts.append(f"Protocol: {protocol}.")
    return "\n\n".join(parts) + "\n"


def _table(rows: list[Row]) -> str:
    lines = [f"| | {' | '.join(HEADS)} | |", f"|:--|{'--:|' * len(HEADS)}:--|"]
    for name, about, figures in rows:
        lines.append(f"| {code(name)} | {' | '.join(value for value, _ in figures)} | {about} |")
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    auc = score(row.get("auc"))
    if "auc" in row:
        auc += f" ({score(row['auc_low'])} to {score(row['auc_high'])})"
    return [auc, *(score(row.get(key)) for key in COLUMNS if key != "auc")]


def _plain(text: str) -> str:
    """`text` without what Markdown or HTML would read as mark-up."""
    return "".join(
        char if char.isalnum() or char in " .,-" else f"&#{ord(char)};" for char in printable(text)
    )
