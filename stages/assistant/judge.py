"""Let a language model judge the answers of base and tuned; without a named judge, do nothing.

It is a separate stage, so that figures can be recomputed without asking the judge again.

Reads   params: judge, score.api_concurrency, score.api_max_tries, score.api_timeout,
        score.api_turns_thinking_off; tasks.yaml, data/processed/test.parquet,
        data/predictions/{base,tuned}.parquet
Writes  data/judged.parquet, metrics/judge.json
Run     dvc repro judge      (alone: python -m stages.assistant.judge)

An interrupted run resumes from .work/judge and asks only for the missing replies.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.assistant.answers import read_predictions, read_split
from newsrec.assistant.judge import PROMPT, ask_judge, choose_pairs
from newsrec.assistant.params import Params
from newsrec.assistant.tasks import read_tasks
from newsrec.assistant.verdicts import JUDGED_SCHEMA
from newsrec.engines.settings import ApiSettings
from newsrec.files import atomic_file, write_json
from newsrec.models.names import MODELS
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TARGET, WORK = Path("data/judged.parquet"), Path(".work/judge")


def main() -> None:
    params = load_params(Params)
    judge, settings = params.judge, params.engine_settings("openai-api")
    assert isinstance(settings, ApiSettings)
    judged, protocol = [], {}
    if judge.model is not None:
        tasks = read_tasks()
        rows = read_split(Path("data/processed/test.parquet"), tasks)
        folder = Path("data/predictions")
        answers = {
            name: read_predictions(folder / f"{name}.parquet", rows, tasks, whole=True)
            for name in MODELS
        }
        pairs = choose_pairs(rows, answers, tasks, judge.num_rows, judge.seed)
        WORK.mkdir(parents=True, exist_ok=True)  # replies to an interrupted run are kept
        replies = ask_judge(pairs, judge.model, settings, WORK)
        for pair, both in zip(pairs, replies, strict=True):
            values = (pair.id, pair.task, pair.same, *both)
            judged.append(dict(zip(JUDGED_SCHEMA.names, values, strict=True)))
        protocol = {
            "judge_model": judge.model,
            "judge_prompt": PROMPT,
            "judge_rows": f"{judge.num_rows} of a task at most, seed {judge.seed}; both orders",
        }
    with atomic_file(TARGET) as draft:
        pq.write_table(pa.Table.from_pylist(judged, schema=JUDGED_SCHEMA), draft)
    write_json(Path("metrics/judge.json"), {"protocol": protocol, "num_pairs": len(judged)})
    shutil.rmtree(WORK, ignore_errors=True)
    by = "no judge is named" if judge.model is None else f"by {judge.model}"
    print(f"judge: {len(judged):,} pairs of answers, {by}, in {TARGET}")


if __name__ == "__main__":
    run_stage(main)
