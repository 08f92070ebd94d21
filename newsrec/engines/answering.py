"""One function for every engine: prompts in, answers out."""

from collections.abc import Mapping
from pathlib import Path

from newsrec.engines.request import Request
from newsrec.engines.settings import ApiSettings, Settings, TransformersSettings, VllmSettings


def answer(
    settings: Settings, name: str, model: Path, request: Request, target: Path, work: Path
) -> Mapping[str, object]:
    """Answer every prompt with the engine that `settings` belong to.

    Args:
        settings: of the engine.
        name: of what is scored, like `base`; a server may know the model by another name.
        model: folder of a Hugging Face model, or of what was trained beside one.
        request: the prompts and what is wanted of them.
        target: Parquet file of `ANSWERS_SCHEMA` to write, in the order of the prompts.
        work: an existing folder for logs and for what an interrupted run need not ask again.

    Returns:
        What only this engine can report of its answers.

    Raises:
        UserError: the engine is missing, out of memory, or cannot do its work.
    """
    # Imported where they are used: each takes seconds to import.
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
