"""The precision that a training computes in."""

import sys

from newsrec.errors import UserError


def chooses_bf16(precision: str, key: str = "train.precision") -> bool:
    """Whether to compute in bfloat16, which `auto` chooses if a GPU supports it.

    A GPU without support is reported on stderr.

    Args:
        precision: `auto`, `bf16` or `fp32`.
        key: the key of params.yaml that holds it.

    Raises:
        UserError: `precision` is bf16, and no GPU here has it.
    """
    import torch  # takes seconds

    has_gpu = torch.cuda.is_available()
    if precision == "fp32" or (has_gpu and torch.cuda.is_bf16_supported(including_emulation=False)):
        return precision != "fp32"
    found = f"{torch.cuda.get_device_name()} has no bfloat16" if has_gpu else "there is no GPU"
    if precision == "bf16":
        raise UserError(
            f"{key} is 'bf16', and {found}; set it to auto or fp32, or use a GPU of "
            "compute capability 8.0 or more"
        )
    if has_gpu:
        print(
            f"{key.partition('.')[0]}: warning: {found}; training computes in float32, slower and "
            "with twice the activations; use a GPU of compute capability 8.0 or more, or set "
            f"{key} to fp32 to say that this is meant",
            file=sys.stderr,
        )
    return False
