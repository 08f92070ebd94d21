"""The report of a run of the news pipeline as one HTML page."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from newsrec.models.names import MODELS
from newsrec.news.report.mistakes import KINDS, UNPARSED
from newsrec.news.report.published import HEADS, NOTE, beside_published
from newsrec.news.report.verdict import (
    METRIC_NAMES,
    Metrics,
    Probe,
    against_baselines,
    deciding,
    gain,
    is_compared,
    notices,
    predictors,
    upper_bound,
    verdict,
)
from newsrec.report.curves import loss_curve, reliability, roc_curves
from newsrec.report.figures import Dot, confusion_matrix, dot_limits, dot_plot
from newsrec.report.page import render_page
from newsrec.report.tables import comparison_rows, count_rows, figure_rows
from newsrec.report.text import counted, flat, key_words, shortened

# The key of each figure in metrics/evaluate.json and its column heading; two tables fit a page.
TABLES = {
    "Ranking and answers": {
        "auc": "AUC",
        "mrr": "MRR",
        "ndcg_at_5": "nDCG@5",
        "ndcg_at_10": "nDCG@10",
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
    },
    "Probabilities and answer format": {
        "pooled_auc": "pooled AUC",
        "log_loss": "log loss",
        "brier": "Brier",
        "ece": "ECE",
        "tie_rate": "tie rate",
        "unparsed_rate": "unparsed",
        "answer_mass": "answer mass",
    },
}
SLICES = {
    "history": "By length of the user's history",
    "user": "By user",
    "news": "By candidate article",
    "candidates": "By number of candidates in the impression",
    "hour": "By hour of day of the impression",
    "topic": "By topic of the candidate",
}
AUDIT = {
    "engine": "engine",
    "token_yes": "token id of Yes",
    "token_yes_text": "text of this token",
    "token_no": "token id of No",
    "token_no_text": "text of this token",
    "mean_mass_outside": "mean probability outside Yes and No",
    "num_unparsed": "answers that are neither Yes nor No",
    "num_thinking": "answers with a <think> tag",
    "num_text_only": "answers without probabilities",
    "num_unlisted": "prompts for which the server did not list an answer",
    "num_unanswered": "prompts that the server did not answer",
    "num_prompts": "prompts (test and validation)",
    "num_shortened": "prompts shortened to fit",
    "num_items_dropped": "titles dropped to shorten prompts",
    "longest_prompt": "tokens in the longest prompt",
}
GUESS = 0.5  # the share of pairs that random guessing ranks correctly
SLICE_WIDTH = 16  # columns for a slice's name, next to its number of clicks
_NO_SPLIT = ("shared", "protocol")  # keys of metrics/preprocess.json that are not splits


def render(
    *,
    metrics: Metrics,
    slices: Mapping[str, Any],
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    audits: Mapping[str, Mapping[str, Any]],
    timings: Mapping[str, Mapping[str, Any]],
    row_counts: Mapping[str, Any],
    probe: Probe,
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    roc: Mapping[str, pd.DataFrame],
    reliability_points: pd.DataFrame,
    mistakes: Iterable[Mapping[str, Any]],
) -> str:
    """The whole page; equal input gives equal bytes.

    Args:
        metrics: the contents of metrics/evaluate.json.
        slices: the contents of metrics/slices.json: heading, slice, predictor, figure.
        model: the contents of metrics/fetch_model.json.
        train: the contents of metrics/train.json.
        audits: the contents of metrics/score_<name>.json for base and tuned.
        timings: the measurements of score_base and score_tuned.
        row_counts: the contents of metrics/preprocess.json: counts by split, at any nesting depth.
        probe: the leak probe of metrics/baselines.json.
        train_loss: columns step and loss.
        val_loss: columns step and loss; may be empty.
        roc: for base and tuned, columns false_positive_rate and true_positive_rate.
        reliability_points: for tuned, columns kind, mean_probability, click_rate and num_rows.
        mistakes: the return value of `most_confident_mistakes` for the tuned model.
    """
    names, key, tuned = predictors(metrics), deciding(metrics), metrics["tuned"]
    found = verdict(metrics, probe)
    others = {name: metrics[f"tuned_vs_{name}"] for name in names if name != "tuned"}
    compared = [name for name in METRIC_NAMES if name in metrics["tuned_vs_base"]]
    splits = [name for name in row_counts if name not in _NO_SPLIT]
    return render_page(
        Path(__file__).parent,
        "page.html.j2",
        kicker=(
            "News recommendation on MIND: a language model fine-tuned with "
            f"{train['method']}, compared with its base model"
        ),
        title=found.title,
        lead=found.text,
        notices=notices(metrics, model, probe),
        fingerprint=[*metrics["protocol"].items(), ("model digest", model["digest"])],
        beside=[
            (row.name, row.figures, row.about) for row in beside_published(metrics, probe["rule"])
        ],
        beside_heads=HEADS,
        beside_note=NOTE,
        baselines=against_baselines(metrics),
        probe=probe,
        upper_bound=upper_bound(probe),
        one_class=counted(tuned["num_one_class"], "impression"),
        tables=[
            (title, heads.values(), figure_rows({name: metrics[name] for name in names}, heads))
            for title, heads in TABLES.items()
        ],
        compared=[METRIC_NAMES[name] for name in compared],
        comparisons=comparison_rows(others, compared),
        baselines_svg=Markup(_baselines_svg(metrics, names, key)),
        deciding=METRIC_NAMES[key],
        detectable=metrics["tuned_vs_base"].get("detectable_auc"),
        train=train,
        loss_svg=Markup(loss_curve(train_loss, val_loss, y_label="loss, nats per answer token")),
        roc_svg=Markup(roc_curves({name: roc[name] for name in MODELS})),
        reliability_svg=Markup(_reliability_svg(reliability_points)),
        tuned=tuned,
        models=MODELS,
        matrices=[(name, Markup(_matrix(name, metrics[name]))) for name in MODELS],
        slices=_slice_figures(slices),
        mistakes=_by_kind(list(mistakes)),
        audit=[
            (words, [audits[name].get(entry) for name in MODELS])
            for entry, words in AUDIT.items()
            if any(entry in audits[name] for name in MODELS)
        ],
        speed=[
            (name, _speed(metrics[name], audits[name], timings[f"score_{name}"])) for name in MODELS
        ],
        training=[(key_words(name), train[name]) for name in train if name != "protocol"],
        splits=splits,
        rows=count_rows(row_counts[name] for name in splits),
        shared=[(key_words(name), count) for name, count in flat(row_counts["shared"])],
    )


def _baselines_svg(metrics: Metrics, names: list[str], key: str) -> str:
    gains = [(name, gain(metrics, name, key)) for name in names if is_compared(metrics, name, key)]
    rows = [(name, {"gain": Dot(found.delta, found.low, found.high)}) for name, found in gains]
    return dot_plot(
        rows,
        title=f"Gain of the tuned model over each predictor, {METRIC_NAMES[key]}",
        across=f"gain in {METRIC_NAMES[key]}",
        limits=dot_limits((dot for _, dots in rows for dot in dots.values()), 0.0),
        reference=0.0,
    )


def _slice_figures(slices: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """A dot plot for each heading, all on the same scale."""
    plots = {
        heading: [
            (
                f"{shortened(name, SLICE_WIDTH)} ({found['base']['num_clicks']:,})",
                {model: Dot(*(found[model][key] for key in Dot._fields)) for model in MODELS},
            )
            for name, found in sorted(of_heading.items(), key=lambda item: _by_number(item[0]))
        ]
        for heading, of_heading in slices.items()
        if heading != "protocol" and of_heading
    }
    every = [dot for rows in plots.values() for _, dots in rows for dot in dots.values()]
    return [
        (
            SLICES.get(heading, heading),
            Markup(
                dot_plot(
                    rows,
                    title=SLICES.get(heading, heading),
                    across="share of correctly ranked pairs",
                    limits=dot_limits(every, GUESS),
                    reference=GUESS,
                )
            ),
        )
        for heading, rows in plots.items()
    ]


def _by_number(name: str) -> tuple[int, str]:
    """Sort slices like "6 to 10" by their first number; the others come first, by name."""
    found = re.search("[0-9]{1,9}", name)
    return (int(found[0]) if found else -1, name)


def _reliability_svg(points: pd.DataFrame) -> str:
    return reliability(
        points.rename(columns={"click_rate": "positive_rate"}),
        title="Reliability of the tuned model",
        x_label="predicted probability of a click",
        y_label="share of clicked candidates",
    )


def _matrix(name: str, row: Mapping[str, Any]) -> str:
    return confusion_matrix(
        [[row["tn"], row["fp"]], [row["fn"], row["tp"]]],
        row_names=("not clicked", "clicked"),
        column_names=("No", "Yes"),
        title=name,
        x_label="answer",
    )


def _by_kind(mistakes: list[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]], str]]:
    """The mistakes of each kind, and the text to show if there are none."""
    return [
        (
            kind,
            [mistake for mistake in mistakes if mistake["kind"] == kind],
            f"No {kind} answers." if kind == UNPARSED else f"No {kind}s.",
        )
        for kind in KINDS
    ]


def _speed(
    row: Mapping[str, Any], audit: Mapping[str, Any], timing: Mapping[str, Any]
) -> tuple[float, float, float]:
    """Prompts per second, seconds, and machine hours per 1,000 impressions of the test set."""
    # The engine also answered validation prompts, which do not belong to these impressions.
    test_seconds = timing["seconds"] * row["num_candidates"] / audit["num_prompts"]
    hours = test_seconds / row["num_impressions"] * 1000 / 3600
    return timing["prompts_per_second"], timing["seconds"], hours
