"""A tiny Qwen3 with a chat template, briefly pre-trained: for trying a pipeline, not for use.

It has the real architecture, so that every library treats it as it would a Qwen3 from a hub, and
about a million parameters, so that everything runs on two cores in minutes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from newsrec.chat.examples import Example
from newsrec.chat.tokens import encode_chats
from newsrec.models.batches import Batches, Encoded, LossBy
from newsrec.models.induction import WEIGHTS, draw_induction_heads
from newsrec.models.pretraining import pretrain
from newsrec.models.threads import one_thread

# Qwen3's control tokens; the angle-bracket pairs are ordinary added tokens there, as here.
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WORD_TOKENS = ("<think>", "</think>", "<tool_call>", "</tool_call>")

# Same turns as Qwen3's own, without tools: with thinking off an empty think block is opened.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|im_start|>assistant\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}"
    "{{- '<think>\n\n</think>\n\n' -}}"
    "{%- endif -%}"
    "{%- endif -%}"
)

# Splits as Qwen's does where it matters here: words with their leading space, digits one by one,
# punctuation apart, line ends apart.
_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# With the usual 0.02 a model this narrow learned nothing in 900 steps (docs/LOG.md).
_INITIALIZER_RANGE = 0.1


@one_thread()
def build_tiny(
    target: Path,
    examples: Sequence[Example],
    *,
    vocab_size: int,
    hidden_size: int,
    num_layers: int,
    max_length: int,
    steps: int,
    batch_size: int,
    lr: float,
    seed: int,
    num_key_value_heads: int = 1,
    rope_theta: float = 10_000.0,
    packing: bool = False,
    loss_by: LossBy = "token",
    induction_heads: bool = False,
    processes: int = 1,
) -> float:
    """Build a tokenizer and a model from a corpus and save both into the folder `target`.

    Args:
        target: an existing empty folder.
        examples: the corpus; read in order, again from the start when there are fewer than
            `steps * batch_size`. The loss is of the answers.
        vocab_size: of the tokenizer, control tokens included.
        hidden_size: a multiple of 32, the size of one attention head.
        num_layers: decoder layers.
        max_length: the longest sequence that the model takes, in tokens.
        steps: optimizer steps; `batch_size` examples each.
        batch_size: examples a step.
        lr: peak learning rate of AdamW, warmed up over a tenth of the steps, then cosine to zero.
        seed: of the weights; the order of the examples is given.
        num_key_value_heads: a divisor of the number of heads, which is `hidden_size / 32`.
        rope_theta: base of the rotary embedding; with a higher one tokens far apart are compared
            more by what they are.
        packing: whether the examples of a batch share rows, each attending to itself alone, instead
            of a row each. The same loss up to rounding, in less time where lengths differ.
        loss_by: what weighs the same in a batch's loss: each `token` of the answers, or each
            `example`, so that answers of a word are learned as fast as those of a line.
        induction_heads: whether the weights start with heads that copy, see
            `newsrec.models.induction`.
        processes: that compute a part of each batch, with one thread each. Their number decides in
            which order numbers are added, and so the last digits of the weights.

    Raises:
        UserError: one of the processes ended early.

    Returns:
        The mean loss of the last tenth of the steps, in nats per answer token.
    """
    tokenizer = _train_tokenizer(examples, vocab_size)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=num_key_value_heads,
        rope_theta=rope_theta,
        head_dim=32,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        initializer_range=WEIGHTS if induction_heads else _INITIALIZER_RANGE,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(config)
    if induction_heads:
        draw_induction_heads(model, seed)
    batches = Batches(
        _encode(tokenizer, examples),
        batch_size,
        pad=config.pad_token_id,
        packing=packing,
        loss_by=loss_by,
        num_parts=processes,
    )
    loss = pretrain(model, batches, steps, lr)
    model.save_pretrained(target, safe_serialization=True)
    tokenizer.save_pretrained(target)
    return loss


def _train_tokenizer(examples: Sequence[Example], vocab_size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(CONTROL_TOKENS) - len(WORD_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(examples), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    fast.add_tokens(list(WORD_TOKENS))
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _texts(examples: Sequence[Example]) -> Iterator[str]:
    for messages, answer in examples:
        yield from (message["content"] for message in messages)
        yield from (answer, "user", "assistant", "system")


def _encode(tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]) -> list[Encoded]:
    """Token ids of each chat or text, tokenized together, which is several times as fast."""
    chats = iter(encode_chats(tokenizer, [messages for messages, _ in examples if messages]))
    prompts = [next(chats) if messages else [] for messages, _ in examples]
    ends = [f"{answer}<|im_end|>\n" for _, answer in examples]
    answers: list[list[int]] = tokenizer(ends, add_special_tokens=False)["input_ids"]
    return [(prompt + answer, len(prompt)) for prompt, answer in zip(prompts, answers, strict=True)]
