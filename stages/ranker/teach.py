"""Ask a teacher about the lists of training, and write what it answers right as samples.

The validation samples have the labels themselves as answers: no teacher is asked about them.

Reads   params: teach, prompt, score.api_concurrency, score.api_max_tries, score.api_timeout;
        data/processed/{train,val,items}.parquet, metrics/prepare.json; of the environment
        NEWSREC_API_URL and NEWSREC_API_KEY, where teach.teacher is url
Writes  data/processed/ranker_{train,val}.jsonl, data/processed/dataset_info.json,
        metrics/teach.json, metrics/timings/teach.json
Run     dvc repro teach      (alone: python -m stages.ranker.teach)

An interrupted run asks only for what was not answered, from .work/teach; what a server behind a URL
answered stays there, so that nothing is paid for twice.
"""

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from newsrec.files import read_json, write_json
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.ranker.lists import read_items
from newsrec.ranker.params import Params
from newsrec.ranker.tables import SAMPLES
from newsrec.ranker.teaching.asking import (
    Questions,
    ask_teacher,
    local_server,
    url_server,
    write_samples,
)
from newsrec.ranker.teaching.judgements import judgements
from newsrec.running.stage import run_stage
from newsrec.training.dataset import SampleSet, write_dataset_info

PROCESSED = Path("data/processed")
WORK = Path(".work/teach")


def main() -> None:
    params = load_params(Params)
    teach, started, made_by = params.teach, time.perf_counter(), provenance()
    items = read_items(PROCESSED / "items.parquet")
    questions = {
        split: partial(
            judgements, PROCESSED / f"{split}.parquet", items, params.prompt, num, teach.seed
        )
        for split, num in (("train", teach.num_train), ("val", teach.num_val))
    }
    answers, taken, num_asked = _answers(params, questions["train"])
    samples = SampleSet(PROCESSED, SAMPLES)
    counts = {
        split: write_samples(of_split, answers if split == "train" else None, _file(samples, split))
        for split, of_split in questions.items()
    }
    write_dataset_info(samples)
    teacher = teach.model if teach.teacher == "url" else teach.teacher
    protocol = {**read_json(Path("metrics/prepare.json"))["protocol"], "teacher": str(teacher)}
    metrics = {"protocol": protocol, "teacher": teach.teacher, **counts, "taken": taken}
    write_json(Path("metrics/teach.json"), metrics)
    timings = {"seconds": time.perf_counter() - started, "num_requested": num_asked}
    write_json(Path("metrics/timings/teach.json"), {**timings, "provenance": made_by})
    if teach.teacher != "url":
        shutil.rmtree(WORK, ignore_errors=True)
    train = counts["train"]
    made = (
        f"{train['num_asked']:,} samples from the labels, nobody was asked"
        if answers is None
        else f"{train['num_right']:,} of {train['num_asked']:,} answers are right and kept"
    )
    shown = f"{made} ({train['num_yes']:,} yes), cost {taken.get('cost', 0):g}"
    print(f"teach: {shown}, in {PROCESSED}")


def _answers(params: Params, questions: Questions) -> tuple[list[Any] | None, dict[str, Any], int]:
    """What the teacher answers, what it took, and how many answers are new."""
    teach, score = params.teach, params.score
    if teach.teacher == "none":
        return None, {}, 0
    options: dict[str, Any] = {"max_tokens": teach.max_tokens, "concurrency": score.api_concurrency}
    options |= {"max_tries": score.api_max_tries, "timeout": score.api_timeout}
    WORK.mkdir(parents=True, exist_ok=True)
    prices = teach.price_prompt, teach.price_completion
    if teach.teacher == "url":
        server = url_server(teach.model, "teach.model", **options)
        return ask_teacher(questions, server, WORK, *prices)
    with local_server(questions, **options) as server:
        return ask_teacher(questions, server, WORK, *prices)


def _file(samples: SampleSet, split: str) -> Path:
    return samples.folder / f"{samples.dataset(split)}.jsonl"


if __name__ == "__main__":
    run_stage(main)
