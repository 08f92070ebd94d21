"""The prompt, word for word, and what is read of an answer."""

import pytest

from newsrec.news.prompts import parse_answer, prompt_input, user_message

GOLDEN = """\
You are a news recommendation expert. Based on user's click history and preferences, predict if \
they will click the target news.
User click histories:
- first
- second
User's liked news:
- (none)
User's disliked news:
- not this
Target news:
- "Quoted" title
Will the user click this news? Answer with 'Yes.' or 'No.'"""


def test_the_prompt_is_the_published_recipe_word_for_word() -> None:
    message = user_message(["first", "second"], [], ["not this"], '"Quoted" title')
    assert message == GOLDEN


def test_training_joins_instruction_and_input_into_the_same_message() -> None:
    assert GOLDEN.endswith(
        "\n" + prompt_input(["first", "second"], [], ["not this"], '"Quoted" title')
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", True),
        (" yes", True),
        ("No.", False),
        ("**No**, because", False),
        ("Yesterday", None),
        ("Maybe", None),
        ("", None),
        ("Not sure", None),
    ],
)
def test_an_answer_is_read_or_it_is_none_of_both(text: str, answer: bool | None) -> None:
    assert parse_answer(text) is answer
