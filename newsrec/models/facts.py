"""What a model is, read from its configuration and the headers of its weights."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from newsrec.files import read_json
from newsrec.models.heads import Head, architectures_with
from newsrec.models.weights import Header, read_header, read_weights


def describe_model(folder: Path, head: Head = "causal-lm") -> dict[str, int | str]:
    """The "architecture" of a model with this head, its "num_parameters" and "dtype".

    The dtype is the one that most parameters have, as safetensors writes it. The model must have
    passed `newsrec.models.checks.check_model`.
    """
    headers = list(read_weights(folder).values())
    elements: Counter[str] = Counter()
    for header in headers:
        for tensor in header.values():
            elements[tensor.dtype] += tensor.size
    return {
        "architecture": architectures_with(head, read_json(folder / "config.json"))[0],
        "num_parameters": _count(headers, _is_tied(folder)),
        "dtype": elements.most_common(1)[0][0],
    }


def count_parameters(folder: Path) -> int:
    """The number of parameters of the model in `folder`, from the headers of its safetensors files.

    A head that is the embeddings (tie_word_embeddings) counts once, even if it is stored twice.
    """
    headers = [read_header(path) for path in sorted(folder.glob("*.safetensors"))]
    return _count(headers, _is_tied(folder))


def _is_tied(folder: Path) -> bool:
    return bool(read_json(folder / "config.json").get("tie_word_embeddings", False))


def _count(headers: Iterable[Header], tied: bool) -> int:
    return sum(
        tensor.size
        for header in headers
        for name, tensor in header.items()
        if not (tied and name == "lm_head.weight")
    )
