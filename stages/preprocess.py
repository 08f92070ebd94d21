"""Turn impressions into training samples and the evaluation set.

Reads   params: preprocess, prompt; data/raw/{train,val,test}, metrics/fetch_mind.json
Writes  data/processed (its files), metrics/preprocess.json
Run     dvc repro preprocess      (alone: python -m stages.preprocess)
"""

import sys
from dataclasses import asdict
from pathlib import Path

from newsrec.files import atomic_folder, read_json, write_json
from newsrec.news.mind.row_counts import row_warnings
from newsrec.news.mind.samples import preprocess
from newsrec.news.params import Params
from newsrec.news.prompts import prompt_protocol
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TARGET = Path("data/processed")


def main() -> None:
    params = load_params(Params)
    prompt, settings = params.prompt, params.preprocess
    if prompt.feedback == "same_impression":
        print(
            "preprocess: warning: prompt.feedback=same_impression shows the model which other "
            "candidates were clicked, which gives the label away; for comparison only",
            file=sys.stderr,
        )
    num_impressions = settings.num_impressions
    with atomic_folder(TARGET) as draft:
        row_counts = preprocess(
            Path("data/raw"),
            draft,
            feedback=prompt.feedback,
            num_history=prompt.num_history,
            num_feedback=prompt.num_feedback,
            target=settings.target,
            positive_rate=settings.positive_rate,
            max_samples=asdict(settings.max_samples),
            test_candidates=settings.candidates,
            num_val_impressions=settings.num_val_impressions,
            num_test_impressions=None if num_impressions == "all" else num_impressions,
            seed=settings.seed,
        )
        write_json(draft / "protocol.json", _sample_protocol(params))
    write_json(Path("metrics/preprocess.json"), row_counts | {"protocol": _protocol(params)})
    for warning in row_warnings(row_counts):
        print(f"preprocess: warning: {warning}", file=sys.stderr)
    samples = ", ".join(
        f"{row_counts[split]['num_samples']:,} {split}" for split in ("train", "val")
    )
    scored = f"{row_counts['test']['num_scored']:,} candidates to score"
    print(f"preprocess: {samples} samples, {scored}, in {TARGET}")


def _sample_protocol(params: Params) -> dict[str, str]:
    """What the training samples are: of the evaluation set nothing, so that it can change alone."""
    settings = params.preprocess
    return {
        **read_json(Path("metrics/fetch_mind.json"))["protocol"],
        **_prompt_protocol(params),
        "target": f"{settings.target}, seed {settings.seed}",
    }


def _protocol(params: Params) -> dict[str, str]:
    settings = params.preprocess
    return {
        **read_json(Path("metrics/fetch_mind.json"))["protocol"],
        "filter": "candidates and history without a row in news.tsv left out",
        "candidates": settings.candidates,
        "impressions": f"{settings.num_impressions}, seed {settings.seed}",
        **_prompt_protocol(params),
    }


def _prompt_protocol(params: Params) -> dict[str, str]:
    prompt = params.prompt
    return prompt_protocol(prompt.feedback, prompt.num_history, prompt.num_feedback)


if __name__ == "__main__":
    run_stage(main)
