"""Every way to fine-tune, side by side: one DVC experiment each on the tiny model, one table.

Runs each choice apart from the workspace (`dvc exp run --temp`, named method-<name>), and writes
docs/methods.md. What a method takes at 8B is no measurement: it follows
from the formula of `newsrec.preflight.needs`.

Run     make compare-methods      (python -m benchmarks.methods --write-only: from the experiments
        that are there)
"""

import argparse
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dvc.api
from dvc.repo import Repo
from tqdm import tqdm

from benchmarks.experiments import run_dvc
from newsrec.files import write_text
from newsrec.params.compose import compose
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.preflight import needs
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_program

DOCUMENT = Path("docs/methods.md")


@dataclass(frozen=True)
class Choice:
    """What a user types, and what the tiny model needs beside it."""

    name: str
    words: tuple[str, ...]
    tiny: tuple[str, ...] = ()


CHOICES = (
    Choice("lora", ("train=lora",)),
    Choice("dora", ("train=lora", "train.dora=true")),
    Choice("rslora", ("train=lora", "train.rslora=true")),
    Choice("pissa", ("train=lora", "train.pissa=true")),
    # The rate of B, 16 times this, is what lora has for both.
    Choice("loraplus", ("train=lora", "train.loraplus=16"), ("train.lr=3.0e-4",)),
    Choice("qlora", ("train=qlora",)),
    Choice("full", ("train=full",)),
    Choice("freeze", ("train=freeze",)),
    Choice("p-tuning-v2", ("train=p-tuning-v2",), ("train.lr=0.01",)),
    # A sixteenth of a width of 96 is too narrow to learn anything.
    Choice("adapter", ("train=adapter",), ("train.lr=0.02", "train.reduction_factor=4")),
)
HEADS = (
    "method",
    "AUC",
    "gain over base, 95 % interval",
    "validation loss",
    "parameters trained",
    "share",
    "on disk",
    "tokens/s",
    "peak RAM",
    "GPU memory at 8B",
)

_INTRODUCTION = """# Ways to fine-tune

The fine-tuning method is a choice, like model and data:
`dvc exp run -S train=qlora -S model=qwen3-0.6b`.

Below is one run of each on the embedded default: the tiny Qwen3 (about 400,000 parameters) on the
synthetic MIND, {num_impressions} impressions of users not trained on; base AUC {base_auc:.4f}. It
shows that each method runs, what it trains and what it costs compared with the others; it does not
show which is best for Qwen3-8B. Written by `make compare-methods` from runs of {date};
each row is a DVC experiment (`dvc exp show`).

{table}

- **gain**: AUC per impression of tuned minus base, with the 95 % interval over resampled users.
- **validation loss**: nats per token of the answer, of the checkpoint kept. Four tokens, the
  first a coin toss and the others certain, give ln 2 / 4 = 0.173.
- **on disk**: weights that training leaves in `models/adapter`; a whole model for full and freeze.
- **tokens/s** and **peak RAM**: two cores, no GPU, the training process alone. They vary with
  the machine's other load.
- **GPU memory at 8B**: Qwen3-8B in bfloat16, 1 sample of {cutoff_len} tokens at once, calculated,
  not yet measured on a GPU: `memory_to_train` of `newsrec/preflight/needs.py` states the formula
  term by term, plus {cuda:.0f} GB for CUDA. In short:
  - the base's weights, 2 bytes each (4 bits and their scales for qlora);
  - 18 bytes for each trained parameter: float32 weight and gradient, Adam's two moments, and the
    bfloat16 copy used in computation;
  - the input of every block (for p-tuning-v2 all that a block keeps, as it cannot be recomputed),
    one block's activations, or the logits if they are larger.

## The methods

- **lora, qlora, full, freeze** are LLaMA-Factory's. `train.dora`, `train.rslora`, `train.pissa` and
  `train.loraplus` are keys of lora and combine, except pissa with dora; qlora has all but pissa.
- **qlora** trains an adapter on a 4-bit base; it is merged into the base as it was fetched.
- **full** and **freeze** produce a whole model; `merge` exports it as it is.
- **p-tuning-v2** (PEFT, prefix tuning with a projection) and **adapter** (bottlenecks of the
  library `adapters`) are stored beside the base, unmerged. vLLM cannot load them, so the choice
  sets `engine: transformers` for base and tuned alike; another engine is refused before
  anything runs.
- **The same tokens**: both trainers read the same samples through the same chat template,
  `model.template`. `auto`, the default of `model=local`, reads the template of the model's own
  tokenizer. `train` refuses a template that yields other tokens than scoring.
- **By hand**: `llamafactory-cli train models/adapter/train.yaml` runs the training again
  (p-tuning-v2 and adapter: `python -m newsrec.training.peft_worker models/adapter/train.yaml`).

## Long runs

- **Interrupted**: after a kill at any step, the next `dvc repro` resumes from the last checkpoint
  (`train.save_steps`) and, on a CPU, ends in the same bytes.
- **The best checkpoint** is kept, the one with the lowest validation loss. After
  `train.early_stopping` validations without a lower one, training ends.
- **A loss that is not a number** ends training at that step, before any weight changes.

## Several GPUs

All are used, each with a whole copy of the model: training gets faster, not smaller. A step then
takes that many times the samples (`num_processes` in `metrics/train.json`).

## The command for each

The rates and widths are for the tiny model:

{settings}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-only", action="store_true", help="run nothing")
    if not parser.parse_args().write_only:
        for choice in tqdm(CHOICES, desc="methods", unit="experiment"):
            run(choice)
    rows = [row(choice) for choice in CHOICES]
    write_text(DOCUMENT, document(rows, last_run()))
    print(f"compare-methods: {len(rows)} methods in {DOCUMENT}")


def run(choice: Choice) -> None:
    """Run one experiment in a copy of the files of Git."""
    name = f"method-{choice.name}"
    with Repo() as repo:
        there = {found for named in repo.experiments.ls().values() for found, _ in named}
    if name in there:  # not --force, which would run every stage again
        run_dvc("exp", "remove", "--quiet", name)
    settings = [word for each in (*choice.words, *choice.tiny) for word in ("-S", each)]
    run_dvc("exp", "run", "--temp", "--name", name, *settings)


def row(choice: Choice) -> tuple[str, ...]:
    """The cells of one method, as `HEADS` names them."""
    train, evaluate = measured(choice, "train"), measured(choice, "evaluate")
    gain = evaluate["tuned_vs_base"]["auc"]
    return (
        f"`{choice.name}`",
        f"{evaluate['tuned']['auc']:.4f}",
        f"{gain['delta']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f}",
        f"{train['val_loss']:.4f}",
        f"{train['num_trainable_parameters']:,}",
        f"{train['trainable_share']:.1%}",
        f"{train['adapter_bytes'] / 1e6:.2f} MB",
        f"{train['tokens_per_second']:,.0f}",
        f"{train['peak_memory_bytes'] / 1e9:.2f} GB",
        f"{memory_at_8b(choice) / 1e9:.0f} GB",
    )


def measured(choice: Choice, name: str) -> dict[str, Any]:
    """A metrics file of one experiment."""
    file = f"metrics/{name}.json"
    shown: dict[str, Any] = dvc.api.metrics_show(file, rev=f"method-{choice.name}")
    return shown


def params_at_8b(choice: Choice) -> SharedParams:
    """The recipe that ships for Qwen3-8B."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        compose(path, [*choice.words, "model=qwen3-8b"])
        return load_params(SharedParams, path)


def memory_at_8b(choice: Choice) -> int:
    """Bytes on the GPU that trains Qwen3-8B by that recipe."""
    params = params_at_8b(choice)
    assert params.model.shape is not None
    train, shape = params.train, params.model.shape
    return needs.CUDA + needs.memory_to_train(
        shape, 2, train.method, asdict(train), train.batch_size, train.cutoff_len
    )


def last_run() -> str:
    """The date of the last experiment, such as 2026-11-22."""
    names = {f"method-{choice.name}" for choice in CHOICES}
    with Repo() as repo:
        found = [one for named in repo.experiments.ls().values() for one in named]
        times = [
            repo.scm.resolve_commit(revision).commit_time
            for name, revision in found
            if name in names
        ]
    return datetime.fromtimestamp(max(times), UTC).date().isoformat()


def document(rows: list[tuple[str, ...]], date: str) -> str:
    """docs/methods.md, with the date of the runs."""
    evaluate = measured(CHOICES[0], "evaluate")
    settings = [
        f"- `{choice.name}`: `dvc exp run -S {' -S '.join((*choice.words, *choice.tiny))}`"
        for choice in CHOICES
    ]
    return _INTRODUCTION.format(
        num_impressions=evaluate["tuned"]["num_impressions"],
        base_auc=evaluate["base"]["auc"],
        date=date,
        table=markdown_table(HEADS, "<" + ">" * (len(HEADS) - 1), rows),
        cutoff_len=params_at_8b(CHOICES[0]).train.cutoff_len,
        cuda=needs.CUDA / 1e9,
        settings="\n".join(settings),
    )


if __name__ == "__main__":
    run_program(main)
