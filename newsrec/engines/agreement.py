"""Check with a few prompts' log-probabilities that vLLM reads a model as transformers does.

Training reads a model's folder with one version of transformers, and vLLM with another version and
its own code. If the two interpret a file differently, both still run, but their figures belong to
two different models.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import PreTrainedModel

from newsrec.chat.messages import Messages
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.engines.devices import default_device
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import VllmSettings
from newsrec.engines.transformers_engine import load_for_answers
from newsrec.engines.vllm_engine import answer
from newsrec.errors import UserError
from newsrec.files import read_json

# The largest difference in log-probability that rounding explains, by the dtype of both.
# Measured: docs/engines.md.
TOLERANCES = {"float32": 0.001, "float16": 0.1, "bfloat16": 0.75}
MIN_PROBABILITY = 0.01  # of a compared token: rounding changes improbable tokens more
_TOP = 5  # tokens compared for each prompt
_MAX_TOKENS = 2_048  # in the longest prompt


class Token(NamedTuple):
    """A token after a prompt and its log-probability in transformers."""

    prompt: int
    token: int
    logprob: float


@dataclass(frozen=True)
class Agreement:
    """The result of the comparison; log-probabilities are natural logarithms.

    Attributes:
        dtype: the dtype that both used.
        num_prompts: the number of chats, plus one prompt that joins all of them.
        num_tokens: the number of probable next tokens whose log-probabilities were compared.
        max_difference: the largest difference.
        tolerance: the value from `TOLERANCES`.
    """

    dtype: str
    num_prompts: int
    num_tokens: int
    max_difference: float
    tolerance: float


def compare_with_transformers(
    settings: VllmSettings, model: Path, chats: Sequence[Messages], work: Path
) -> Agreement:
    """Compare the log-probabilities of vLLM with those of transformers.

    Args:
        settings: the settings of vLLM.
        model: folder of a whole Hugging Face model.
        chats: a few prompts.
        work: an existing folder for the answers.

    Raises:
        UserError: the difference is larger than rounding explains, or vLLM failed.
    """
    dtype = _dtype(settings, model)
    tokenizer = load_tokenizer(model)
    prompts = [encode_chat(tokenizer, chat) for chat in chats]
    # Differences in position encodings show more clearly in longer prompts.
    longest = min(settings.max_model_len - 1, _MAX_TOKENS)
    prompts = [ids[-longest:] for ids in [*prompts, [id_ for ids in prompts for id_ in ids]]]
    expected = list(_probable_tokens(model, dtype, prompts))
    answers = tuple(sorted({one.token for one in expected}))
    request = Request(FewPrompts(prompts), answers, max_tokens=1)
    target = work / "answers.parquet"
    answer(settings, model, request, target, work)
    answered = pq.read_table(target, columns=["logprobs"])["logprobs"].to_pylist()
    found = [answered[one.prompt][answers.index(one.token)] for one in expected]
    differences = [abs(logprob - one.logprob) for logprob, one in zip(found, expected, strict=True)]
    worst = int(np.argmax(differences))
    agreement = Agreement(dtype, len(prompts), len(expected), differences[worst], TOLERANCES[dtype])
    if not agreement.max_difference <= agreement.tolerance:
        one = expected[worst]
        raise UserError(
            f"{model}: vLLM reads this model differently from transformers: the log-probability of "
            f"{tokenizer.decode([one.token])!r} after prompt {one.prompt + 1} of {len(prompts)} is "
            f"{found[worst]:.4f} in vLLM and {one.logprob:.4f} in transformers; expected a "
            f"difference of at most {agreement.tolerance:g} in {dtype}. Training and scoring would "
            "use two different models: look in its config.json for settings that one library "
            "ignores and in its files for duplicate weights, or also score with transformers "
            "(engine=transformers)"
        )
    return agreement


def _dtype(settings: VllmSettings, model: Path) -> str:
    """The dtype that vLLM uses, a key of `TOLERANCES`."""
    if settings.dtype != "auto":
        return {"half": "float16", "float": "float32"}.get(settings.dtype, settings.dtype)
    config = read_json(model / "config.json")
    own = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return "bfloat16" if own == "float32" else own


@torch.inference_mode()
def _probable_tokens(model: Path, dtype: str, prompts: Sequence[Sequence[int]]) -> Iterator[Token]:
    """The most probable tokens after each prompt in transformers; the model is then released."""
    device = default_device()
    network = load_for_answers(model, dtype, device)
    assert isinstance(network, PreTrainedModel)
    for number, ids in enumerate(prompts):
        logits = network(torch.tensor([ids], device=device)).logits[0, -1]
        found = torch.log_softmax(logits.float(), dim=-1).topk(_TOP)
        pairs = zip(found.values.tolist(), found.indices.tolist(), strict=True)
        for place, (logprob, token) in enumerate(pairs):
            if place == 0 or logprob >= math.log(MIN_PROBABILITY):
                yield Token(number, token, logprob)
    del network
    if device == "cuda":
        torch.cuda.empty_cache()  # for vLLM, which runs in a separate process
