"""Fine-tune a base model as a text classifier: LoRA and a new head, with PEFT."""

import shutil
from pathlib import Path
from typing import Any

from newsrec.errors import UserError, unknown_choice
from newsrec.models.weights import read_weights
from newsrec.training import runs
from newsrec.training.labelled import ClassWeights, LabelledTexts, weigh_classes
from newsrec.training.trackers import Tracker, tracker_arguments

WORKER = "newsrec.training.classification_worker"
METRIC = "macro_f1"

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def fine_tune_classifier(
    *,
    base: Path,
    samples: LabelledTexts,
    work: Path,
    target: Path,
    method: str,
    options: dict[str, Any],
    class_weights: ClassWeights,
    cutoff_len: int,
    seed: int,
    report_to: Tracker = "none",
    processes: int = 1,
    **trainer: Any,
) -> runs.Outcome:
    """Train `base` to classify the texts of `samples`.

    The best checkpoint is the one with the highest macro-F1 on the validation texts, which early
    stopping also uses. The loss is the mean over all texts of a step, across batches and processes.

    Args:
        base: folder of a language model.
        samples: the samples to train and validate on.
        work: folder for checkpoints and log, kept if the run is interrupted; the caller deletes it.
        target: an existing empty folder for the PEFT adapter, which includes the whole head, and
            for train.yaml, with which the training can be repeated by hand.
        method: `lora`.
        options: the options of that method in the section `train`.
        class_weights: the weights of the classes in the loss.
        cutoff_len: number of tokens after which a text is truncated.
        seed: the seed for everything random.
        report_to: an installed tracker, or none.
        processes: number of processes that share a batch on a CPU; a divisor of `batch_size`.
        trainer: see `runs.trainer_arguments`.

    Raises:
        UserError: the method or an option is not supported for classifiers, the samples cannot be
            used, the base is damaged, or see `runs.run`.
    """
    _check_method(method, options)
    processes = runs.sharing_processes(processes)
    counts, _ = (samples.count_labels(file) for file in samples.files)
    output = work / "output"
    settings = {"options": options, "cutoff_len": cutoff_len, "seed": seed, **trainer}
    arguments = {
        "base": str(base),
        "train_samples": str(samples.train),
        "val_samples": str(samples.val),
        "text": samples.text,
        "label": samples.label,
        "classes": list(samples.classes),
        "class_weights": weigh_classes(counts, class_weights),
        "cutoff_len": cutoff_len,
        "options": options,
        "early_stopping": trainer["early_stopping"],
        "trainer": runs.trainer_arguments(
            output=output, seed=seed, report_to=report_to, processes=processes, **trainer
        )
        | {"metric_for_best_model": f"eval_{METRIC}", "greater_is_better": True}
        | tracker_arguments(report_to, method, settings),
    }
    read_weights(base)
    outcome = runs.run(
        WORKER,
        arguments,
        work,
        base=base,
        samples=samples.files,
        output=output,
        seed=seed,
        method="lora-classifier",
        report_to=report_to,
        processes=processes,
    )
    for name in _ADAPTER_FILES:
        shutil.copyfile(output / "adapter" / name, target / name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return outcome


def _check_method(method: str, options: dict[str, Any]) -> None:
    if method != "lora":
        raise unknown_choice("train.method of a classifier", method, ["lora"])
    for name, off in (("pissa", False), ("loraplus", None)):
        if options[name] != off:
            raise UserError(
                f"train.{name} is {options[name]!r}, which is not supported for classifiers; set "
                f"it to {'null' if off is None else 'false'}"
            )
