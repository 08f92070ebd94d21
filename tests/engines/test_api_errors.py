"""What an error means, in the shapes that real servers send it."""

import json
from typing import Any

import pytest

from newsrec.engines.api_errors import (
    advise,
    find_error,
    is_of_the_account,
    is_of_the_prompt,
    may_pass,
    named_status,
    names_no_model,
)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "Provider returned error", "code": 429}}, 429),
        ({"error": {"message": "…", "code": "503"}}, 503),
        ({"error": {"message": "Rate limit reached", "type": "rate_limit_error"}}, 429),
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, 503),
        ({"error": {"message": "The server had an error", "type": "server_error"}}, 500),
        ({"error": "Request timed out"}, 504),
        ({"detail": "Too Many Requests"}, 429),
        ({"object": "error", "message": "slow down", "raw_status_code": 429, "code": 429}, 429),
        ([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], 429),
        ({"choices": [{"error": {"code": 502, "message": "…"}, "finish_reason": "error"}]}, 502),
        ({"error": {"code": "invalid_api_key", "message": "Incorrect API key provided"}}, 401),
        ({"error": {"code": "model_not_found", "message": "…"}}, 404),
        ({"error": {"message": "…", "code": "context_length_exceeded"}}, 400),
        ({"error": "no"}, None),
        ({"error": {"message": "…", "code": 1302}}, None),
    ],
)
def test_an_error_stands_for_the_status_that_it_names(body: Any, status: int | None) -> None:
    error = find_error(body)
    assert error
    assert named_status(error) == status


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": "Yes."}}]},
        {"choices": [{"message": {"content": "Yes."}}], "error": None, "code": 0},
        {"choices": [{"message": {"content": "error"}, "error": None}], "message": "ok"},
        {"choices": []},
        [],
        None,
        "error",
    ],
)
def test_a_reply_without_an_error_has_none(body: Any) -> None:
    assert find_error(body) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}),
        (400, {"message": "The response was filtered: content management policy", "code": None}),
        (400, {"code": "data_inspection_failed", "message": "Input data may contain …"}),
        (400, {"message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may …"}),
        (500, {"message": "Input data may contain inappropriate content."}),
        (400, {"message": "Content Exists Risk", "code": "invalid_request_error"}),
        (400, {"detail": "Content Exists Risk"}),
        (403, {"code": 403, "message": "…", "metadata": {"flagged_input": "…"}}),
        (400, {"code": "content_policy_violation", "message": "…"}),
        (200, {"code": "content_filter"}),
    ],
)
def test_a_filter_is_about_one_prompt(status: int, error: object) -> None:
    assert is_of_the_prompt(status, error)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "unknown field logprobs"}),
        (429, {"message": "content filter: too many requests"}),
        (401, {"message": "content_filter needs another key"}),
        (422, {"detail": [{"loc": ["body"], "msg": "bad", "input": "inappropriate content"}]}),
        (400, {"message": "bad", "input": {"content": "A content filter for all"}}),
    ],
)
def test_other_errors_are_not_about_one_prompt(status: int, error: object) -> None:
    assert not is_of_the_prompt(status, error)


@pytest.mark.parametrize(
    ("status", "error", "account", "passing"),
    [
        (429, {"type": "insufficient_quota"}, True, True),
        (402, {"message": "Insufficient Balance"}, True, False),
        (400, {"code": "Arrearage"}, True, False),
        (429, {"message": "busy"}, False, True),
        (408, "", False, True),
        (500, "", False, True),
        (503, {"message": "Loading model", "type": "unavailable_error"}, False, True),
        (524, "<html>", False, True),
        (500, {"message": "Context size has been exceeded."}, False, False),
        (501, "", False, False),
        (400, "", False, False),
        (404, "", False, False),
    ],
)
def test_what_waiting_changes_is_told_from_what_it_does_not(
    status: int, error: object, account: bool, passing: bool
) -> None:
    assert is_of_the_account(status, error) == account
    assert may_pass(status, error) == passing


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, "This model's maximum context length is 4096 tokens", "lower score.max_model_len"),
        (400, {"code": "context_length_exceeded"}, "lower score.max_model_len"),
        (422, "`inputs` tokens + `max_new_tokens` must be <= 4096", "lower score.max_model_len"),
        (413, "Payload Too Large", "lower score.max_model_len"),
        (400, "Requested sample logprobs of 20", "lower score.api_top_logprobs"),
        (400, "This model does not support log probs: logprobs", "lower score.api_top_logprobs"),
        (400, "Unknown argument: chat_template_kwargs", "score.api_turns_thinking_off: false"),
        (400, "enable_thinking must be set to false for non-streaming calls", "does not think"),
        (422, {"detail": [{"loc": ["body", "chat_template_kwargs"]}]}, "api_turns_thinking_off"),
        (422, "`top_n_tokens` must be >= 0 and <= 5. Given: 20", "lower score.api_top_logprobs"),
        (400, {"message": "Model Not Exist"}, "set NEWSREC_API_MODEL_BASE"),
        (400, "Invalid model name passed in model=x", "set NEWSREC_API_MODEL_BASE"),
        (307, "", "it redirects to 'https://other/v1'; set NEWSREC_API_URL"),
        (400, "unknown field", "score.api_top_logprobs: 0"),
    ],
)
def test_each_refusal_has_its_own_remedy(status: int, error: object, words: str) -> None:
    assert words in advise(status, error, "https://other/v1?token=secret" if status == 307 else "")


def test_an_unknown_model_is_told_from_a_wrong_address() -> None:
    ollama = json.loads('{"message": "model \\"x\\" not found, try pulling it first"}')
    assert names_no_model(ollama)
    assert names_no_model({"message": "The model `x` does not exist.", "code": 404})
    assert not names_no_model({"detail": "Not Found"})
