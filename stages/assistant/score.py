"""Let one model answer every row of the test split: free text, and of tasks with labels a choice.

Reads   params: score, model.template; tasks.yaml, models/base or models/merged,
        data/processed/test.parquet, data/processed/protocol.json
Writes  data/predictions/NAME.parquet, metrics/score_NAME.json, metrics/timings/score_NAME.json
Run     dvc repro score@base      (alone: python -m stages.assistant.score base models/base)

Each model in a process of its own. An interrupted run asks only for what it had not answered, from
.work/score_NAME.
"""

import shutil
import sys
import time
from pathlib import Path

from newsrec.assistant.params import Params
from newsrec.assistant.scoring import score_rows
from newsrec.assistant.tasks import read_tasks
from newsrec.engines.settings import settings_of_model
from newsrec.errors import UserError
from newsrec.files import read_json, sha256_folder, write_json
from newsrec.params.load import load_params
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import begin_scoring
from newsrec.running.stage import run_stage

ROWS = Path("data/processed/test.parquet")
PROTOCOL = Path("data/processed/protocol.json")


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError(
            "expected: python -m stages.assistant.score NAME MODEL, like base models/base"
        )
    name, model = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    params = load_params(Params)
    check_machine(params, "score")
    tasks, protocol = read_tasks(), read_json(PROTOCOL)
    engine = params.score.engine
    made_by = begin_scoring(engine)
    target = Path(f"data/predictions/{name}.parquet")
    work = Path(".work") / f"score_{name}"
    work.mkdir(parents=True, exist_ok=True)  # what an interrupted run had answered is not lost
    scored = score_rows(
        settings_of_model(params.engine_settings(), name),
        name,
        model,
        tasks,
        ROWS,
        target,
        work,
        max_model_len=params.score.max_model_len,
        max_answer_tokens=params.score.max_answer_tokens,
    )
    seconds = time.perf_counter() - started
    write_json(
        Path(f"metrics/score_{name}.json"),
        {
            "protocol": protocol | {"engine": engine},
            "engine": engine,
            "model": {"folder": str(model), "sha256": sha256_folder(model)},
            "num_rows": scored.num_rows,
            "num_prompts": scored.num_prompts,
            "longest_prompt": scored.longest_prompt,
            **scored.engine,
        },
    )
    write_json(
        Path(f"metrics/timings/score_{name}.json"),
        {
            "seconds": seconds,
            "prompts_per_second": scored.num_prompts / seconds,
            "provenance": made_by,
        },
    )
    shutil.rmtree(work)
    print(f"score@{name}: {scored.num_prompts:,} answers in {seconds:.0f} s, in {target}")


if __name__ == "__main__":
    run_stage(main)
