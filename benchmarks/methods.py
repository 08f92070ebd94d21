"""Compare all fine-tuning methods: one DVC experiment each on the tiny model, in one table.

Runs each choice outside the workspace (`dvc exp run --temp`, named method-<name>) and writes
docs/methods.md. The memory that a method needs at 8B is not measured: it is calculated with the
formula in `newsrec.preflight.needs`.

Run     make compare-methods      (python -m benchmarks.methods --write-only: only write the
        document, from existing experiments)
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
    """The overrides that a user types, and further ones that the tiny model needs."""

    name: str
    words: tuple[str, ...]
    tiny: tuple[str, ...] = ()


CHOICES = (
    Choice("lora", ("train=lora",)),
    Choice("dora", ("train=lora", "train.dora=true")),
    Choice("rslora", ("train=lora", "train.rslora=true")),
    Choice("pissa", ("train=lora", "train.pissa=true")),
    # The learning rate of B is 16 times this, which is the rate that lora has for both A and B.
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

The fine-tuning method is a configuration choice, like the model and the data:
`dvc exp run -S train=qlora -S model=qwen3-0.6b`.

The table shows one run of each method on the built-in default: the tiny Qwen3 (about 400,000
parameters) on synthetic MIND data, evaluated on {num_impressions} impressions of users not seen in
training; the AUC of the base model is {base_auc:.4f}. It shows that each method runs, what
it trains and what it costs compared with the others; it does not show which method is best for
Qwen3-8B. `make compare-methods` wrote this page from runs of {date}; each row is a DVC experiment
(`dvc exp show`).

{table}

- **gain**: the AUC per impression of tuned minus that of base, with the 95 % interval over
  resampled users.
- **validation loss**: the loss of the selected checkpoint in nats per token of the answer. For an
  answer of four tokens whose first token is guessed and whose other tokens are certain, it is
  ln 2 / 4 = 0.173.
- **on disk**: the size of the weights in `models/adapter` after training; for full and freeze,
  this is a whole model.
- **tokens/s** and **peak RAM**: measured on two cores without a GPU, for the training process
  only. They vary with the other load of the machine.
- **GPU memory at 8B**: Qwen3-8B in bfloat16, 1 sample of {cutoff_len} tokens per batch,
  calculated and not yet measured on a GPU. `memory_to_train` in `newsrec/preflight/needs.py`
  states each term of the formula; {cuda:.0f} GB are added for CUDA. In short, the memory is the
  sum of:
  - the weights of the base model, 2 bytes each (for qlora, 4 bits and their scales);
  - 18 bytes for each trained parameter: the float32 weight and gradient, Adam's two moments, and
    the bfloat16 copy that is used in computation;
  - the input of every block (for p-tuning-v2, everything that a block stores for the backward
    pass, as it cannot be recomputed);
  - the activations of one block or the logits, whichever are larger.

## The methods

- **lora, qlora, full and freeze** are trained with LLaMA-Factory. `train.dora`, `train.rslora`,
  `train.pissa` and `train.loraplus` are options of lora. They can be combined, except pissa with
  dora; qlora has all of them except pissa.
- **qlora** trains an adapter on a 4-bit base model; the adapter is merged into the unquantized
  base model.
- **full** and **freeze** produce a whole model, which `merge` exports unchanged.
- **p-tuning-v2** (prefix tuning with a projection, with PEFT) and **adapter** (bottleneck adapters,
  with the library `adapters`) are stored next to the base model and not merged. vLLM cannot load
  them, so these choices set `engine: transformers` for both base and tuned; any other engine is
  refused before the run starts.
- **Equal tokens**: both trainers read the same samples with the same chat template,
  `model.template`. `auto`, the default of `model=local`, reads the template of the model's own
  tokenizer. `train` refuses a template whose tokens differ from those used in scoring.
- **By hand**: `llamafactory-cli train models/adapter/train.yaml` repeats the training
  (for p-tuning-v2 and adapter: `python -m newsrec.training.peft_worker models/adapter/train.yaml`).

## Long runs

- **Interrupted**: after a kill at any step, the next `dvc repro` resumes from the last checkpoint
  (`train.save_steps`) and, on a CPU, produces the same bytes.
- **The best checkpoint** is kept, that is the one with the lowest validation loss. Training stops
  after `train.early_stopping` validations without a lower loss.
- **A loss that is not a number** stops the training at that step, before any weight changes.

## Several processes on a CPU

A small model computes on one thread. With `train.processes` above 1, that many processes (torchrun)
each compute a share of `train.batch_size` on a CPU. A step has as many samples as before, and
without dropout and `train.group_by_length` the same ones, so that the result differs by rounding
alone. By hand:
`FORCE_TORCHRUN=1 NPROC_PER_NODE=2 llamafactory-cli train models/adapter/train.yaml`.

## Several GPUs

All GPUs are used, each with a whole copy of the model: training gets faster, but does not need
less memory per GPU. With n GPUs, a step processes n times as many samples
(`num_processes` in `metrics/train.json`).

## The command for each

The learning rates and widths are for the tiny model:

{settings}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-only", action="store_true", help="run no experiment")
    if not parser.parse_args().write_only:
        for choice in tqdm(CHOICES, desc="methods", unit="experiment"):
            run(choice)
    rows = [row(choice) for choice in CHOICES]
    write_text(DOCUMENT, document(rows, last_run()))
    print(f"compare-methods: {len(rows)} methods in {DOCUMENT}")


def run(choice: Choice) -> None:
    """Run one experiment in a copy of the files in Git."""
    name = f"method-{choice.name}"
    with Repo() as repo:
        there = {found for named in repo.experiments.ls().values() for found, _ in named}
    if name in there:  # not --force, which would run every stage again
        run_dvc("exp", "remove", "--quiet", name)
    settings = [word for each in (*choice.words, *choice.tiny) for word in ("-S", each)]
    run_dvc("exp", "run", "--temp", "--name", name, *settings)


def row(choice: Choice) -> tuple[str, ...]:
    """The cells of one method, in the order of `HEADS`."""
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
    """The recipe that the project provides for Qwen3-8B."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        compose(path, [*choice.words, "model=qwen3-8b"])
        return load_params(SharedParams, path)


def memory_at_8b(choice: Choice) -> int:
    """Bytes of GPU memory to train Qwen3-8B with that recipe."""
    params = params_at_8b(choice)
    assert params.model.shape is not None
    train, shape = params.train, params.model.shape
    return needs.CUDA + needs.memory_to_train(
        shape, 2, train.method, asdict(train), train.batch_size, train.cutoff_len
    )


def last_run() -> str:
    """The date of the latest experiment, such as 2026-11-22."""
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
    """The text of docs/methods.md, with the date of the runs."""
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
