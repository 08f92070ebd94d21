"""A classifier in ONNX Runtime on the CPU, in float32: it can be used without PyTorch."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
import transformers

from newsrec.chat.texts import padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.batches import Compute, answer_missing, padded
from newsrec.engines.parts import Parts
from newsrec.engines.request import Choices, ClassRequest
from newsrec.engines.settings import OnnxSettings
from newsrec.files import atomic_folder
from newsrec.models.loading import load_classifier

FILE = "model.onnx"


def export_onnx(model: Path, target: Path) -> None:
    """Write the classifier in `model` to `target`/model.onnx, with its weights next to it.

    The input is `input_ids`, int64 of shape (texts, tokens), with shorter texts padded on the right
    with the tokenizer's padding token; the output is `logits`, float32 of shape (texts, classes).
    There is no mask: a token attends only to earlier tokens, and the padding comes last.

    Args:
        model: folder of a whole model with a classification head.
        target: the folder to write.

    Raises:
        UserError: the model has a different head, or a file is missing or damaged.
    """
    network = load_classifier(model, "float32", padding_token(load_tokenizer(model)))
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    quiet = logging.getLogger("torch.onnx")
    before = quiet.level
    with atomic_folder(target) as draft, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns about its own code
        quiet.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                _Logits(network).eval(),
                (torch.ones(2, 8, dtype=torch.int64),),  # any text can be used
                dynamo=True,
                dynamic_shapes={"input_ids": axes},
                input_names=["input_ids"],
                output_names=["logits"],
                verbose=False,
            )
        finally:
            quiet.setLevel(before)
        assert program is not None
        program.save(str(draft / FILE), external_data=True)


def classify(
    settings: OnnxSettings, model: Path, request: ClassRequest, target: Path, work: Path
) -> None:
    """Classify every text; see `newsrec.engines.classifying.classify`.

    Raises:
        UserError: see `export_onnx`.
    """
    libraries = (torch, transformers, onnxruntime)
    versions = [f"{library.__name__} {library.__version__}" for library in libraries]
    parts = Parts(work / "onnx", settings, model, request, versions)
    answer_missing(parts, request, settings.batch_size, "onnx", lambda: _load(model, work))
    parts.join(target)


class _Logits(torch.nn.Module):
    """A classifier as a function of only the token ids."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(input_ids=input_ids, use_cache=False).logits
        return logits


def _load(model: Path, work: Path) -> Compute:
    exported = work / "exported"
    export_onnx(model, exported)
    padding = padding_token(load_tokenizer(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        exported / FILE, options, providers=["CPUExecutionProvider"]
    )

    def compute(texts: Sequence[Sequence[int]], _: Sequence[Choices]) -> list[dict[str, Any]]:
        (logits,) = session.run(None, {"input_ids": padded(texts, padding)})
        return [{"logits": row} for row in logits.astype(float).tolist()]

    return compute
