"""Check that training and scoring see the same token ids for the same sample."""

from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import control_tokens, encode_chat, load_tokenizer
from newsrec.errors import UserError
from newsrec.training.dataset import read_samples
from newsrec.training.samples import encode_parts, load_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_same_tokens(
    model: Path, samples: Path, template: str, cutoff_len: int, num_compared: int
) -> int:
    """Compare the tokens that LLaMA-Factory would train on with those that an engine would get.

    Args:
        model: folder of the base model, for its tokenizer and chat template.
        samples: JSON lines of alpaca records; the length of all is checked, the first are compared.
        template: LLaMA-Factory's name of the chat template.
        cutoff_len: number of tokens after which LLaMA-Factory truncates a sample.
        num_compared: number of samples to compare token by token.

    Returns:
        The number of tokens in the longest sample.

    Raises:
        UserError: the token ids of a prompt differ (with the first difference), text of a sample
            became a control token, or a sample would be truncated.
    """
    tokenizer, trained = load_tokenizer(model), load_tokenizer(model)
    factory = load_template(trained, template)
    control = control_tokens(tokenizer)
    expected = sum(id_ in control for id_ in encode_chat(tokenizer, user_turn("")))
    longest = 0
    rows = tqdm(read_samples(samples), desc="comparing tokens", mininterval=5)
    for number, (message, answer) in enumerate(rows, start=1):
        scored_ids = encode_chat(tokenizer, user_turn(message))
        if number <= num_compared:
            trained_ids, _ = encode_parts(factory, trained, message, answer)
            if trained_ids != scored_ids:
                where = f"{samples}, line {number}, with model.template={template}"
                raise UserError(_difference(tokenizer, trained_ids, scored_ids, where, template))
        if sum(id_ in control for id_ in scored_ids) != expected:
            raise UserError(
                f"{samples}, line {number}: text of the data became a control token of the chat "
                "template; expected control tokens only where the template has them; add this "
                "model's kind of control token to plain_text in newsrec/chat/text.py"
            )
        # The answer and the end of its turn add at most this many tokens.
        length = len(scored_ids) + len(tokenizer.encode(answer, add_special_tokens=False)) + 2
        longest = max(longest, length)
        if length > cutoff_len:
            raise UserError(
                f"{samples}, line {number}: {length} tokens; LLaMA-Factory would truncate the "
                f"sample at train.cutoff_len={cutoff_len}, including the question; raise it, or "
                "shorten the prompts"
            )
    return longest


def _difference(
    tokenizer: "PreTrainedTokenizerBase",
    trained: list[int],
    scored: list[int],
    where: str,
    template: str,
) -> str:
    other = "" if template == "auto" else ", or auto, which reads that template"
    place = next(
        (
            place
            for place, (one, other) in enumerate(zip(trained, scored, strict=False))
            if one != other
        ),
        min(len(trained), len(scored)),
    )

    def shown(ids: list[int]) -> str:
        if place >= len(ids):
            return "nothing"
        return f"{ids[place]} ({tokenizer.decode([ids[place]])!r})"

    return (
        f"{where}: token {place} is {shown(trained)} in training and {shown(scored)} in scoring; "
        "expected the same token; choose LLaMA-Factory's model.template that matches the model's "
        f"own chat template{other}"
    )
