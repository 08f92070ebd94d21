"""From evaluation sets and a model to predictions tables, whatever the engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import control_tokens, encode_chat, first_tokens, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import PromptWriter, Request
from newsrec.engines.settings import Settings
from newsrec.errors import UserError
from newsrec.news.predictions import AnswerAudit, write_model_predictions
from newsrec.news.prompts import NO, YES, user_message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
    """What scoring reports of itself; tokens and their texts are those of Yes and No."""

    tokens: tuple[int, ...]
    token_texts: tuple[str, ...]
    prompts: PromptAudit
    answers: Mapping[Path, AnswerAudit]
    engine: Mapping[str, object]

    def audit(self, target: Path) -> dict[str, object]:
        """Which tokens were read, and what was not as it should be, in one predictions table."""
        prompts, answers = self.prompts, self.answers[target]
        mass = answers.mean_answer_mass
        return {
            "token_yes": self.tokens[0],
            "token_no": self.tokens[1],
            "token_yes_text": self.token_texts[0],
            "token_no_text": self.token_texts[1],
            **({} if mass is None else {"mean_mass_outside": 1 - mass}),
            **self.engine,
            "num_unparsed": answers.num_unparsed,
            "num_thinking": answers.num_thinking,
            "num_text_only": answers.num_text_only,
            "num_prompts": prompts.num_prompts,
            "num_shortened": prompts.num_shortened,
            "num_items_dropped": prompts.num_items_dropped,
            "longest_prompt": prompts.longest_prompt,
        }


def score_candidates(
    settings: Settings,
    name: str,
    model: Path,
    tables: Mapping[Path, Path],
    work: Path,
    *,
    max_prompt_tokens: int,
    max_answer_tokens: int,
) -> Scored:
    """Let a model answer every prompt of some evaluation sets, all in one run of the engine.

    A prompt that does not fit is shortened by whole items: the oldest of the history first, then
    of the disliked and of the liked; never the target or the question.

    Args:
        settings: of the engine.
        name: of what is scored, see `newsrec.engines.answering.answer`.
        model: folder of a Hugging Face model, for its tokenizer and chat template.
        tables: evaluation set to the predictions table to write.
        work: an existing folder for prompts and answers.
        max_prompt_tokens: what fits beside the answer.
        max_answer_tokens: of the text answer.

    Raises:
        UserError: a prompt without history does not fit, text of the data became a control token,
            an answer cannot be read, or the engine failed.
    """
    tokenizer = load_tokenizer(model)
    empty = user_turn(user_message([], [], [], ""))
    tokens = first_tokens(tokenizer, empty, (YES, NO))
    control = control_tokens(tokenizer)
    expected = sum(id_ in control for id_ in encode_chat(tokenizer, empty))
    audit = PromptAudit()
    request = Request(work / "prompts.parquet", tokens, max_answer_tokens)
    with PromptWriter(request.prompts) as prompts:
        for candidates in tables:
            for lists, target in _rows(candidates):
                message, ids, num_dropped = _fitted(
                    tokenizer, lists, target, max_prompt_tokens, candidates
                )
                if sum(id_ in control for id_ in ids) != expected:
                    raise UserError(
                        f"{candidates}: text of the data became a control token of the chat "
                        "template; add this model's kind of control token to plain_text in "
                        f"newsrec/chat/text.py; the title: {target[:80]!r}"
                    )
                prompts.add(ids, user_turn(message))
                audit.num_prompts += 1
                audit.num_shortened += num_dropped > 0
                audit.num_items_dropped += num_dropped
                audit.longest_prompt = max(audit.longest_prompt, len(ids))
    answers_file = work / "answers.parquet"
    reported = answer(settings, name, model, request, answers_file, work)
    answers, start = {}, 0
    for candidates, target_file in tables.items():
        answers[target_file] = write_model_predictions(candidates, answers_file, target_file, start)
        start += pq.ParquetFile(candidates).metadata.num_rows
    texts = tuple(tokenizer.decode([token]) for token in tokens)
    return Scored(tokens, texts, audit, answers, reported)


def _fitted(
    tokenizer: "PreTrainedTokenizerBase",
    lists: dict[str, list[str]],
    target: str,
    max_tokens: int,
    candidates: Path,
) -> tuple[str, list[int], int]:
    """The message that fits, its ids, and how many items it lost; `lists` loses them."""
    num_dropped = 0
    while True:
        message = user_message(lists["history"], lists["liked"], lists["disliked"], target)
        ids = encode_chat(tokenizer, user_turn(message))
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
