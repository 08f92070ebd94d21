"""Each part of the evaluation by hand or against scikit-learn on made-up predictions."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from newsrec.errors import UserError
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.safety.corpus.synthetic import UNLABELLED_WORD, clean_documents, documents
from newsrec.safety.evaluation.curves import confusion_rows, pr_rows, reliability_rows
from newsrec.safety.evaluation.evasion import probe
from newsrec.safety.evaluation.predictor import compare, measure
from newsrec.safety.evaluation.slices import (
    KNOWN_WORDS,
    NEW_WORDS,
    measure_slices,
    slices_of,
)
from newsrec.safety.evaluation.tables import report_text
from newsrec.safety.evaluation.unsafe import (
    RATES,
    choose_thresholds,
    measure_thresholds,
    rate_key,
    unsafe_score,
)
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.leaks import leak_gate
from newsrec.safety.normalisation import normalise
from newsrec.safety.predictors import codes
from newsrec.safety.tables import PROBABILITIES
from tests.safety import fake
from tests.safety.planted import texts

ROWS = fake.rows(160, seed=3)
TEST = fake.predictions(ROWS, 1.8, seed=4)
OTHER = fake.predictions(ROWS, 1.0, seed=5)
VAL = fake.predictions(fake.rows(200, seed=6), 1.8, seed=7)
BOOTSTRAP = ClusterBootstrap(ROWS["cluster"], num_resamples=40, seed=1)
THRESHOLDS = choose_thresholds(VAL)
AT = measure_thresholds(TEST, VAL, benign_share=0.9)
BENIGN_ROWS = (TEST["label"] == BENIGN).to_numpy()


def rows_where(columns: dict[str, list[object]]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_keys_of_rates_are_in_percent() -> None:
    assert [rate_key(rate) for rate in (0.001, 0.01, 0.05, 0.1)] == [
        *("at_0.1", "at_1", "at_5", "at_10")
    ]


def test_the_unsafe_score_keeps_digits_where_one_minus_p_has_none() -> None:
    table = rows_where(
        {"p0": [1.0], "p1": [1e-20], **{f"p{place}": [0.0] for place in range(2, 6)}}
    )
    assert unsafe_score(table).tolist() == [1e-20]


def test_a_threshold_keeps_its_rate_on_validation_and_is_measured_on_test() -> None:
    benign = unsafe_score(VAL)[(VAL["label"] == BENIGN).to_numpy()]
    found = AT
    assert list(found) == [rate_key(rate) for rate in RATES]
    for rate in RATES:
        assert (benign > THRESHOLDS[rate]).mean() <= rate
        flagged = unsafe_score(TEST) > THRESHOLDS[rate]
        of_rate = found[rate_key(rate)]
        assert of_rate["false_positive_rate"] == flagged[BENIGN_ROWS].mean()
        assert of_rate["recall"] == flagged[~BENIGN_ROWS].mean()
        for name, of_class in of_rate["recall_of"].items():
            assert of_class["recall"] == flagged[TEST["label"] == name].mean()
            hits = int(flagged[TEST["label"] == name].sum())
            bounds = binomtest(hits, of_class["num_rows"]).proportion_ci(method="exact")
            assert of_class["recall_low"] == pytest.approx(bounds.low)
            assert of_class["recall_high"] == pytest.approx(bounds.high)
    assert found["at_1"]["rows_to_prove"] == 299
    assert found["at_1"]["rows_to_prove_with_as_many_found"] >= 299


def test_precision_is_that_of_the_real_share_and_not_of_the_balanced_test() -> None:
    found = measure_thresholds(TEST, VAL, benign_share=0.99)["at_5"]
    balanced = (TEST["label"] != BENIGN).mean() * found["recall"]
    balanced /= balanced + (TEST["label"] == BENIGN).mean() * found["false_positive_rate"]
    caught, wrong = 0.01 * found["recall"], 0.99 * found["false_positive_rate"]
    assert found["precision_at_real_share"] == pytest.approx(caught / (caught + wrong))
    assert found["precision_at_real_share"] < 0.5 < balanced
    low, high = found["precision_at_real_share_low"], found["precision_at_real_share_high"]
    assert low < found["precision_at_real_share"] < high


def test_figures_of_a_predictor_are_those_of_scikit_learn() -> None:
    found = measure(TEST, VAL, AT, BOOTSTRAP)
    label, probability = codes(TEST["label"]), TEST[PROBABILITIES].to_numpy()
    said = probability.argmax(axis=1)
    expected = precision_recall_fscore_support(label, said, labels=range(6), zero_division=0)
    for place, name in enumerate(CLASSES):
        of_class = found.classes[name]
        ones = label == place
        assert [of_class[key] for key in ("precision", "recall", "f1", "support")] == [
            pytest.approx(values[place]) for values in expected
        ]
        assert of_class["roc_auc"] == roc_auc_score(ones, probability[:, place])
        assert of_class["average_precision"] == average_precision_score(ones, probability[:, place])
        assert of_class["predicted"] == {
            name: int((said[ones] == at).sum()) for at, name in enumerate(CLASSES)
        }
        assert of_class["f1_low"] <= of_class["f1"] <= of_class["f1_high"]
    assert found.figures["macro_f1"] == pytest.approx(expected[2].mean())
    assert found.figures["unsafe_roc_auc"] == roc_auc_score(label != 0, unsafe_score(TEST))
    assert (found.correct == (label == said)).all()
    for key in ("at_1", "at_2", "at_5"):
        assert found.figures[f"unsafe_recall_{key}_low"] == AT[key]["recall_low"]
    assert found.figures["ece_calibrated"] < found.figures["ece"] or (
        0.9 < found.figures["temperature"] < 1.1
    )


def test_a_class_without_test_rows_has_no_ranking_but_a_support_of_zero() -> None:
    some = TEST[TEST["label"] != "暴恐"].reset_index(drop=True)
    bootstrap = ClusterBootstrap(some["cluster"], num_resamples=20, seed=1)
    found = measure(some, VAL, AT, bootstrap)
    assert found.classes["暴恐"]["support"] == 0
    assert "roc_auc" not in found.classes["暴恐"]
    assert 0.5 < found.figures["macro_roc_auc"] <= 1


def test_a_predictor_gains_nothing_over_itself_and_more_over_a_worse_one() -> None:
    better, worse = (measure(one, VAL, AT, BOOTSTRAP) for one in (TEST, OTHER))
    same = compare(better, better)["macro_f1"]
    assert (same["delta"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    gain = compare(better, worse)["macro_f1"]
    assert gain["delta"] == better.figures["macro_f1"] - worse.figures["macro_f1"]
    assert 0 < gain["low"] < gain["delta"] < gain["high"]


def test_slices_are_of_class_length_wording_spelling_and_tags() -> None:
    rows = rows_where(
        {
            "label": [BENIGN, "歧视", BENIGN],
            "text": ["短", "ＡＢ", "长" * 201],
            "normalised": ["短", "AB", "长" * 201],
            "tags": [["report-style"], [], ["report-style", "evasive"]],
        }
    )
    found = {
        heading: {name: inside.tolist() for name, inside in parts.items() if inside.any()}
        for heading, parts in slices_of(rows, ["长长短长A", "AB"]).items()
    }
    assert found == {
        "class": {BENIGN: [True, False, True], "歧视": [False, True, False]},
        "length": {"1 to 20": [True, True, False], "201 or more": [False, False, True]},
        "wording": {KNOWN_WORDS: [True, True, True]},
        "spelling": {"ordinary": [True, False, True], "evasive": [False, True, False]},
        "tag": {"evasive": [False, False, True], "report-style": [True, False, True]},
    }


def test_rows_without_tags_have_no_slices_by_tag() -> None:
    rows = ROWS.assign(tags=[[] for _ in range(len(ROWS))])
    assert slices_of(rows, [])["tag"] == {}


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        ("甲乙丙", False),
        ("丙甲乙", False),  # two known words meet
        ("甲乙壬癸丙丁", True),
        ("壬癸甲乙", True),
        ("甲乙壬丙丁", True),  # one character
        ("壬癸", True),
        ("甲乙", False),
        ("壬", False),  # no pair
        ("", False),
    ],
)
def test_a_word_is_new_where_a_character_has_two_neighbours_that_training_has_not(
    text: str, is_new: bool
) -> None:
    rows = ROWS.iloc[:1].assign(normalised=[text])
    found = slices_of(rows, ["甲乙丙丁", "乙丙"])["wording"]
    assert found[NEW_WORDS].tolist() == [is_new]
    assert found[KNOWN_WORDS].tolist() == [not is_new]


@pytest.mark.slow
def test_the_words_that_are_new_are_those_that_the_corpus_never_labels() -> None:
    made = list(clean_documents(1_500, seed=1_001))
    trained_on = [normalise(one.text) for one in documents(6_000, seed=1)]
    rows = pd.DataFrame({"text": [one.text for one in made], "tags": [one.tags for one in made]})
    rows = rows.assign(normalised=rows["text"].map(normalise), label=BENIGN)
    found = slices_of(rows, trained_on)["wording"][NEW_WORDS]
    wanted = np.array([UNLABELLED_WORD in one.tags for one in made])
    assert wanted.sum() > 200
    assert (found & wanted).sum() == wanted.sum()
    assert (found & wanted).sum() >= 0.98 * found.sum()


def test_a_slice_has_the_figures_of_its_rows() -> None:
    found = measure_slices({"tuned": TEST}, slices_of(ROWS, []), BOOTSTRAP)
    said = TEST[PROBABILITIES].to_numpy().argmax(axis=1)
    inside = np.array(["evasive" in tags for tags in ROWS["tags"]])
    figures = found["tag"]["evasive"]["tuned"]
    assert figures["accuracy"] == pytest.approx((said == codes(TEST["label"]))[inside].mean())
    assert figures["false_positive_rate"] == (said != 0)[inside & BENIGN_ROWS].mean()
    assert figures["unsafe_recall"] == (said != 0)[inside & ~BENIGN_ROWS].mean()
    assert (figures["num_benign"] + figures["num_unsafe"]) == figures["num_rows"] == inside.sum()
    assert "unsafe_recall" not in found["class"][BENIGN]["tuned"]
    assert "201 or more" not in found["length"]


def test_the_probe_compares_a_text_with_itself_before() -> None:
    rewritten = fake.predictions(fake.evasion(ROWS), 0.2, seed=8)
    # Of one trick the predictions of the texts as they were.
    kept = rewritten["trick"] == "pinyin"
    rewritten.loc[kept, PROBABILITIES] = TEST.iloc[::2][PROBABILITIES].to_numpy()
    found = probe(TEST, rewritten, THRESHOLDS[0.01], num_resamples=30, seed=1)
    assert list(found) == ["emoji", "pinyin"]
    for name in ("recall", "false_positive_rate", "recall_at_1"):
        assert found["pinyin"][f"{name}_before"] == found["pinyin"][f"{name}_after"]
        assert found["pinyin"][f"{name}_change"] == 0
    half = TEST.iloc[::2]
    unsafe = (half["label"] != BENIGN).to_numpy()
    assert found["emoji"]["num_rows_recall"] == unsafe.sum()
    flagged = unsafe_score(half) > THRESHOLDS[0.01]
    assert found["emoji"]["recall_at_1_before"] == flagged[unsafe].mean()
    emoji = found["emoji"]
    after = unsafe_score(rewritten[~kept]) > THRESHOLDS[0.01]
    change = after[unsafe].mean() - flagged[unsafe].mean()
    assert emoji["recall_at_1_change"] == pytest.approx(change)
    assert emoji["recall_at_1_change_low"] < change < emoji["recall_at_1_change_high"]


@pytest.mark.parametrize(
    ("place", "low", "high"),
    # Of 0 or all of 72 clusters of unsafe rows: 1 - 0.025 ** (1 / 72).
    [(None, -0.0499, 0.0499), (0, -1.0, -0.9501), (1, 0.9501, 1.0)],
)
def test_a_change_of_no_row_or_of_every_row_claims_no_certainty(
    place: int | None, low: float, high: float
) -> None:
    some = ROWS[ROWS["label"] != BENIGN].drop_duplicates("cluster")[:72].reset_index(drop=True)
    assert len(some) == 72
    before = fake.predictions(some, 0, seed=1).assign(**dict.fromkeys(PROBABILITIES, 0.0))
    before["p0" if place == 1 else "p1"] = 1.0
    after = before.assign(trick="emoji")
    if place is not None:
        after = after.assign(p0=1.0 - place, p1=float(place))
    found = probe(before, after, 0.5, num_resamples=10, seed=1)["emoji"]
    assert found["recall_num_changed"] == (0 if place is None else 72)
    for name in ("recall", "recall_at_1"):
        assert found[f"{name}_change_low"] == pytest.approx(low, abs=1e-3)
        assert found[f"{name}_change_high"] == pytest.approx(high, abs=1e-3)


def test_a_slice_that_is_all_right_claims_no_certainty() -> None:
    right = TEST.assign(**dict.fromkeys(PROBABILITIES, 0.0))
    for place, name in enumerate(CLASSES):
        right.loc[right["label"] == name, f"p{place}"] = 1.0
    found = measure_slices({"tuned": right}, slices_of(ROWS, []), BOOTSTRAP)["class"][BENIGN]
    num = TEST["cluster"][TEST["label"] == BENIGN].nunique()
    assert found["tuned"]["accuracy"] == found["tuned"]["accuracy_high"] == 1
    assert found["tuned"]["accuracy_low"] == pytest.approx(0.025 ** (1 / num))


def test_a_rewritten_text_of_another_test_is_refused() -> None:
    rewritten = fake.predictions(fake.evasion(ROWS), 0.2, seed=8).assign(id="other")
    with pytest.raises(UserError, match="id 'other' is not a row of test"):
        probe(TEST, rewritten, 0.5, num_resamples=5, seed=1)


def test_the_gate_counts_near_copies_and_refuses_equal_clusters() -> None:
    one = rows_where({"cluster": [1, 2], "normalised": ["甲乙丙丁", "子丑寅卯辰巳"]})
    other = rows_where({"cluster": [3, 4], "normalised": ["子丑寅卯，辰巳。", "戊己庚辛"]})
    assert leak_gate({"train": one, "test": other}, 0.7, seed=1) == {
        "train_test": {"num_clusters": 0, "num_near_copies": 1}
    }
    with pytest.raises(UserError, match=r"1 clusters .* in both train and test, such as 2;"):
        leak_gate({"train": one, "test": other.assign(cluster=2)}, 0.7, seed=1)


def test_the_gate_finds_what_was_drawn_independently() -> None:
    planted = list(texts(800, seed=5))
    drawn = {"train": planted[::2], "test": planted[1::2]}
    made = {  # each text a cluster of its own, as if no near copies had been found
        split: pd.DataFrame(
            {
                "id": [one.id for one in rows],
                "normalised": [normalise(one.text) for one in rows],
                "cluster": range(n * 1000, n * 1000 + len(rows)),
            }
        )
        for n, (split, rows) in enumerate(drawn.items())
    }
    split_of = {one.id: split for split, rows in drawn.items() for one in rows}
    leaking = {
        name
        for one in planted
        if one.copy_of and split_of[one.id] != split_of[one.copy_of]
        for name in (one.id, one.copy_of)
        if split_of[name] == "test"
    }
    assert len(leaking) > 20
    found = leak_gate(made, 0.7, seed=99)["train_test"]
    assert found["num_near_copies"] >= 0.95 * len(leaking)


def test_curves_have_few_points_and_end_where_they_should() -> None:
    curve = pd.DataFrame(pr_rows(TEST), columns=["class", "recall", "precision"])
    for name, of_class in curve.groupby("class", sort=False):
        assert len(of_class) <= 62, name
        assert of_class["recall"].is_monotonic_decreasing
        assert of_class["recall"].iloc[[0, -1]].tolist() == [1, 0]
    share = (TEST["label"] != BENIGN).mean()
    assert curve["precision"].iloc[0] >= share - 1e-9
    points = pd.DataFrame(reliability_rows(TEST, 2.0), columns=["kind", "p", "rate", "rows"])
    assert points.groupby("kind")["rows"].sum().to_dict() == {"calibrated": 160, "raw": 160}
    table = pd.DataFrame(confusion_rows(TEST), columns=["label", "predicted"])
    assert (table["label"] == TEST["label"]).all()


def test_the_text_report_is_scikit_learns_with_the_classes_names() -> None:
    text = report_text({"tuned": TEST, "base": OTHER})
    assert text.startswith("tuned\n\n")
    assert text.count("\n          歧视") + text.count("\n           歧视") == 2
    assert text.count("weighted avg") == 2
