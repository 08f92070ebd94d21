"""The short form of the report: Markdown for a pull request."""

from collections.abc import Mapping
from typing import Any

from newsrec.report.tables import markdown_table
from newsrec.report.text import code, score
from newsrec.safety.predictors import PREDICTORS
from newsrec.safety.report.verdict import Metrics, against_others, bounds, notices, verdict

COLUMNS = {
    "macro_f1": "macro F1 (95 % interval)",
    "accuracy": "accuracy",
    "mcc": "MCC",
    "unsafe_roc_auc": "ROC-AUC, unsafe or not",
}


def summary_markdown(
    metrics: Metrics, thresholds: Mapping[str, Any], model: Mapping[str, Any]
) -> str:
    """The verdict, what tuned gains over each predictor, a row for each of them and the protocol.

    Args:
        metrics: what metrics/evaluate.json holds.
        thresholds: what metrics/thresholds.json holds.
        model: what metrics/fetch_model.json holds.
    """
    at = {key: found for key, found in thresholds["tuned"].items() if key.startswith("at_")}
    found = verdict(metrics, at)
    parts = [f"**{found.title}**", found.text]
    parts += [f"> **{title}** {text}" for _, title, text in notices(metrics, at, model)]
    parts.append(" ".join(against_others(metrics)))
    heads = ["predictor", *COLUMNS.values(), "unsafe recall at 1 %", "false positives"]
    table = [
        (
            code(name),
            *_cells(metrics[name]),
            bounds(thresholds[name]["at_1"], "recall"),
            bounds(thresholds[name]["at_1"], "false_positive_rate"),
        )
        for name in PREDICTORS
    ]
    parts.append(markdown_table(heads, "<" + ">" * (len(heads) - 1), table))
    protocol = "; ".join(f"{key} {code(value)}" for key, value in metrics["protocol"].items())
    parts.append(f"Protocol: {protocol}.")
    return "\n\n".join(parts) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    interval = f"({score(row['macro_f1_low'])} to {score(row['macro_f1_high'])})"
    others = [score(row.get(key)) for key in COLUMNS if key != "macro_f1"]
    return [f"{score(row['macro_f1'])} {interval}", *others]
