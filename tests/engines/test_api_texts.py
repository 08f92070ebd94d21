"""Texts from a server: each prompt asked once, each failure counted, the key nowhere."""

import json
from pathlib import Path

import pytest

from newsrec.chat.messages import user_turn
from newsrec.engines.api_texts import FILTERED, Server, Written, ask_all, spent
from newsrec.errors import UserError
from tests.engines.texts_server import Reply, TextsServer, written

KEY = "sk-very-secret-123"
CHATS = [user_turn(f"prompt {number}") for number in range(6)]


def server_of(url: str, **changed: object) -> Server:
    options = {
        "key": KEY,
        "model": "a-model",
        "max_tokens": 20,
        "concurrency": 3,
        "max_tries": 3,
        "timeout": 20.0,
        "named_by": "teach.model",
        "first_wait": 0.001,
    }
    return Server(url=url, **(options | changed))  # type: ignore[arg-type]


def echo(prompt: str, before: int) -> Reply:
    return written(f"to {prompt}", prompt_tokens=3, completion_tokens=4)


def test_answers_are_in_the_order_of_the_chats_and_equal_chats_are_asked_once(
    tmp_path: Path,
) -> None:
    with TextsServer(echo) as server:
        chats = [*CHATS, CHATS[2]]
        answers, num = ask_all(server_of(server.url), chats, tmp_path / "journal.jsonl")
    assert [one.text for one in answers] == [f"to {chat[0]['content']}" for chat in chats]
    assert num == 6
    assert set(server.asked.values()) == {1}
    assert server.keys == {f"Bearer {KEY}"}
    assert spent(answers, 0, 1e6)["cost"] == 6 * 4  # nor paid twice


def test_what_was_answered_is_never_asked_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with TextsServer(echo) as server:
        ask_all(server_of(server.url), CHATS[:3], journal)
        with journal.open("a") as stream:
            stream.write('["torn by a ki')
        answers, num = ask_all(server_of(server.url), CHATS, journal)
        assert (len(answers), num) == (6, 3)
        assert set(server.asked.values()) == {1}
        # Another model is another question.
        assert ask_all(server_of(server.url, model="another"), CHATS, journal)[1] == 6
    # And wherever the server is now.
    with TextsServer(echo) as moved:
        assert ask_all(server_of(moved.url), CHATS, journal)[1] == 0


def test_each_kind_of_failure_is_counted_and_tried_again(tmp_path: Path) -> None:
    good = echo("x", 0)[2]
    first = {
        "prompt 0": (429, {"Retry-After": "0"}, "slow down"),
        "prompt 1": (500, {}, "oops"),
        "prompt 2": (200, {}, good[: len(good) // 2]),
        "prompt 3": (200, {}, json.dumps({"choices": [{"text": "an old completion"}]})),
        "prompt 4": (503, {}, json.dumps({"error": {"message": "overloaded"}})),
    }

    def reply_to(prompt: str, before: int) -> Reply:
        return first[prompt] if prompt in first and before == 0 else echo(prompt, before)

    with TextsServer(reply_to) as server:
        answers, _ = ask_all(server_of(server.url), CHATS, tmp_path / "journal.jsonl")
    assert [one.text for one in answers] == [f"to prompt {number}" for number in range(6)]
    assert spent(answers, 2.0, 10.0) == {
        "num_prompt_tokens": 18,
        "num_completion_tokens": 24,
        "cost": pytest.approx((18 * 2 + 24 * 10) / 1e6),
        "num_without_usage": 0,
        "num_truncated": 0,
        "num_filtered": 0,
        "failures": {"429": 1, "500": 1, "503": 1, "reply": 2},
    }


def test_cut_off_filtered_and_unaccounted_answers_are_counted(tmp_path: Path) -> None:
    replies = {
        "prompt 0": written("cut", "length"),
        "prompt 1": written("", "content_filter"),
        "prompt 2": (400, {}, json.dumps({"error": {"code": "content_policy_violation"}})),
        "prompt 3": written("", "SAFETY"),
    }

    def reply_to(prompt: str, before: int) -> Reply:
        return replies.get(prompt) or echo(prompt, before)

    with TextsServer(reply_to) as server:
        answers, _ = ask_all(server_of(server.url), CHATS, tmp_path / "journal.jsonl")
        again, num = ask_all(server_of(server.url), CHATS, tmp_path / "journal.jsonl")
    assert answers[0] == Written("cut", "length")
    assert answers[1].text is answers[2].text is answers[3].text is None
    assert answers[2].finish_reason == FILTERED
    assert (again, num) == (answers, 0)  # not even what was filtered
    counts = spent(answers, 1, 1)
    assert (counts["num_truncated"], counts["num_filtered"]) == (1, 3)
    assert counts["num_without_usage"] == 4


def test_a_server_that_always_fails_ends_the_run_and_keeps_the_rest(tmp_path: Path) -> None:
    def reply_to(prompt: str, before: int) -> Reply:
        return (500, {}, f"no {KEY}") if prompt == "prompt 5" else echo(prompt, before)

    journal = tmp_path / "journal.jsonl"
    with (
        TextsServer(reply_to) as server,
        pytest.raises(UserError, match="no answer in 3 tries") as e,
    ):
        ask_all(server_of(server.url), CHATS, journal)
    assert KEY not in str(e.value)
    assert len(journal.read_text().splitlines()) >= 3
    assert KEY not in journal.read_text()


def test_an_unknown_model_is_set_by_its_parameter(tmp_path: Path) -> None:
    def reply_to(prompt: str, before: int) -> Reply:
        return 404, {}, "no such model"

    with (
        TextsServer(reply_to) as server,
        pytest.raises(UserError, match=r"expected one of: another-model; set teach\.model"),
    ):
        ask_all(server_of(server.url), CHATS, tmp_path / "journal.jsonl")


def test_a_refused_key_is_not_shown(tmp_path: Path) -> None:
    def reply_to(prompt: str, before: int) -> Reply:
        return 401, {}, f"no such key {KEY}"

    with TextsServer(reply_to) as server, pytest.raises(UserError, match="refuses the key") as e:
        ask_all(server_of(server.url), CHATS, tmp_path / "journal.jsonl")
    assert KEY not in str(e.value)


def test_a_damaged_journal_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("no json\n")
    with pytest.raises(UserError, match=r"journal\.jsonl:1: expected an answer as JSON"):
        ask_all(server_of("http://127.0.0.1:1/v1"), CHATS, tmp_path / "journal.jsonl")
