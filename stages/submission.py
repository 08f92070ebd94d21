"""Rank the unlabelled split by the tuned model and write the leaderboard's zip.

Reads   params: prompt, score, model.template, preprocess.seed; data/raw, models/merged
Writes  submission/prediction.zip
Run     make submission      (alone: python -m stages.submission)
"""

import shutil
from pathlib import Path

from newsrec.news.leaderboard.submission import validate_submission, write_submission
from newsrec.news.mind.unlabelled import write_candidates_unlabelled
from newsrec.news.params import Params
from newsrec.news.scoring import score_candidates
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

RAW = Path("data/raw")
MODEL = Path("models/merged")
TARGET = Path("submission/prediction.zip")
WORK = Path(".work/submission")


def main() -> None:
    params = load_params(Params)
    WORK.mkdir(parents=True, exist_ok=True)  # what an interrupted run asked a server is not lost
    candidates, predictions = WORK / "candidates.parquet", WORK / "predictions.parquet"
    num_prompts = write_candidates_unlabelled(
        RAW,
        candidates,
        feedback=params.prompt.feedback,
        num_history=params.prompt.num_history,
        num_feedback=params.prompt.num_feedback,
        seed=params.preprocess.seed,
    )
    score_candidates(
        params.engine_settings(),
        "tuned",
        MODEL,
        {candidates: predictions},
        WORK,
        max_prompt_tokens=params.score.max_prompt_tokens,
        max_answer_tokens=params.score.max_answer_tokens,
    )
    behaviors = RAW / "unlabelled/behaviors.tsv"
    write_submission(behaviors, predictions, TARGET)
    num_impressions = validate_submission(TARGET, behaviors)
    shutil.rmtree(WORK)
    print(f"submission: {num_impressions:,} impressions, {num_prompts:,} answers, in {TARGET}")


if __name__ == "__main__":
    run_stage(main)
