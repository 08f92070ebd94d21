"""The card of a model: a README.md in the format of the Hugging Face hub.

See https://huggingface.co/docs/hub/model-cards. Equal input gives equal bytes; text that comes from
data, names or parameters is escaped. A card is written twice: with the model, before it is
evaluated, and with the figures for a published copy of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from newsrec.report.tables import markdown_table
from newsrec.report.text import code, printable, tiny_notice

Figures = Sequence[tuple[str, object]]  # descriptions and values

NOT_MEASURED = (
    "This card was written together with the model, before its evaluation. The figures of the run "
    "are in metrics/evaluate.json of its project; the card of a published model shows them here."
)
# The training settings that a card lists, by the names that the trainer uses.
_SETTINGS = {
    "learning_rate": "learning rate",
    "lr_scheduler_type": "learning-rate schedule",
    "warmup_ratio": "warm-up, as a share of the steps",
    "num_train_epochs": "epochs",
    "max_steps": "maximum number of steps (-1: no limit)",
    "per_device_train_batch_size": "batch size per device",
    "gradient_accumulation_steps": "gradient accumulation steps",
    "cutoff_len": "maximum number of tokens per sample",
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
    "quantization_bit": "bits per weight of the base model in training",
    "freeze_trainable_layers": "number of trained layers",
    "num_virtual_tokens": "virtual tokens",
    "reduction_factor": "reduction factor",
    "seed": "seed",
}


@dataclass(frozen=True)
class TaskCard:
    """The task's part of a card, in Markdown, from the package for that task.

    Attributes:
        title: the heading of the card.
        purpose: the purpose of the model and the question it answers.
        data: the data that it was trained and evaluated on.
        licence: the licence of the data and its consequences for the model.
        limits: one sentence or more for each limit.
        datasets: names on the Hugging Face hub, if the data are there.
        tags: tags of the card, for search.
        pipeline: the hub's name for the model's task.
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
    """The additional content of a published card: the figures and their provenance.

    Attributes:
        text: the section on the evaluation, in Markdown.
        results: the figures for the hub's own table.
        provenance: descriptions and values of the run's provenance.
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
        task: the task's part of the card.
        base: the contents of metrics/fetch_model.json: source, name, revision, digest,
            num_parameters.
        protocol: the protocol of the training, models/adapter/protocol.json.
        settings: the settings of the trainer, models/adapter/train.yaml.
        library: the library that loads the model.
        measured: the figures; None if there are none yet.
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
        "## Training",
        _table([*_made_of(base), *protocol.items(), *_settings(settings)]),
        *(["## Provenance", _table(measured.provenance)] if measured else []),
        "## Licences",
        f"The licence of the base model, {code(name)}, also applies to this model. {task.licence}",
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _made_of(base: Mapping[str, Any]) -> Figures:
    return [
        ("base model", base["name"]),
        ("source of the base model", base["source"]),
        ("parameters of the base model", base["num_parameters"]),
        ("digest of the base model", base["digest"]),
    ]


def _settings(settings: Mapping[str, Any]) -> Figures:
    # The second trainer has the settings of the Hugging Face Trainer and its own, in sections.
    flat = {**settings, **settings.get("trainer", {}), **settings.get("options", {})}
    found = {words: flat.get(name) for name, words in _SETTINGS.items()}
    return [(words, value) for words, value in found.items() if value is not None]


def _table(rows: Figures) -> str:
    cells = [(printable(words).replace("_", " "), code(str(value))) for words, value in rows]
    return markdown_table(["", ""], "<<", cells)
