"""Turn predictions into numbers; knows no model.

Reads   params: evaluate, rl.trained; data/processed/{test,purchases,items}.parquet,
        data/processed/candidates_test.json, data/predictions/compare; of each system, named or
        trained, data/predictions/{NAME,NAME_wrong_history,NAME_candidate_alone}.parquet (probes:
        where there are any), plots/rl_METHOD.tsv; metrics/{prepare,score_sft}.json, models/adapter
Writes  metrics/{evaluate,slices,probes}.json, plots/learning_curves.tsv
Run     dvc repro evaluate      (alone: python -m stages.ranker.evaluate NAME ..., like base sft)
"""

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.files import read_json, write_json, write_tsv
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.params.load import load_params
from newsrec.ranker.evaluation import figures, probes, rollout, slices
from newsrec.ranker.evaluation.curves import read_curves
from newsrec.ranker.evaluation.tables import (
    load_categories,
    load_counts,
    load_lists,
    load_probes,
    load_scores,
)
from newsrec.ranker.params import Evaluate, Params
from newsrec.ranker.systems import METHODS, POLICIES, PROBES, ordered
from newsrec.running.stage import run_stage

PROCESSED, PREDICTIONS = Path("data/processed"), Path("data/predictions")
METRICS, PLOTS = Path("metrics"), Path("plots")


def main() -> None:
    params = load_params(Params)
    evaluate, names = params.evaluate, [*sys.argv[1:], *params.rl.trained]
    sources = {name: PREDICTIONS / f"{name}.parquet" for name in names}
    sources |= {path.stem: path for path in (PREDICTIONS / "compare").glob("*.parquet")}
    names = ordered(sources)
    if len(names) < 2:
        raise UserError("expected two or more systems: python -m stages.ranker.evaluate base sft")
    lists = load_lists(PROCESSED)
    scores = {name: load_scores(sources[name], lists) for name in names}
    probed = load_probes(PREDICTIONS, names, PROBES, lists)
    bootstrap = ClusterBootstrap(lists.users, evaluate.num_resamples, evaluate.seed)
    drawing = (evaluate.temperature, evaluate.num_rollouts, evaluate.seed)
    of_lists = {
        name: figures.greedy(lists, of)
        | (rollout.drawn(lists, of, *drawing) if name in POLICIES else {})
        for name, of in tqdm(scores.items(), desc="evaluate", unit="system")
    }
    systems, pairs = figures.measure(of_lists, bootstrap)
    counts = load_counts(PROCESSED / "purchases.parquet")
    parts = slices.slices_of(lists, counts, load_categories(PROCESSED / "items.parquet"))
    results: dict[str, dict[str, Any]] = {
        "evaluate": {
            "num_lists": len(lists.ids),
            "num_users": len(bootstrap.clusters),
            "num_candidates": lists.candidates.shape[1],
            "random_order": figures.of_random_order(lists.candidates.shape[1]),
            "systems": systems,
            "pairs": pairs,
            "plan": figures.plan(of_lists, lists.users, evaluate.delta),
        },
        "slices": slices.measure_slices(lists, of_lists, parts, bootstrap),
        "probes": {
            **{
                probe: probes.otherwise_prompted(lists, scores, of_probe, bootstrap)
                for probe, of_probe in probed.items()
            },
            "popularity": probes.with_popularity(lists, scores, counts, bootstrap),
        },
    }
    protocol = _protocol(evaluate)
    for name, found in results.items():
        write_json(METRICS / f"{name}.json", {"protocol": protocol, **found})
    curves = read_curves(PLOTS, [name for name in names if name in METHODS])
    write_tsv(PLOTS / "learning_curves.tsv", curves.columns, curves.to_numpy().tolist())
    for name, found in systems.items():
        shown = {key: found[key]["value"] for key in (figures.MAIN, "mrr", "tie_rate")}
        print(f"evaluate: {name:14}", *(f"{key} {value:.4f} " for key, value in shown.items()))


def _protocol(evaluate: Evaluate) -> dict[str, str]:
    return {
        **read_json(METRICS / "prepare.json")["protocol"],
        **read_json(Path("models/adapter/protocol.json")),
        "engine": read_json(METRICS / "score_sft.json")["engine"],
        "order": "greedy, ties averaged over; expected_: Plackett-Luce at temperature "
        f"{evaluate.temperature:g}, exact",
        "intervals": f"95 %, {evaluate.num_resamples} resamples of users, seed {evaluate.seed}",
    }


if __name__ == "__main__":
    run_stage(main)
