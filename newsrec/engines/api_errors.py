"""What an error of a server means: it may pass, it is of one prompt, or it ends the run.

Servers send errors in many shapes: under an error status or under 200, as `error`, as `detail`, or
inside a choice; with a code that is an HTTP status, a word or a number of their own.
"""

import re
from collections.abc import Mapping

from newsrec.engines.settings import MODEL_VARIABLE, URL_VARIABLE


class PassingError(Exception):
    """What may be otherwise when the same is asked again.

    Attributes:
        remedy: what to do when it is not; empty for what any server's trouble calls for.
        kind: of the trouble in a word, to count: an HTTP status, or `reply` for one that cannot be
            read.
    """

    def __init__(self, problem: str, remedy: str = "", kind: str = "reply") -> None:
        super().__init__(problem)
        self.remedy = remedy
        self.kind = kind


class UnansweredError(Exception):
    """The server does not answer this prompt; it may answer others."""


_RETRIED = {408, 409, 425, 429}
# Under these statuses the words are about the key or the queue, whatever they mention.
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
# The HTTP status that an error in a reply with status 200 means, if it gives no code.
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
        body = body[0]  # Gemini's
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
    """The HTTP status that an error means, by its code or its wording."""
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
    # A list is a check of the request's form, which repeats the request.
    checked = isinstance(error, Mapping) and isinstance(error.get("detail"), list)
    return (
        status not in _NEVER_OF_THE_PROMPT
        and not checked
        and _FILTERED.search(_words(error)) is not None
    )


def is_of_the_account(status: int, error: object) -> bool:
    """Whether the account has nothing left to spend, which waiting does not change."""
    return status == 402 or (400 <= status < 500 and _QUOTA.search(_words(error)) is not None)


def may_pass(status: int, error: object) -> bool:
    """Whether the same request may be answered later."""
    # llama.cpp's server reports a long prompt under 500.
    passing = status in _RETRIED or (status >= 500 and status != 501)
    return passing and not (status == 500 and _TOO_LONG.search(_words(error)))


def names_no_model(error: object) -> bool:
    """Whether the server does not know the model's name."""
    return _NO_MODEL.search(_words(error)) is not None


def advise(status: int, error: object, location: str) -> str:
    """What to do about a refusal that any other request would meet too.

    Args:
        status: of the reply, or what its body means.
        error: as `find_error` returns it, or the reply's text.
        location: where a redirection leads; empty for others.
    """
    words = _words(error)
    if 300 <= status < 400:
        return f"it leads to {location.split('?')[0]!r}; set {URL_VARIABLE} to the address there"
    if status == 413 or _TOO_LONG.search(words):
        return (
            "prompts are too long for the server: lower score.max_model_len, which shortens them, "
            "or raise the server's own limit"
        )
    if names_no_model(error):
        return f"set {MODEL_VARIABLE}BASE or {MODEL_VARIABLE}TUNED to the server's name of it"
    for name in ("chat_template_kwargs", "structured_outputs"):
        if name in words:
            return f"set score.api_turns_thinking_off: false, which leaves out {name}"
    if "enable_thinking" in words:
        # DashScope's own field; chat_template_kwargs does not set it.
        return "choose a model that does not think unless it is asked to"
    if re.search(r"log[ _-]?prob|top_n_tokens", words, re.IGNORECASE):
        return "lower score.api_top_logprobs (0 asks for none, and the texts alone are scored)"
    return (
        "leave out what the server may not know: chat_template_kwargs with "
        "score.api_turns_thinking_off: false, log-probabilities with score.api_top_logprobs: 0; "
        "else choose another server"
    )


def _words(error: object) -> str:
    """All that an error says, in one line; not the request, which some servers repeat."""
    if isinstance(error, Mapping):
        said = (f"{name} {_words(value)}" for name, value in error.items() if name != "input")
        return " ".join(said)
    return " ".join(map(_words, error)) if isinstance(error, list) else str(error)
