"""From prepared rows and a model to predictions tables, whatever the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from newsrec.chat.texts import encode_texts
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.classifying import classify
from newsrec.engines.request import ClassRequest, Request
from newsrec.engines.settings import ClassifierSettings, Settings
from newsrec.models.folders import base_of
from newsrec.safety.judge import VERSION, Judge
from newsrec.safety.predictions import write_predictions
from newsrec.safety.text_prompts import TextPrompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Of rows to the predictions table to write; walked in this order.
Tables = Mapping[Path, Path]


@dataclass(frozen=True)
class Scored:
    """What scoring reports of itself.

    Attributes:
        num_rows: of all tables.
        num_cut: texts that were cut behind train.cutoff_len tokens.
        details: what only this kind of model has to report.
    """

    num_rows: int
    num_cut: int
    details: Mapping[str, object]


def score_classifier(
    settings: ClassifierSettings, model: Path, tables: Tables, work: Path, max_tokens: int
) -> Scored:
    """Put the texts of all tables into classes, in one run of the engine.

    Args:
        settings: of the engine.
        model: folder of a classifier, see `newsrec.engines.classifying.classify`.
        tables: prepared rows and the predictions to write.
        work: an existing folder for answers.
        max_tokens: of a text; more are cut off.

    Raises:
        UserError: a row that cannot be read, or the engine failed.
    """
    tokenizer = load_tokenizer(base_of(model) or model)
    encode = partial(encode_texts, tokenizer, max_tokens=max_tokens)
    prompts = TextPrompts(tuple(tables), encode)
    num_cut = _count_cut(prompts, tokenizer, max_tokens)
    answers = work / "answers.parquet"
    classify(settings, model, ClassRequest(prompts), answers, work)
    _write(tables, answers, "logits")
    return Scored(len(prompts), num_cut, {})


def score_judge(
    settings: Settings,
    name: str,
    model: Path,
    tables: Tables,
    work: Path,
    *,
    max_tokens: int,
    max_prompt_tokens: int,
) -> Scored:
    """Ask a language model for the class of each text of all tables, in one run of the engine.

    Args:
        settings: of the engine.
        name: of what is scored, see `newsrec.engines.answering.answer`.
        model: folder of a language model.
        tables: prepared rows and the predictions to write.
        work: an existing folder for answers.
        max_tokens: of a text; more are cut off.
        max_prompt_tokens: of a text with the question around it.

    Raises:
        UserError: a prompt that does not fit, a row that cannot be read, or the engine failed.
    """
    tokenizer = load_tokenizer(model)
    judge = Judge(tokenizer, max_tokens, max_prompt_tokens)
    prompts = TextPrompts(tuple(tables), judge.encode, judge.chat)
    num_cut = _count_cut(prompts, tokenizer, max_tokens)
    for _ in prompts.token_ids():  # so that no engine starts on prompts that do not fit
        pass
    answers = work / "answers.parquet"
    reported = answer(settings, name, model, Request(prompts, judge.tokens, 1), answers, work)
    mass = float(np.mean(_write(tables, answers, "logprobs")))
    texts = "".join(tokenizer.decode([token]) for token in judge.tokens)
    details = {"question": VERSION, "answers": texts, "mean_mass_outside": 1 - mass, **reported}
    return Scored(len(prompts), num_cut, details)


def _count_cut(prompts: TextPrompts, tokenizer: "PreTrainedTokenizerBase", max_tokens: int) -> int:
    """Texts of more tokens than are read; every text is tokenized once before the engine starts."""
    encoded = (encode_texts(tokenizer, texts, max_tokens + 1) for texts in prompts.texts())
    return sum(len(ids) > max_tokens for batch in encoded for ids in batch)


def _write(tables: Tables, answers: Path, column: str) -> list[float]:
    """Write each table's predictions; the probability of all classes together in each answer."""
    mass: list[float] = []
    start = 0
    for rows, target in tables.items():
        mass += np.exp(write_predictions(rows, answers, column, start, target)).sum(axis=1).tolist()
        start += pq.read_metadata(rows).num_rows
    return mass
