"""Single-threaded computation, for small models whose figures must not depend on the cores."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute the same sums in the same order on any number of cores.

    Such small models hardly gain from several cores, and become slower if a core is busy.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
