"""Turn impressions into training samples and the evaluation set.

Reads   params: preprocess, prompt, evaluate; data/raw, metrics/mind.json
Writes  data/processed, metrics/preprocess.json
Run     dvc repro preprocess      (alone: python -m stages.preprocess)
"""

import sys
from dataclasses import asdict
from pathlib import Path

from newsrec.errors import run_stage
from newsrec.files import atomic_folder, read_json, write_json
from newsrec.mind.samples import preprocess
from newsrec.params import Params, load_params
from newsrec.prompts import prompt_protocol

TARGET = Path("data/processed")


def main() -> None:
    params = load_params()
    if params.prompt.feedback == "same_impression":
        print(
            "preprocess: warning: prompt.feedback=same_impression shows the model which other "
            "candidates were clicked, which gives the label away; for comparison only",
            file=sys.stderr,
        )
    num_impressions = params.evaluate.num_impressions
    with atomic_folder(TARGET) as draft:
        account = preprocess(
            Path("data/raw"),
            draft,
            feedback=params.prompt.feedback,
            num_history=params.prompt.num_history,
            num_feedback=params.prompt.num_feedback,
            target=params.preprocess.target,
            positive_rate=params.preprocess.positive_rate,
            max_samples=asdict(params.preprocess.max_samples),
            test_candidates=params.evaluate.candidates,
            num_val_impressions=params.evaluate.num_val_impressions,
            num_test_impressions=None if num_impressions == "all" else num_impressions,
            seed=params.preprocess.seed,
        )
    write_json(Path("metrics/preprocess.json"), account | {"protocol": _protocol(params)})
    told = ", ".join(f"{account[split]['num_samples']:,} {split}" for split in ("train", "val"))
    scored = f"{account['test']['num_scored']:,} candidates to score"
    print(f"preprocess: {told} samples, {scored}, in {TARGET}")


def _protocol(params: Params) -> dict[str, str]:
    return {
        **read_json(Path("metrics/mind.json"))["protocol"],
        "filter": "candidates and history without a row in news.tsv left out",
        "candidates": params.evaluate.candidates,
        "impressions": f"{params.evaluate.num_impressions}, seed {params.preprocess.seed}",
        **prompt_protocol(
            params.prompt.feedback, params.prompt.num_history, params.prompt.num_feedback
        ),
    }


if __name__ == "__main__":
    run_stage(main)
