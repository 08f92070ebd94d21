"""transformers in this process: slower than vLLM, but runs wherever PyTorch runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.batches import Compute, answer_missing
from newsrec.engines.choosing import ChoiceProcessor, Vocabulary
from newsrec.engines.devices import default_device, load_on, memory_reported
from newsrec.engines.parts import Parts
from newsrec.engines.request import Choices, Request
from newsrec.engines.settings import TransformersSettings
from newsrec.models.loading import PrefixedModel, load_causal_lm

_PLAIN = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}


def answer(
    settings: TransformersSettings, model: Path, request: Request, target: Path, work: Path
) -> None:
    """Answer every prompt with transformers; see `newsrec.engines.answering.answer`.

    Raises:
        UserError: there is too little memory.
    """
    versions = [f"{library.__name__} {library.__version__}" for library in (torch, transformers)]
    parts = Parts(work / "transformers", settings, model, request, versions)
    answer_missing(
        parts, request, settings.batch_size, "transformers", lambda: load(settings, model, request)
    )
    parts.join(target)


def load(settings: TransformersSettings, model: Path, request: Request) -> Compute:
    """Load the model in a folder to answer prompts in the way that `request` describes.

    Raises:
        UserError: it does not fit into the memory, or its tokenizer does not support choices.
    """
    tokenizer = load_tokenizer(model)
    device = default_device() if settings.device == "auto" else settings.device
    network = load_for_answers(model, settings.dtype, device)
    vocabulary = Vocabulary(tokenizer) if any(request.choices) else None

    def compute(
        prompts: Sequence[Sequence[int]], choices: Sequence[Choices]
    ) -> list[dict[str, Any]]:
        limits = list(map(request.max_tokens_of, choices))
        config = _greedy(network, tokenizer, max(limits))
        constraints = LogitsProcessorList()
        if vocabulary is not None and any(choices):
            constraints.append(ChoiceProcessor(vocabulary, choices, config.eos_token_id))
        with memory_reported(device, prompts, settings.batch_size):
            rows = _answer(network, prompts, config, request.answers, constraints)
            return [
                {"logprobs": logprobs, "text": tokenizer.decode(ids[:limit], **_PLAIN)}
                for (logprobs, ids), limit in zip(rows, limits, strict=True)
            ]

    return compute


def load_for_answers(model: Path, dtype: str, device: str) -> PreTrainedModel | PrefixedModel:
    """The model in a folder on a device, in evaluation mode.

    Raises:
        UserError: it does not fit into the device's memory.
    """
    return load_on(device, lambda: load_causal_lm(model, dtype), model)


def _greedy(
    network: PreTrainedModel | PrefixedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_answer_tokens: int,
) -> GenerationConfig:
    """Greedy decoding with the stop tokens of the model's folder, but not its other settings."""
    stops = network.generation_config.eos_token_id
    if stops is None:
        stops = tokenizer.eos_token_id
    # Padding is masked, so any token can be used.
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
    prompts: Sequence[Sequence[int]],
    config: GenerationConfig,
    answers: Sequence[int],
    constraints: LogitsProcessorList,
) -> Iterator[tuple[list[float], list[int]]]:
    """The log-probabilities and generated tokens of each prompt of one batch, in order."""
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
        logits_processor=constraints,
        # Otherwise the model's own sampling settings and penalties apply to values unset above.
        use_model_defaults=False,
    )
    # `logits`, not `scores`: before masking or scaling, and always float32.
    logprobs = torch.log_softmax(output.logits[0], dim=-1)
    of_answers = logprobs[:, list(answers)].tolist()
    written = output.sequences[:, longest:].tolist()
    for row, ids in enumerate(written):
        end = next((at for at, id_ in enumerate(ids) if id_ in config.eos_token_id), len(ids))
        yield of_answers[row], ids[:end]
