"""Let one model score every candidate of the test lists.

Reads   params: score, probes, model.template, prompt; models/base, models/merged or
        models/rl/METHOD/merged, data/processed/{items,test}.parquet, data/processed/protocol.json
Writes  data/predictions/NAME.parquet, for each PROBE named data/predictions/NAME_PROBE.parquet;
        metrics/score_NAME.json, metrics/timings/score_NAME.json
Run     dvc repro score@sft, dvc repro score_rl@exact      (alone: python -m stages.ranker.score
        NAME MODEL_FOLDER PROBE ..., like sft models/merged wrong_history)

An interrupted run asks only for what it had not answered, from .work/score_NAME.
"""

import shutil
import sys
import time
from pathlib import Path

from newsrec.engines.settings import settings_of_model
from newsrec.errors import UserError
from newsrec.files import read_json, write_json
from newsrec.params.load import load_params
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import begin_scoring
from newsrec.ranker.params import Params
from newsrec.ranker.probe_lists import write_probe
from newsrec.ranker.scoring import score_lists
from newsrec.running.stage import run_stage

DATA = Path("data/processed")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    if len(sys.argv) < 3:
        raise UserError("expected: python -m stages.ranker.score NAME MODEL_FOLDER PROBE ...")
    name, model, probes = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    started = time.perf_counter()
    params = load_params(Params)
    check_machine(params, "score")
    engine = params.score.engine
    made_by = begin_scoring(engine)
    work = Path(".work") / f"score_{name}"
    work.mkdir(parents=True, exist_ok=True)  # what an interrupted run had answered is not lost
    target = PREDICTIONS / f"{name}.parquet"
    tables = {DATA / "test.parquet": target}
    for probe in probes:
        lists = work / f"{probe}.parquet"
        write_probe(
            DATA / "test.parquet", probe, lists, params.probes.num_lists, params.probes.seed
        )
        tables[lists] = PREDICTIONS / f"{name}_{probe}.parquet"
    scored = score_lists(
        settings_of_model(params.engine_settings(), name),
        name,
        model,
        tables,
        DATA / "items.parquet",
        params.prompt,
        work,
        max_prompt_tokens=params.score.max_prompt_tokens,
    )
    seconds = time.perf_counter() - started
    protocol = read_json(DATA / "protocol.json") | {"engine": engine}
    write_json(
        Path(f"metrics/score_{name}.json"),
        {"protocol": protocol, "engine": engine, **scored.audit},
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
    print(
        f"score@{name}: {scored.prompts.num_prompts:,} prompts in {seconds:.0f} s, mean mass of "
        f"other answers {scored.mean_mass_outside:.4f}, in {target}"
    )


if __name__ == "__main__":
    run_stage(main)
