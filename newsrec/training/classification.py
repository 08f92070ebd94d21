"""Fine-tune a base model into a classifier of texts: LoRA and a new head, by PEFT."""

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
    **trainer: Any,
) -> runs.Outcome:
    """Train `base` to put the texts of `samples` into their classes.

    The best checkpoint is the one with the highest macro-F1 on the validation texts, and early
    stopping waits for a higher one. The loss is the mean over all texts of a step, whichever batch
    and process they are in.

    Args:
        base: folder of a language model.
        samples: to train and validate on.
        work: checkpoints and log; kept when the run is interrupted, for the caller to drop.
        target: an existing empty folder: gets a PEFT adapter, which holds the head whole, and
            train.yaml, which runs the same training by hand.
        method: `lora`.
        options: of the section `train` for that method.
        class_weights: of the loss.
        cutoff_len: tokens behind which a text is cut.
        seed: of everything random.
        report_to: a tracker that is installed, or none.
        trainer: see `runs.trainer_arguments`.

    Raises:
        UserError: a method or option that classifiers are not trained with, samples that cannot be
            used, a damaged base, or see `runs.run`.
    """
    _check_method(method, options)
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
        "trainer": runs.trainer_arguments(output=output, seed=seed, report_to=report_to, **trainer)
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
                f"train.{name} is {options[name]!r}, which classifiers are not trained with; set "
                f"it to {'null' if off is None else 'false'}"
            )
