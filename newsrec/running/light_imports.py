"""Transformers without PyTorch, for a process that needs tokenizers alone."""

import importlib
import os
import sys

_WITHOUT = {"USE_TORCH": "0", "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}


def leave_out_torch() -> None:
    """Import Transformers without PyTorch, which saves five seconds at the start of a stage.

    For a stage that only tokenizes, while another process computes: from here on Transformers has
    no models in this one. Does nothing in a process that is not a stage's own, where other code may
    need them, or where one of the two is imported already.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or not spec.name.startswith("stages."):
        return
    if {"torch", "transformers"} & sys.modules.keys():
        return
    before = {name: os.environ.get(name) for name in _WITHOUT}
    os.environ.update(_WITHOUT)
    try:
        importlib.import_module("transformers")
    finally:  # processes that this one starts may compute
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
