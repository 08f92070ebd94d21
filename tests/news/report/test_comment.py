"""The comment on a pull request: the summary, and the metrics that differ."""

import pytest

from newsrec.errors import UserError
from newsrec.news.report.comment import MAX_CHARACTERS, comment, main

TABLE = "Path  Metric  main  workspace\nmetrics/evaluate.json  tuned.auc  0.6  0.7\n"


def test_metrics_that_differ_are_shown_below_the_summary() -> None:
    text = comment("The tuned model is better.\n", TABLE, "origin/main", "https://example.org/1")
    assert text.startswith("The tuned model is better.\n")
    assert "[this run](https://example.org/1)" in text
    assert f"```\n{TABLE}```" in text
    assert "differ from <code>origin/main</code>" in text


def test_no_difference_is_one_sentence() -> None:
    assert comment("As before.\n", "\n", "main", "") == (
        "As before.\n\nNo metric differs from `main`.\n"
    )


def test_a_value_cannot_leave_the_code_block() -> None:
    text = comment("", "metric  ```\n@everybody <b>\n", "main", "")
    assert "````\nmetric  ```\n@everybody <b>\n````\n" in text


def test_a_comment_is_never_longer_than_can_be_posted() -> None:
    text = comment("Summary\n", "a metric that changed\n" * 10_000, "main", "")
    assert MAX_CHARACTERS - 100 < len(text) <= MAX_CHARACTERS
    assert "and more; for the full list: dvc metrics diff main\n```\n" in text


@pytest.mark.parametrize("words", [[], ["main", "other"]])
def test_one_commit_is_expected(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["comment", *words])
    with pytest.raises(UserError, match="BASE=HEAD~1"):
        main()
