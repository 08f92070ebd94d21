"""The reasoning ranker on a tiny model: real texts, and one real embedding of each."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.ranker.comparison import reasoner
from newsrec.ranker.comparison.reasoner import ITEM_TASK, USER_TASK, end_of_turn, rank_lists
from newsrec.ranker.lists import parts_of
from tests.ranker import made_lists
from tests.ranker.values import prompt_of_default

pytestmark = pytest.mark.slow

ROWS = made_lists.lists(6, seed=2)
ITEMS = {row["item"]: row for row in made_lists.items()}
SETTINGS = TransformersSettings("float32", 8, "cpu")


def ranked(
    model: Path, work: Path, tokens: int = 4, embedding_token: str | None = None
) -> tuple[np.ndarray, dict]:
    work.mkdir()
    scores, found = rank_lists(
        ROWS,
        ITEMS,
        prompt_of_default(),
        model,
        SETTINGS,
        work,
        embedding_token=embedding_token,
        max_user_tokens=tokens,
        max_item_tokens=tokens,
        batch_size=4,
        dtype="float32",
    )
    return np.array(scores), found


@torch.inference_mode()
def state_of(model: Path, message: str, said: str, end: str = "<|im_end|>") -> np.ndarray:
    """By hand: the chat, what was written and the token that ends the turn, one text at a time."""
    tokenizer = load_tokenizer(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    ids = encode_chat(tokenizer, user_turn(message))
    ids += tokenizer(f"{said}{end}", add_special_tokens=False)["input_ids"]
    states = network(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1]
    return states[0, -1].double().numpy()


def test_a_score_is_the_dot_product_of_the_states_behind_what_was_written(
    tiny_model: Path, tmp_path: Path
) -> None:
    scores, found = ranked(tiny_model, tmp_path / "work")
    num_items = len({item for row in ROWS for item in row["candidates"]})
    assert (found["num_users"], found["num_items"]) == (6, num_items)
    assert not found["normalised"]
    said = {
        name: pq.read_table(tmp_path / f"work/{name}/answers.parquet")["text"].to_pylist()
        for name in ("user", "item")
    }
    history, candidates = next(parts_of(ROWS, ITEMS, prompt_of_default()))
    user = state_of(tiny_model, history + USER_TASK, said["user"][0])
    for place in (0, 7):  # of the first list: the first products that are embedded
        item = state_of(tiny_model, candidates[place] + ITEM_TASK, said["item"][place])
        assert scores[0, place] == pytest.approx(user @ item, rel=1e-4)


def test_without_a_text_the_turn_ends_at_once(tiny_model: Path, tmp_path: Path) -> None:
    scores, found = ranked(tiny_model, tmp_path / "work", tokens=0)
    assert found["num_silent"] == 0
    history, candidates = next(parts_of(ROWS, ITEMS, prompt_of_default()))
    user = state_of(tiny_model, history + USER_TASK, "")
    item = state_of(tiny_model, candidates[3] + ITEM_TASK, "")
    assert scores[0, 3] == pytest.approx(user @ item, rel=1e-4)


@pytest.mark.parametrize("token", ["<answer>", "<|im_start|>"])  # of text, of control
def test_the_embedding_is_the_state_at_the_token_that_is_asked_for(
    token: str, tiny_model: Path, tmp_path: Path
) -> None:
    scores, _ = ranked(tiny_model, tmp_path / "work", tokens=0, embedding_token=token)
    history, candidates = next(parts_of(ROWS, ITEMS, prompt_of_default()))
    asked = f" End with {token}."
    # The message is text, whatever it spells; what stands behind it is the token.
    user = state_of(tiny_model, history + USER_TASK + asked, "", token)
    item = state_of(tiny_model, candidates[3] + ITEM_TASK + asked, "", token)
    assert scores[0, 3] == pytest.approx(user @ item, rel=1e-4)


def test_what_is_written_is_cut_at_the_token(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this model never writes, and a trained one always does.
    said = "Fond of drums.<answer>a drum</answer>"
    monkeypatch.setattr(reasoner, "_write", lambda texts, *_: [said] * len(texts))
    scores, _ = ranked(tiny_model, tmp_path / "work", embedding_token="<answer>")
    history, candidates = next(parts_of(ROWS, ITEMS, prompt_of_default()))
    user, item = (
        state_of(tiny_model, f"{text} End with <answer>.", "Fond of drums.", "<answer>")
        for text in (history + USER_TASK, candidates[3] + ITEM_TASK)
    )
    assert scores[0, 3] == pytest.approx(user @ item, rel=1e-4)


def test_the_end_of_a_turn_is_the_templates(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.decode([end_of_turn(tokenizer)]) == "<|im_end|>"


def test_a_folder_that_is_not_there_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set compare\.reasoner"):
        ranked(tmp_path / "none", tmp_path / "work")
