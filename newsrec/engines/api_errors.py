"""Classify errors from a server: temporary, about one prompt, or fatal for the run.

Servers report errors in many ways: with an error status or with status 200; as `error`, as `detail`
or inside a choice; with a code that is an HTTP status, a word or a number of their own.
"""

import re
from collections.abc import Mapping

from newsrec.engines.settings import MODEL_VARIABLE, URL_VARIABLE


class PassingError(Exception):
    """An error that may be temporary, so that the same request is sent again.

    Attributes:
        remedy: what to do if it persists; empty for the general advice about server problems.
        kind: the kind of problem, for counting: an HTTP status, or `reply` for a reply that cannot
            be read.
    """

    def __init__(self, problem: str, remedy: str = "", kind: str = "reply") -> None:
        super().__init__(problem)
        self.remedy = remedy
        self.kind = kind


class UnansweredError(Exception):
    """The server refuses to answer this prompt, but may answer others."""


_RETRIED = {408, 409, 425, 429}
# With these statuses the text is about the key or the queue, whatever it mentions.
_NEVER_OF_THE_PROMPT = {401, 402, 404, 408, 429}
# Azure, OpenAI, LiteLLM; DashScope; DeepSeek; OpenRouter; Gemini; Zhipu; Bedrock; Moonshot.
_FILTERED = re.compile(
    r"content[ _-]?filter|content[ _-]?policy|content management policy|ResponsibleAIPolicy"
    r"|data_?inspection|inappropriate content|content exists risk|flagged_input|requires moderation"
    r"|violating our usage polic|prohibited_content|block_?reason|contentFilter|guardrail_interven"
    r"|considered high risk|不安全或敏感内容",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[ _]?(quota|balance|credit|funds)|billing_hard_limit|billing_not_active|arrearage"
    r"|account_deactivated",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context[ _-]?(length|size|window)|maximum context|max_model_len|max(imum)?[ _]model[ _]length"
    r"|(prompt|input|request|body|payload) (is )?too (long|large)|max_new_tokens"
    r"|string_above_max_length|range of input length",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_?not_?found|invalid model|unknown model|deploymentnotfound"
    r"|model.{0,200}?(not found|not exist)",
    re.IGNORECASE | re.DOTALL,
)
# The HTTP status implied by an error in a reply with status 200 that gives no code.
_STATUS_OF_WORDS = (
    (_QUOTA.pattern, 402),
    (r"rate[ _-]?limit|too[ _]many[ _]requests|throttl|resource_?exhausted|quota", 429),
    (r"time[ _-]?d?[ _-]?out", 504),
    (r"overload|unavailable|at capacity|busy|try again|loading", 503),
    (r"internal|server[ _]?error|provider returned error|upstream|bad[ _]gateway", 500),
    (r"api[ _]?key|unauthori[sz]ed|authentication", 401),
    (_NO_MODEL.pattern, 404),
    (r"invalid_request|bad_?request|" + _TOO_LONG.pattern, 400),
)


def find_error(body: object) -> object:
    """The error in a reply, whatever its status; None if there is none."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]  # from Gemini
    if not isinstance(body, dict):
        return None
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    for place in (body, first):
        if isinstance(place, dict) and place.get("error"):
            return place["error"]
    spoken = ("detail", "message", "msg", "code", "error_code", "base_resp", "promptFeedback")
    return body if not choices and any(body.get(name) for name in spoken) else None


def named_status(error: object) -> int | None:
    """The HTTP status that an error implies, by its code or its wording."""
    if isinstance(error, Mapping):
        for name in ("status_code", "http_code", "status", "code"):
            given = str(error.get(name))
            if given.isascii() and given.isdigit() and 400 <= int(given) < 600:
                return int(given)
    words = _words(error)
    found = (status for form, status in _STATUS_OF_WORDS if re.search(form, words, re.IGNORECASE))
    return next(found, None)


def is_of_the_prompt(status: int, error: object) -> bool:
    """Whether a content filter rejected this prompt."""
    # A list reports a validation of the request, which repeats the request.
    checked = isinstance(error, Mapping) and isinstance(error.get("detail"), list)
    return (
        status not in _NEVER_OF_THE_PROMPT
        and not checked
        and _FILTERED.search(_words(error)) is not None
    )


def is_of_the_account(status: int, error: object) -> bool:
    """Whether the account has no credit left, which waiting does not change."""
    return status == 402 or (400 <= status < 500 and _QUOTA.search(_words(error)) is not None)


def may_pass(status: int, error: object) -> bool:
    """Whether the same request may be answered later."""
    # llama.cpp's server reports a prompt that is too long with status 500.
    passing = status in _RETRIED or (status >= 500 and status != 501)
    return passing and not (status == 500 and _TOO_LONG.search(_words(error)))


def names_no_model(error: object) -> bool:
    """Whether the server does not know the model's name."""
    return _NO_MODEL.search(_words(error)) is not None


def advise(status: int, error: object, location: str) -> str:
    """What to do about a refusal that would also affect any other request.

    Args:
        status: the status of the reply, or the one that its body implies.
        error: the return value of `find_error`, or the text of the reply.
        location: the target of a redirect; empty for other replies.
    """
    words = _words(error)
    if 300 <= status < 400:
        return f"it redirects to {location.split('?')[0]!r}; set {URL_VARIABLE} to the new URL"
    if status == 413 or _TOO_LONG.search(words):
        return (
            "prompts are too long for the server: lower score.max_model_len to shorten them, or "
            "raise the server's own limit"
        )
    if names_no_model(error):
        return f"set {MODEL_VARIABLE}BASE or {MODEL_VARIABLE}TUNED to the server's model name"
    for name in ("chat_template_kwargs", "structured_outputs"):
        if name in words:
            return f"set score.api_turns_thinking_off: false, which leaves out {name}"
    if "enable_thinking" in words:
        # A field of DashScope, which chat_template_kwargs does not set.
        return "choose a model that does not think by default"
    if re.search(r"log[ _-]?prob|top_n_tokens", words, re.IGNORECASE):
        return "lower score.api_top_logprobs (with 0, only the texts are scored)"
    return (
        "turn off features that the server may not support: chat_template_kwargs with "
        "score.api_turns_thinking_off: false, log-probabilities with score.api_top_logprobs: 0; "
        "or choose another server"
    )


def _words(error: object) -> str:
    """The text of an error in one line, without the request, which some servers repeat."""
    if isinstance(error, Mapping):
        said = (f"{name} {_words(value)}" for name, value in error.items() if name != "input")
        return " ".join(said)
    return " ".join(map(_words, error)) if isinstance(error, list) else str(error)
