"""Train the ranker by reinforcement or, with `softmax`, by the baseline to beat; merge the result.

Reads   params: rl.recipe, rl.METHOD, prompt, score.max_model_len, merge; models/merged,
        metrics/merge.json, metrics/fetch_model.json, and of data/processed items.parquet,
        train.parquet and val.parquet
Writes  models/rl/METHOD/{adapter,merged}, metrics/rl_METHOD.json, metrics/timings/rl_METHOD.json,
        plots/rl_METHOD.tsv
Run     dvc repro rl@exact      (alone: python -m stages.ranker.rl METHOD, like exact)
By hand python -m newsrec.ranker.rl.worker models/rl/METHOD/adapter/train.yaml

An interrupted run resumes from its last checkpoint in .work/rl_METHOD.
"""

import shutil
import sys
from pathlib import Path
from typing import Any, get_args

import yaml

from newsrec.errors import UserError, unknown_choice
from newsrec.files import atomic_folder, read_json, sha256_folder, write_json, write_text, write_tsv
from newsrec.models.facts import count_parameters
from newsrec.models.merging import check_fidelity, export_model, merge_adapter
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.ranker.card import task_card
from newsrec.ranker.params import Params
from newsrec.ranker.rl.params import RlMethod, rl_values
from newsrec.ranker.rl.training import Lists, some_prompts, train_by_reinforcement
from newsrec.report.card import model_card
from newsrec.running.stage import run_stage
from newsrec.training.precision import choose_precision
from newsrec.training.runs import outcome_metrics

BASE = Path("models/merged")
DATA = Path("data/processed")
MEASURED = ("ndcg", "expected_ndcg")  # on the validation lists


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("expected: python -m stages.ranker.rl METHOD, like exact")
    method = sys.argv[1]
    if method not in get_args(RlMethod):
        raise unknown_choice("the method", method, get_args(RlMethod))
    params = load_params(Params)
    made_by = provenance()  # now: while it trains, somebody may commit
    train, val, items = (DATA / f"{name}.parquet" for name in ("train", "val", "items"))
    lists = Lists(train, val, items, params.prompt, params.score.max_prompt_tokens)
    target, work = Path("models/rl") / method, Path(".work") / f"rl_{method}"
    precision = choose_precision(params.rl.recipe.precision, "rl.recipe.precision")
    values = rl_values(params.rl, method) | {"precision": precision}
    with atomic_folder(target / "adapter") as draft:
        outcome, audit = train_by_reinforcement(
            base=BASE, lists=lists, work=work, target=draft, method=method, **values
        )
        protocol = {
            **read_json(Path("metrics/merge.json"))["protocol"],
            "sft": sha256_folder(BASE)[:12],
            "rl": f"{method}, NDCG@{values['k']}",
            "rl_seed": str(values["seed"]),
        }
        write_json(draft / "protocol.json", protocol)
        metrics = outcome_metrics(outcome, values["trains"], count_parameters(BASE), draft)
    metrics |= {"rl_method": method, "precision": precision}
    metrics |= audit | _merge(target, params, lists, protocol) | {"protocol": protocol}
    curves = [dict(outcome.metric_curves[name]) for name in MEASURED]
    rows = [(0, *(audit[f"start_{name}"] for name in MEASURED))]
    rows += [(step, *(curve[step] for curve in curves)) for step in curves[0]]
    write_tsv(Path(f"plots/rl_{method}.tsv"), ("step", *MEASURED), rows)
    write_json(Path(f"metrics/rl_{method}.json"), metrics)
    write_json(Path(f"metrics/timings/rl_{method}.json"), {"provenance": made_by})
    shutil.rmtree(work)
    print(
        f"rl@{method}: {outcome.num_steps} steps, validation NDCG@{values['k']} "
        f"{audit['start_ndcg']:.4f} -> {audit['end_ndcg']:.4f} (expected "
        f"{audit['end_expected_ndcg']:.4f}) at step {outcome.kept_step}, in {target}"
    )


def _merge(target: Path, params: Params, lists: Lists, protocol: dict[str, str]) -> dict[str, Any]:
    """Write the merged model, and say how well it answers as what was trained."""
    merge, trained = params.merge, target / "adapter"
    is_whole = params.rl.recipe.trains == "full"
    write = export_model if is_whole else merge_adapter
    prompts = some_prompts(BASE, lists, merge.num_prompts)
    with atomic_folder(target / "merged") as draft:
        found = write(BASE, trained, draft, prompts, merge.max_shard_size)
        expected = "the trained model" if is_whole else "base + adapter"
        check_fidelity(found, merge.tolerance, target / "merged", BASE, expected)
        settings = yaml.safe_load((trained / "train.yaml").read_text(encoding="utf-8"))
        base = read_json(Path("metrics/fetch_model.json"))
        card = model_card(task_card(protocol), base, protocol, settings)
        write_text(draft / "README.md", card)
    return {"max_logit_difference": found.difference, "rounding": found.rounding}


if __name__ == "__main__":
    run_stage(main)
