"""The numerical precision of a training."""

import sys
from typing import Literal

from newsrec.errors import UserError

Precision = Literal["bf16", "fp16", "fp32"]

_NEEDS = {"bf16": "a GPU of compute capability 8.0 or more", "fp16": "a GPU"}


def choose_precision(precision: str, key: str = "train.precision") -> Precision:
    """Choose the precision: `auto` means bfloat16 if a GPU supports it, else float32.

    A GPU that does not support bfloat16 is reported on stderr.

    Args:
        precision: `auto`, `bf16`, `fp16` or `fp32`.
        key: the key of this setting in params.yaml.

    Raises:
        UserError: `precision` is bf16 or fp16, but no GPU here supports it.
    """
    import torch  # takes seconds

    has_gpu = torch.cuda.is_available()
    has_bf16 = has_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "fp32":
        return "fp32"
    if has_bf16 and precision in ("auto", "bf16"):
        return "bf16"
    if has_gpu and precision == "fp16":
        return "fp16"
    found = f"{torch.cuda.get_device_name()} has no bfloat16" if has_gpu else "there is no GPU"
    if precision != "auto":
        raise UserError(
            f"{key} is {precision!r}, but {found}; set it to auto or fp32, or use "
            f"{_NEEDS[precision]}"
        )
    if has_gpu:
        print(
            f"{key.partition('.')[0]}: warning: {found}; training uses float32, which is "
            "slower and needs twice the memory for activations; use a GPU of compute capability "
            f"8.0 or more, or set {key} to fp16, or to fp32 to turn off this warning",
            file=sys.stderr,
        )
    return "fp32"
