"""Answers of a server: in order, of any number of answers, and what is reported of them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.engines import api_engine
from newsrec.engines.api_replies import write_replies
from newsrec.engines.settings import URL_VARIABLE
from newsrec.errors import UserError
from tests.engines.stub_server import (
    CHATS,
    KEY,
    ONE_CHAT,
    Stub,
    answer,
    complete,
    complete_rows,
    expected,
    read_rows,
    without_logprobs,
)

pytestmark = pytest.mark.slow

GREEDY = {
    "model": "one-model",
    "temperature": 0,
    "max_tokens": 4,
    "chat_template_kwargs": {"enable_thinking": False},
}


@pytest.fixture(scope="module")
def yes_no(tiny_model: Path) -> tuple[int, ...]:
    return first_tokens(load_tokenizer(tiny_model), user_turn("hello"), ("Yes.", "No."))


def test_answers_come_in_the_order_of_the_messages(stub: Stub, tmp_path: Path) -> None:
    replies, num_asked = complete(stub.url, tmp_path)
    write_replies(replies, tmp_path / "answers.parquet")
    assert read_rows(tmp_path) == expected()
    assert num_asked == 12
    assert not any(reply.unlisted for reply in replies)


def test_the_request_is_greedy_and_thinking_is_off(stub: Stub, tmp_path: Path) -> None:
    complete(stub.url, tmp_path, chats=ONE_CHAT)
    assert stub.keys == {f"Bearer {KEY}"}
    assert stub.asked == [
        {
            **GREEDY,
            "messages": [{"role": "user", "content": "message 0"}],
            "logprobs": True,
            "top_logprobs": 20,
        }
    ]


def test_a_system_message_reaches_the_server(stub: Stub, tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, *ONE_CHAT[0]]
    complete(stub.url, tmp_path, chats=[chat])
    assert stub.asked[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "message 0"},
    ]


@pytest.mark.parametrize(
    ("answers", "others"),
    [
        (("Yes",), ()),
        (("Yes", "No"), (-3.0,)),
        (("Yes", "Yesterday", "No", "yes", "Nein"), (-5.0, -3.0, -4.0, -5.0)),
    ],
)
def test_any_number_of_answers_has_a_log_probability_each(
    answers: tuple[str, ...], others: tuple[float, ...], stub: Stub, tmp_path: Path
) -> None:
    rows = complete_rows(stub.url, tmp_path, answers=answers)
    assert [row["logprobs"][1:] for row in rows] == [list(others)] * len(CHATS)
    assert [row["logprobs"][0] for row in rows] == [row["logprobs"][0] for row in expected()]


def test_free_text_is_asked_for_without_log_probabilities(stub: Stub, tmp_path: Path) -> None:
    stub.change = without_logprobs
    rows = complete_rows(stub.url, tmp_path, answers=(), concurrency=1)
    assert rows == [{**row, "logprobs": []} for row in expected()]
    assert stub.asked[0] == {**GREEDY, "messages": [{"role": "user", "content": "message 0"}]}


def test_no_more_requests_are_under_way_than_allowed(stub: Stub, tmp_path: Path) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def count(reply: dict[str, Any]) -> dict[str, Any]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        return reply

    stub.change = count
    complete(stub.url, tmp_path, concurrency=3)
    assert 1 < most <= 3


def test_an_answers_first_token_is_what_the_server_is_searched_for(
    stub: Stub, tmp_path: Path, tiny_model: Path, yes_no: tuple[int, ...]
) -> None:
    reported, rows = answer(stub.url, tmp_path, tiny_model, yes_no)
    assert rows == expected()
    assert reported == {"scored_by": "logprobs", "num_unlisted": 0, "num_unanswered": 0}
    assert stub.keys == {f"Bearer {KEY}"}


def test_tokens_that_are_not_listed_are_reported(
    stub: Stub, tmp_path: Path, tiny_model: Path, yes_no: tuple[int, ...]
) -> None:
    def unlist(reply: dict[str, Any]) -> dict[str, Any]:
        if reply["choices"][0]["message"]["content"] in ("Yes 3", "Yes 7"):
            del reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"][1]
        return reply

    stub.change = unlist
    reported, _ = answer(stub.url, tmp_path, tiny_model, yes_no)
    assert reported == {"scored_by": "logprobs", "num_unlisted": 2, "num_unanswered": 0}


def test_a_filtered_prompt_is_no_answer_and_the_run_goes_on(
    stub: Stub,
    tmp_path: Path,
    tiny_model: Path,
    yes_no: tuple[int, ...],
    capfd: pytest.CaptureFixture[str],
) -> None:
    filtered = '{"error": {"code": "content_filter", "message": "filtered"}}'
    stub.faults = [(400, {}, filtered), (200, {}, json.dumps(ended_by_the_filter()))]
    reported, rows = answer(stub.url, tmp_path, tiny_model, yes_no)
    assert reported == {"scored_by": "logprobs", "num_unlisted": 0, "num_unanswered": 2}
    assert "2 of 12 prompts got no answer, the last: " in capfd.readouterr().err
    without = {"logprobs": None, "text": None}
    assert sorted(map(str, rows)) == sorted(
        str(without if number in stub.numbers()[:2] else row)
        for number, row in enumerate(expected())
    )
    # They are asked for again, of a filter that may be set otherwise.
    reported, rows = answer(stub.url, tmp_path, tiny_model, yes_no)
    assert rows == expected()
    assert reported["num_unanswered"] == 0
    assert len(stub.asked) == len(CHATS) + 2


def ended_by_the_filter() -> dict[str, Any]:
    choice = {"message": {"content": None}, "finish_reason": "content_filter"}
    return {"choices": [choice]}


def test_answers_that_begin_with_a_part_of_a_character_are_refused_before_any_is_asked(
    stub: Stub, tmp_path: Path, tokenizer_folder: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    part = tokenizer.encode("🫨", add_special_tokens=False)[0]
    assert tokenizer.decode([part]) == "\ufffd"
    with pytest.raises(UserError, match=r"parts of characters, .*; set score.engine to vllm"):
        answer(stub.url, tmp_path, tokenizer_folder, (part, part + 1))
    assert not stub.asked


def test_without_log_probabilities_the_text_is_left(
    stub: Stub, tmp_path: Path, tiny_model: Path, yes_no: tuple[int, ...]
) -> None:
    stub.change = without_logprobs
    reported, rows = answer(stub.url, tmp_path, tiny_model, yes_no)
    assert reported["scored_by"] == "text"
    assert rows == [{**row, "logprobs": None} for row in expected()]


def test_free_text_is_scored_by_text(stub: Stub, tmp_path: Path, tiny_model: Path) -> None:
    reported, rows = answer(stub.url, tmp_path, tiny_model, ())
    assert reported == {"scored_by": "text", "num_unlisted": 0, "num_unanswered": 0}
    assert rows == [{**row, "logprobs": []} for row in expected()]


def test_a_server_that_is_not_to_list_tokens_is_not_asked_for_them(
    stub: Stub, tmp_path: Path, tiny_model: Path, yes_no: tuple[int, ...]
) -> None:
    stub.change = without_logprobs
    answer(stub.url, tmp_path, tiny_model, yes_no, top_logprobs=0, turns_thinking_off=False)
    assert not stub.asked[0].keys() & {"logprobs", "top_logprobs", "chat_template_kwargs"}


def test_the_server_is_asked_for_the_model_by_its_own_name_for_what_is_scored(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    env = {URL_VARIABLE: stub.url, "NEWSREC_API_MODEL_TUNED": "mine"}
    for name in ("tuned", "base"):
        answer(stub.url, tmp_path, tiny_model, (), chats=ONE_CHAT, name=name, env=env)
    assert [body["model"] for body in stub.asked] == ["mine", str(tiny_model)]
    assert stub.keys == {None}


def test_a_server_that_is_started_gets_no_key_and_knows_the_model_by_its_folder(
    stub: Stub,
    tmp_path: Path,
    tiny_model: Path,
    yes_no: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def start(*given: object, dtype: str) -> Iterator[str]:
        started.append((*given[:4], dtype))
        yield stub.url

    started: list[tuple[object, ...]] = []
    monkeypatch.setattr(api_engine, "llamafactory_server", start)
    stub.change = without_logprobs
    reported, rows = answer("", tmp_path, tiny_model, yes_no, server="llamafactory", port=8123)
    assert started == [(tiny_model, "qwen3", 8123, tmp_path, "auto")]
    assert reported == {"scored_by": "text", "num_unlisted": 0, "num_unanswered": 0}
    assert rows == [{**row, "logprobs": None} for row in expected()]
    assert stub.keys == {None}
    assert stub.asked[0].keys() == {"model", "temperature", "max_tokens", "messages"}
    assert stub.asked[0]["model"] == str(tiny_model)


def test_another_model_under_the_same_name_is_asked_again(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for path in tiny_model.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    for _ in range(2):
        answer(stub.url, tmp_path, model, ())
    assert len(stub.asked) == len(CHATS)
    (model / "model.safetensors").write_bytes(b"trained again")
    answer(stub.url, tmp_path, model, ())
    assert len(stub.asked) == 2 * len(CHATS)


def test_a_missing_address_is_reported_with_the_variable(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UserError, match="NEWSREC_API_URL is not set; set it to the server's"):
        answer("", tmp_path, tiny_model, (), env={})
