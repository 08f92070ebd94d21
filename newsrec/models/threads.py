"""Small models compute on one thread.

Each piece of their work takes microseconds, about as long as it takes to wake a second thread, so
that a second one saves little and may double the time (docs/LOG.md). With one, figures are the same
on any number of cores, since sums are added in one order.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 10_000_000  # parameters; below, a model is small
_VARIABLE = "OMP_NUM_THREADS"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block."""
    import torch  # takes seconds

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_environment(num_parameters: int) -> dict[str, str]:
    """What to add to the environment of a process that computes with a model of this size.

    One thread for a small model; nothing for others, and where the user has set a number.
    """
    is_limited = num_parameters < SMALL and _VARIABLE not in os.environ
    return {_VARIABLE: "1"} if is_limited else {}


def limit_threads(num_parameters: int) -> None:
    """Have this process, which has loaded a model of this size, do the same."""
    if threads_environment(num_parameters):
        import torch  # has loaded the model

        torch.set_num_threads(1)
