"""Batches of prompts of about one length, for engines that pad what they compute at once."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm import tqdm

from newsrec.engines.parts import Parts
from newsrec.engines.request import Choices, ClassRequest, Request

# Batches that are sorted by length together: enough that a batch holds prompts of about one length,
# few enough that memory does not grow with the number of prompts.
_BATCHES_SORTED_TOGETHER = 32

# From prompts, the longest first, and the choices of each to an answer for each.
Compute = Callable[[Sequence[Sequence[int]], Sequence[Choices]], Sequence[dict[str, Any]]]


def answer_missing(
    parts: Parts,
    request: Request | ClassRequest,
    batch_size: int,
    name: str,
    load: Callable[[], Compute],
) -> None:
    """Compute and keep the answers that are not in `parts`.

    Args:
        parts: of the request.
        request: what is asked.
        batch_size: prompts computed at once.
        name: of the engine, for the progress bar.
        load: loads the model; called if anything is missing.
    """
    window = batch_size * _BATCHES_SORTED_TOGETHER
    missing = parts.missing(window)
    if (first := next(missing, None)) is None:
        return
    compute = load()
    with tqdm(total=len(request.prompts), desc=name, unit="prompt") as progress:
        for batch in chain([first], missing):
            # Those that were answered before count too.
            progress.update(window * int(batch.part.stem) - progress.n)
            ids = batch.ids.to_pylist()
            # A text without tokens is not computed, and its answer stays null.
            by_length = [row for row, text in enumerate(ids) if text]
            by_length.sort(key=lambda row: len(ids[row]), reverse=True)
            rows: list[dict[str, Any]] = [{}] * len(ids)
            choices = batch.choices or [()] * len(ids)
            for start in range(0, len(by_length), batch_size):
                together = by_length[start : start + batch_size]
                found = compute([ids[row] for row in together], [choices[row] for row in together])
                for row, answered in zip(together, found, strict=True):
                    rows[row] = answered
                progress.update(len(together))
            progress.update(len(ids) - len(by_length))
            parts.write(batch, pa.Table.from_pylist(rows, schema=request.schema))


def padded(texts: Sequence[Sequence[int]], padding: int) -> npt.NDArray[np.int64]:
    """Texts of token ids, the longest first, as one array of shape (texts, tokens).

    Filled up on the right, where a model that reads from left to right does not see it.
    """
    ids = np.full((len(texts), len(texts[0])), padding, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return ids
