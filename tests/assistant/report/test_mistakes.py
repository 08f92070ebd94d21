"""Which mistakes are shown, what is wrong with them, and which names are invented."""

import pytest

from newsrec.assistant.report.answered import Answer, Answered
from newsrec.assistant.report.mistakes import (
    ANOTHER_LABEL,
    ANOTHER_PART,
    EMPTY,
    HIDDEN,
    INVENTED,
    MISSED,
    NEEDLESS,
    OTHER_WORDS,
    examples,
    fault,
    invented,
    telling_mistakes,
)
from tests.assistant.report.made_up import LABELS, NONE, TASKS

FIRST, SECOND, *_ = LABELS["scenario"]


def row(text: str, reference: str, id_: str = "1", **answers: tuple[str, str] | str) -> Answered:
    """A row; an answer that is one text is what the system says, too."""
    return Answered(
        id_,
        text,
        reference,
        (),
        {
            name: Answer(found, found) if isinstance(found, str) else Answer(*found)
            for name, found in answers.items()
        },
    )


@pytest.mark.parametrize(
    ("task", "reference", "answer", "found"),
    [
        ("scenario", FIRST, (FIRST, FIRST), None),
        ("scenario", FIRST, ("不知道", FIRST), HIDDEN),
        ("scenario", FIRST, (FIRST, SECOND), ANOTHER_LABEL),
        ("scenario", FIRST, ("", ""), EMPTY),
        ("answer", "先登记", ("先登记", "先登记"), None),
        ("answer", "先登记", ("后登记", "后登记"), OTHER_WORDS),
        ("file_name", "a.csv", ("b.csv", "b.csv"), INVENTED),
        ("file_name", "a.csv", ("a", "a"), ANOTHER_PART),
        ("file_name", "a.csv", (NONE, NONE), MISSED),
        ("file_name", NONE, ("a.csv", "a.csv"), NEEDLESS),
        ("file_name", NONE, ("b.csv", "b.csv"), INVENTED),
        ("file_name", NONE, (NONE, NONE), None),
        ("file_name", "a.csv", ("", ""), EMPTY),
    ],
)
def test_a_fault_is_named(
    task: str, reference: str, answer: tuple[str, str], found: str | None
) -> None:
    one = row("打开a.csv", reference, tuned=answer)
    assert fault(TASKS[task], one, one.answers["tuned"]) == found


def test_mistakes_that_a_simpler_system_does_not_make_come_first_then_the_least_alike() -> None:
    rows = [
        row("问", "先登记再发布", "near", tuned="先登记再发", nearest="不对"),
        row("问", "先登记再发布", "far", tuned="好", nearest="不对"),
        row("问", "先登记再发布", "right", tuned="先登记再发布", nearest="不对"),
        row("问", "先登记再发布", "known", tuned="先登记再发", nearest="先登记再发布"),
    ]
    found = telling_mistakes(TASKS["answer"], rows, 5)
    assert [one["id"] for one in found] == ["known", "far", "near"]
    assert found[0]["right"] == ["nearest"]
    assert [one["id"] for one in telling_mistakes(TASKS["answer"], rows, 1)] == ["known"]


def test_a_right_choice_in_wrong_words_comes_last() -> None:
    rows = [
        row("问", FIRST, "hidden", tuned=("不知道", FIRST)),
        row("问", FIRST, "wrong", tuned=(SECOND, SECOND)),
    ]
    found = telling_mistakes(TASKS["scenario"], rows, 5)
    assert [(one["id"], one["fault"]) for one in found] == [
        ("wrong", ANOTHER_LABEL),
        ("hidden", HIDDEN),
    ]
    (answer,) = found[1]["answers"]
    assert (answer["said"], answer["text"], answer["is_right"]) == (FIRST, "不知道", True)


def test_invented_names_are_counted_whole_and_listed_up_to_a_number() -> None:
    rows = [row("打开a.csv", "a.csv", str(place), tuned=f"{place}.csv") for place in range(4)]
    number, listed = invented(TASKS["file_name"], rows, 2)
    assert number == 4
    assert [one["id"] for one in listed] == ["0", "1"]


def test_examples_are_at_even_distances() -> None:
    rows = [row("问", "答", str(place), tuned="答", base="?") for place in range(10)]
    assert [one["id"] for one in examples(TASKS["answer"], rows, 3)] == ["0", "3", "6"]
    assert len(examples(TASKS["answer"], rows, 20)) == 10
    assert examples(TASKS["answer"], rows, 0) == []


def test_a_long_text_is_cut() -> None:
    (found,) = examples(TASKS["answer"], [row("长" * 999, "答", tuned="答")], 1)
    assert len(found["input"]) == 201
