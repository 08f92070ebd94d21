"""Compare the engine that scores a model with transformers, which trains it, on a few prompts.

Nothing is trained or scored before the two are known to read the same model. The prompts are the
first ones of a corpus module, see `fetch_model`.

Reads   params: score, model.template; models/base or models/merged
Writes  models/checked/NAME.json, which holds nothing that varies: it is there so that the stages
        behind this one wait for it and do not run again because of its figures;
        metrics/check_engine_NAME.json
Run     dvc repro check_engine@base
        (alone: python -m stages.check_engine base models/base newsrec.news.corpus)
"""

import shutil
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.files import write_json
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.preflight.doctor import check_machine
from newsrec.running.stage import run_stage

NUM_PROMPTS = 8
CHECKED = Path("models/checked")


def main() -> None:
    if len(sys.argv) != 4:
        raise UserError("expected: python -m stages.check_engine NAME MODEL_FOLDER CORPUS_MODULE")
    name, model, corpus = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    params = load_params(SharedParams)
    check_machine(params, "score")
    settings, engine = params.engine_settings(), params.score.engine
    found: dict[str, Any] = {"engine": engine, "num_prompts": 0}
    if isinstance(settings, VllmSettings):
        # PyTorch and transformers take seconds to import, and other engines do without here.
        from newsrec.engines.agreement import compare_with_transformers

        work = Path(".work") / f"check_engine_{name}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        chats = [chat for chat, _ in import_module(corpus).examples(NUM_PROMPTS, params.score.seed)]
        found |= asdict(compare_with_transformers(settings, model, chats, work))
        shutil.rmtree(work)
    write_json(Path(f"metrics/check_engine_{name}.json"), found)
    write_json(CHECKED / f"{name}.json", {"checked": True})
    if found["num_prompts"]:
        print(
            f"check_engine@{name}: {engine} and transformers differ by "
            f"{found['max_difference']:.2g} at most in {found['num_tokens']} log-probabilities, "
            f"tolerance {found['tolerance']:g} in {found['dtype']}"
        )
    else:  # it is transformers, or the weights are those of a server
        print(f"check_engine@{name}: {engine}: nothing to compare")


if __name__ == "__main__":
    run_stage(main)
