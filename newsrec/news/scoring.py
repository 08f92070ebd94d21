"""From evaluation sets and a model to predictions tables, whatever the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import Request
from newsrec.engines.settings import Settings
from newsrec.news.candidate_prompts import CandidatePrompts, PromptAudit, nothing_shown
from newsrec.news.predictions import AnswerAudit, write_model_predictions
from newsrec.news.prompts import NO, YES


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
    of the disliked and of the liked; never the target or the question. All prompts are made once
    before the engine starts, so that it starts on none that is refused, and once more while it
    answers; they are never stored.

    Args:
        settings: of the engine.
        name: of what is scored, see `newsrec.engines.answering.answer`.
        model: folder of a Hugging Face model, for its tokenizer and chat template.
        tables: evaluation set to the predictions table to write.
        work: an existing folder for answers.
        max_prompt_tokens: what fits beside the answer.
        max_answer_tokens: of the text answer.

    Raises:
        UserError: a prompt without history does not fit, text of the data became a control token,
            an answer cannot be read, or the engine failed.
    """
    tokenizer = load_tokenizer(model)
    tokens = first_tokens(tokenizer, nothing_shown(), (YES, NO))
    prompts = CandidatePrompts(tokenizer, tuple(tables), max_prompt_tokens)
    audit = prompts.audit()
    request = Request(prompts, tokens, max_answer_tokens)
    answers_file = work / "answers.parquet"
    reported = answer(settings, name, model, request, answers_file, work)
    answers, start = {}, 0
    for candidates, target_file in tables.items():
        answers[target_file] = write_model_predictions(candidates, answers_file, target_file, start)
        start += pq.ParquetFile(candidates).metadata.num_rows
    texts = tuple(tokenizer.decode([token]) for token in tokens)
    return Scored(tokens, texts, audit, answers, reported)
