"""The log-probability of each answer at the first position of a chat completion.

A server lists only the most probable tokens. An answer whose token is not listed gets the highest
log-probability that it can have, so the score errs towards "don't know": that of the least probable
listed token or of the remaining probability, whichever is lower. Such rows are counted.
"""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from newsrec.engines.api_errors import PassingError

TOLERANCE = 0.01  # by which rounding may raise a probability above 1
_ZERO = -9999.0  # servers use this or less for a probability that is 0 or unknown
_SHOWN = 5  # tokens of a position that a message shows
# How vocabularies represent the space before a word.
_MARKERS = (" ", "▁", "Ġ")
_BLANK = " \t\r\n▁ĠĊ"
_TOKEN_ID = re.compile(r"token_id:(\d+)")
_REMEDY = (
    "choose another server or setting (vLLM: --logprobs-mode raw_logprobs), or set "
    "score.api_top_logprobs: 0 to score by the texts alone"
)


class ReplyError(ValueError):
    """A reply that cannot be used, and what to do about it."""


@dataclass(frozen=True)
class Weighed:
    """The answers at the first position.

    Attributes:
        logprobs: the log-probability of each answer, in order.
        num_listed: the number of answers that are listed.
        starts: whether the text begins with the token that was chosen at this position.
        shown: the most probable tokens, for a message.
    """

    logprobs: Sequence[float]
    num_listed: int
    starts: bool
    shown: str


@dataclass(frozen=True)
class _Token:
    """A listed token; the id is set if the server lists tokens by id."""

    text: str
    token_id: int | None
    logprob: float


def weigh(
    position: Mapping[str, Any], text: str, answers: Sequence[str], ids: Sequence[int]
) -> Weighed:
    """Find the answers among the tokens that are listed at the first position.

    A token is identified by its text (from `bytes` if `token` is the vocabulary's own spelling) or
    by its id if the server lists ids. If no answer is listed in its exact form, the spellings with
    a space before the word are tried.

    Args:
        position: the first entry of `logprobs.content`.
        text: the generated text.
        answers: the text of each answer's first token.
        ids: the ids of the same tokens; if empty, no token is identified by its id.

    Raises:
        PassingError: a log-probability is not a number.
        ReplyError: a log-probability is above 0, or the probabilities sum to more than 1.
    """
    chosen = _read(position)
    top = [_read(entry) for entry in position.get("top_logprobs") or ()]
    _check(chosen, top)
    listed = top if _among(chosen, top) else [*top, chosen]
    known = [token for token in listed if token.logprob > _ZERO]
    found = _find(known, answers, ids)
    # If nothing is listed, the answers share the whole probability.
    least = min((token.logprob for token in known), default=-math.log(max(len(answers), 1)))
    # The remaining probability is only known up to rounding.
    bound = min(least, math.log(max(1 - _mass(known), TOLERANCE / 2)))
    return Weighed(
        [bound if logprob is None else logprob for logprob in found],
        sum(logprob is not None for logprob in found),
        _starts(chosen, text, dict(zip(ids, answers, strict=False))),
        _shown(known),
    )


def _read(entry: Mapping[str, Any]) -> _Token:
    logprob, name = entry.get("logprob"), str(entry["token"])
    if not isinstance(logprob, int | float) or isinstance(logprob, bool) or math.isnan(logprob):
        raise PassingError(
            f"the log-probability of {name!r} is {logprob}, expected a number",
            "serve the model in bfloat16 or float32, as float16 overflows; check whether its "
            "weights contain NaN; or set score.api_top_logprobs: 0 to score by the texts alone",
        )
    text = name
    if isinstance(given := entry.get("bytes"), list) and given:
        with suppress(TypeError, ValueError):
            text = bytes(given).decode(errors="replace")
    named = _TOKEN_ID.fullmatch(name)
    return _Token(text, int(named[1]) if named else None, float(logprob))


def _check(chosen: _Token, top: Sequence[_Token]) -> None:
    """Raise ReplyError if these are not log-probabilities of one distribution."""
    for token in (chosen, *top):
        if token.logprob > TOLERANCE:
            raise ReplyError(
                f"the log-probability of {token.text!r} is {token.logprob:g}, above 0; {_REMEDY}"
            )
    # Some servers spell the chosen token differently in the list: the same number identifies it.
    same = any(abs(token.logprob - chosen.logprob) <= 1e-3 for token in top)
    total = _mass(top if same or _among(chosen, top) else [*top, chosen])
    if total > 1 + TOLERANCE:
        raise ReplyError(
            f"the tokens listed at the first position have a total probability of {total:.2f}, "
            f"above 1: {_shown(top)}; {_REMEDY}"
        )


def _among(token: _Token, others: Sequence[_Token]) -> bool:
    """Whether one of the others has the token's text or id."""
    return any(
        token.text == other.text
        or (token.token_id is not None and token.token_id == other.token_id)
        for other in others
    )


def _mass(tokens: Sequence[_Token]) -> float:
    """The total probability; a token that is listed twice counts once."""
    return sum(math.exp(token.logprob) for token in set(tokens))


def _find(
    tokens: Sequence[_Token], answers: Sequence[str], ids: Sequence[int]
) -> list[float | None]:
    """The log-probability of each answer; None if it is not listed."""
    # If two tokens have the same text, the more probable one is used.
    rising = sorted(tokens, key=lambda token: token.logprob)
    by_id = {token.token_id: token.logprob for token in rising if token.token_id is not None}
    if by_id and len(ids) == len(answers):
        return [by_id.get(token_id) for token_id in ids]
    by_text = {token.text: token.logprob for token in rising}
    spellings = [
        [by_text.get(f"{marker}{answer}") for answer in answers] for marker in ("", *_MARKERS)
    ]
    # If an answer is listed in its exact form, a spelling with a space is a different token.
    listed = (found for found in spellings if any(logprob is not None for logprob in found))
    return next(listed, spellings[0])


def _starts(chosen: _Token, text: str, answer_of: Mapping[int, str]) -> bool:
    """Whether the text begins with the chosen token, as far as this can be determined."""
    written, token = text.strip(_BLANK), chosen.text
    if chosen.token_id is not None and _TOKEN_ID.fullmatch(token):
        if chosen.token_id not in answer_of:
            return True
        token = answer_of[chosen.token_id]
    token = token.strip(_BLANK)
    if not written or not token.isascii():
        return True
    return token != "" and (written.startswith(token) or token.startswith(written))


def _shown(tokens: Sequence[_Token]) -> str:
    falling = sorted(tokens, key=lambda token: -token.logprob)
    return ", ".join(f"{token.text!r} ({token.logprob:.2f})" for token in falling[:_SHOWN])
