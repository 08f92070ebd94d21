"""What may come next behind a part of a choice: any token that goes on with it, and no other."""

from itertools import product
from pathlib import Path

import pytest
import torch
from tokenizers import decoders
from transformers import PreTrainedTokenizerBase

from newsrec.chat.tokens import control_tokens, load_tokenizer
from newsrec.engines.choosing import ChoiceProcessor, Vocabulary
from newsrec.errors import UserError

CHOICES = ("问题", "问题回答", "storm", "stop <|im_end|>")


def every_way(vocabulary: Vocabulary, choices: tuple[str, ...]) -> dict[tuple[int, ...], bool]:
    """Every sequence of tokens that the choices allow, and whether the answer may end there."""
    found, begun = {}, [()]
    while begun:
        written = begun.pop()
        tokens, found[written] = vocabulary.next_tokens(choices, written)
        begun += [(*written, token) for token in tokens]
    return found


def test_whatever_is_allowed_ends_in_a_choice_and_every_spelling_is_allowed(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    ways = every_way(Vocabulary(tokenizer), CHOICES[:3])
    ends = {tokenizer.decode(written) for written, may_end in ways.items() if may_end}
    assert ends == set(CHOICES[:3])
    assert any(
        ways.get(tuple(tokenizer.encode(choice, add_special_tokens=False))) for choice in CHOICES
    )
    letters = tuple(tokenizer.convert_tokens_to_ids(list("storm")))
    assert ways[letters]  # not as the tokenizer splits it
    assert ways[letters[:4]] is False
    # Where one choice begins another, the answer may end or go on.
    shorter = next(w for w, may_end in ways.items() if may_end and tokenizer.decode(w) == "问题")
    tokens, _ = Vocabulary(tokenizer).next_tokens(CHOICES[:3], shorter)
    assert tokens


def test_no_control_token_is_allowed_even_where_its_text_is(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    ways = every_way(Vocabulary(tokenizer), CHOICES[3:])
    assert any(may_end for may_end in ways.values())
    assert not {token for written in ways for token in written} & control_tokens(tokenizer)


def test_a_row_without_choices_keeps_its_scores_and_so_does_one_that_has_ended(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    stop = int(tokenizer.eos_token_id)
    size = len(tokenizer)
    ids = torch.tensor([[1, 2, 9, 9], [1, 2, 9, stop], [1, 2, 9, 9]])
    ids[2, 2:] = torch.tensor(tokenizer.convert_tokens_to_ids(list("st")))
    scores = torch.rand((3, size))
    before = scores.clone()
    choosing = ChoiceProcessor(Vocabulary(tokenizer), [(), CHOICES, CHOICES], [stop])
    choosing(ids[:, :2], scores)  # where the answers begin
    found = choosing(ids, scores)
    assert torch.equal(scores, before)
    assert torch.equal(found[:2], scores[:2])
    allowed = found[2].isfinite().nonzero().flatten().tolist()
    starts = ["o", "or", "orm", "op", "op "]
    known = {id_ for text, id_ in tokenizer.get_vocab().items() if text.replace("Ġ", " ") in starts}
    assert set(allowed) == known
    assert torch.equal(found[2, allowed], scores[2, allowed])


def test_of_equal_scores_the_answer_is_still_a_choice(tokenizer: PreTrainedTokenizerBase) -> None:
    """Greedy decoding from any scores: here each token in turn is the most probable one."""
    stop = int(tokenizer.eos_token_id)
    vocabulary = Vocabulary(tokenizer)
    for seed, choices in product(range(3), (CHOICES, CHOICES[:1])):
        generator = torch.Generator().manual_seed(seed)
        choosing = ChoiceProcessor(vocabulary, [choices], [stop])
        ids = torch.tensor([[5]])
        while ids[0, -1] != stop:
            scores = torch.rand((1, len(tokenizer)), generator=generator)
            chosen = choosing(ids, scores).argmax(-1)
            ids = torch.cat([ids, chosen[:, None]], dim=1)
        assert tokenizer.decode(ids[0, 1:-1]) in choices


def test_a_tokenizer_that_is_not_byte_level_is_refused(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)  # its own: what is set within it stays
    tokenizer.backend_tokenizer.decoder = decoders.Metaspace()
    with pytest.raises(UserError, match=r"not byte-level.*engine=vllm"):
        Vocabulary(tokenizer)
