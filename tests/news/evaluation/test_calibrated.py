"""Probabilities are corrected towards the share of clicks among what is scored."""

import pytest

from newsrec.news.evaluation.calibrated import click_rate, fit
from tests.news.evaluation.test_predictor import predictions

COUNTS = {
    "train": {"num_clicks_read": 15, "num_candidates_read": 370},
    "val": {"num_scored": 98, "num_scored_positives": 10},
}


def test_of_all_candidates_it_is_the_share_of_those_shown_in_training() -> None:
    assert click_rate(COUNTS, "all") == 15 / 370


def test_of_last_candidates_it_is_the_share_of_those_scored_in_val() -> None:
    assert click_rate(COUNTS, "last") == pytest.approx(11 / 100)


@pytest.mark.parametrize("num_clicked", [0, 3])
def test_a_small_val_of_one_answer_alone_still_gives_a_rate_to_correct_to(num_clicked: int) -> None:
    counts = {"val": {"num_scored": 3, "num_scored_positives": num_clicked}}
    table = predictions(2.0)
    found = fit(table["label"], table["score"], 0.5, click_rate(counts, "last"))
    assert ((found.apply(table["score"]) > 0) & (found.apply(table["score"]) < 1)).all()


def test_samples_at_the_share_of_what_is_scored_are_left_as_they_are() -> None:
    # The recipe `last` for both: a shift to the share among all candidates would be a mistake.
    table = predictions(2.0)
    rate = click_rate(COUNTS, "last")
    fitted = fit(table["label"], table["score"], train_rate=rate, true_rate=rate)
    shifted = fit(table["label"], table["score"], rate, click_rate(COUNTS, "all"))
    assert shifted.apply(table["score"]).mean() < 0.8 * fitted.apply(table["score"]).mean()
