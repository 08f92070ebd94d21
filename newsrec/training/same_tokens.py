"""The gate between training and scoring: both must see the same token ids for the same sample."""

import json
from collections.abc import Iterator
from pathlib import Path

from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from newsrec.engines.request import encode_chat, load_tokenizer
from newsrec.errors import UserError


def check_same_tokens(
    model: Path, samples: Path, template: str, cutoff_len: int, num_compared: int
) -> int:
    """Hold what LLaMA-Factory would train on against what an engine would be asked.

    Args:
        model: folder of the base model, for its tokenizer and chat template.
        samples: JSON lines of alpaca records; all are measured, the first ones compared.
        template: LLaMA-Factory's name of the chat template.
        cutoff_len: tokens beyond which LLaMA-Factory cuts a sample.
        num_compared: samples to compare token by token.

    Returns:
        The tokens of the longest sample.

    Raises:
        UserError: a prompt's ids differ, with the first differing token; or a sample would be cut.
    """
    tokenizer, trained = load_tokenizer(model), load_tokenizer(model)
    factory = get_template_and_fix_tokenizer(
        trained, DataArguments(template=template, enable_thinking=False)
    )
    longest = 0
    rows = tqdm(_records(samples), desc="comparing tokens", mininterval=5)
    for number, (message, answer) in enumerate(rows, start=1):
        scored_ids = encode_chat(tokenizer, message)
        if number <= num_compared:
            chat = [
                {"role": "user", "content": message},
                {"role": "assistant", "content": answer},
            ]
            trained_ids, _ = factory.encode_oneturn(trained, chat)
            if trained_ids != scored_ids:
                where = f"{samples}, line {number}, with model.template={template}"
                raise UserError(_difference(tokenizer, trained_ids, scored_ids, where))
        # The answer and the end of its turn come on top: at most this many tokens.
        length = len(scored_ids) + len(tokenizer.encode(answer, add_special_tokens=False)) + 2
        longest = max(longest, length)
        if length > cutoff_len:
            raise UserError(
                f"{samples}, line {number}: {length} tokens; LLaMA-Factory would cut the sample at "
                f"train.cutoff_len={cutoff_len}, the question with it; raise it, or lower "
                "prompt.num_history or prompt.num_feedback"
            )
    return longest


def _records(samples: Path) -> Iterator[tuple[str, str]]:
    with samples.open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            yield f"{record['instruction']}\n{record['input']}", record["output"]


def _difference(
    tokenizer: PreTrainedTokenizerBase, trained: list[int], scored: list[int], where: str
) -> str:
    place = next(
        (
            place
            for place, (one, other) in enumerate(zip(trained, scored, strict=False))
            if one != other
        ),
        min(len(trained), len(scored)),
    )

    def shown(ids: list[int]) -> str:
        if place >= len(ids):
            return "nothing"
        return f"{ids[place]} ({tokenizer.decode([ids[place]])!r})"

    return (
        f"{where}: token {place} is {shown(trained)} in training and {shown(scored)} in scoring; "
        "expected the same; choose the model.template of LLaMA-Factory that matches the model's "
        "own chat template"
    )
