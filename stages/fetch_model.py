"""Fetch the base model and check that it can be used.

Reads   params: model; models/local (where model.source is local)
Writes  models/base, metrics/model.json
Run     dvc repro fetch_model      (alone: python -m stages.fetch_model)
"""

import shutil
from pathlib import Path

from newsrec.errors import run_stage
from newsrec.files import atomic_folder, sha256_folder, write_json
from newsrec.mind.synthetic import chat_examples
from newsrec.models.checks import check_model
from newsrec.models.hubs import copy_model, fetch_huggingface, fetch_local, fetch_modelscope
from newsrec.models.tiny import build_tiny
from newsrec.params import Model, load_params
from stages.doctor import check_machine

TARGET = Path("models/base")
WORK = Path(".work/fetch_model")  # outlives a kill, so that a download resumes


def main() -> None:
    params = load_params()
    check_machine(params, "fetch_model")
    model = params.model
    with atomic_folder(TARGET) as draft:
        if model.source == "tiny":
            _build(model, draft)
            facts = check_model(draft)
        else:
            folder = _fetch(model)
            facts = check_model(folder)
            if model.source == "local":
                copy_model(folder, draft)
            else:
                # Moved: the disk need not hold a large model twice.
                folder.rename(draft)
    shutil.rmtree(WORK, ignore_errors=True)
    write_json(
        Path("metrics/model.json"),
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


def _build(model: Model, draft: Path) -> None:
    assert model.tiny is not None
    build_tiny(
        draft,
        chat_examples(model.tiny.steps * model.tiny.batch_size, model.tiny.seed),
        vocab_size=model.tiny.vocab_size,
        hidden_size=model.tiny.hidden_size,
        num_layers=model.tiny.num_layers,
        max_length=model.tiny.max_length,
        steps=model.tiny.steps,
        batch_size=model.tiny.batch_size,
        lr=model.tiny.lr,
        seed=model.tiny.seed,
    )


def _fetch(model: Model) -> Path:
    if model.source == "modelscope":
        return fetch_modelscope(model.name, model.revision, WORK)
    if model.source == "huggingface":
        return fetch_huggingface(model.name, model.revision, WORK)
    return fetch_local(Path(model.path))


if __name__ == "__main__":
    run_stage(main)
