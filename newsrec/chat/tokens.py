"""Chat messages as token ids, by a model's own tokenizer and chat template.

The one place where text becomes tokens: every engine gets the ids that are made here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsrec.chat.messages import Messages
from newsrec.errors import UserError
from newsrec.files import require_model_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(model: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in a model's folder; code from the folder is never run.

    Raises:
        UserError: there is none, or it is damaged.
    """
    require_model_folder(model)
    # Takes seconds to import: a mistake in the values of a run is reported before.
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            model, trust_remote_code=False
        )
    except Exception as error:  # `tokenizers` raises no other
        raise UserError(
            f"{model}: its tokenizer cannot be loaded ({error}); copy tokenizer.json and "
            "tokenizer_config.json from the model that this one was made from, or, where a stage "
            "wrote the folder, remove it and run dvc repro"
        ) from error
    return tokenizer


def encode_chat(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> list[int]:
    """Token ids of a chat up to where the answer begins, thinking off."""
    return encode_chats(tokenizer, [messages])[0]


def encode_chats(
    tokenizer: "PreTrainedTokenizerBase", chats: Sequence[Messages]
) -> list[list[int]]:
    """Token ids of each chat, as by `encode_chat`; many at once are several times as fast."""
    if not chats:
        return []
    texts = [chat_text(tokenizer, messages) for messages in chats]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def chat_text(tokenizer: "PreTrainedTokenizerBase", messages: Messages, **options: Any) -> str:
    """A chat as the tokenizer's template writes it up to where the answer begins, thinking off.

    Args:
        tokenizer: of the model.
        messages: the chat.
        options: for the template.
    """
    text = tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=True, enable_thinking=False, tokenize=False, **options
    )
    assert isinstance(text, str)
    return text


def first_tokens(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages, answers: Sequence[str]
) -> tuple[int, ...]:
    """The first token of each answer when it follows the prompt of `messages`.

    Raises:
        UserError: two answers begin with the same token, or an answer changes the prompt's own
            tokens.
    """
    prompt = chat_text(tokenizer, messages)
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False)
    answer_of: dict[int, str] = {}
    for answer in answers:
        ids = tokenizer.encode(prompt + answer, add_special_tokens=False)
        if ids[: len(prompt_ids)] != prompt_ids or len(ids) == len(prompt_ids):
            raise UserError(
                f"the answer {answer!r} cannot be separated from the prompt's last token with this "
                "tokenizer; choose a model whose chat template ends in a line end or a control "
                "token"
            )
        first = ids[len(prompt_ids)]
        if first in answer_of:
            raise UserError(
                f"{answer_of[first]!r} and {answer!r} begin with the same token ({first}) with "
                "this tokenizer; choose another model"
            )
        answer_of[first] = answer
    return tuple(answer_of)


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """The ids that text of the data must never become."""
    return set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)


def shows_date(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> bool:
    """Whether the chat template writes today's date, so that a chat has other ids every day."""
    # In place of the function by which templates ask for it.
    days = {chat_text(tokenizer, messages, strftime_now=lambda _, day=day: day) for day in "12"}
    return len(days) > 1
