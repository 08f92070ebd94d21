"""One function for every engine that puts texts into classes: token ids in, logits out."""

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
    """Put every text into a class with the engine that `settings` belong to.

    Args:
        settings: of the engine.
        model: folder of a whole model with a head for classes; for vLLM and transformers also of a
            LoRA adapter that holds one, computed beside the base that it names.
        request: the texts.
        target: Parquet file of `CLASSES_SCHEMA` to write, in the order of the texts.
        work: an existing folder for logs and for what an interrupted run need not compute again.

    Raises:
        UserError: the engine is missing, out of memory, or cannot do its work; or the folder holds
            no classifier.
    """
    _check(settings, model)
    # Imported where they are used: each takes seconds to import.
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
    """Refuse what a library would give a head of random numbers."""
    match kind_of(model):
        case "model":
            check_model(model, "sequence-classification")
        case "lora" if not isinstance(settings, OnnxSettings):
            num_classes(model)
        case kind:
            raise UserError(
                f"{model}: an adapter ({kind}); expected a whole model with a head for classes; "
                "merge it first (dvc repro merge)"
            )
