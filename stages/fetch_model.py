"""Fetch the base model, or build the tiny one, and check that it can be used.

The tiny model is pre-trained on the corpus of a module, which has a function `examples(num, seed)`.

Reads   params: fetch_model; the folder fetch_model.path (where fetch_model.source is local)
Writes  models/base, metrics/fetch_model.json
Run     dvc repro fetch_model      (alone: python -m stages.fetch_model newsrec.news.corpus)
"""

import shutil
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.vllm_reading import check_same_reading
from newsrec.errors import UserError
from newsrec.files import atomic_folder, sha256_folder, write_json
from newsrec.models.checks import check_model
from newsrec.models.facts import describe_model
from newsrec.models.hubs import fetch_huggingface, fetch_local, fetch_modelscope
from newsrec.models.one_form import write_description
from newsrec.models.tiny import build_tiny
from newsrec.models.usable import check_usable
from newsrec.models.weights import copy_weights
from newsrec.params.load import load_params
from newsrec.params.sections import FetchModel, SharedParams
from newsrec.preflight.doctor import check_machine
from newsrec.running.stage import run_stage
from newsrec.training.samples import load_template

TARGET = Path("models/base")
WORK = Path(".work/fetch_model")  # outlives a kill, so that a download resumes


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("expected: python -m stages.fetch_model CORPUS_MODULE")
    params = load_params(SharedParams)
    check_machine(params, "fetch_model")
    model = params.fetch_model
    with atomic_folder(TARGET) as draft:
        folder = draft if model.source == "tiny" else _fetch(model)
        if model.source == "tiny":
            _build(model, sys.argv[1], draft)
        check_model(folder)
        facts = describe_model(folder)
        if model.source != "tiny":
            write_description(folder, draft)
        check_usable(draft, folder)
        if model.source != "tiny":
            # No parameter of this stage: another one fetches no model again. That of the tiny one
            # is checked by train alone: LLaMA-Factory takes ten seconds to import.
            load_template(load_tokenizer(draft), params.model.template)
            if params.score.engine == "vllm":
                check_same_reading(draft, folder, WORK)
            # Moved where it was downloaded: the disk need not hold a large model twice.
            copy_weights(folder, draft, move=model.source != "local")
    shutil.rmtree(WORK, ignore_errors=True)
    write_json(
        Path("metrics/fetch_model.json"),
        {
            "source": model.source,
            "name": model.name,
            "revision": model.revision,
            **facts,
            "digest": (digest := sha256_folder(TARGET)),
            "protocol": {
                "model": f"{model.name} ({model.source}), {digest[:12]}",
                "revision": model.revision,
            },
        },
    )
    print(f"fetch_model: {model.name}, {facts['num_parameters']:,} parameters, in {TARGET}")


def _build(model: FetchModel, corpus: str, draft: Path) -> None:
    tiny = model.tiny
    assert tiny is not None
    examples = import_module(corpus).examples(tiny.steps * tiny.batch_size, tiny.seed)
    build_tiny(draft, examples, **asdict(tiny))


def _fetch(model: FetchModel) -> Path:
    if model.source == "modelscope":
        return fetch_modelscope(model.name, model.revision, WORK)
    if model.source == "huggingface":
        return fetch_huggingface(model.name, model.revision, WORK)
    return fetch_local(Path(model.path))


if __name__ == "__main__":
    run_stage(main)
