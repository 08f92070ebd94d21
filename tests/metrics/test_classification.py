"""Metrics of decisions by hand and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from newsrec.metrics.classification import classification_metrics, pooled_auc

CLASSES = ("bad", "fair", "good")


def test_three_classes_have_the_figures_counted_by_hand() -> None:
    label = pd.Series(["bad", "bad", "bad", "bad", "fair", "fair", "good", "good", "good", "good"])
    predicted = pd.Series(
        ["bad", "bad", "bad", "fair", "fair", "good", "good", "good", "bad", "good"]
    )
    found = classification_metrics(label, predicted, CLASSES)
    assert found.confusion.tolist() == [[3, 1, 0], [0, 1, 1], [1, 0, 3]]
    assert found.accuracy == 7 / 10
    assert list(found.per_class.index) == list(CLASSES)
    assert list(found.per_class) == ["precision", "recall", "f1", "support"]
    assert list(found.per_class["precision"]) == pytest.approx([3 / 4, 1 / 2, 3 / 4], abs=1e-12)
    assert list(found.per_class["recall"]) == pytest.approx([3 / 4, 1 / 2, 3 / 4], abs=1e-12)
    assert list(found.per_class["f1"]) == pytest.approx([3 / 4, 1 / 2, 3 / 4], abs=1e-12)
    assert list(found.per_class["support"]) == [4, 2, 4]
    assert found.macro_f1 == pytest.approx(2 / 3, abs=1e-12)


def test_a_missing_prediction_is_wrong_and_in_no_cell() -> None:
    label = pd.Series(["bad", "bad", "fair", "fair", "good"])
    predicted = pd.Series(["bad", None, "fair", "bad", None])
    found = classification_metrics(label, predicted, CLASSES)
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert found.accuracy == 2 / 5
    assert list(found.per_class["precision"]) == [1 / 2, 1, 0]
    assert list(found.per_class["recall"]) == [1 / 2, 1 / 2, 0]
    assert list(found.per_class["f1"]) == pytest.approx([1 / 2, 2 / 3, 0], abs=1e-12)
    assert list(found.per_class["support"]) == [2, 2, 1]
    assert found.macro_f1 == pytest.approx((1 / 2 + 2 / 3) / 3, abs=1e-12)


def test_nothing_but_missing_predictions_give_zeros_and_no_nan() -> None:
    nothing = pd.Series([None, None], dtype="Int8")
    found = classification_metrics(pd.Series([1, 0]), nothing, (0, 1))
    assert (found.accuracy, found.macro_f1, found.confusion.sum()) == (0, 0, 0)
    assert (found.per_class[["precision", "recall", "f1"]] == 0).all(axis=None)
    assert list(found.per_class["support"]) == [1, 1]


def test_a_class_without_rows_counts_in_the_macro_mean() -> None:
    found = classification_metrics(pd.Series(["bad", "fair"]), pd.Series(["bad", "fair"]), CLASSES)
    assert (found.accuracy, found.macro_f1) == (1, pytest.approx(2 / 3, abs=1e-12))


def test_the_order_of_the_classes_is_that_of_the_result() -> None:
    label, predicted = pd.Series([2, 2, 7]), pd.Series([2, 7, 7])
    found = classification_metrics(label, predicted, (7, 2))
    assert found.confusion.tolist() == [[1, 0], [1, 1]]
    assert list(found.per_class["support"]) == [1, 2]


def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    label, predicted = (pd.Series(rng.integers(4, size=600)) for _ in range(2))
    found = classification_metrics(label, predicted, range(4))
    assert found.accuracy == pytest.approx(accuracy_score(label, predicted), abs=1e-12)
    assert found.macro_f1 == pytest.approx(f1_score(label, predicted, average="macro"), abs=1e-12)
    for name, function in (
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ):
        expected = function(label, predicted, average=None)
        assert list(found.per_class[name]) == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("label", "predicted", "classes", "words"),
    [
        ([], [], CLASSES, "0 labels"),
        (["bad"], ["bad", "bad"], CLASSES, "1 labels but 2 predictions"),
        (["worse"], ["bad"], CLASSES, "not one of the classes"),
        (["bad"], ["worse"], CLASSES, "not one of the classes"),
        ([None], ["bad"], CLASSES, "not one of the classes"),
        (["bad"], ["bad"], ("bad", "bad"), "unique"),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(
    label: list[str], predicted: list[str], classes: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        classification_metrics(
            pd.Series(label, dtype=object), pd.Series(predicted, dtype=object), classes
        )


def test_pooled_auc_needs_two_classes() -> None:
    assert pooled_auc(pd.Series([1, 1]), pd.Series([0.1, 0.2])) is None
    assert pooled_auc(pd.Series([1, 0]), pd.Series([0.2, 0.1])) == 1


def test_pooled_auc_is_scikit_learns_with_ties() -> None:
    rng = np.random.default_rng(2)
    label, score = pd.Series(rng.integers(2, size=600)), pd.Series(rng.integers(8, size=600) / 8)
    assert pooled_auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)
