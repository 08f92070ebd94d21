"""One function for all engines that classify texts: token ids in, logits out."""

from pathlib import Path

from newsrec.engines.request import ClassRequest
from newsrec.engines.settings import (
    ClassifierSettings,
    OnnxSettings,
    TransformersSettings,
    VllmSettings,
)
from newsrec.errors import UserError
from newsrec.models.checks import check_model
from newsrec.models.folders import kind_of
from newsrec.models.weights import num_classes


def classify(
    settings: ClassifierSettings, model: Path, request: ClassRequest, target: Path, work: Path
) -> None:
    """Classify every text with the engine that `settings` belong to.

    Args:
        settings: the settings of the engine.
        model: folder of a whole model with a classification head; for vLLM and transformers also of
            a LoRA adapter with such a head, which is applied to the base model in its config.
        request: the texts.
        target: Parquet file to write with `CLASSES_SCHEMA`, in the order of the texts.
        work: an existing folder for logs and for results that an interrupted run can reuse.

    Raises:
        UserError: the engine is missing, runs out of memory, or cannot do its work; or the folder
            does not contain a classifier.
    """
    _check(settings, model)
    # Imported here because each import takes seconds.
    match settings:
        case VllmSettings():
            from newsrec.engines import vllm_engine

            vllm_engine.classify(settings, model, request, target, work)
        case TransformersSettings():
            from newsrec.engines import transformers_classifier

            transformers_classifier.classify(settings, model, request, target, work)
        case OnnxSettings():
            from newsrec.engines import onnx_engine

            onnx_engine.classify(settings, model, request, target, work)


def _check(settings: ClassifierSettings, model: Path) -> None:
    """Refuse a model for which a library would create a random classification head."""
    match kind_of(model):
        case "model":
            check_model(model, "sequence-classification")
        case "lora" if not isinstance(settings, OnnxSettings):
            num_classes(model)
        case kind:
            raise UserError(
                f"{model}: an adapter ({kind}); expected a whole model with a classification head; "
                "merge it first (dvc repro merge)"
            )
