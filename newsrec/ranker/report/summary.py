"""The short form of the report: Markdown for the terminal and for a pull request."""

from collections.abc import Mapping
from typing import Any

from newsrec.ranker.evaluation.figures import EXPECTED, MAIN
from newsrec.ranker.report.verdict import (
    Metrics,
    against_others,
    against_softmax,
    notices,
    verdict,
)
from newsrec.report.tables import markdown_table
from newsrec.report.text import code, score

COLUMNS = {
    MAIN: "NDCG@10 (95 % interval)",
    EXPECTED: "expected NDCG@10",
    "ndcg_at_1": "NDCG@1",
    "hr_at_10": "HR@10",
    "mrr": "MRR",
    "tie_rate": "target ties",
}


def summary_markdown(
    metrics: Metrics,
    main: str,
    probes: Mapping[str, Any],
    teach: Mapping[str, Any],
    model: Mapping[str, Any],
) -> str:
    """The verdict, the gain of the method over each system, a row for each, and the protocol.

    Args:
        metrics: the contents of metrics/evaluate.json; probes, teach, model (fetch_model) likewise.
        main: the method that the run is about.
    """
    found = verdict(metrics, main, probes)
    parts = [f"**{found.title}**", found.text]
    if sentence := against_softmax(metrics, main):
        parts.append(sentence)
    parts += [
        f"> **{title}** {text}" for _, title, text in notices(metrics, main, probes, teach, model)
    ]
    parts.append(" ".join(against_others(metrics, main)))
    rows = [(code(name), *_cells(of)) for name, of in metrics["systems"].items()]
    parts.append(markdown_table(["system", *COLUMNS.values()], "<" + ">" * len(COLUMNS), rows))
    protocol = "; ".join(f"{key} {code(value)}" for key, value in metrics["protocol"].items())
    parts.append(f"Protocol: {protocol}.")
    return "\n\n".join(parts) + "\n"


def _cells(figures: Mapping[str, Any]) -> list[str]:
    of_main = figures[MAIN]
    first = f"{score(of_main['value'])} ({score(of_main['low'])} to {score(of_main['high'])})"
    return [first, *(score(figures.get(key, {}).get("value")) for key in COLUMNS if key != MAIN)]
