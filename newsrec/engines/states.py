"""The input of a classification head: the last hidden state of each text's last token."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from newsrec.chat.texts import padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.batches import padded
from newsrec.engines.devices import default_device, load_on, memory_reported
from newsrec.engines.settings import TransformersSettings
from newsrec.models.loading import load_classifier, load_model


def pooled_states(
    settings: TransformersSettings, model: Path, texts: Sequence[Sequence[int]]
) -> npt.NDArray[np.float32]:
    """The hidden state of each text that a classifier's head uses, computed by transformers.

    Args:
        settings: the settings of transformers.
        model: folder of a whole model with a classification head.
        texts: the token ids of each text, at least one per text.

    Returns:
        Shape (texts, width of the model).

    Raises:
        UserError: there is too little memory, or see `newsrec.models.loading.load_classifier`.
    """
    padding = padding_token(load_tokenizer(model))
    load = partial(load_classifier, model, settings.dtype, padding)
    return _last_states(settings, model, texts, padding, load)


def language_states(
    settings: TransformersSettings, model: Path, texts: Sequence[Sequence[int]]
) -> npt.NDArray[np.float32]:
    """The same for a language model: the state from which it predicts the next token.

    Args and Returns: as in `pooled_states`, but `model` is a whole language model.

    Raises:
        UserError: there is too little memory, or see `newsrec.models.loading.load_model`.
    """
    padding = padding_token(load_tokenizer(model))
    return _last_states(settings, model, texts, padding, partial(load_model, model, settings.dtype))


def _last_states(
    settings: TransformersSettings,
    model: Path,
    texts: Sequence[Sequence[int]],
    padding: int,
    load: Callable[[], PreTrainedModel],
) -> npt.NDArray[np.float32]:
    device = default_device() if settings.device == "auto" else settings.device
    network = load_on(device, load, model)
    found = np.empty((len(texts), network.config.hidden_size), dtype=np.float32)
    # Texts of similar length are computed together, so that there is little padding.
    by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    with tqdm(total=len(texts), desc="states", unit="text") as progress:
        for start in range(0, len(texts), settings.batch_size):
            rows = by_length[start : start + settings.batch_size]
            together = [texts[row] for row in rows]
            with torch.inference_mode(), memory_reported(device, together, settings.batch_size):
                ids = torch.from_numpy(padded(together, padding)).to(device)
                last = torch.tensor([len(text) - 1 for text in together], device=device)
                mask = (torch.arange(ids.shape[1], device=device) <= last[:, None]).long()
                states = network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
                pooled = states[torch.arange(len(rows), device=device), last]
            found[rows] = pooled.float().cpu().numpy()
            progress.update(len(rows))
    return found
