"""Check, without loading its weights, that the libraries of later stages can use a model."""

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    __version__,
)

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer, shows_date
from newsrec.errors import UserError
from newsrec.models.weights import (
    ANOTHER_MODEL,
    Header,
    check_precision,
    check_tied,
    read_weights,
)

# Any text that a template cannot contain itself.
_MESSAGE = "Is 7 more than 5?"
_IN_A_COPY = "in a copy of the model (fetch_model.source: local)"


def check_usable(description: Path, source: Path) -> None:
    """Check that the configuration, weights, tokenizer and chat template of a model fit together.

    Args:
        description: folder with all files of the model except its weights, from
            `write_description`.
        source: folder with the weights, which errors refer to.

    Raises:
        UserError: a later stage would fail.
    """
    try:
        config = AutoConfig.from_pretrained(description, trust_remote_code=False)
        with torch.device("meta"):
            network = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # a configuration can cause any exception
        raise UserError(
            f"{source / 'config.json'}: transformers {__version__} cannot read it "
            f"({_line(error)}): {ANOTHER_MODEL}"
        ) from error
    _check_weights(source, config, network)
    try:
        tokenizer = load_tokenizer(description)
    except UserError as error:
        raise UserError(
            f"{source}: transformers {__version__} cannot load its tokenizer "
            f"({_line(error.__cause__ or error)}); copy the tokenizer's files from the model that "
            f"this one was made from, or {ANOTHER_MODEL}"
        ) from error
    prompt = _check_chat(source, tokenizer)
    _check_ids(source, tokenizer, prompt, network.get_input_embeddings().weight.shape[0])


def _check_weights(source: Path, config: PretrainedConfig, network: PreTrainedModel) -> None:
    """Compare names and shapes of the weights with the model that config.json describes."""
    headers = read_weights(source)
    _check_no_repeats(headers)
    places = {name: path for path, header in headers.items() for name in header}
    expected = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    tied = set(network._tied_weights_keys or ()) if config.tie_word_embeddings else set()
    optional = network._keys_to_ignore_on_load_missing
    absent = [
        name for name in expected.keys() - places.keys() - tied if not _matches(name, optional)
    ]
    where = f"{source}: the weights are not those of the model that config.json describes"
    remedy = f"download both again, or {ANOTHER_MODEL}"
    if absent:
        raise UserError(f"{where}: no {min(absent)} ({len(absent)} tensors are missing); {remedy}")
    for name, shape in expected.items():
        if name not in places:
            continue
        tensor = headers[places[name]][name]
        check_precision(places[name], name, tensor)
        if tensor.shape != shape:
            raise UserError(
                f"{where}: {name} has the shape {list(tensor.shape)}, expected {list(shape)}; "
                f"{remedy}"
            )
    unread = [*(network._keys_to_ignore_on_load_unexpected or ()), r"rotary_emb\.inv_freq$"]
    for name in sorted(places.keys() - expected.keys()):
        if not _matches(name, unread):
            raise UserError(
                f"{where}: {name} is not part of it, and vLLM loads no model with such a tensor; "
                f"load the model with transformers and save it again, or {ANOTHER_MODEL}"
            )
    embeddings = [name for name in expected if name not in tied and "embed" in name]
    for head in tied if len(embeddings) == 1 else ():
        check_tied(headers, head, embeddings[0])


def _check_no_repeats(headers: dict[Path, Header]) -> None:
    seen: dict[str, Path] = {}
    for path, header in headers.items():
        for name in header:
            if name in seen:
                raise UserError(
                    f"{path}: {name} is also in {seen[name].name}; which one is loaded depends on "
                    "the library: download the weights again"
                )
            seen[name] = path


def _check_chat(source: Path, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The token ids of a question in the chat template."""
    try:
        prompt = encode_chat(tokenizer, user_turn(_MESSAGE))
    except Exception as error:  # a template can raise any exception
        raise UserError(
            f"{source}: its chat template fails on a user's question ({_line(error)}); correct the "
            f"template {_IN_A_COPY}, or {ANOTHER_MODEL}"
        ) from error
    text = tokenizer.decode(prompt)
    if _MESSAGE not in text:
        raise UserError(
            f"{source}: its chat template does not show the user's question, but {text[:80]!r}; "
            f"correct it {_IN_A_COPY}, or {ANOTHER_MODEL}"
        )
    if text.rfind("<think>") > text.rfind("</think>"):
        raise UserError(
            f"{source}: its chat template opens a think block although enable_thinking is false, "
            "so the beginning of the model's thoughts would be read as the answer: "
            f"{ANOTHER_MODEL}, one that can answer without thinking"
        )
    if shows_date(tokenizer, user_turn(_MESSAGE)):
        raise UserError(
            f"{source}: its chat template shows today's date, so a prompt would change every day; "
            f"replace strftime_now(...) in the template with a date {_IN_A_COPY}, or "
            f"{ANOTHER_MODEL}"
        )
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"{source}: its tokenizer has no eos_token, with which training ends an answer; set it "
            "to the token that ends a turn in tokenizer_config.json "
            f"{_IN_A_COPY}, or {ANOTHER_MODEL}"
        )
    return prompt


def _check_ids(
    source: Path, tokenizer: PreTrainedTokenizerBase, prompt: list[int], num_embeddings: int
) -> None:
    """Check that every token that can occur in a text has an embedding."""
    # Text of the data never becomes a control token; some models have one for unsupported images.
    control = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
    used = {*prompt, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    for token, id_ in tokenizer.get_vocab().items():
        if id_ >= num_embeddings and (id_ in used or id_ not in control):
            raise UserError(
                f"{source}: its tokenizer has {token!r} as token {id_}, but the model has only "
                f"{num_embeddings} embeddings; copy the tokenizer's files from the model that this "
                f"one was made from, or {ANOTHER_MODEL}"
            )


def _matches(name: str, expressions: Iterable[str] | None) -> bool:
    return any(re.search(one, name) for one in expressions or ())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
