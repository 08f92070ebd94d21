"""Answers of transformers: in order, raw, whatever the padding; and what is reported of faults."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen3ForCausalLM

from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.tokens import encode_chat, encode_chats, load_tokenizer
from newsrec.engines import batches, transformers_engine
from newsrec.engines.request import ANSWERS_SCHEMA, FewPrompts, Request
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.models.merging import export_adapter
from tests.models.test_merging import trained_bottleneck, trained_prefix

TOKENS = (300, 301)
FIVE_TOKENS = (301, 300, 17, 420, 5)
# In no order of length, so that sorting them for the padding has something to undo.
CHATS = [user_turn(("word " * (number * 7 % 20)).strip()) for number in range(11)]
FEW_CHATS = CHATS[:3]


def answer(
    model: Path,
    work: Path,
    batch_size: int,
    tokens: tuple[int, ...] = TOKENS,
    chats: Sequence[Messages] = CHATS,
) -> list[dict]:
    tokenizer = load_tokenizer(model)
    prompts, answers = FewPrompts(encode_chats(tokenizer, chats)), work / "answers.parquet"
    settings = TransformersSettings(dtype="float32", batch_size=batch_size, device="cpu")
    request = Request(prompts, tokens, max_tokens=3)
    transformers_engine.answer(settings, model, request, answers, work)
    table = pq.read_table(answers)
    assert table.schema == ANSWERS_SCHEMA
    return table.to_pylist()


@torch.inference_mode()
def answer_one_by_one(
    model: Path, tokens: tuple[int, ...] = TOKENS, chats: Sequence[Messages] = CHATS
) -> list[dict]:
    """The same by the plainest means: no batch, no padding, no cache, no `generate`."""
    tokenizer = load_tokenizer(model)
    network = AutoModelForCausalLM.from_pretrained(model).eval()
    answers = []
    for chat in chats:
        ids = encode_chat(tokenizer, chat)
        steps = []
        for _ in range(3):
            steps.append(network(torch.tensor([ids])).logits[0, -1].log_softmax(-1))
            if (token := int(steps[-1].argmax())) == tokenizer.eos_token_id:
                break
            ids = [*ids, token]
        text = tokenizer.decode(ids[len(encode_chat(tokenizer, chat)) :], skip_special_tokens=True)
        answers.append({"logprobs": [float(steps[0][token]) for token in tokens], "text": text})
    return answers


def column(rows: Sequence[dict], place: int) -> list[float]:
    """The log-probabilities of one answer."""
    return [row["logprobs"][place] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_answers_are_those_of_one_prompt_at_a_time_in_the_order_of_the_prompts(
    batch_size: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_BATCHES_SORTED_TOGETHER", 2)
    answers, expected = answer(tiny_model, tmp_path, batch_size), answer_one_by_one(tiny_model)
    assert [row["text"] for row in answers] == [row["text"] for row in expected]
    for place in (0, 1):
        assert column(answers, place) == pytest.approx(column(expected, place), abs=1e-5)
    assert len(set(column(expected, 0))) == len({chat[0]["content"] for chat in CHATS})


@pytest.mark.slow
@pytest.mark.parametrize("num_answers", [0, 1, 2, 5])
def test_any_number_of_answers_has_a_log_probability_each_in_their_order(
    num_answers: int, tiny_model: Path, tmp_path: Path
) -> None:
    tokens = FIVE_TOKENS[:num_answers]
    answers = answer(tiny_model, tmp_path, 4, tokens, FEW_CHATS)
    expected = answer_one_by_one(tiny_model, tokens, FEW_CHATS)
    assert [len(row["logprobs"]) for row in answers] == [num_answers] * len(FEW_CHATS)
    for place in range(num_answers):
        assert column(answers, place) == pytest.approx(column(expected, place), abs=1e-5)
    assert [row["text"] for row in answers] == [row["text"] for row in expected]


@pytest.mark.slow
def test_the_answers_do_not_change_the_text(tiny_model: Path, tmp_path: Path) -> None:
    free = answer(tiny_model, tmp_path, 4, (), FEW_CHATS)
    weighed = answer(tiny_model, tmp_path, 4, FIVE_TOKENS, FEW_CHATS)
    assert free == [{"logprobs": [], "text": row["text"]} for row in weighed]


def test_a_system_message_is_read(tiny_model: Path, tmp_path: Path) -> None:
    with_system = [[{"role": "system", "content": "Be brief."}, *chat] for chat in FEW_CHATS]
    plain = answer(tiny_model, tmp_path, 4, chats=FEW_CHATS)
    briefed = answer(tiny_model, tmp_path, 4, chats=with_system)
    for one, other in zip(plain, briefed, strict=True):
        assert one["logprobs"] != pytest.approx(other["logprobs"], abs=1e-3)


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
    export_adapter(tiny_model, adapter, model)
    alone, padded = answer(model, tmp_path, 1), answer(model, tmp_path, 4)
    assert [row["text"] for row in padded] == [row["text"] for row in alone]
    base = answer(tiny_model, tmp_path, 4)
    for place in (0, 1):
        assert column(padded, place) == pytest.approx(column(alone, place), abs=1e-4)
        assert column(padded, place) != pytest.approx(column(base, place), abs=1e-2)


@pytest.mark.slow
def test_sampling_and_penalties_of_the_models_folder_do_not_count(
    tiny_model: Path, tmp_path: Path
) -> None:
    plain = answer(tiny_model, tmp_path, 4)
    loud = tmp_path / "loud"
    shutil.copytree(tiny_model, loud)
    path = loud / "generation_config.json"
    settings = json.loads(path.read_text())
    loud_settings = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 5.0}
    path.write_text(json.dumps({**settings, **loud_settings}))
    assert answer(loud, tmp_path, 4) == plain


@pytest.mark.slow
def test_an_answer_ends_where_the_models_folder_says(tiny_model: Path, tmp_path: Path) -> None:
    assert answer(tiny_model, tmp_path, 4)[0]["text"]
    prompt = torch.tensor([encode_chat(load_tokenizer(tiny_model), CHATS[0])])
    network = AutoModelForCausalLM.from_pretrained(tiny_model)
    stop = int(network(prompt).logits[0, -1].argmax())
    model = tmp_path / "stops"
    shutil.copytree(tiny_model, model)
    path = model / "generation_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "eos_token_id": [settings["eos_token_id"], stop]}))
    assert answer(model, tmp_path, 4)[0]["text"] == ""


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
        answer(tiny_model, tmp_path, 4)


def test_another_fault_is_not_taken_for_want_of_memory(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Qwen3ForCausalLM, "generate", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        answer(tiny_model, tmp_path, 4)
