"""Samples as token ids and labels for all trainers, with LLaMA-Factory's own template."""

from typing import TYPE_CHECKING

from newsrec.errors import UserError, unknown_choice

if TYPE_CHECKING:
    from llamafactory.data.template import Template
    from transformers import PreTrainedTokenizerBase


def load_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> "Template":
    """LLaMA-Factory's chat template `name`, without thinking; may set the tokenizer's padding.

    `auto` is the tokenizer's own chat template, as LLaMA-Factory parses it by default.

    Raises:
        UserError: LLaMA-Factory has no template of that name, or cannot parse the tokenizer's own.
    """
    # The import takes ten seconds; errors in the settings of a run are reported before.
    from llamafactory.data.template import TEMPLATES, get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    if name != "auto" and name not in TEMPLATES:
        raise unknown_choice("model.template", name, ["auto", *TEMPLATES])
    try:
        return get_template_and_fix_tokenizer(
            tokenizer,
            DataArguments(template=None if name == "auto" else name, enable_thinking=False),
        )
    except Exception as error:  # a chat template can raise any exception
        raise UserError(
            f"model.template is {name!r}, but LLaMA-Factory cannot read the chat template of the "
            f"model ({' '.join(str(error).split())[:200]}); set model.template to LLaMA-Factory's "
            "name of this template"
        ) from error


def encode_parts(
    template: "Template", tokenizer: "PreTrainedTokenizerBase", message: str, answer: str
) -> tuple[list[int], list[int]]:
    """Token ids of the prompt, and of the answer with the end of its turn."""
    chat = [{"role": "user", "content": message}, {"role": "assistant", "content": answer}]
    prompt, response = template.encode_oneturn(tokenizer, chat)
    return prompt, response


def encode_sample(
    template: "Template", tokenizer: "PreTrainedTokenizerBase", message: str, answer: str
) -> dict[str, list[int]]:
    """One sample for the Trainer: `input_ids`, `attention_mask` and `labels`, of equal length.

    The loss is computed only on the answer: the labels of the prompt are `IGNORE_INDEX`.
    """
    from llamafactory.extras.constants import IGNORE_INDEX

    prompt, response = encode_parts(template, tokenizer, message, answer)
    return {
        "input_ids": prompt + response,
        "attention_mask": [1] * (len(prompt) + len(response)),
        "labels": [IGNORE_INDEX] * len(prompt) + response,
    }
