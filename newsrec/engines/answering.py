"""One function for all engines: prompts in, answers out."""

from collections.abc import Mapping
from pathlib import Path

from newsrec.engines.request import Request
from newsrec.engines.settings import ApiSettings, Settings, TransformersSettings, VllmSettings


def answer(
    settings: Settings, name: str, model: Path, request: Request, target: Path, work: Path
) -> Mapping[str, object]:
    """Answer every prompt with the engine that `settings` belong to.

    Args:
        settings: the settings of the engine.
        name: the name of the scored model, such as `base`; a server may use another name for it.
        model: folder of a Hugging Face model, or of an adapter trained for one.
        request: the prompts and the requested outputs.
        target: Parquet file to write with `ANSWERS_SCHEMA`, in the order of the prompts.
        work: an existing folder for logs and for answers that an interrupted run can reuse.

    Returns:
        Statistics about the answers that only this engine reports.

    Raises:
        UserError: the engine is missing, runs out of memory, or cannot do its work.
    """
    # Imported here because each import takes seconds.
    match settings:
        case VllmSettings():
            from newsrec.engines import vllm_engine

            vllm_engine.answer(settings, model, request, target, work)
            return {}
        case TransformersSettings():
            from newsrec.engines import transformers_engine

            transformers_engine.answer(settings, model, request, target, work)
            return {}
        case ApiSettings():
            from newsrec.engines import api_engine

            return api_engine.answer(settings, name, model, request, target, work)
