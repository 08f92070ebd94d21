"""A reasoning ranker in the manner of RRec (You et al., 2025, "R2ec: Towards large recommender
models with reasoning"): one embedding for each user and each product, compared by dot product.

The model writes what it makes of the user, or the product; the embedding is its last state at the
token that ends its turn, or of another text, as RRec's is at `<answer>`. What it wrote is thus all
that reasoning adds. Published checkpoints: see `newsrec.ranker.comparison.checkpoints`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chats, load_tokenizer
from newsrec.engines.answering import answer
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import Settings, TransformersSettings
from newsrec.errors import UserError
from newsrec.ranker.comparison.checkpoints import open_checkpoint
from newsrec.ranker.lists import Item, Row, parts_of
from newsrec.ranker.params import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

USER_TASK = "Say in a few sentences what this person is looking for, and what they will buy next."
ITEM_TASK = "Say in a few sentences what kind of person buys this product, and for what."

_MARK = "0f8e1b: the answer"  # in no chat template


def rank_lists(
    rows: Sequence[Row],
    items: Mapping[str, Item],
    prompt: Prompt,
    model: Path,
    settings: Settings,
    work: Path,
    *,
    embedding_token: str | None,
    max_user_tokens: int,
    max_item_tokens: int,
    batch_size: int,
    dtype: str,
) -> tuple[list[list[float]], dict[str, Any]]:
    """Scores of each list: the dot products of its user's embedding with its candidates'.

    Args:
        rows: of `LISTS_SCHEMA`.
        items: all that the lists name, by id.
        prompt: what is shown of a candidate.
        model: folder of a whole language model, or a checkpoint of RRec's; see `open_checkpoint`.
        settings: of the engine that writes.
        work: an existing folder, for what an interrupted run need not write again.
        embedding_token: the text whose last token's state is the embedding: the model is asked to
            end with it, what it writes is cut there, and it is put behind. None: the token that
            ends a turn.
        max_user_tokens: of what is written about a user; 0: nothing.
        max_item_tokens: likewise of a product.
        batch_size: texts embedded at once.
        dtype: PyTorch's name of that of the embedding model's weights.

    Returns:
        Of each list the scores in the order of its candidates; `num_users`, `num_items`,
        `num_silent` (nothing was written, though it could be), and of the checkpoint
        `architecture`, `num_weights_left_out` and `normalised`.

    Raises:
        UserError: the folder holds no such model, or the engine cannot do its work.
    """
    checkpoint = open_checkpoint(model, work / "model")
    histories: list[str] = []
    parts: dict[str, str] = {}
    for row, (history, candidates) in zip(rows, parts_of(rows, items, prompt), strict=True):
        histories.append(history)
        parts |= zip(row["candidates"], candidates, strict=True)
    ending = "" if embedding_token is None else f" End with {embedding_token}."
    embedded, num_silent = {}, 0
    for name, texts, max_tokens in (
        ("user", [text + USER_TASK + ending for text in histories], max_user_tokens),
        ("item", [text + ITEM_TASK + ending for text in parts.values()], max_item_tokens),
    ):
        (folder := work / name).mkdir(exist_ok=True)
        reasoning = _write(texts, checkpoint.folder, settings, folder, max_tokens)
        if embedding_token is not None:
            reasoning = [text.partition(embedding_token)[0] for text in reasoning]
        num_silent += sum(not text for text in reasoning) if max_tokens else 0
        engine = TransformersSettings(dtype, batch_size)
        embedded[name] = _embed(texts, reasoning, checkpoint.folder, engine, embedding_token)
    if checkpoint.normalised:
        embedded = {
            name: found / np.linalg.norm(found, axis=1, keepdims=True)
            for name, found in embedded.items()
        }
    place = {item: number for number, item in enumerate(parts)}
    scores = [
        (embedded["item"][[place[item] for item in row["candidates"]]] @ of_user).tolist()
        for row, of_user in zip(rows, embedded["user"], strict=True)
    ]
    return scores, {
        "num_users": len(histories),
        "num_items": len(parts),
        "num_silent": num_silent,
        "architecture": checkpoint.architecture,
        "num_weights_left_out": checkpoint.num_left_out,
        "normalised": checkpoint.normalised,
    }


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that the chat template puts behind an answer.

    Raises:
        UserError: it puts none there.
    """
    chat = [*user_turn("a question"), {"role": "assistant", "content": _MARK}]
    text = tokenizer.apply_chat_template(list(chat), tokenize=False, enable_thinking=False)
    ids = tokenizer.encode(str(text).rpartition(_MARK)[2], add_special_tokens=False)
    if not ids:
        raise UserError(
            f"{tokenizer.name_or_path}: its chat template puts nothing after an answer; expected "
            "a token that ends a turn; choose another model for compare.reasoner"
        )
    return int(ids[0])


def _write(
    texts: Sequence[str], model: Path, settings: Settings, work: Path, max_tokens: int
) -> list[str]:
    """What the model writes to each text, greedily."""
    if max_tokens == 0:
        return [""] * len(texts)
    ids = encode_chats(load_tokenizer(model), [user_turn(text) for text in texts])
    target = work / "answers.parquet"
    answer(settings, "reasoner", model, Request(FewPrompts(ids), (), max_tokens), target, work)
    return [text or "" for text in pq.read_table(target, columns=["text"])["text"].to_pylist()]


def _embed(
    texts: Sequence[str],
    reasoning: Sequence[str],
    model: Path,
    settings: TransformersSettings,
    embedding_token: str | None,
) -> npt.NDArray[np.float64]:
    """The last state at the end of each answer, shape (texts, width), float64."""
    # Imports PyTorch, which takes seconds: a mistake in the values of a run is reported before.
    from newsrec.engines.states import language_states

    tokenizer = load_tokenizer(model)
    ends = []
    if embedding_token is None:
        ends = [end_of_turn(tokenizer)]
    elif embedding_token in (added := tokenizer.get_added_vocab()):
        ends = [added[embedding_token]]
    else:  # tokens of text, which may join with the text before, as where it was trained
        reasoning = [text + embedding_token for text in reasoning]
    prompts = encode_chats(tokenizer, [user_turn(text) for text in texts])
    # What was written is text, whatever control token it may spell.
    answers = tokenizer(list(reasoning), add_special_tokens=False, split_special_tokens=True)
    ids = [
        [*prompt, *written, *ends]
        for prompt, written in zip(prompts, answers["input_ids"], strict=True)
    ]
    return language_states(settings, model, ids).astype(np.float64)
