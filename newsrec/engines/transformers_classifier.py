"""A classifier in transformers, as a whole model or as an adapter on its base model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from newsrec.chat.texts import padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.batches import Compute, answer_missing, padded
from newsrec.engines.devices import default_device, load_on, memory_reported
from newsrec.engines.parts import Parts
from newsrec.engines.request import Choices, ClassRequest
from newsrec.engines.settings import TransformersSettings
from newsrec.models.folders import base_of
from newsrec.models.loading import load_classifier


def classify(
    settings: TransformersSettings, model: Path, request: ClassRequest, target: Path, work: Path
) -> None:
    """Classify every text; see `newsrec.engines.classifying.classify`.

    Raises:
        UserError: there is too little memory, or see `newsrec.models.loading.load_classifier`.
    """
    libraries = (torch, transformers, peft)
    versions = [f"{library.__name__} {library.__version__}" for library in libraries]
    parts = Parts(work / "transformers", settings, model, request, versions)
    answer_missing(
        parts, request, settings.batch_size, "transformers", lambda: _load(settings, model)
    )
    parts.join(target)


def _load(settings: TransformersSettings, model: Path) -> Compute:
    padding = padding_token(load_tokenizer(base_of(model) or model))
    device = default_device() if settings.device == "auto" else settings.device
    network = load_on(device, lambda: load_classifier(model, settings.dtype, padding), model)

    @torch.inference_mode()
    def compute(texts: Sequence[Sequence[int]], _: Sequence[Choices]) -> list[dict[str, Any]]:
        ids = torch.from_numpy(padded(texts, padding)).to(device)
        with memory_reported(device, texts, settings.batch_size):
            logits = network(input_ids=ids, attention_mask=(ids != padding).long()).logits
        return [{"logits": row} for row in logits.double().tolist()]

    return compute
