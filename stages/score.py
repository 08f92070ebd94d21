"""Let one model answer every prompt of the evaluation set, and of the set aside to calibrate on.

Reads   params: score, model.template; models/base or models/merged,
        data/processed/candidates_{test,val}.parquet, metrics/preprocess.json
Writes  data/predictions/{,val/}<name>.parquet, metrics/score_<name>.json,
        metrics/timings/score_<name>.json
Run     dvc repro score@base      (alone: python -m stages.score base models/base)
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from newsrec.engines import api, transformers, vllm
from newsrec.engines.request import AnswerTokens
from newsrec.engines.scoring import Ask, Scored, score_candidates
from newsrec.errors import UserError, run_stage
from newsrec.files import read_json, sha256_folder, write_json
from newsrec.params import Params, load_params
from stages.doctor import check_machine

CANDIDATES = Path("data/processed")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError("expected: python -m stages.score NAME MODEL_FOLDER, like base models/base")
    name, model = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    params = load_params()
    check_machine(params, "score")
    work = Path(".work") / f"score_{name}"
    work.mkdir(parents=True, exist_ok=True)  # what an interrupted run asked a server is not lost

    target = PREDICTIONS / f"{name}.parquet"
    tables = {
        CANDIDATES / "candidates_test.parquet": target,
        CANDIDATES / "candidates_val.parquet": PREDICTIONS / "val" / f"{name}.parquet",
    }
    room = params.score.max_model_len - params.score.max_answer_tokens
    scored = score_candidates(
        model, tables, work, max_prompt_tokens=room, ask=engine(params, name, model, work)
    )
    seconds = time.perf_counter() - started
    write_json(Path(f"metrics/score_{name}.json"), _audit(scored, params, target))
    write_json(
        Path(f"metrics/timings/score_{name}.json"),
        {"seconds": seconds, "prompts_per_second": scored.prompts.num_prompts / seconds},
    )
    shutil.rmtree(work)
    told = scored.answers[target]
    mass = (
        "no probabilities told"
        if told.mean_answer_mass is None
        else (f"mean answer mass {told.mean_answer_mass:.4f}")
    )
    print(f"score@{name}: {told.num_answers:,} answers, {mass}, in {target}")


def engine(params: Params, name: str, model: Path, work: Path) -> Ask:
    """The engine that `score.engine` names, with its settings."""
    score = params.score

    def ask(prompts: Path, answers: Path, tokens: AnswerTokens) -> Mapping[str, object]:
        if score.engine == "vllm":
            vllm.score(
                model,
                prompts,
                answers,
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
        elif score.engine == "transformers":
            transformers.score(
                model,
                prompts,
                answers,
                tokens,
                dtype=score.dtype,
                max_answer_tokens=score.max_answer_tokens,
                batch_size=score.batch_size,
            )
        else:
            return api.score(
                model,
                prompts,
                answers,
                tokens,
                work=work,
                server=score.api_server,
                url=os.environ.get("NEWSREC_API_URL"),
                key=os.environ.get("NEWSREC_API_KEY"),
                served_as=os.environ.get(f"NEWSREC_API_MODEL_{name.upper()}"),
                port=score.api_port + (name != "base"),
                template=params.model.template,
                fingerprint=sha256_folder(model),
                dtype=score.dtype,
                max_answer_tokens=score.max_answer_tokens,
                top_logprobs=score.api_top_logprobs,
                concurrency=score.api_concurrency,
                max_tries=score.api_max_tries,
                timeout=score.api_timeout,
                turns_thinking_off=score.api_turns_thinking_off,
            )
        return {}

    return ask


def _audit(scored: Scored, params: Params, target: Path) -> dict[str, object]:
    """Which tokens were read, and what was not as it should be."""
    prompts, answers = scored.prompts, scored.answers[target]
    mass = answers.mean_answer_mass
    outside = {} if mass is None else {"mean_mass_outside": 1 - mass}
    return {
        "protocol": {
            **read_json(Path("metrics/preprocess.json"))["protocol"],
            "engine": params.score.engine,
        },
        "engine": params.score.engine,
        "token_yes": scored.tokens.yes,
        "token_no": scored.tokens.no,
        "token_yes_text": scored.token_texts[0],
        "token_no_text": scored.token_texts[1],
        **outside,
        **scored.engine,
        "num_unparsed": answers.num_unparsed,
        "num_thinking": answers.num_thinking,
        "num_text_only": answers.num_text_only,
        "num_prompts": prompts.num_prompts,
        "num_shortened": prompts.num_shortened,
        "num_items_dropped": prompts.num_items_dropped,
        "longest_prompt": prompts.longest_prompt,
    }


if __name__ == "__main__":
    run_stage(main)
