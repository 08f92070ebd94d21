"""A tiny Qwen3 with a chat template, briefly pre-trained: for trying a pipeline, not for use.

It has the real architecture, so that every library treats it as it would a Qwen3 from a hub, and
about a million parameters, so that everything runs on two cores in minutes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from newsrec.chat.messages import Messages
from newsrec.chat.tokens import encode_chat
from newsrec.models.induction import WEIGHTS, draw_induction_heads

# A chat and the answer to it; without messages, a text to be continued from nothing.
Example = tuple[Messages, str]
# Token ids of the whole chat, and how many of them are the prompt.
Encoded = tuple[list[int], int]

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
_BATCHES_GROUPED = 10


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
    group_by_length: bool = False,
    induction_heads: bool = False,
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
        group_by_length: whether examples of like length make a batch, which saves padding; those
            of ten batches at a time are regrouped.
        induction_heads: whether the weights start with heads that copy, see
            `newsrec.models.induction`.

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
    encoded = [_encode(tokenizer, messages, answer) for messages, answer in examples]
    if group_by_length:
        encoded = _grouped(encoded, batch_size, seed)
    loss = _pretrain(model, tokenizer, encoded, steps, batch_size, lr)
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


def _grouped(encoded: Sequence[Encoded], batch_size: int, seed: int) -> list[Encoded]:
    """The examples with those of like length together, the batches in no order of length."""
    rng, size = Random(seed), _BATCHES_GROUPED * batch_size
    grouped: list[Encoded] = []
    for start in range(0, len(encoded), size):
        window = sorted(encoded[start : start + size], key=lambda one: len(one[0]))
        batches = [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
        last = [batches.pop()] if len(window) % batch_size else []  # is short, so it stays last
        rng.shuffle(batches)
        grouped += (one for batch in batches + last for one in batch)
    return grouped


def _pretrain(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    encoded: Sequence[Encoded],
    steps: int,
    batch_size: int,
    lr: float,
) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, total_steps=steps, pct_start=0.1
    )
    model.train()
    losses = []
    for step in tqdm(range(steps), desc="pre-training the tiny model", unit="step", mininterval=5):
        rows = [encoded[(step * batch_size + row) % len(encoded)] for row in range(batch_size)]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((batch_size, longest), int(tokenizer.pad_token_id))
        labels = torch.full((batch_size, longest), -100)
        mask = torch.zeros((batch_size, longest), dtype=torch.long)
        for row, (row_ids, prompt_length) in enumerate(rows):
            ids[row, : len(row_ids)] = torch.tensor(row_ids)
            labels[row, prompt_length : len(row_ids)] = torch.tensor(row_ids[prompt_length:])
            mask[row, : len(row_ids)] = 1
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        value: float = loss.detach().item()
        losses.append(value)
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)


def _texts(examples: Sequence[Example]) -> Iterator[str]:
    for messages, answer in examples:
        yield from (message["content"] for message in messages)
        yield from (answer, "user", "assistant", "system")


def _encode(tokenizer: PreTrainedTokenizerFast, messages: Messages, answer: str) -> Encoded:
    """Token ids of the whole chat, and how many of them are the prompt."""
    prompt_ids = encode_chat(tokenizer, messages) if messages else []
    answer_ids = tokenizer.encode(f"{answer}<|im_end|>\n", add_special_tokens=False)
    return prompt_ids + answer_ids, len(prompt_ids)
