"""One model scored in four ways gives one answer: vLLM, its server, transformers, LLaMA-Factory."""

import os
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.engines import openai_api, transformers, vllm
from newsrec.engines.api_server import llamafactory_server, vllm_server
from newsrec.engines.request import (
    AnswerTokens,
    PromptWriter,
    answer_tokens,
    encode_chat,
    load_tokenizer,
)
from newsrec.mind.synthetic import chat_examples
from newsrec.models.tiny import build_tiny
from newsrec.prompts import NO, QUESTION, YES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get(vllm.PYTHON_VARIABLE, ROOT / ".venv-vllm/bin/python"))
# Some ask for Yes or No, the others for a topic: there both are improbable.
MESSAGES = list(dict.fromkeys(message for message, _ in chat_examples(260, seed=2)))
YES_OR_NO = [number for number, message in enumerate(MESSAGES) if QUESTION in message]
TOLERANCE = 1e-3
MAX_MODEL_LEN = 512
MAX_ANSWER_TOKENS = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 trained until it answers in words, Yes and No among them."""
    folder = tmp_path_factory.mktemp("model")
    build_tiny(
        folder,
        chat_examples(800, seed=1),
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
def tokens(model: Path) -> AnswerTokens:
    return answer_tokens(load_tokenizer(model), MESSAGES[0], YES, NO)


@pytest.fixture(scope="module")
def prompts(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("prompts") / "prompts.parquet"
    tokenizer = load_tokenizer(model)
    with PromptWriter(target) as writer:
        for message in MESSAGES:
            writer.add(encode_chat(tokenizer, message), message)
    return target


@pytest.fixture(scope="module")
def offline(
    model: Path, prompts: Path, tokens: AnswerTokens, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    """The answers that all others are held against: vLLM's, offline."""
    work = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(vllm.PYTHON_VARIABLE, str(PYTHON))
        vllm.score(
            model,
            prompts,
            work / "answers.parquet",
            tokens,
            work=work,
            dtype="float32",
            max_model_len=MAX_MODEL_LEN,
            max_answer_tokens=MAX_ANSWER_TOKENS,
            gpu_memory_utilization=0.3,
            cpu_kv_cache_gib=1,
            enforce_eager=True,
            batch_size=1000,
            seed=1,
        )
    return pd.read_parquet(work / "answers.parquet")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(model: Path, url: str, work: Path, extra_body: dict[str, object]) -> pd.DataFrame:
    openai_api.score(
        str(model),
        MESSAGES,
        work / "answers.parquet",
        yes="Yes",
        no="No",
        url=url,
        key=None,
        work=work,
        fingerprint="",
        num_messages=len(MESSAGES),
        max_answer_tokens=MAX_ANSWER_TOKENS,
        top_logprobs=4,  # so few that Yes and No are not among them where a topic is asked for
        extra_body=extra_body,
        concurrency=8,
        max_tries=3,
        timeout=60,
    )
    return pd.read_parquet(work / "answers.parquet")


def p_yes(answers: pd.DataFrame) -> np.ndarray:
    margin = answers["logprob_yes"] - answers["logprob_no"]
    return (1 / (1 + np.exp(-margin))).to_numpy()


def check_agree(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    one, other = p_yes(found), p_yes(expected)
    assert other.max() - other.min() > 20 * TOLERANCE, "the model tells no prompts apart"
    assert np.abs(one - other).max() <= TOLERANCE
    # Every pair stands the same way round, but for those that are equal to float32.
    ahead, expected_ahead = (np.subtract.outer(scores, scores) for scores in (one, other))
    assert not (ahead * expected_ahead < 0)[np.abs(expected_ahead) > 1e-5].any()
    assert found["text"].tolist() == expected["text"].tolist()


def test_transformers(
    model: Path, prompts: Path, tokens: AnswerTokens, offline: pd.DataFrame, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.parquet"
    transformers.score(
        model,
        prompts,
        answers,
        tokens,
        dtype="float32",
        max_answer_tokens=MAX_ANSWER_TOKENS,
        batch_size=16,
    )
    check_agree(pd.read_parquet(answers), offline)


def test_vllms_server(model: Path, offline: pd.DataFrame, tmp_path: Path) -> None:
    with vllm_server(
        model,
        free_port(),
        tmp_path,
        180,
        python=PYTHON,
        dtype="float32",
        max_model_len=MAX_MODEL_LEN,
        gpu_memory_utilization=0.3,
        cpu_kv_cache_gib=1,
        enforce_eager=True,
    ) as url:
        extra = {"chat_template_kwargs": {"enable_thinking": False}}
        answers = ask(model, url, tmp_path, extra)
    check_agree(answers.loc[YES_OR_NO], offline.loc[YES_OR_NO])
    assert answers["text"].tolist() == offline["text"].tolist()
    # What is not listed is given as much as it can have at most.
    names = ["logprob_yes", "logprob_no"]
    excess = (answers[names] - offline[names]).to_numpy()
    assert excess.min() >= -TOLERANCE
    assert excess.max() > TOLERANCE, "every token was listed"


def test_llamafactorys_server_says_the_same(
    model: Path, offline: pd.DataFrame, tmp_path: Path
) -> None:
    server = llamafactory_server(model, "qwen3", free_port(), tmp_path, 180, dtype="float32")
    with server as url:
        answers = ask(model, url, tmp_path, {})
    assert answers["logprob_yes"].isna().all()
    assert answers["text"].tolist() == offline["text"].tolist()
    assert answers["text"].nunique() > 2
    assert "Which topic" not in (tmp_path / "server.log").read_text()  # no prompt in its log
