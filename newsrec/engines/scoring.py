"""From evaluation sets and a model to predictions tables, whatever the engine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from newsrec.engines.request import (
    AnswerTokens,
    PromptWriter,
    answer_tokens,
    control_tokens,
    encode_chat,
    load_tokenizer,
)
from newsrec.errors import UserError
from newsrec.predictions import AnswerAudit, write_model_predictions
from newsrec.prompts import NO, YES, user_message

# An engine: answers the prompts of one Parquet file into another, and tells what it alone knows.
Ask = Callable[[Path, Path, AnswerTokens], Mapping[str, object]]

_BATCH_ROWS = 10_000


@dataclass
class PromptAudit:
    """What became of the prompts on their way to token ids."""

    num_prompts: int = 0
    num_shortened: int = 0
    num_items_dropped: int = 0
    longest_prompt: int = 0


@dataclass(frozen=True)
class Scored:
    """What scoring tells of itself."""

    tokens: AnswerTokens
    token_texts: tuple[str, str]
    prompts: PromptAudit
    answers: Mapping[Path, AnswerAudit]
    engine: Mapping[str, object]


def score_candidates(
    model: Path, tables: Mapping[Path, Path], work: Path, *, max_prompt_tokens: int, ask: Ask
) -> Scored:
    """Let a model answer every prompt of some evaluation sets, all in one run of the engine.

    A prompt that does not fit is shortened by whole items: the oldest of the history first, then
    of the disliked and of the liked; never the target or the question.

    Args:
        model: folder of a Hugging Face model, for its tokenizer and chat template.
        tables: evaluation set to the predictions table to write.
        work: an existing folder for prompts and answers.
        max_prompt_tokens: what fits beside the answer.
        ask: the engine.

    Raises:
        UserError: a prompt without history does not fit, text of the data became a control token,
            an answer cannot be read, or the engine failed.
    """
    tokenizer = load_tokenizer(model)
    tokens = answer_tokens(tokenizer, user_message([], [], [], ""), YES, NO)
    control = control_tokens(tokenizer)
    expected = sum(id_ in control for id_ in encode_chat(tokenizer, user_message([], [], [], "")))
    audit = PromptAudit()
    with PromptWriter(work / "prompts.parquet") as prompts:
        for candidates in tables:
            for lists, target in _rows(candidates):
                message, ids, num_dropped = _fitted(
                    tokenizer, lists, target, max_prompt_tokens, candidates
                )
                if sum(id_ in control for id_ in ids) != expected:
                    raise UserError(
                        f"{candidates}: text of the data became a control token of the chat "
                        "template; add this model's kind of control token to plain_text in "
                        f"newsrec/prompts.py; the title: {target[:80]!r}"
                    )
                prompts.add(ids, message)
                audit.num_prompts += 1
                audit.num_shortened += num_dropped > 0
                audit.num_items_dropped += num_dropped
                audit.longest_prompt = max(audit.longest_prompt, len(ids))
    told = ask(work / "prompts.parquet", work / "answers.parquet", tokens)
    answers, start = {}, 0
    for candidates, target_file in tables.items():
        answers[target_file] = write_model_predictions(
            candidates, work / "answers.parquet", target_file, start
        )
        start += pq.ParquetFile(candidates).metadata.num_rows
    texts = (tokenizer.decode([tokens.yes]), tokenizer.decode([tokens.no]))
    return Scored(tokens, texts, audit, answers, told)


def _fitted(
    tokenizer: PreTrainedTokenizerBase,
    lists: dict[str, list[str]],
    target: str,
    max_tokens: int,
    candidates: Path,
) -> tuple[str, list[int], int]:
    """The message that fits, its ids, and how many items it lost; `lists` loses them."""
    num_dropped = 0
    while True:
        message = user_message(lists["history"], lists["liked"], lists["disliked"], target)
        ids = encode_chat(tokenizer, message)
        if len(ids) <= max_tokens:
            return message, ids, num_dropped
        oldest_first = next((items for items in lists.values() if items), None)
        if oldest_first is None:
            raise UserError(
                f"{candidates}: {len(ids)} tokens without any history, at most {max_tokens} fit "
                f"beside the answer; raise score.max_model_len; the title: {target[:80]!r}"
            )
        oldest_first.pop(0)
        num_dropped += 1


def _rows(candidates: Path) -> Iterator[tuple[dict[str, list[str]], str]]:
    """What each prompt shows, by the order in which it may be dropped, and its target."""
    names = ["history", "disliked", "liked"]
    for batch in pq.ParquetFile(candidates).iter_batches(_BATCH_ROWS, columns=[*names, "target"]):
        for row in batch.to_pylist():
            yield {name: row[name] for name in names}, row["target"]
