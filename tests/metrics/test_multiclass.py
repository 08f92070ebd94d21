"""Metrics over several classes against scikit-learn, and by resampling rows themselves."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef
from sklearn.metrics import log_loss as scikit_log_loss

from newsrec.metrics import multiclass
from newsrec.metrics.multiclass import (
    apply_temperature,
    average_precision_samples,
    confusion_samples,
    decision_figures,
    figures_of_confusions,
    fit_temperature,
    log_losses,
    one_against_rest,
)
from newsrec.metrics.significance import ClusterBootstrap

NUM = 4


def sample(num_rows: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels drawn with the very probabilities given, and clusters of about two rows."""
    rng = np.random.default_rng(seed)
    probability = softmax(1.5 * rng.normal(size=(num_rows, NUM)), axis=1)
    drawn = (probability.cumsum(axis=1) < rng.random((num_rows, 1))).sum(axis=1)
    return drawn.clip(max=NUM - 1), probability, rng.integers(num_rows // 2, size=num_rows)


def rows_of(bootstrap: ClusterBootstrap, cluster: np.ndarray, resample: int) -> np.ndarray:
    """The rows of one resample, as often as it drew them."""
    weight = dict(zip(bootstrap.clusters.tolist(), bootstrap.weights[resample], strict=True))
    return np.repeat(np.arange(len(cluster)), [weight[one] for one in cluster.tolist()])


def test_the_figures_of_confusions_are_those_of_scikit_learn_in_every_resample() -> None:
    label, probability, cluster = sample()
    predicted = probability.argmax(axis=1)
    bootstrap = ClusterBootstrap(cluster, num_resamples=20, seed=1)
    drawn = figures_of_confusions(confusion_samples(label, predicted, NUM, bootstrap))
    for place in range(20):
        rows = rows_of(bootstrap, cluster, place)
        expected = decision_figures(label[rows], predicted[rows], NUM)
        assert {name: drawn[name][place] for name in expected} == pytest.approx(expected)
        of_class = f1_score(label[rows], predicted[rows], labels=range(NUM), average=None)
        assert drawn["f1"][place] == pytest.approx(of_class)


def test_decisions_for_one_class_alone_have_figures() -> None:
    label = np.array([0, 1, 2, 3] * 5)
    found = decision_figures(label, np.zeros(20, dtype=int), NUM)
    assert (found["accuracy"], found["mcc"], found["macro_recall"]) == (0.25, 0, 0.25)
    assert found["macro_f1"] == pytest.approx(0.4 / 4)
    confusion = np.zeros((1, NUM, NUM))
    confusion[0, :, 0] = 5
    drawn = figures_of_confusions(confusion)
    assert {name: drawn[name][0] for name in found} == pytest.approx(found)


def test_mcc_is_zero_for_guessing_and_one_without_mistakes() -> None:
    label, _, _ = sample(2000)
    guess = np.random.default_rng(3).permutation(label)
    assert decision_figures(label, label, NUM)["mcc"] == 1
    assert decision_figures(label, guess, NUM)["mcc"] == pytest.approx(0, abs=0.05)
    assert matthews_corrcoef(label, guess) == decision_figures(label, guess, NUM)["mcc"]


@pytest.mark.parametrize("digits", [6, 1], ids=["few ties", "many ties"])
def test_average_precision_of_resamples_is_scikit_learns(
    digits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiclass, "_CHUNK_CELLS", 1000)  # several chunks
    label, probability, cluster = sample()
    ones, score = label == 2, probability[:, 2].round(digits)
    bootstrap = ClusterBootstrap(cluster, num_resamples=12, seed=1)
    drawn = average_precision_samples(ones, score, cluster, bootstrap)
    for place in range(12):
        rows = rows_of(bootstrap, cluster, place)
        assert drawn[place] == pytest.approx(average_precision_score(ones[rows], score[rows]))


def test_a_resample_without_the_class_has_no_average_precision() -> None:
    cluster = np.arange(3)
    bootstrap = ClusterBootstrap(cluster, num_resamples=50, seed=1)
    drawn = average_precision_samples([True, False, False], [0.9, 0.8, 0.1], cluster, bootstrap)
    without = bootstrap.weights[:, 0] == 0
    assert without.any()
    assert np.isnan(drawn[without]).all()
    assert not np.isnan(drawn[~without]).any()


def test_a_class_that_is_all_or_nothing_is_not_ranked() -> None:
    assert one_against_rest([True, True], [0.1, 0.2]) is None
    assert one_against_rest([False, False], [0.1, 0.2]) is None
    found = one_against_rest([True, False], [0.1, 0.2])
    assert found == (0.0, 0.5)


def test_log_loss_is_scikit_learns_and_finite_for_a_sure_mistake() -> None:
    label, probability, _ = sample()
    expected = scikit_log_loss(label, probability, labels=range(NUM))
    assert log_losses(label, probability).mean() == pytest.approx(expected)
    assert log_losses([1], [[1, 0, 0, 0]]) == pytest.approx(36.04, abs=0.01)


@pytest.mark.parametrize("distortion", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_a_distortion(distortion: float) -> None:
    label, probability, _ = sample(20_000)
    # Too sure where the logits were multiplied.
    distorted = softmax(np.log(probability) * distortion, axis=1)
    found = fit_temperature(label, distorted)
    assert found == pytest.approx(distortion, rel=0.05)
    again = apply_temperature(distorted, found)
    assert np.abs(again - probability).max() < 0.03
    assert (again.argmax(axis=1) == probability.argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("label", "probability", "message"),
    [
        ([], np.empty((0, 4)), "labels but"),
        ([0], [[0.5, 0.4]], "sum to 1"),
        ([0], [[np.nan, 1]], "sum to 1"),
        ([2], [[0.5, 0.5]], "outside 0 to 1"),
    ],
)
def test_what_is_no_distribution_is_refused(
    label: list[int], probability: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        log_losses(label, probability)


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        apply_temperature([[0.5, 0.5]], 0)
