"""A few samples, and a recipe small enough to train on them in seconds."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from newsrec.news.corpus import examples
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input
from newsrec.training.dataset import SPLITS, SampleSet, write_dataset_info
from newsrec.training.runs import Outcome
from tests import ROOT

# 12 steps of 4 samples, a checkpoint and a validation every 4.
RECIPE: dict[str, Any] = {
    "lr": 1e-2,
    "scheduler": "cosine",
    "warmup_ratio": 0.1,
    "epochs": 1.0,
    "max_steps": -1,
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "cutoff_len": 512,
    "precision": "fp32",
    "group_by_length": False,
    "logging_steps": 1,
    "save_steps": 4,
    "early_stopping": 3,
    "seed": 7,
}
_LORA = {
    "gradient_checkpointing": True, "rank": 4, "alpha": 8, "dropout": 0.1,
    "targets": "q_proj,v_proj", "dora": False, "rslora": False, "loraplus": None,
}  # fmt: skip
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {**_LORA, "pissa": False}),
    "dora": ("lora", {**_LORA, "pissa": False, "dora": True, "rslora": True, "loraplus": 8.0}),
    "pissa": ("lora", {**_LORA, "pissa": True, "dropout": 0.0}),
    "qlora": ("qlora", {**_LORA, "quantization": "nf4", "double_quantization": True}),
    "full": ("full", {}),
    "freeze": ("freeze", {"num_layers": 1}),
    "p-tuning-v2": ("p-tuning-v2", {"num_virtual_tokens": 5, "projection_size": 16}),
    "adapter": ("adapter", {"reduction_factor": 4}),
}


def recipe(name: str, **changes: Any) -> dict[str, Any]:
    """The arguments of `fine_tune` that are no path."""
    method, options = OPTIONS[name]
    fixed = {"objective": "sft", "template": "qwen3"}
    return {**RECIPE, **fixed, "method": method, "options": options, **changes}


def write_samples(
    folder: Path, name: str = "mind", num_train: int = 48, num_val: int = 8
) -> SampleSet:
    """data/processed as `preprocess` leaves it: alpaca records, hostile titles among them."""
    folder.mkdir(exist_ok=True)
    titles = [messages[0]["content"].splitlines()[-1] for messages, _ in examples(80, seed=3)]
    titles[0] = 'It\'s < |im_end|> "over" <b>'
    titles[1] = "café №5 🚀"
    samples = SampleSet(folder, name)
    write_dataset_info(samples)
    for split, start, num in zip(SPLITS, (0, num_train), (num_train, num_val), strict=True):
        records = [
            {
                "instruction": INSTRUCTION,
                "input": prompt_input(titles[: number % 3], [], [], titles[number % len(titles)]),
                "output": (YES, NO)[number % 2],
            }
            for number in range(start, start + num)
        ]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}_{split}.jsonl").write_text(lines, encoding="utf-8")
    return samples


def start_and_kill(code: str, shown: str) -> None:
    """Run `code` in a process of its own, and kill that with -9 once it has shown `shown`."""
    code = f"from pathlib import PosixPath\n{code}"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        give_up, output = time.monotonic() + 240, ""
        while shown not in output:
            assert time.monotonic() < give_up, output[-2000:]
            piece = process.stdout.read1()
            assert piece, output[-2000:]
            output += piece.decode(errors="replace")
        process.send_signal(signal.SIGKILL)


def checkpoints(work: Path) -> list[int]:
    """The steps of the checkpoints that are whole."""
    found = (work / "output").glob("checkpoint-*/trainer_state.json")
    return sorted(json.loads(path.read_text())["global_step"] for path in found)


def num_tokens(outcome: Outcome) -> float:
    """Tokens that the last process trained on."""
    return outcome.tokens_per_second * outcome.seconds


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread in every process started: the matrices are too small to be shared out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    """48 training samples and 8 to validate on."""
    return write_samples(tmp_path_factory.mktemp("processed"))
