"""One model answers alike in four ways: vLLM, its server, transformers, LLaMA-Factory."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.chat.tokens import encode_chats, first_tokens, load_tokenizer
from newsrec.engines import transformers_engine, vllm_engine
from newsrec.engines.api_engine import Endpoint, complete_all
from newsrec.engines.api_replies import write_replies
from newsrec.engines.api_server import llamafactory_server, vllm_server
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import ApiSettings, TransformersSettings
from newsrec.models.tiny import build_tiny
from newsrec.news.corpus import examples
from newsrec.news.mind.synthetic import TOPICS
from newsrec.news.prompts import NO, QUESTION, YES
from tests.engines.conftest import VLLM

pytestmark = pytest.mark.slow

# Some ask for Yes or No, the others for a topic: there both are improbable.
MESSAGES = list(dict.fromkeys(chat[-1]["content"] for chat, _ in examples(260, seed=2)))
SYSTEM = {"role": "system", "content": "You know the news."}
CHATS = [
    *([{"role": "user", "content": message}] for message in MESSAGES),
    *([SYSTEM, {"role": "user", "content": message}] for message in MESSAGES[:20]),
]
YES_OR_NO = [number for number, chat in enumerate(CHATS) if QUESTION in chat[-1]["content"]]
# Mostly Yes or No: where the answers are as a rule not listed, a server is refused.
TOPICS_ASKED = [number for number in range(len(CHATS)) if number not in YES_OR_NO]
OF_SERVER = sorted([*YES_OR_NO, *TOPICS_ASKED[: len(YES_OR_NO) // 2]])
FIVE_ANSWERS = (NO, *list(TOPICS)[:3], YES)
TOLERANCE = 1e-3
MAX_MODEL_LEN = VLLM.max_model_len
MAX_ANSWER_TOKENS = 4
TRANSFORMERS = TransformersSettings(dtype="float32", batch_size=16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 trained until it answers in words, Yes and No among them."""
    folder = tmp_path_factory.mktemp("model")
    build_tiny(
        folder,
        examples(800, seed=1),
        vocab_size=600,
        hidden_size=64,
        num_layers=2,
        max_length=MAX_MODEL_LEN,
        steps=100,
        batch_size=8,
        lr=3e-3,
        seed=1,
    )
    return folder


@pytest.fixture(scope="module")
def prompts(model: Path) -> FewPrompts:
    return FewPrompts(encode_chats(load_tokenizer(model), CHATS), CHATS)


@pytest.fixture(scope="module")
def request_yes_no(model: Path, prompts: FewPrompts) -> Request:
    return ask_for(model, prompts, (YES, NO))


@pytest.fixture(scope="module")
def offline(
    model: Path, request_yes_no: Request, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    """The answers that all others are held against: vLLM's, offline."""
    return by_vllm(model, request_yes_no, tmp_path_factory.mktemp("offline"))


def ask_for(model: Path, prompts: FewPrompts, answers: tuple[str, ...]) -> Request:
    tokens = first_tokens(load_tokenizer(model), CHATS[0], answers)
    return Request(prompts, tokens, MAX_ANSWER_TOKENS)


def by_vllm(model: Path, request: Request, work: Path) -> pd.DataFrame:
    target = work / "by_vllm.parquet"
    vllm_engine.answer(VLLM, model, request, target, work)
    return pd.read_parquet(target)


def by_transformers(model: Path, request: Request, work: Path) -> pd.DataFrame:
    target = work / "by_transformers.parquet"
    transformers_engine.answer(TRANSFORMERS, model, request, target, work)
    return pd.read_parquet(target)


def by_server(
    model: Path, url: str, request: Request, work: Path, extra_body: dict[str, object]
) -> pd.DataFrame:
    # So few tokens listed that Yes and No are not among them where a topic is asked for.
    endpoint = Endpoint(url, None, str(model), "", top_logprobs=4, extra_body=extra_body)
    settings = ApiSettings(
        server="url",
        template="qwen3",
        dtype="float32",
        port=0,
        top_logprobs=4,
        concurrency=8,
        max_tries=3,
        timeout=60,
        turns_thinking_off=False,
    )
    replies, _ = complete_all(endpoint, request, ("Yes", "No"), settings, work)
    write_replies(replies, work / "by_server.parquet")
    return pd.read_parquet(work / "by_server.parquet")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def logprobs(answers: pd.DataFrame) -> np.ndarray:
    """Log-probabilities, shape (prompts, answers)."""
    return np.stack(answers["logprobs"])


def p_yes(answers: pd.DataFrame) -> np.ndarray:
    yes, no = logprobs(answers).T
    return 1 / (1 + np.exp(-(yes - no)))


def check_agree(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    one, other = p_yes(found), p_yes(expected)
    assert other.max() - other.min() > 20 * TOLERANCE, "every prompt has the same probability"
    assert np.abs(one - other).max() <= TOLERANCE
    # Every pair is in the same order, but for those that are equal to float32.
    ahead, expected_ahead = (np.subtract.outer(scores, scores) for scores in (one, other))
    assert not (ahead * expected_ahead < 0)[np.abs(expected_ahead) > 1e-5].any()
    assert found["text"].tolist() == expected["text"].tolist()


def test_transformers(
    model: Path, request_yes_no: Request, offline: pd.DataFrame, tmp_path: Path
) -> None:
    check_agree(by_transformers(model, request_yes_no, tmp_path), offline)


def test_transformers_and_vllm_agree_on_five_answers(
    model: Path, prompts: FewPrompts, offline: pd.DataFrame, tmp_path: Path
) -> None:
    request = ask_for(model, prompts, FIVE_ANSWERS)
    found = logprobs(by_vllm(model, request, tmp_path))
    expected = logprobs(by_transformers(model, request, tmp_path))
    assert found.shape == (len(CHATS), len(FIVE_ANSWERS))
    assert np.abs(found - expected).max() <= TOLERANCE
    # The first of them is No, which comes second elsewhere.
    assert np.abs(found[:, 0] - logprobs(offline)[:, 1]).max() <= TOLERANCE
    # No two answers could be taken for each other.
    spread = np.abs(found[:, :, None] - found[:, None, :]).max(axis=0)
    others = ~np.eye(len(FIVE_ANSWERS), dtype=bool)
    assert (spread[others] > 20 * TOLERANCE).all()


def test_free_text_of_vllm_has_no_log_probabilities_and_is_the_same(
    model: Path, prompts: FewPrompts, offline: pd.DataFrame, tmp_path: Path
) -> None:
    found = by_vllm(model, ask_for(model, prompts, ()), tmp_path)
    assert [list(row) for row in found["logprobs"]] == [[]] * len(CHATS)
    assert found["text"].tolist() == offline["text"].tolist()


def test_vllms_server(
    model: Path, request_yes_no: Request, offline: pd.DataFrame, tmp_path: Path
) -> None:
    asked = FewPrompts(chats=[CHATS[number] for number in OF_SERVER])
    request, expected = replace(request_yes_no, prompts=asked), offline.loc[OF_SERVER]
    with vllm_server(model, str(model), free_port(), tmp_path, 180, VLLM) as served:
        extra = {"chat_template_kwargs": {"enable_thinking": False}}
        answers = by_server(model, served.url, request, tmp_path, extra).set_axis(OF_SERVER)
    check_agree(answers.loc[YES_OR_NO], offline.loc[YES_OR_NO])
    assert answers["text"].tolist() == expected["text"].tolist()
    # What is not listed is given as much as it can have at most.
    excess = logprobs(answers) - logprobs(expected)
    assert excess.min() >= -TOLERANCE
    assert excess.max() > TOLERANCE, "every token was listed"


def test_llamafactorys_server_writes_the_same(
    model: Path, request_yes_no: Request, offline: pd.DataFrame, tmp_path: Path
) -> None:
    server = llamafactory_server(model, "qwen3", free_port(), tmp_path, 180, dtype="float32")
    with server as url:
        answers = by_server(model, url, request_yes_no, tmp_path, {})
    assert answers["logprobs"].isna().all()
    assert answers["text"].tolist() == offline["text"].tolist()
    assert answers["text"].nunique() > 2
    assert "Which topic" not in (tmp_path / "server.log").read_text()  # no prompt in its log
