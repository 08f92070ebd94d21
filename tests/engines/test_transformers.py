"""Answers of transformers: in order, raw, whatever the padding; and what a user is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen3ForCausalLM

from newsrec.engines import transformers
from newsrec.engines.request import (
    ANSWERS_SCHEMA,
    AnswerTokens,
    PromptWriter,
    encode_chat,
    load_tokenizer,
)
from newsrec.errors import UserError
from newsrec.models.merging import hand_on_adapter
from tests.models.test_merging import trained_bottleneck, trained_prefix

TOKENS = AnswerTokens(yes=300, no=301)
# In no order of length, so that sorting them for the padding has something to undo.
MESSAGES = [("word " * (number * 7 % 20)).strip() for number in range(11)]


def score(model: Path, work: Path, batch_size: int, max_answer_tokens: int = 3) -> list[dict]:
    tokenizer = load_tokenizer(model)
    prompts, answers = work / "prompts.parquet", work / "answers.parquet"
    with PromptWriter(prompts) as writer:
        for message in MESSAGES:
            writer.add(encode_chat(tokenizer, message), message)
    transformers.score(
        model,
        prompts,
        answers,
        TOKENS,
        dtype="float32",
        max_answer_tokens=max_answer_tokens,
        batch_size=batch_size,
        device="cpu",
    )
    table = pq.read_table(answers)
    assert table.schema == ANSWERS_SCHEMA
    return table.to_pylist()


@torch.inference_mode()
def answer_one_by_one(model: Path, max_answer_tokens: int = 3) -> list[dict]:
    """The same by the plainest means: no batch, no padding, no cache, no `generate`."""
    tokenizer = load_tokenizer(model)
    network = AutoModelForCausalLM.from_pretrained(model).eval()
    answers = []
    for message in MESSAGES:
        ids = encode_chat(tokenizer, message)
        steps = []
        for _ in range(max_answer_tokens):
            steps.append(network(torch.tensor([ids])).logits[0, -1].log_softmax(-1))
            if (token := int(steps[-1].argmax())) == tokenizer.eos_token_id:
                break
            ids = [*ids, token]
        text = tokenizer.decode(
            ids[len(encode_chat(tokenizer, message)) :], skip_special_tokens=True
        )
        yes, no = (float(steps[0][token]) for token in (TOKENS.yes, TOKENS.no))
        answers.append({"logprob_yes": yes, "logprob_no": no, "text": text})
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_answers_are_those_of_one_prompt_at_a_time_in_the_order_of_the_prompts(
    batch_size: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers, "_BATCHES_SORTED_TOGETHER", 2)
    answers, expected = score(tiny_model, tmp_path, batch_size), answer_one_by_one(tiny_model)
    assert [row["text"] for row in answers] == [row["text"] for row in expected]
    for name in ("logprob_yes", "logprob_no"):
        assert [row[name] for row in answers] == pytest.approx(
            [row[name] for row in expected], abs=1e-5
        )
    assert len({row["logprob_yes"] for row in expected}) == len(set(MESSAGES))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("train", [trained_prefix, trained_bottleneck])
def test_what_cannot_be_merged_answers_in_a_padded_batch_as_alone(
    train: Callable[[Path, Path], object], tiny_model: Path, tmp_path: Path
) -> None:
    adapter, model = tmp_path / "adapter", tmp_path / "merged"
    adapter.mkdir()
    model.mkdir()
    train(tiny_model, adapter)
    hand_on_adapter(tiny_model, adapter, model)
    alone, padded = score(model, tmp_path, 1), score(model, tmp_path, 4)
    assert [row["text"] for row in padded] == [row["text"] for row in alone]
    for name in ("logprob_yes", "logprob_no"):
        found, wanted = ([row[name] for row in rows] for rows in (padded, alone))
        assert found == pytest.approx(wanted, abs=1e-4)
        base = [row[name] for row in score(tiny_model, tmp_path, 4)]
        assert found != pytest.approx(base, abs=1e-2)


@pytest.mark.slow
def test_sampling_and_penalties_of_the_models_folder_do_not_count(
    tiny_model: Path, tmp_path: Path
) -> None:
    plain = score(tiny_model, tmp_path, 4)
    loud = tmp_path / "loud"
    shutil.copytree(tiny_model, loud)
    path = loud / "generation_config.json"
    settings = json.loads(path.read_text())
    loud_settings = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 5.0}
    path.write_text(json.dumps({**settings, **loud_settings}))
    assert score(loud, tmp_path, 4) == plain


@pytest.mark.slow
def test_an_answer_ends_where_the_models_folder_says(tiny_model: Path, tmp_path: Path) -> None:
    assert score(tiny_model, tmp_path, 4)[0]["text"]
    prompt = torch.tensor([encode_chat(load_tokenizer(tiny_model), MESSAGES[0])])
    network = AutoModelForCausalLM.from_pretrained(tiny_model)
    stop = int(network(prompt).logits[0, -1].argmax())
    model = tmp_path / "stops"
    shutil.copytree(tiny_model, model)
    path = model / "generation_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "eos_token_id": [settings["eos_token_id"], stop]}))
    assert score(model, tmp_path, 4)[0]["text"] == ""


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_want_of_memory_is_one_line_with_the_knob(
    error: Exception, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Qwen3ForCausalLM, "generate", fail)
    with pytest.raises(UserError, match=r"4 prompts .* lower score\.batch_size \(now 4\)"):
        score(tiny_model, tmp_path, 4)


def test_another_fault_is_not_taken_for_want_of_memory(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Qwen3ForCausalLM, "generate", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        score(tiny_model, tmp_path, 4)
