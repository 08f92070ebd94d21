"""transformers in this process: slower than vLLM, and runs wherever PyTorch does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import transformers
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.parts import Parts
from newsrec.engines.request import ANSWERS_SCHEMA, Request
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.models.loading import PrefixedModel, load_causal_lm
from newsrec.running.processes import OUT_OF_MEMORY

# Batches that are sorted by length together: enough that a batch holds prompts of about one length,
# few enough that memory does not grow with the number of prompts.
_BATCHES_SORTED_TOGETHER = 32


def answer(
    settings: TransformersSettings, model: Path, request: Request, target: Path, work: Path
) -> None:
    """Answer every prompt with transformers; see `newsrec.engines.answering.answer`.

    Raises:
        UserError: out of memory.
    """
    versions = [f"{library.__name__} {library.__version__}" for library in (torch, transformers)]
    parts = Parts(work / "transformers", settings, model, request, versions)
    window = settings.batch_size * _BATCHES_SORTED_TOGETHER
    missing = parts.missing(window)
    if (first := next(missing, None)) is not None:
        tokenizer = load_tokenizer(model)
        device = default_device() if settings.device == "auto" else settings.device
        network = load_for_answers(model, settings.dtype, device)
        config = _greedy(network, tokenizer, request.max_tokens)
        with tqdm(total=len(request.prompts), desc="transformers", unit="prompt") as progress:
            for batch in chain([first], missing):
                # Those that were answered before count too.
                progress.update(window * int(batch.part.stem) - progress.n)
                ids = batch.ids.to_pylist()
                by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]), reverse=True)
                rows: list[dict[str, Any]] = [{}] * len(ids)
                for start in range(0, len(ids), settings.batch_size):
                    together = by_length[start : start + settings.batch_size]
                    prompts = [ids[row] for row in together]
                    with _memory_reported(device, prompts, settings.batch_size):
                        found = list(_answer(network, tokenizer, prompts, config, request.answers))
                    for row, answered in zip(together, found, strict=True):
                        rows[row] = answered
                    progress.update(len(together))
                parts.write(batch, pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))
    parts.join(target)


@contextmanager
def _memory_reported(
    device: str, prompts: Sequence[Sequence[int]], batch_size: int
) -> Iterator[None]:
    """Report that the prompts in the block, the longest first, did not fit into memory."""
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"transformers ran out of memory on {device} with {len(prompts)} prompts of up to "
            f"{len(prompts[0])} tokens at once; lower score.batch_size (now {batch_size}), or "
            "choose score.dtype: bfloat16 or a smaller model"
        ) from None


def default_device() -> str:
    """The GPU where PyTorch finds one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_for_answers(model: Path, dtype: str, device: str) -> PreTrainedModel | PrefixedModel:
    """The model in a folder on a device, in evaluation mode.

    Raises:
        UserError: it does not fit into the device's memory.
    """
    try:
        network = load_causal_lm(model, dtype)
        network.to(device)
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"{model}: does not fit into the memory of {device}; free it of other processes, "
            "choose score.dtype: bfloat16, or choose a smaller model"
        ) from None
    network.eval()
    return network


def _greedy(
    network: PreTrainedModel | PrefixedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_answer_tokens: int,
) -> GenerationConfig:
    """Greedy decoding that stops where the model's own folder says; nothing else of it holds."""
    stops = network.generation_config.eos_token_id
    if stops is None:
        stops = tokenizer.eos_token_id
    # Padding is masked: any token will do.
    padding = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=max_answer_tokens,
        eos_token_id=stops if isinstance(stops, list) else [stops],
        pad_token_id=padding,
        output_logits=True,
        return_dict_in_generate=True,
    )


@torch.inference_mode()
def _answer(
    network: PreTrainedModel | PrefixedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    config: GenerationConfig,
    answers: Sequence[int],
) -> Iterator[dict[str, Any]]:
    """The answers of one batch, in its order."""
    longest = max(len(ids) for ids in prompts)
    inputs = torch.full((len(prompts), longest), int(config.pad_token_id))
    mask = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, ids in enumerate(prompts):
        # On the left, so that every answer begins in the same column.
        inputs[row, longest - len(ids) :] = torch.tensor(ids)
        mask[row, longest - len(ids) :] = 1
    output = network.generate(
        inputs.to(network.device),
        attention_mask=mask.to(network.device),
        generation_config=config,
        # Else a model's own sampling and penalties come back for whatever is unset above.
        use_model_defaults=False,
    )
    # `logits`, not `scores`: before anything is masked or scaled; float32 whatever the model's.
    logprobs = torch.log_softmax(output.logits[0], dim=-1)
    of_answers = logprobs[:, list(answers)].tolist()
    written = output.sequences[:, longest:].tolist()
    for row, ids in enumerate(written):
        end = next((at for at, id_ in enumerate(ids) if id_ in config.eos_token_id), len(ids))
        text = tokenizer.decode(
            ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        yield {"logprobs": of_answers[row], "text": text}


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in str(error).lower() for sign in OUT_OF_MEMORY
    )
