"""Put the rows of test, validation and evasion into classes by one model.

`tuned` is the merged classifier; any other model is asked for the class as a language model.

Reads   params: score, train.cutoff_len, model.template; models/base or models/merged,
        data/processed/{test,val,evasion}.parquet
Writes  data/predictions/{test,val,evasion}/NAME.parquet, metrics/score_NAME.json,
        metrics/timings/score_NAME.json
Run     dvc repro score@base      (alone: python -m stages.safety.score base models/base)

An interrupted run asks only for what it had not answered, from .work/score_NAME.
"""

import shutil
import sys
import time
from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import sha256_file, write_json
from newsrec.params.load import load_params
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import begin_scoring
from newsrec.running.stage import run_stage
from newsrec.safety.params import Params
from newsrec.safety.scoring import score_classifier, score_judge
from newsrec.safety.tables import SETS

ROWS = Path("data/processed")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError("expected: python -m stages.safety.score NAME MODEL, like base models/base")
    name, model = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    params = load_params(Params)
    check_machine(params, "score")
    score, cutoff = params.score, params.train.cutoff_len
    # ONNX is for the head of a classifier.
    engine = "transformers" if name != "tuned" and score.engine == "onnx" else score.engine
    made_by = begin_scoring(engine)
    work = Path(".work") / f"score_{name}"
    work.mkdir(parents=True, exist_ok=True)  # what an interrupted run had answered is not lost
    tables = {ROWS / f"{of}.parquet": PREDICTIONS / of / f"{name}.parquet" for of in SETS}
    if name == "tuned":
        if cutoff > score.max_model_len:
            raise UserError(
                f"score.max_model_len is {score.max_model_len}; expected train.cutoff_len, "
                f"{cutoff}, or more: texts would be read in training that cannot be scored"
            )
        scored = score_classifier(params.classifier_settings(), model, tables, work, cutoff)
    else:
        settings = params.engine_settings(engine if engine != score.engine else None)
        limits = {"max_tokens": cutoff, "max_prompt_tokens": score.max_prompt_tokens}
        scored = score_judge(settings, name, model, tables, work, **limits)
    seconds = time.perf_counter() - started
    protocol = {
        "data": sha256_file(ROWS / "test.parquet")[:12],
        "cutoff_len": str(cutoff),
        "engine": engine,
    }
    counts = {"num_rows": scored.num_rows, "num_cut": scored.num_cut}
    write_json(
        Path(f"metrics/score_{name}.json"),
        {"protocol": protocol, "engine": engine, **counts, **scored.details},
    )
    write_json(
        Path(f"metrics/timings/score_{name}.json"),
        {
            "seconds": seconds,
            "rows_per_second": scored.num_rows / seconds,
            "provenance": made_by,
        },
    )
    shutil.rmtree(work)
    print(f"score@{name}: {scored.num_rows:,} rows in {seconds:.0f} s, in {PREDICTIONS}/*/{name}")


if __name__ == "__main__":
    run_stage(main)
