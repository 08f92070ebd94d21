"""The device that transformers uses, and the errors if it has too little memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from newsrec.errors import UserError
from newsrec.running.processes import OUT_OF_MEMORY

_N = TypeVar("_N", bound=Any)  # a model, whichever class


def default_device() -> str:
    """The GPU if PyTorch finds one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_on(device: str, load: Callable[[], _N], model: Path) -> _N:
    """The model that `load` returns for the folder `model`, on a device in evaluation mode.

    Raises:
        UserError: it does not fit into the device's memory.
    """
    try:
        network = load()
        network.to(device)
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"{model}: does not fit into the memory of {device}; end other processes that use it, "
            "set score.dtype: bfloat16, or choose a smaller model"
        ) from None
    network.eval()
    return network


@contextmanager
def memory_reported(
    device: str, prompts: Sequence[Sequence[int]], batch_size: int
) -> Iterator[None]:
    """Report if the prompts in the block, longest first, do not fit into memory.

    Raises:
        UserError: they do not fit.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"transformers ran out of memory on {device} with {len(prompts)} prompts of up to "
            f"{len(prompts[0])} tokens at once; lower score.batch_size (now {batch_size}), or "
            "set score.dtype: bfloat16 or choose a smaller model"
        ) from None


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in str(error).lower() for sign in OUT_OF_MEMORY
    )
