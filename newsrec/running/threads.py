"""Threads of libraries that sleep while they wait, and compute the same at every run.

Imports next to nothing, to be in time.
"""

import os

# Each library reads its own when it is loaded. Threads that spin between two pieces of work take
# the cores from whoever works beside them, the other threads of the same piece among them.
_SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # PyTorch and scikit-learn (libgomp), vLLM on a CPU (libiomp5)
    # NumPy and SciPy: their threads spin with OPENBLAS_THREAD_TIMEOUT=4 too, and no product here is
    # so large that it needs several.
    "OPENBLAS_NUM_THREADS": "1",
    # MKL, of PyTorch: results are equal from run to run where both are set and the number of
    # threads is the same ("Reproducibility Conditions" in oneMKL's developer guide).
    "MKL_CBWR": "AUTO",
    "MKL_DYNAMIC": "FALSE",
}


def prepare_threads() -> None:
    """Have no thread of this process, nor of those that it starts, wait busily or vary.

    Called where a package is imported first, before PyTorch and NumPy are. What the environment
    says already holds.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
