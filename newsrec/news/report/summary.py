"""The short form of the report: Markdown for a pull request.

A predictor's name is in a code span, where neither mark-up nor a mention has an effect.
"""

from collections.abc import Mapping
from typing import Any

from newsrec.news.report.published import HEADS, NOTE, Row, beside_published
from newsrec.news.report.verdict import (
    Metrics,
    Probe,
    against_baselines,
    notices,
    predictors,
    verdict,
)
from newsrec.report.tables import markdown_table
from newsrec.report.text import code, escaped, score

COLUMNS = {
    "auc": "AUC (95 % interval)",
    "mrr": "MRR",
    "ndcg_at_10": "nDCG@10",
    "accuracy": "accuracy",
}


def summary_markdown(metrics: Metrics, model: Mapping[str, Any], probe: Probe) -> str:
    """The verdict, a comparison with the baselines, a row for each predictor, and the protocol.

    Args:
        metrics: the contents of metrics/evaluate.json.
        model: the contents of metrics/fetch_model.json.
        probe: the leak probe of metrics/baselines.json.
    """
    names = predictors(metrics)
    rule = escaped(probe["rule"])
    parts = [verdict(metrics, probe).text]
    for _, title, notice in notices(metrics, model, {**probe, "rule": rule}):
        parts.append(f"> **{title}** {notice}")
    if rows := beside_published(metrics, rule):
        parts += [NOTE, _beside(rows)]
    sentences = []
    for phrase, gains in against_baselines(metrics):
        listed = "; ".join(f"{code(name)} ({gain})" for name, gain in gains)
        sentences.append(f"{phrase} {listed}." if listed else phrase)
    parts.append(" ".join(sentences))
    heads = ["predictor", *COLUMNS.values()]
    table = [(code(name), *_cells(metrics[name])) for name in names]
    parts.append(markdown_table(heads, "<" + ">" * len(COLUMNS), table))
    protocol = "; ".join(f"{key} {code(value)}" for key, value in metrics["protocol"].items())
    parts.append(f"Protocol: {protocol}.")
    return "\n\n".join(parts) + "\n"


def _beside(rows: list[Row]) -> str:
    cells = [(code(row.name), *(value for value, _ in row.figures), row.about) for row in rows]
    return markdown_table(["", *HEADS, ""], "<" + ">" * len(HEADS) + "<", cells)


def _cells(row: Mapping[str, Any]) -> list[str]:
    auc = score(row.get("auc"))
    if "auc" in row:
        auc += f" ({score(row['auc_low'])} to {score(row['auc_high'])})"
    return [auc, *(score(row.get(key)) for key in COLUMNS if key != "auc")]
