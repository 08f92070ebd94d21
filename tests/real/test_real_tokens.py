"""What a real tokenizer alone shows; tests of tokens elsewhere run on it and on the tiny one."""

from pathlib import Path

import pytest

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.news.prompts import NO, YES

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]


def test_yes_and_no_are_the_tokens_that_the_model_knows(qwen3_tokenizer: Path) -> None:
    tokenizer = load_tokenizer(qwen3_tokenizer)
    assert first_tokens(tokenizer, user_turn("hello"), (YES, NO)) == (9454, 2753)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    from tests.training.conftest import write_samples

    return write_samples(tmp_path, num_train=4).file("train")


@pytest.mark.slow
def test_the_published_template_is_read_by_auto(qwen3_tokenizer: Path, samples: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    assert 50 < check_same_tokens(qwen3_tokenizer, samples, "auto", 1024, 50) < 1024


@pytest.mark.slow
def test_a_real_model_of_another_template_is_trained_by_auto(smollm2: Path, samples: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    assert 50 < check_same_tokens(smollm2, samples, "auto", 1024, 50) < 1024
    with pytest.raises(UserError, match="or auto, which reads that template"):
        check_same_tokens(smollm2, samples, "smollm2", 1024, 50)
