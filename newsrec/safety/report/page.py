"""The report of a run of the safety pipeline as one HTML page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from newsrec.models.names import MODELS
from newsrec.report.curves import loss_curve, precision_recall_curves, reliability, step_curves
from newsrec.report.figures import Dot, confusion_matrix, dot_limits, dot_plot
from newsrec.report.page import render_page
from newsrec.report.tables import comparison_rows, facts, figure, figure_rows
from newsrec.report.text import DASH, flat, key_words, percent, shortened
from newsrec.safety.evaluation.curves import UNSAFE
from newsrec.safety.evaluation.unsafe import HEADLINE_RATES, rate_key
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import PREDICTORS
from newsrec.safety.report.evasion import evasion_tables
from newsrec.safety.report.planner import panels
from newsrec.safety.report.verdict import (
    MAIN_RATE,
    OTHERS,
    Metrics,
    against_others,
    allowed,
    benign_share,
    calibration,
    flags_any,
    notices,
    verdict,
)

# A figure's key in metrics/evaluate.json and its column's head; tables that fit a sheet.
TABLES = {
    "Classes": {
        "macro_f1": "macro F1",
        "macro_precision": "macro precision",
        "macro_recall": "macro recall",
        "weighted_f1": "weighted F1",
        "accuracy": "accuracy",
        "mcc": "MCC",
    },
    "Order and probabilities": {
        "macro_roc_auc": "macro ROC-AUC",
        "macro_average_precision": "macro average precision",
        "unsafe_roc_auc": "ROC-AUC, unsafe or not",
        "unsafe_average_precision": "average precision, unsafe or not",
        "log_loss": "log loss",
        "ece": "ECE",
        "ece_calibrated": "ECE, calibrated",
    },
}
OF_CLASS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
}
COMPARED = {
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "mcc": "MCC",
    "macro_average_precision": "macro average precision",
    "unsafe_recall_at_1": "unsafe recall at 1 %",
    "unsafe_recall_at_5": "unsafe recall at 5 %",
}
SLICES = {
    "class": "By class",
    "length": "By length in characters",
    "wording": "By words: all in training rows, or some never labelled",
    "spelling": "By spelling",
    "tag": "By tag of the source",
}
SLICE_SERIES = ("tfidf", *MODELS)
SLICE_WIDTH = 18  # columns of a slice's name beside its number of rows


def render(
    *,
    metrics: Metrics,
    classes: Mapping[str, Any],
    thresholds: Mapping[str, Any],
    slices: Mapping[str, Any],
    evasion: Mapping[str, Any],
    audit: Mapping[str, Any],
    suspects: Sequence[Mapping[str, Any]],
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    row_counts: Mapping[str, Mapping[str, Any]],
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    val_macro_f1: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    reliability_points: pd.DataFrame,
    mistakes: Sequence[tuple[str, Sequence[Mapping[str, Any]], str]],
) -> str:
    """The whole page; equal input gives equal bytes.

    Args:
        metrics: what metrics/evaluate.json holds; classes, thresholds, slices, evasion, audit,
            model (fetch_model) and train likewise.
        suspects: rows of the label audit to show: id, label, suggested, quality, text.
        row_counts: by stage what metrics/extract.json and metrics/prepare.json hold.
        train_loss: columns step and loss.
        val_loss: the same; may be empty.
        val_macro_f1: columns step and macro_f1, of each validation.
        curves: of each predictor, columns class, recall and precision.
        reliability_points: of tuned, columns kind, mean_probability, positive_rate and num_rows.
        mistakes: what `most_confident_mistakes` returns, for the tuned model.
    """
    tuned, at = metrics["tuned"], thresholds["tuned"]
    at = {key: found for key, found in at.items() if key.startswith("at_")}
    found = verdict(metrics, at)
    others = {name: metrics[f"tuned_vs_{name}"] for name in OTHERS}
    return render_page(
        Path(__file__).parent,
        "page.html.j2",
        kicker=f"Safety of Chinese texts in {len(CLASSES)} classes: a fine-tuned language model",
        title=found.title,
        lead=found.text,
        notices=notices(metrics, at, model),
        fingerprint=[*metrics["protocol"].items(), ("model digest", model["digest"])],
        benign=BENIGN,
        benign_share=benign_share(metrics),
        against=against_others(metrics),
        tables=[
            (
                title,
                heads.values(),
                figure_rows({name: metrics[name] for name in PREDICTORS}, heads),
            )
            for title, heads in TABLES.items()
        ],
        num_rows=tuned["num_rows"],
        num_clusters=tuned["num_clusters"],
        compared=COMPARED.values(),
        comparisons=comparison_rows(others, COMPARED),
        gains_svg=Markup(_gains(others)),
        num_val_benign=at[rate_key(MAIN_RATE)]["num_val_benign"],
        rates=[allowed(rate) for rate in HEADLINE_RATES],
        unsafe_rows=[
            (name, [cell for rate in HEADLINE_RATES for cell in _at_rate(thresholds[name], rate)])
            for name in PREDICTORS
        ],
        panels=panels(at, benign_share(metrics)),
        class_heads=[*OF_CLASS.values(), "rows"],
        class_rows=[
            (
                name,
                [
                    *(figure(of_class, key) for key in OF_CLASS),
                    (f"{of_class['support']:,}", ""),
                ],
            )
            for name, of_class in _classes(classes["tuned"]).items()
        ],
        matrices=[(name, Markup(_matrix(name, classes[name]))) for name in MODELS],
        class_curves=Markup(_class_curves(curves["tuned"])),
        unsafe_curves=Markup(_unsafe_curves(curves)),
        reliability_svg=Markup(_reliability(reliability_points)),
        calibration=calibration(tuned),
        slices=_slice_figures(slices),
        predictors=PREDICTORS,
        flagged=_flagged(slices),
        evasion=evasion_tables(evasion),
        mistakes=mistakes,
        audit=audit,
        audit_counts=[(key_words(key), value) for key, value in flat(audit) if key != "method"],
        suspects=suspects,
        gate=[
            (pair.replace("_", " and "), [counts["num_clusters"], counts["num_near_copies"]])
            for pair, counts in metrics["leak_gate"].items()
        ],
        loss_svg=Markup(loss_curve(train_loss, val_loss, y_label="loss, nats per text")),
        macro_f1_svg=Markup(_macro_f1(val_macro_f1)),
        kept_step=train["kept_step"],
        training=facts(train),
        row_counts=[(stage, facts(found)) for stage, found in row_counts.items()],
    )


def _classes(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: found[name] for name in CLASSES}


def _at_rate(of_predictor: Mapping[str, Any], rate: float) -> list[tuple[str, str]]:
    """Recall, rate of false positives and precision in use, each with its bounds if it has any."""
    found = of_predictor[rate_key(rate)]
    cells = [_cell(found, key) for key in ("recall", "false_positive_rate")]
    if not flags_any(found):
        return [*cells, (DASH, "nothing is flagged")]
    return [*cells, _cell(found, "precision_at_real_share")]


def _cell(found: Mapping[str, Any], key: str) -> tuple[str, str]:
    low, high = (percent(found[f"{key}_{end}"]).removesuffix(" %") for end in ("low", "high"))
    return percent(found[key]), f"{low}{DASH}{high}"


def _gains(others: Mapping[str, Any]) -> str:
    rows = []
    for name, found in others.items():
        gain = found["macro_f1"]
        rows.append((name, {"gain": Dot(gain["delta"], gain["low"], gain["high"])}))
    return dot_plot(
        rows,
        title="What tuned gains over each predictor, macro F1",
        across="gain in macro F1",
        limits=dot_limits((dot for _, dots in rows for dot in dots.values()), 0.0),
        reference=0.0,
    )


def _matrix(name: str, of_predictor: Mapping[str, Any]) -> str:
    counts = [list(found["predicted"].values()) for found in _classes(of_predictor).values()]
    return confusion_matrix(
        np.array(counts), row_names=CLASSES, column_names=CLASSES, title=name, x_label="answer"
    )


def _class_curves(curve: pd.DataFrame) -> str:
    series = {name: curve[curve["class"] == name] for name in CLASSES}
    return precision_recall_curves(series, title="Precision by recall of each class, tuned")


def _unsafe_curves(curves: Mapping[str, pd.DataFrame]) -> str:
    series = {name: curve[curve["class"] == UNSAFE] for name, curve in curves.items()}
    return precision_recall_curves(series, title="Precision by recall, unsafe or not")


def _macro_f1(validations: pd.DataFrame) -> str:
    series = {"validation": validations.rename(columns={"macro_f1": "value"})}
    return step_curves(series, title="Macro-F1 on validation by step", y_label="macro-F1")


def _reliability(points: pd.DataFrame) -> str:
    return reliability(
        points,
        title="Reliability of the tuned model",
        x_label="probability of the most probable class",
        y_label="share of these that are right",
    )


def _slice_figures(slices: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """A dot plot for each heading, all on one scale."""
    plots = {
        heading: [
            (
                f"{shortened(name, SLICE_WIDTH)} ({found['tuned']['num_rows']:,})",
                {series: _dot(found[series]) for series in SLICE_SERIES},
            )
            for name, found in slices[heading].items()
        ]
        for heading in SLICES
        if slices[heading]
    }
    every = [dot for rows in plots.values() for _, dots in rows for dot in dots.values()]
    limits = dot_limits(every, 1.0)
    return [
        (
            SLICES[heading],
            Markup(
                dot_plot(
                    rows,
                    title=SLICES[heading],
                    across="share of rows that are right",
                    limits=limits,
                    reference=1.0,
                )
            ),
        )
        for heading, rows in plots.items()
    ]


def _dot(found: Mapping[str, Any]) -> Dot:
    return Dot(found["accuracy"], found["accuracy_low"], found["accuracy_high"])


def _flagged(slices: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Of each slice with benign rows the share of them that each predictor gives another class."""
    parts: Iterable[tuple[str, Mapping[str, Any]]] = (
        (name if heading == "tag" else f"{key_words(heading)}: {name}", found)
        for heading in SLICES
        for name, found in slices[heading].items()
    )
    return [
        (
            f"{shortened(name, 2 * SLICE_WIDTH)} ({found['tuned']['num_benign']:,})",
            [_cell(found[predictor], "false_positive_rate") for predictor in PREDICTORS],
        )
        for name, found in parts
        if "num_benign" in found["tuned"]
    ]
