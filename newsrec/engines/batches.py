"""Batches of prompts of similar length, for engines that pad the prompts of a batch."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm import tqdm

from newsrec.engines.parts import Parts
from newsrec.engines.request import Choices, ClassRequest, Request

# The batches that are sorted by length together: enough for batches of similar length, but few
# enough that memory does not grow with the number of prompts.
_BATCHES_SORTED_TOGETHER = 32

# Maps prompts, longest first, and the choices of each to one answer per prompt.
Compute = Callable[[Sequence[Sequence[int]], Sequence[Choices]], Sequence[dict[str, Any]]]


def answer_missing(
    parts: Parts,
    request: Request | ClassRequest,
    batch_size: int,
    name: str,
    load: Callable[[], Compute],
) -> None:
    """Compute and store the answers that are not in `parts`.

    Args:
        parts: the parts of the request.
        request: the prompts and the requested outputs.
        batch_size: number of prompts computed at once.
        name: the name of the engine, for the progress bar.
        load: loads the model; called only if an answer is missing.
    """
    window = batch_size * _BATCHES_SORTED_TOGETHER
    missing = parts.missing(window)
    if (first := next(missing, None)) is None:
        return
    compute = load()
    with tqdm(total=len(request.prompts), desc=name, unit="prompt") as progress:
        for batch in chain([first], missing):
            # Prompts that were answered before also count.
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
    """Texts of token ids, longest first, as one array of shape (texts, tokens).

    The padding is on the right, where it does not affect a causal model.
    """
    ids = np.full((len(texts), len(texts[0])), padding, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return ids
