"""Overlap of answers and references: values worked out by hand."""

import pytest

from newsrec.metrics.text_overlap import char_f1, chrf, exact_match, invented


def test_exact_match_passes_over_white_space_around_an_answer_alone() -> None:
    found = exact_match([" 数据.csv\n", "数据 .csv", "", "A"], ["数据.csv", "数据.csv", "无", "a"])
    assert found.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("数据清洗", "数据治理", 2 * 2 / 8),
        ("aab", "ab", 2 * 2 / 5),  # each character counts as often as both have it
        ("数 据\n清洗", "数据清洗", 1),
        ("", "数据", 0),
        ("甲乙", "丙丁", 0),
        ("无", "无", 1),
        ("无", "无名表.csv", 0),  # no credit for the word for no answer
        ("无名表.csv", "无", 0),
    ],
)
def test_character_f1_counts_common_characters(
    answer: str, reference: str, expected: float
) -> None:
    assert char_f1([answer], [reference], none="无").tolist() == [pytest.approx(expected)]


def test_without_a_word_for_no_answer_it_is_a_text_as_any() -> None:
    assert char_f1(["无"], ["无名表"]).tolist() == [pytest.approx(2 / 4)]


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("数据目录在首页", "数据目录在首页", 100),
        ("无", "无", 100),
        ("", "数据目录", 0),
        ("甲乙丙", "丁戊己", 0),
        # Precision and recall of n-grams: 2/3 of one character, 1/2 of two, 0 of three.
        ("甲乙丙", "甲乙丁", 100 * 7 / 18),
        # Precision 1 and 1, recall 1/2 and 1/3: 5PR / (4P + R) with R = 5/12.
        ("甲乙", "甲乙丙丁", 100 * 25 / 53),
        ("甲 乙", "甲乙丙丁", 100 * 25 / 53),
    ],
)
def test_chrf_is_that_of_its_definition(answer: str, reference: str, expected: float) -> None:
    assert chrf([answer], [reference]).tolist() == [pytest.approx(expected)]


def test_a_name_is_invented_where_its_text_does_not_hold_it() -> None:
    texts = ["请下载月报.csv", "请下载月报.csv", "请下载月报.csv", "你好", "你好"]
    answers = ["月报.csv ", "年报.csv", "", "无", "none"]
    assert invented(answers, texts, none="无").tolist() == [0, 1, 0, 0, 1]
    assert invented(["无"], ["你好"]).tolist() == [1]


def test_not_as_many_answers_as_references_are_refused() -> None:
    for metric in (exact_match, char_f1, chrf, invented):
        with pytest.raises(ValueError, match="argument 2 is shorter"):
            metric(["a", "b"], ["a"])
