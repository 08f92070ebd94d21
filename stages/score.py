"""Let one model answer every prompt of the evaluation set.

Reads   params: score; models/base or models/merged, data/processed/candidates_test.parquet
Writes  data/predictions/<name>.parquet, metrics/timings/score_<name>.json
Run     dvc repro score@base      (alone: python -m stages.score base models/base)
"""

import shutil
import sys
import time
from pathlib import Path

from newsrec.engines import vllm
from newsrec.engines.request import (
    AnswerTokens,
    answer_tokens,
    encode_prompts,
    load_tokenizer,
    write_prompts,
)
from newsrec.errors import UserError, run_stage
from newsrec.files import write_json
from newsrec.params import Score, load_params
from newsrec.predictions import iter_messages, write_model_predictions
from newsrec.prompts import NO, YES

CANDIDATES = Path("data/processed/candidates_test.parquet")


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError("expected: python -m stages.score NAME MODEL_FOLDER, like base models/base")
    name, model = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    score = load_params().score
    work = Path(".work") / f"score_{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    num_prompts, tokens = _write_prompts(model, score, work / "prompts.parquet")
    asked = time.perf_counter()
    _ask(model, score, tokens, work)
    answered = time.perf_counter()
    target = Path(f"data/predictions/{name}.parquet")
    answer_mass = write_model_predictions(CANDIDATES, work / "answers.parquet", target)
    write_json(
        Path(f"metrics/timings/score_{name}.json"),
        {
            "seconds": time.perf_counter() - started,
            "engine_seconds": answered - asked,
            "prompts_per_second": num_prompts / (answered - asked),
        },
    )
    shutil.rmtree(work)
    print(f"score@{name}: {num_prompts:,} answers, mean answer mass {answer_mass:.4f}, in {target}")


def _write_prompts(model: Path, score: Score, target: Path) -> tuple[int, AnswerTokens]:
    tokenizer = load_tokenizer(model)
    first = next(iter_messages(CANDIDATES))
    room = score.max_model_len - score.max_answer_tokens
    prompts = encode_prompts(tokenizer, iter_messages(CANDIDATES), room)
    return write_prompts(prompts, target), answer_tokens(tokenizer, first, YES, NO)


def _ask(model: Path, score: Score, tokens: AnswerTokens, work: Path) -> None:
    vllm.score(
        model,
        work / "prompts.parquet",
        work / "answers.parquet",
        tokens,
        work=work,
        dtype=score.dtype,
        max_model_len=score.max_model_len,
        max_answer_tokens=score.max_answer_tokens,
        gpu_memory_utilization=score.gpu_memory_utilization,
        cpu_kv_cache_gib=score.cpu_kv_cache_gib,
        enforce_eager=score.enforce_eager,
        batch_size=score.batch_size,
        seed=score.seed,
    )


if __name__ == "__main__":
    run_stage(main)
