"""The report of a run as one HTML page that loads nothing and runs no script.

Titles and predictors' names come from outside; the template escapes every value.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from newsrec.report.figures import (
    Dot,
    confusion_matrix,
    dot_plot,
    loss_curve,
    reliability,
    roc_curves,
)
from newsrec.report.mistakes import KINDS
from newsrec.report.published import HEADS, NOTE, beside_published
from newsrec.report.text import (
    counted,
    figure,
    flat,
    key_words,
    number,
    p_value,
    printable,
    score,
    shortened,
    signed,
)
from newsrec.report.verdict import (
    METRIC_NAMES,
    MODELS,
    Metrics,
    against_baselines,
    deciding,
    gain,
    is_compared,
    notices,
    predictors,
    verdict,
)

# A figure's key in metrics/evaluate.json and its column's head; two tables, to fit a sheet.
TABLES = {
    "Order and answers": {
        "auc": "AUC",
        "mrr": "MRR",
        "ndcg_at_5": "nDCG@5",
        "ndcg_at_10": "nDCG@10",
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
    },
    "Probabilities and form": {
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
    "candidates": "By candidates in the impression",
    "hour": "By hour of the impression",
    "topic": "By topic of the candidate",
}
AUDIT = {
    "engine": "engine",
    "token_yes": "token id of Yes",
    "token_yes_text": "which reads",
    "token_no": "token id of No",
    "token_no_text": "which reads",
    "mean_mass_outside": "mean probability outside Yes and No",
    "num_unparsed": "answers that are neither",
    "num_thinking": "answers with a <think> tag",
    "num_text_only": "answers without probabilities",
    "num_prompts": "prompts (test and validation)",
    "num_shortened": "prompts shortened to fit",
    "num_items_dropped": "titles left out by that",
    "longest_prompt": "longest prompt, tokens",
}
GUESS = 0.5  # the share of pairs in the right order by no rule at all
SLICE_WIDTH = 16  # columns of a slice's name that leave room for its clicks
_NO_SPLIT = ("shared", "protocol")  # keys of metrics/preprocess.json beside the splits


def render(
    *,
    metrics: Metrics,
    slices: Mapping[str, Any],
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    audits: Mapping[str, Mapping[str, Any]],
    timings: Mapping[str, Mapping[str, Any]],
    row_counts: Mapping[str, Any],
    probe_rule: str,
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    roc: Mapping[str, pd.DataFrame],
    reliability_points: pd.DataFrame,
    mistakes: Iterable[Mapping[str, Any]],
) -> str:
    """The whole page; equal input gives equal bytes.

    Args:
        metrics: what metrics/evaluate.json holds.
        slices: what metrics/slices.json holds: heading, slice, predictor, figure.
        model: what metrics/model.json holds.
        train: what metrics/train.json holds.
        audits: what metrics/score_<name>.json holds, for base and tuned.
        timings: measures of score_base and score_tuned.
        row_counts: what metrics/preprocess.json holds: counts by split, nested at will.
        probe_rule: the leak probe's rule.
        train_loss: columns step and loss.
        val_loss: columns step and loss; may be empty.
        roc: of base and tuned, columns false_positive_rate and true_positive_rate.
        reliability_points: of tuned, columns kind, mean_probability, click_rate and num_rows.
        mistakes: what `most_confident_mistakes` returns, for the tuned model.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=score, number=number, signed=signed, p_value=p_value, counted=counted
    )
    names, key, tuned = predictors(metrics), deciding(metrics), metrics["tuned"]
    mistakes = list(mistakes)
    return environment.get_template("page.html.j2").render(
        verdict=verdict(metrics),
        notices=notices(metrics, model, probe_rule),
        beside=beside_published(metrics, probe_rule),
        beside_heads=HEADS,
        beside_note=NOTE,
        baselines=against_baselines(metrics),
        one_class=counted(tuned["num_one_class"], "impression"),
        tables=[(title, heads, _rows(metrics, names, heads)) for title, heads in TABLES.items()],
        compared=[METRIC_NAMES[name] for name in METRIC_NAMES if name in metrics["tuned_vs_base"]],
        comparisons=_comparisons(metrics, names),
        baselines_svg=Markup(_baselines_svg(metrics, names, key)),
        deciding=METRIC_NAMES[key],
        detectable=metrics["tuned_vs_base"].get("detectable_auc"),
        train=train,
        loss_svg=Markup(loss_curve(train_loss, val_loss)),
        roc_svg=Markup(roc_curves(roc["base"], roc["tuned"])),
        reliability_svg=Markup(reliability(reliability_points)),
        tuned=tuned,
        matrices=[(name, _matrix(name, metrics[name])) for name in MODELS],
        slices=_slice_figures(slices),
        kinds=[
            (kind, kind.replace(" ", "-"), [found for found in mistakes if found["kind"] == kind])
            for kind in KINDS
        ],
        num_mistakes=len(mistakes),
        audit=[
            (words, [audits[name].get(found) for name in MODELS]) for found, words in AUDIT.items()
        ],
        speed=[
            (name, _speed(metrics[name], audits[name], timings[f"score_{name}"])) for name in MODELS
        ],
        training=[(key_words(name), train[name]) for name in train if name != "protocol"],
        splits=[name for name in row_counts if name not in _NO_SPLIT],
        rows=_accounts(row_counts),
        shared=[(key_words(name), count) for name, count in flat(row_counts["shared"])],
        fingerprint=[*metrics["protocol"].items(), ("model digest", model["digest"])],
    )


def _rows(
    metrics: Metrics, names: list[str], heads: Iterable[str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Of each predictor the figures and their intervals."""
    return [(name, [figure(metrics[name], key) for key in heads]) for name in names]


def _comparisons(metrics: Metrics, names: list[str]) -> list[tuple[str, list[Any]]]:
    """Of each predictor but tuned what tuned gains over it, metric by metric."""
    keys = [key for key in METRIC_NAMES if key in metrics["tuned_vs_base"]]
    others = (name for name in names if name != "tuned")
    return [
        (
            name,
            [gain(metrics, name, key) if is_compared(metrics, name, key) else None for key in keys],
        )
        for name in others
    ]


def _baselines_svg(metrics: Metrics, names: list[str], key: str) -> str:
    gains = [(name, gain(metrics, name, key)) for name in names if is_compared(metrics, name, key)]
    rows = [(name, {"gain": Dot(found.delta, found.low, found.high)}) for name, found in gains]
    return dot_plot(
        rows,
        title=f"What tuned gains over each predictor, {METRIC_NAMES[key]}",
        across=f"gain in {METRIC_NAMES[key]}",
        limits=_limits([dot for _, dots in rows for dot in dots.values()], 0.0),
        reference=0.0,
    )


def _slice_figures(slices: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """A dot plot for each heading, all on one scale."""
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
                    across="share of pairs in the right order",
                    limits=_limits(every, GUESS),
                    reference=GUESS,
                )
            ),
        )
        for heading, rows in plots.items()
    ]


def _limits(dots: list[Dot], reference: float) -> tuple[float, float]:
    """Room for every interval and the reference, and a little more."""
    low = min([reference, *(dot.low for dot in dots)])
    high = max([reference, *(dot.high for dot in dots)])
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _by_number(name: str) -> tuple[int, str]:
    """Slices like "6 to 10" stand by their first number, the others before them by name."""
    found = re.search("[0-9]{1,9}", name)
    return (int(found[0]) if found else -1, name)


def _matrix(name: str, row: Mapping[str, Any]) -> Markup:
    return Markup(confusion_matrix(row["tn"], row["fp"], row["fn"], row["tp"], title=name))


def _speed(
    row: Mapping[str, Any], audit: Mapping[str, Any], timing: Mapping[str, Any]
) -> tuple[float, float, float]:
    """Prompts a second, seconds, and machine hours for a thousand impressions of the test set."""
    # The engine answered validation prompts as well; they belong to no impression counted here.
    test_seconds = timing["seconds"] * row["num_candidates"] / audit["num_prompts"]
    hours = test_seconds / row["num_impressions"] * 1000 / 3600
    return timing["prompts_per_second"], timing["seconds"], hours


def _accounts(row_counts: Mapping[str, Any]) -> list[tuple[str, list[object]]]:
    """A row for each count, a column for each split."""
    splits = [dict(flat(row_counts[name])) for name in row_counts if name not in _NO_SPLIT]
    keys = dict.fromkeys(key for split in splits for key in split)
    return [(key_words(key), [split.get(key) for split in splits]) for key in keys]


def _finalize(value: object) -> object:
    """Make every text printable before it is escaped; what is safe mark-up already stays."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
