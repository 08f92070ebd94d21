"""From lists and a model to predictions tables, whatever the engine."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import Request
from newsrec.engines.settings import Settings
from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.ranker.list_prompts import ListPrompts, PromptAudit, nothing_shown
from newsrec.ranker.lists import read_items, read_lists
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import NO, YES
from newsrec.ranker.tables import PREDICTIONS_SCHEMA

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Scored:
    """What scoring reports of itself.

    Attributes:
        tokens: those of Yes and No.
        token_texts: and what they are in text.
        prompts: how many there were.
        mean_mass_outside: the mean probability of all other answers.
        engine: what only the engine can report.
    """

    tokens: tuple[int, ...]
    token_texts: tuple[str, ...]
    prompts: PromptAudit
    mean_mass_outside: float
    engine: Mapping[str, object]

    @property
    def audit(self) -> dict[str, object]:
        """Under the keys of metrics/score_NAME.json."""
        return {
            "token_yes": self.tokens[0],
            "token_no": self.tokens[1],
            "token_yes_text": self.token_texts[0],
            "token_no_text": self.token_texts[1],
            "mean_mass_outside": self.mean_mass_outside,
            "num_prompts": self.prompts.num_prompts,
            "longest_prompt": self.prompts.longest_prompt,
            **self.engine,
        }


def score_lists(
    settings: Settings,
    name: str,
    model: Path,
    tables: Mapping[Path, Path],
    items: Path,
    prompt: Prompt,
    work: Path,
    *,
    max_prompt_tokens: int,
) -> Scored:
    """Score every candidate of some lists by a model's log P(Yes) - log P(No), in one run.

    All prompts are made once before the engine starts, so that it starts on none that is refused,
    and once more while it answers; they are never stored.

    Args:
        settings: of the engine.
        name: of what is scored, see `newsrec.engines.answering.answer`.
        model: folder of a language model.
        tables: lists to the predictions to write.
        items: file of `ITEMS_SCHEMA`.
        prompt: what is shown of a candidate.
        work: an existing folder for answers.
        max_prompt_tokens: what fits beside the answer.

    Raises:
        UserError: a prompt does not fit, text of the data became a control token, the engine gives
            no probabilities, or it failed.
    """
    tokenizer = load_tokenizer(model)
    tokens = first_tokens(tokenizer, nothing_shown(), (YES, NO))
    prompts = ListPrompts(tokenizer, tuple(tables), read_items(items), prompt, max_prompt_tokens)
    audit = prompts.audit()
    answers = work / "answers.parquet"
    reported = answer(settings, name, model, Request(prompts, tokens, 1), answers, work)
    logprobs = _logprobs(answers)
    mass = sum(_write(lists, target, logprobs) for lists, target in tables.items())
    texts = tuple(tokenizer.decode([token]) for token in tokens)
    outside = 1 - mass / max(1, audit.num_prompts)
    return Scored(tokens, texts, audit, outside, reported)


def _write(lists: Path, target: Path, logprobs: Iterator[tuple[float, float]]) -> float:
    """Write the predictions of one table; the sum of the probabilities of Yes and No."""
    mass = 0.0
    with atomic_file(target) as draft, pq.ParquetWriter(draft, PREDICTIONS_SCHEMA) as writer:
        for row in read_lists(lists):
            found = [next(logprobs) for _ in row["candidates"]]
            mass += sum(math.exp(value) for pair in found for value in pair)
            columns = {
                "id": [row["id"]] * len(found),
                "item": row["candidates"],
                "score": [yes - no for yes, no in found],
            }
            writer.write_batch(pa.record_batch(columns, schema=PREDICTIONS_SCHEMA))
    return mass


def _logprobs(answers: Path) -> Iterator[tuple[float, float]]:
    with pq.ParquetFile(answers) as table:
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=["logprobs"]):
            for pair in batch["logprobs"].to_pylist():
                if pair is None or None in pair:
                    raise UserError(
                        "the engine gave no probability of Yes or No, by which candidates are "
                        "ranked; set score.engine to vllm or transformers"
                    )
                yield tuple(pair)
