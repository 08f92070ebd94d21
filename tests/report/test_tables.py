"""The rows of tables, as numbers are printed."""

import pytest

from newsrec.report.tables import (
    BETTER,
    SAME,
    WORSE,
    Gain,
    comparison_rows,
    count_rows,
    facts,
    figure_rows,
    markdown_table,
)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.01, 0.02, BETTER),
        (-0.02, -0.01, WORSE),
        (-0.01, 0.01, SAME),
        (0.0004, 0.02, SAME),  # printed as 0.000
        (-0.02, -0.0004, SAME),
        (0.0006, 0.02, BETTER),
    ],
)
def test_an_outcome_follows_from_the_printed_interval(
    low: float, high: float, outcome: str
) -> None:
    assert Gain(0.0, low, high, 0.5).outcome == outcome


def test_a_gain_is_printed_with_its_interval() -> None:
    assert str(Gain(0.0104, -0.01, 0.03, 0.5)) == "+0.010, 95 % interval \u22120.010 to +0.030"


def test_a_gain_of_a_wider_scale_has_fewer_digits_and_its_outcome_follows_from_them() -> None:
    assert str(Gain(10.44, 0.06, 20.0, 0.5, digits=1)) == "+10.4, 95 % interval +0.1 to +20.0"
    assert Gain(1.0, 0.06, 2.0, 0.5, digits=1).outcome == BETTER
    assert Gain(1.0, 0.04, 2.0, 0.5, digits=1).outcome == SAME


def test_facts_are_the_leaves_without_protocol_and_lists() -> None:
    found = {"protocol": {"data": "x"}, "num_rows": 3, "length": {"max": 9}, "names": ["a"]}
    assert facts(found) == [("rows", 3), ("length / max", 9)]


def test_a_figure_without_an_interval_or_without_a_value_has_a_row_too() -> None:
    rows = figure_rows({"a": {"f1": 0.5, "f1_low": 0.4, "f1_high": 0.6}, "b": {"f1": 0.7}}, ["f1"])
    assert rows == [("a", [("0.500", "0.400\u20130.600")]), ("b", [("0.700", "")])]
    assert figure_rows({"c": {}}, ["f1", "auc"]) == [("c", [("\u2013", ""), ("\u2013", "")])]


def test_a_metric_that_cannot_be_compared_has_an_empty_cell() -> None:
    found = {"delta": 0.1, "low": 0.0, "high": 0.2, "p": 0.03}
    rows = comparison_rows({"a": {"f1": found, "auc": found}, "b": {"auc": found}}, ["auc", "f1"])
    gain = Gain(0.1, 0.0, 0.2, 0.03)
    assert rows == [("a", [gain, gain]), ("b", [gain, None])]


def test_counts_of_any_column_have_a_row() -> None:
    rows = count_rows([{"num_rows": 3, "length": {"max": 9}}, {"num_rows": 4, "num_users": 1}])
    assert rows == [("rows", [3, 4]), ("length / max", [9, None]), ("users", [None, 1])]


def test_a_markdown_table_is_aligned_column_by_column() -> None:
    table = markdown_table(["model", "F1", ""], "<><", [("`a`", "0.5", "this run")])
    assert table.splitlines() == [
        "| model | F1 |  |",
        "| :-- | --: | :-- |",
        "| `a` | 0.5 | this run |",
    ]
    with pytest.raises(ValueError, match="longer"):
        markdown_table(["model", "F1"], "<", [])
