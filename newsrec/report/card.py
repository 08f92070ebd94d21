"""The card of a model: a README.md in the format of the Hugging Face hub.

https://huggingface.co/docs/hub/model-cards. Equal input gives equal bytes; what comes from data, a
name or a parameter is escaped. It is written twice: with the model, when nothing is measured yet,
and with the figures for a published copy of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from newsrec.report.tables import markdown_table
from newsrec.report.text import code, printable, tiny_notice

Figures = Sequence[tuple[str, object]]  # what they are in words, and each value

NOT_MEASURED = (
    "It has not been evaluated yet: this card was written with the model. The figures of the run "
    "are in metrics/evaluate.json of its project, and a published copy of the model has them here."
)
# The settings of a training that are worth a row, under the names of its trainer.
_SETTINGS = {
    "learning_rate": "learning rate",
    "lr_scheduler_type": "schedule of the learning rate",
    "warmup_ratio": "warm-up, share of the steps",
    "num_train_epochs": "epochs",
    "max_steps": "steps at most (-1: no limit)",
    "per_device_train_batch_size": "samples on a device at once",
    "gradient_accumulation_steps": "accumulated batches",
    "cutoff_len": "tokens of a sample at most",
    "bf16": "trained in bfloat16",
    "fp16": "trained in float16",
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_target": "layers with an adapter",
    "rank": "rank",
    "alpha": "alpha",
    "dropout": "dropout",
    "targets": "layers with an adapter",
    "quantization_bit": "bits of the base's weights in training",
    "freeze_trainable_layers": "layers trained",
    "num_virtual_tokens": "virtual tokens",
    "reduction_factor": "reduction factor",
    "seed": "seed",
}


@dataclass(frozen=True)
class TaskCard:
    """What a card says of the task, in Markdown by the package that knows the task.

    Attributes:
        title: heading of the card.
        purpose: what the model is for, and what it is asked.
        data: what it was trained and measured on.
        licence: of the data, and what follows for the model.
        limits: a sentence each.
        datasets: names on the Hugging Face hub, if the data are there.
        tags: of the card, for search.
        pipeline: the hub's name of what the model does.
    """

    title: str
    purpose: str
    data: str
    licence: str
    limits: Sequence[str]
    datasets: Sequence[str] = ()
    tags: Sequence[str] = ()
    pipeline: str = "text-generation"


@dataclass(frozen=True)
class Measured:
    """What a published card has more: the figures in Markdown and as results, and the provenance.

    Attributes:
        text: of the section on the evaluation.
        results: for the hub's own table.
        provenance: of the run, in words and values.
    """

    text: str
    results: list[EvalResult]
    provenance: Figures


def model_card(
    task: TaskCard,
    base: Mapping[str, Any],
    protocol: Mapping[str, str],
    settings: Mapping[str, Any],
    library: str = "transformers",
    measured: Measured | None = None,
) -> str:
    """The whole card.

    Args:
        task: what it says of the task.
        base: what metrics/fetch_model.json holds: source, name, revision, digest, num_parameters.
        protocol: of the training, models/adapter/protocol.json.
        settings: of the trainer, models/adapter/train.yaml.
        library: that loads the model.
        measured: the figures; None where there are none yet.
    """
    name, method = printable(base["name"]), protocol["method"]
    on_hub = base["source"] == "huggingface"
    data = ModelCardData(
        license="other",
        license_name="of-the-base-model-and-the-data",
        base_model=name if on_hub else None,
        base_model_relation="finetune" if on_hub else None,
        datasets=list(task.datasets) or None,
        library_name=library,
        pipeline_tag=task.pipeline,
        tags=list(task.tags),
        model_name=f"{name}, {printable(method)}" if measured else None,
        eval_results=measured.results if measured else None,
    )
    notice = tiny_notice(base)
    parts = [
        f"# {task.title}",
        f"{code(name)} after fine-tuning with {code(method)}. {task.purpose}",
        *([f"> **Tiny model.** {notice}"] if notice else []),
        "## Evaluation",
        measured.text.strip() if measured else NOT_MEASURED,
        "## Limits",
        "\n".join(f"- {limit}" for limit in task.limits),
        "## Data",
        task.data,
        "## How it was made",
        _table([*_made_of(base), *protocol.items(), *_settings(settings)]),
        *(["## Provenance", _table(measured.provenance)] if measured else []),
        "## Licences",
        f"The base model, {code(name)}: its own licence, which holds for this model too. "
        f"{task.licence}",
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _made_of(base: Mapping[str, Any]) -> Figures:
    return [
        ("base model", base["name"]),
        ("fetched from", base["source"]),
        ("parameters of the base model", base["num_parameters"]),
        ("digest of the base model", base["digest"]),
    ]


def _settings(settings: Mapping[str, Any]) -> Figures:
    # The second trainer has those of the Hugging Face Trainer, and its own, in sections.
    flat = {**settings, **settings.get("trainer", {}), **settings.get("options", {})}
    found = {words: flat.get(name) for name, words in _SETTINGS.items()}
    return [(words, value) for words, value in found.items() if value is not None]


def _table(rows: Figures) -> str:
    cells = [(printable(words).replace("_", " "), code(str(value))) for words, value in rows]
    return markdown_table(["", ""], "<<", cells)
