"""The report of a run of the ranker pipeline as one HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from newsrec.ranker.evaluation.figures import EXPECTED, MAIN
from newsrec.ranker.report.verdict import (
    HEADS,
    Metrics,
    against_others,
    against_softmax,
    gain,
    notices,
    verdict,
)
from newsrec.ranker.systems import CANDIDATE_ALONE, METHODS, POLICIES, WRONG_HISTORY, in_words
from newsrec.report.curves import loss_curve, step_curves
from newsrec.report.figures import Dot, dot_limits, dot_plot
from newsrec.report.page import render_page
from newsrec.report.tables import BETTER, WORSE, Gain, facts
from newsrec.report.text import DASH, score, shortened, signed

# The key of each figure in metrics/evaluate.json and its column heading.
GREEDY = {
    "ndcg_at_1": "NDCG@1",
    "ndcg_at_5": "NDCG@5",
    "ndcg_at_10": "NDCG@10",
    "ndcg_at_20": "NDCG@20",
    "hr_at_5": "HR@5",
    "hr_at_10": "HR@10",
    "mrr": "MRR",
    "tie_rate": "target ties",
}
DRAWN = {
    MAIN: "NDCG@10, greedy",
    EXPECTED: "NDCG@10, expected",
    f"sampled_{MAIN}": "NDCG@10, sampled",
    "expected_ndcg_at_1": "NDCG@1, expected",
    "expected_hr_at_10": "HR@10, expected",
    "expected_mrr": "MRR, expected",
}
AUDIT = {
    "start_noise_one": "one order, perfect critic, before",
    "end_noise_one": "after",
    "start_noise_group_masked": "64 orders, masked, before",
    "end_noise_group_masked": "after",
    "divergence": "KL divergence from the start, nats",
    "clip_share": "share of clipped ratios",
    "step_divergence": "KL divergence per step",
    "explained_variance": "explained variance of the critic",
}
SLICES = {
    "history": "By number of history products in the prompt",
    "target": "By whether anyone bought the target in the training period",
    "popularity": "By popularity of the target in the training period",
    "category": "By category of the target",
}
SLICE_WIDTH = 18  # columns for a slice's name, next to its number of lists
CURVES = {"ndcg": "NDCG@{k}, greedy", "expected_ndcg": "NDCG@{k}, expected"}


def render(
    *,
    main: str,
    metrics: Metrics,
    slices: Mapping[str, Any],
    probes: Mapping[str, Any],
    methods: Mapping[str, Mapping[str, Any]],
    curves: pd.DataFrame,
    teach: Mapping[str, Any],
    compare: Mapping[str, Any],
    train: Mapping[str, Any],
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    model: Mapping[str, Any],
    row_counts: Mapping[str, Mapping[str, Any]],
    examples: Sequence[tuple[str, Sequence[Mapping[str, Any]], str]],
    k: int,
    delta: float,
) -> str:
    """The whole page; equal input gives equal bytes.

    Args:
        main: the method that the run is about.
        metrics: the contents of metrics/evaluate.json; slices, probes, teach, compare, train and
            model (fetch_model) likewise.
        methods: for each method, the contents of metrics/rl_METHOD.json.
        curves: the table of plots/learning_curves.tsv.
        train_loss: the loss of fine-tuning on answers, columns step and loss.
        val_loss: the same for validation; may be empty.
        row_counts: for each stage, the row counts in its metrics.
        examples: kind, lists and the text to show if there are none.
        k: the cut-off of the reward, NDCG@k.
        delta: the difference in NDCG@10 for which the number of lists was computed.
    """
    found, systems = verdict(metrics, main, probes), metrics["systems"]
    known = [key for key in GREEDY if key in systems[main]]
    policies = {name: systems[name] for name in systems if name in POLICIES}
    return render_page(
        Path(__file__).parent,
        "page.html.j2",
        kicker="Product ranking for a user: a language model trained with reinforcement learning",
        title=found.title,
        lead=found.text,
        notices=notices(metrics, main, probes, teach, model),
        fingerprint=[*metrics["protocol"].items(), ("model digest", model["digest"])],
        main=main,
        metrics=metrics,
        against=[
            sentence
            for sentence in (against_softmax(metrics, main), *against_others(metrics, main))
            if sentence
        ],
        words=[(name, in_words(name)) for name in systems if in_words(name) != name],
        heads=[GREEDY[key] for key in known],
        rows=[
            *((name, [_cell(of, key) for key in known]) for name, of in systems.items()),
            (
                "expectation of a random order",
                [(score(metrics["random_order"].get(key)), "") for key in known],
            ),
        ],
        systems_svg=Markup(_systems(metrics)),
        drawn_heads=DRAWN.values(),
        drawn_rows=[(name, [_cell(of, key) for key in DRAWN]) for name, of in policies.items()],
        compared=HEADS.values(),
        comparisons=[
            (name, [gain(metrics, main, name, key) for key in HEADS])
            for name in systems
            if name != main
        ],
        matrix_heads=list(systems)[1:],
        matrix=_matrix(metrics),
        plan_rows=_plan(metrics, main),
        delta=delta,
        curves=[
            (head.format(k=k), Markup(_curves(curves, column, head.format(k=k))))
            for column, head in CURVES.items()
            if column in curves
        ],
        histories=[
            (f"{name}, {_num_probed(probes[probe])} lists", _probe_rows(probes[probe]))
            for probe, name in (
                (WRONG_HISTORY, "Another user's history"),
                (CANDIDATE_ALONE, "The candidate only, without a history"),
            )
            if probes[probe]
        ],
        popularity=[(name, [_signed(of)]) for name, of in probes["popularity"].items()],
        slices=_slices(slices, main),
        audit_heads=AUDIT.values(),
        audit_rows=[
            (name, [(score(of.get(key)), "") for key in AUDIT]) for name, of in methods.items()
        ],
        examples=examples,
        teach=facts(teach),
        compare=facts(compare),
        loss_svg=Markup(loss_curve(train_loss, val_loss, y_label="loss, nats per token")),
        training=[("fine-tuning on answers", facts(train))]
        + [(f"reinforcement learning, {name}", facts(of)) for name, of in methods.items()],
        row_counts=[(stage, facts(of)) for stage, of in row_counts.items()],
    )


def _cell(figures: Mapping[str, Any], key: str) -> tuple[str, str]:
    """A figure and its interval as printed; a dash if the system does not have the figure."""
    return _figure(figures[key]) if key in figures else (DASH, "")


def _figure(found: Mapping[str, float]) -> tuple[str, str]:
    return score(found["value"]), f"{score(found['low'])}{DASH}{score(found['high'])}"


def _signed(found: Mapping[str, float]) -> tuple[str, str]:
    return signed(found["value"]), f"{signed(found['low'])} to {signed(found['high'])}"


def _dot(found: Mapping[str, float]) -> Dot:
    return Dot(found["value"], found["low"], found["high"])


def _systems(metrics: Metrics) -> str:
    rows = [(name, {MAIN: _dot(of[MAIN])}) for name, of in metrics["systems"].items()]
    random = metrics["random_order"][MAIN]
    return dot_plot(
        rows,
        title="NDCG@10 of every system",
        across="NDCG@10",
        limits=dot_limits((dot for _, dots in rows for dot in dots.values()), random),
        reference=random,
    )


def _matrix(metrics: Metrics) -> list[tuple[str, list[tuple[str, str] | None]]]:
    """The difference in NDCG@10 of each system from each later one, and the class of the cell."""
    names = list(metrics["systems"])
    classes = {BETTER: "above", WORSE: "below"}

    def cell(found: Gain | None) -> tuple[str, str] | None:
        return found and (signed(found.delta), classes.get(found.outcome, "muted"))

    return [
        (
            one,
            [
                cell(gain(metrics, one, other)) if place < at else None
                for at, other in enumerate(names)
                if at
            ],
        )
        for place, one in enumerate(names[:-1])
    ]


def _plan(metrics: Metrics, main: str) -> list[tuple[str, list[object]]]:
    """For each other system: the smallest detectable difference, and the number of lists needed."""
    rows: list[tuple[str, list[object]]] = []
    for name in metrics["systems"]:
        for pair in (f"{main} vs {name}", f"{name} vs {main}"):
            if found := metrics["plan"].get(pair):
                rows.append((name, [found["detectable"], found["num_lists_needed"]]))
    return rows


def _curves(curves: pd.DataFrame, column: str, head: str) -> str:
    series = {
        method: curves[curves["method"] == method].rename(columns={column: "value"})
        for method in METHODS
        if (curves["method"] == method).any()
    }
    title = f"{head} on the validation lists, by step"
    return step_curves(series, title=title, y_label=head)


def _num_probed(found: Mapping[str, Any]) -> str:
    return f"{max(of['num_lists'] for of in found.values()):,}"


def _probe_rows(found: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            name,
            [
                _figure(of["own"]),
                _figure(of["probed"]),
                _signed(of["difference"]),
                (score(of["random"]), ""),
            ],
        )
        for name, of in found.items()
    ]


def _slices(slices: Mapping[str, Any], main: str) -> list[tuple[str, Markup]]:
    """A dot plot for each heading, all on the same scale."""
    shown = list(dict.fromkeys(("sft", *METHODS, main)))
    plots = {
        heading: [
            (
                f"{shortened(name, SLICE_WIDTH)} ({found[main]['num_lists']:,})",
                {series: _dot(found[series]) for series in shown if series in found},
            )
            for name, found in slices[heading].items()
        ]
        for heading in SLICES
        if slices[heading]
    }
    every = [dot for rows in plots.values() for _, dots in rows for dot in dots.values()]
    limits = dot_limits(every, 0.0)
    return [
        (
            SLICES[heading],
            Markup(
                dot_plot(
                    rows, title=SLICES[heading], across="NDCG@10", limits=limits, reference=0.0
                )
            ),
        )
        for heading, rows in plots.items()
    ]
