"""Let one model answer every prompt of the evaluation set, and of the set kept for calibration.

Reads   params: score, model.template; models/base or models/merged,
        data/processed/candidates_test.parquet, data/processed/candidates_val.parquet,
        metrics/preprocess.json; waits for models/checked/NAME.json
Writes  data/predictions/NAME.parquet, data/predictions/val/NAME.parquet,
        metrics/score_NAME.json, metrics/timings/score_NAME.json
Run     dvc repro score@base      (alone: python -m stages.score base models/base)
"""

import shutil
import sys
import time
from pathlib import Path

from newsrec.engines.settings import settings_of_model
from newsrec.errors import UserError
from newsrec.files import read_json, write_json
from newsrec.news.params import Params
from newsrec.news.scoring import score_candidates
from newsrec.params.load import load_params
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import begin_scoring
from newsrec.running.stage import run_stage

CANDIDATES = Path("data/processed")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError("expected: python -m stages.score NAME MODEL_FOLDER, like base models/base")
    name, model = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    params = load_params(Params)
    check_machine(params, "score")
    engine = params.score.engine
    made_by = begin_scoring(engine)
    work = Path(".work") / f"score_{name}"
    work.mkdir(parents=True, exist_ok=True)  # what an interrupted run asked a server is not lost

    target = PREDICTIONS / f"{name}.parquet"
    tables = {
        CANDIDATES / "candidates_test.parquet": target,
        CANDIDATES / "candidates_val.parquet": PREDICTIONS / "val" / f"{name}.parquet",
    }
    scored = score_candidates(
        settings_of_model(params.engine_settings(), name),
        name,
        model,
        tables,
        work,
        max_prompt_tokens=params.score.max_prompt_tokens,
        max_answer_tokens=params.score.max_answer_tokens,
    )
    seconds = time.perf_counter() - started
    protocol = read_json(Path("metrics/preprocess.json"))["protocol"] | {"engine": engine}
    write_json(
        Path(f"metrics/score_{name}.json"),
        {"protocol": protocol, "engine": engine, **scored.audit(target)},
    )
    write_json(
        Path(f"metrics/timings/score_{name}.json"),
        {
            "seconds": seconds,
            "prompts_per_second": scored.prompts.num_prompts / seconds,
            "provenance": made_by,
        },
    )
    shutil.rmtree(work)
    answers = scored.answers[target]
    mass = (
        "no probabilities"
        if answers.mean_answer_mass is None
        else f"mean answer mass {answers.mean_answer_mass:.4f}"
    )
    print(f"score@{name}: {answers.num_answers:,} answers, {mass}, in {target}")


if __name__ == "__main__":
    run_stage(main)
