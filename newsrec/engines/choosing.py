"""The tokens that may come next if an answer must be one of a few texts.

As in vLLM's structured outputs (XGrammar, https://arxiv.org/abs/2411.15100), these are all tokens
whose bytes continue one of the texts, not only those into which the tokenizer splits the text. Both
engines therefore choose in the same way.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from newsrec.chat.tokens import control_tokens
from newsrec.engines.request import Choices
from newsrec.errors import UserError


class Vocabulary:
    """The tokens of a byte-level tokenizer by their bytes, without control tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Read the vocabulary of the tokenizer.

        Raises:
            UserError: its tokens are not byte-level, for example those of SentencePiece.
        """
        if b'"ByteLevel"' not in tokenizer.backend_tokenizer.decoder.__getstate__():
            raise UserError(
                f"{tokenizer.name_or_path}: the tokenizer is not byte-level, which "
                "engine=transformers requires to constrain answers; score with engine=vllm, or "
                "choose another model"
            )
        byte_of = {char: byte for byte, char in bytes_to_unicode().items()}
        control = control_tokens(tokenizer)
        self._bytes = {
            id_: bytes(map(byte_of.__getitem__, token))
            for token, id_ in tokenizer.get_vocab().items()
            if id_ not in control
        }
        self._ids: dict[bytes, list[int]] = defaultdict(list)
        for id_, text in self._bytes.items():
            self._ids[text].append(id_)

    def next_tokens(self, choices: Choices, written: Sequence[int]) -> tuple[list[int], bool]:
        """The tokens that may follow `written`, and whether the answer may end there."""
        text = b"".join(self._bytes[id_] for id_ in written)
        found = set[int]()
        for choice in map(str.encode, choices):
            if choice.startswith(text):
                for end in range(len(text) + 1, len(choice) + 1):
                    found.update(self._ids.get(choice[len(text) : end], ()))
        return sorted(found), text in map(str.encode, choices)


class ChoiceProcessor(LogitsProcessor):  # type: ignore[misc]
    """Allow only tokens that continue a row's choices; a row without choices is unchanged."""

    def __init__(
        self, vocabulary: Vocabulary, choices: Sequence[Choices], stops: Sequence[int]
    ) -> None:
        """Make a processor for one call of `generate`.

        Args:
            vocabulary: the vocabulary of the model's tokenizer.
            choices: the choices of each row.
            stops: tokens that end an answer.
        """
        self._vocabulary, self._choices, self._stops = vocabulary, choices, list(stops)
        self._start: int | None = None  # the column in which the answers begin

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Scores of shape (rows, vocabulary); -inf for tokens that may not come next."""
        if self._start is None:
            self._start = input_ids.shape[1]
        constrained = scores.clone()
        for row, choices in enumerate(self._choices):
            written = input_ids[row, self._start :].tolist()
            if not choices or set(written) & set(self._stops):
                continue
            tokens, may_end = self._vocabulary.next_tokens(choices, written)
            allowed = tokens + (self._stops if may_end else [])
            constrained[row] = -torch.inf
            constrained[row, allowed] = scores[row, allowed]
        return constrained
