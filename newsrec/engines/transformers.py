"""Scoring by transformers in this process: slower than vLLM, and runs wherever PyTorch does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from newsrec.engines.request import ANSWERS_SCHEMA, AnswerTokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.models.loading import PrefixedModel, load_causal_lm
from newsrec.processes import OUT_OF_MEMORY

# Batches that are sorted by length together: enough that a batch holds prompts of about one length,
# few enough that memory does not grow with the number of prompts.
_BATCHES_SORTED_TOGETHER = 32


def score(
    model: Path,
    prompts: Path,
    answers: Path,
    tokens: AnswerTokens,
    *,
    dtype: str,
    max_answer_tokens: int,
    batch_size: int,
    device: str = "auto",
) -> None:
    """Answer every prompt with the model and write the answers in the same order.

    Args:
        model: folder of a Hugging Face model, or of what was trained beside one.
        prompts: Parquet file of `PROMPTS_SCHEMA`.
        answers: Parquet file to write, of `ANSWERS_SCHEMA`.
        tokens: the two tokens whose log-probabilities are wanted.
        dtype: PyTorch's name of it; `auto` takes the model's own, float32 included, which vLLM's
            `auto` does not.
        max_answer_tokens: of the text answer, decoded greedily.
        batch_size: prompts computed at once; higher: more memory, faster on a GPU.
        device: `auto` is the GPU where PyTorch finds one, else the CPU.

    Raises:
        UserError: out of memory.
    """
    tokenizer = load_tokenizer(model)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    network = _load(model, dtype, device)
    config = _greedy(network, tokenizer, max_answer_tokens)
    file = pq.ParquetFile(prompts)
    windows = file.iter_batches(
        batch_size=batch_size * _BATCHES_SORTED_TOGETHER, columns=["token_ids"]
    )
    with (
        pq.ParquetWriter(answers, ANSWERS_SCHEMA) as writer,
        tqdm(total=file.metadata.num_rows, desc="transformers", unit="prompt") as progress,
    ):
        for window in windows:
            ids = window["token_ids"].to_pylist()
            by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]), reverse=True)
            rows: list[dict[str, Any]] = [{}] * len(ids)
            for start in range(0, len(ids), batch_size):
                batch = by_length[start : start + batch_size]
                try:
                    found = _answer(network, tokenizer, [ids[row] for row in batch], config, tokens)
                    for row, answer in zip(batch, found, strict=True):
                        rows[row] = answer
                except RuntimeError as error:
                    if not _is_out_of_memory(error):
                        raise
                    raise UserError(
                        f"transformers ran out of memory on {device} with {len(batch)} prompts of "
                        f"up to {len(ids[batch[0]])} tokens at once; lower score.batch_size (now "
                        f"{batch_size}), or choose score.dtype: bfloat16 or a smaller model"
                    ) from None
                progress.update(len(batch))
            writer.write_table(pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))


def _load(model: Path, dtype: str, device: str) -> PreTrainedModel | PrefixedModel:
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
    # What stands in the padding is never looked at: any token will do.
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
    tokens: AnswerTokens,
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
    yes, no = logprobs[:, tokens.yes].tolist(), logprobs[:, tokens.no].tolist()
    answers = output.sequences[:, longest:].tolist()
    for row, ids in enumerate(answers):
        end = next((at for at, id_ in enumerate(ids) if id_ in config.eos_token_id), len(ids))
        text = tokenizer.decode(
            ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        yield {"logprob_yes": yes[row], "logprob_no": no[row], "text": text}


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in str(error).lower() for sign in OUT_OF_MEMORY
    )
