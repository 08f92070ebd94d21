"""What `evaluate` reads, small: prepared lists, predictions of several systems, curves."""

import json
from pathlib import Path

from tests.ranker import made_lists
from tests.ranker.values import write_params

SKILLS = {
    "base": 0.0,
    "sft": 0.4,
    "exact": 2.0,
    "softmax": 1.9,
    "group": 1.8,
    "ppo": 0.45,
    "random": 0.0,
    "popularity": 0.5,
    "exact_wrong_history": 0.0,
}


def write_tree(
    folder: Path, temperature: float = 1.0, methods: tuple[str, ...] = ("exact", "softmax")
) -> None:
    """Write it; `methods` are all that were trained, the files of others are of an earlier run."""
    write_params(
        folder,
        evaluate={"num_resamples": 60, "num_rollouts": 4, "temperature": temperature},
        rl={"compared": list(methods[1:]), "trained": list(methods)},
    )
    made_lists.write_processed(folder / "data/processed")
    rows = made_lists.lists(80, seed=2)
    for place, (name, skill) in enumerate(SKILLS.items()):
        scores = made_lists.scores_of(rows, skill, seed=place)
        made_lists.write_predictions(rows, scores, folder / f"data/predictions/{name}.parquet")
    write(folder / "metrics/prepare.json", {"protocol": {"data": "made up"}})
    write(folder / "models/adapter/protocol.json", {"method": "lora", "model": "tiny"})
    write(folder / "metrics/score_sft.json", {"engine": "transformers"})
    (folder / "plots").mkdir(exist_ok=True)
    for method in ("exact", "softmax", "group", "ppo"):
        lines = "step\tndcg\texpected_ndcg\n0\t0.3\t0.25\n10\t0.5\t0.4\n"
        (folder / f"plots/rl_{method}.tsv").write_text(lines)


def write(target: Path, values: dict[str, object]) -> None:
    """Write JSON, with its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(values))
