"""Figures of planted answers, worked out by hand and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from newsrec.assistant.evaluation.systems import Measured, confusion, gains, measure
from newsrec.assistant.tables import MIN_CLUSTERS
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.metrics.text_overlap import chrf
from tests.assistant.planted import LABELS, TASKS

NUM = 40


def table(task: str, triples: list[tuple[str, str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and answers from input, reference and answer; two rows a cluster."""
    inputs, references, written = (list(column) for column in zip(*triples, strict=True))
    rows = pd.DataFrame(
        {"input": inputs, "output": references, "cluster": np.arange(len(inputs)) // 2}
    )
    return rows, pd.DataFrame({"output": written, "choice": [None] * len(written)})


def measured(task: str, rows: pd.DataFrame, answers: pd.DataFrame) -> Measured:
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=50, seed=1)
    return measure(TASKS[task], rows, answers, bootstrap)


def values(found: Measured) -> dict[str, float]:
    return {name: figure["value"] for name, figure in found.figures.items()}


def labelled(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random labels; free texts of which some are outside the list; choices of the list."""
    rng = np.random.default_rng(seed)
    texts = [*LABELS, "不清楚", ""]
    triples = [("问", LABELS[rng.integers(3)], f" {texts[rng.integers(5)]}\n") for _ in range(NUM)]
    rows, answers = table("scene", triples)
    answers["choice"] = [LABELS[place] for place in rng.integers(3, size=NUM)]
    return rows, answers


def test_figures_of_labels_are_those_of_scikit_learn() -> None:
    rows, answers = labelled(seed=2)
    found = values(measured("scene", rows, answers))
    free = answers["output"].str.strip()
    assert found == {
        "accuracy": pytest.approx(accuracy_score(rows["output"], answers["choice"])),
        "macro_f1": f1_score(rows["output"], answers["choice"], average="macro"),
        "free_accuracy": pytest.approx(accuracy_score(rows["output"], free)),
        "outside": pytest.approx((~free.isin(LABELS)).mean()),
    }
    assert found["outside"] > 0.2


def test_without_a_choice_the_text_counts_and_outside_the_list_is_wrong() -> None:
    rows, answers = labelled(seed=3)
    answers["choice"] = None
    found = values(measured("scene", rows, answers))
    free = answers["output"].str.strip()
    assert found["accuracy"] == found["free_accuracy"] < 1 - found["outside"]
    expected = f1_score(rows["output"], free, labels=LABELS, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected)


def test_macro_f1_is_over_the_labels_that_have_rows() -> None:
    rows, answers = table("scene", [("问", "甲类", "甲类"), ("问", "乙类", "乙类")] * 4)
    found = measured("scene", rows, answers)
    # All right, of four clusters of each label.
    low = pytest.approx(0.025**0.25)
    assert found.figures["macro_f1"] == {"value": 1, "low": low, "high": 1}
    assert (found.samples["macro_f1"] == 1).all()


def test_the_macro_f1_of_a_resample_is_scikit_learns() -> None:
    rows, answers = labelled(seed=4)
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=20, seed=1)
    found = measure(TASKS["scene"], rows, answers, bootstrap).samples["macro_f1"]
    for weights, value in zip(bootstrap.weights, found, strict=True):
        drawn = np.repeat(np.arange(NUM), weights[rows["cluster"]])
        label, choice = rows["output"].iloc[drawn], answers["choice"].iloc[drawn]
        present = sorted(set(label))
        assert value == pytest.approx(f1_score(label, choice, labels=present, average="macro"))


def test_the_confusion_matrix_is_of_texts_with_those_outside_in_the_last_column() -> None:
    rows, answers = labelled(seed=5)
    names = [*LABELS, "其他"]
    free = answers["output"].str.strip()
    said = free.where(free.isin(LABELS), "其他")
    found = confusion(TASKS["scene"], rows, answers)
    assert found == confusion_matrix(rows["output"], said, labels=names)[:3].tolist()
    assert sum(map(sum, found)) == NUM


def test_figures_of_texts() -> None:
    triples = [("问", "数据目录在首页", "数据目录在首页 "), ("问", "数据清洗", "数据治理")] * 3
    found = values(measured("reply", *table("reply", triples)))
    near = chrf(["数据治理"], ["数据清洗"])[0]
    assert found == {
        "exact": 0.5,
        "chrf": pytest.approx((100 + near) / 2),
        "char_f1": pytest.approx((1 + 0.5) / 2),
    }


def test_figures_of_spans() -> None:
    triples = [
        ("下载《月报》", "月报", "月报"),
        ("下载《月报》", "月报", "年报"),  # invented
        ("下载《月报》", "月报", "无"),
        ("下载《月报》", "月报", ""),
        ("你好", "无", "无"),
        ("你好", "无", "月报"),  # invented
        ("你好", "无", "你好"),
        ("无所谓", "无", "无"),
    ]
    found = values(measured("name", *table("name", triples)))
    assert found == {
        "exact": 3 / 8,
        "char_f1": pytest.approx((1 + 0.5 + 0 + 0 + 1 + 0 + 0 + 1) / 8),
        "invented": 2 / 8,
        "none_right": 2 / 4,
    }


def test_without_rows_without_a_span_there_is_no_figure_of_them() -> None:
    found = values(measured("name", *table("name", [("下载《月报》", "月报", "月报")] * 4)))
    assert found == {"exact": 1, "char_f1": 1, "invented": 0}


def test_every_figure_lies_in_its_interval_and_a_share_of_0_is_no_certainty() -> None:
    right = [("问", "数据目录在首页", "数据目录在首页")] * NUM
    for task, found in {
        "scene": measured("scene", *labelled(seed=6)),
        "reply": measured("reply", *table("reply", right)),
        "name": measured("name", *table("name", [("《月报》", "月报", "月报")] * NUM)),
    }.items():
        for name, figure in found.figures.items():
            assert figure["low"] <= figure["value"] <= figure["high"], (task, name)
            assert figure["low"] < figure["high"], (task, name)
    assert 0.1 < found.figures["invented"]["high"] < 0.2  # 20 clusters
    assert found.figures["exact"]["low"] == pytest.approx(1 - found.figures["invented"]["high"])


def test_a_gain_is_paired_and_of_every_metric() -> None:
    rows, answers = labelled(seed=7)
    better = answers.assign(choice=rows["output"].where(np.arange(NUM) % 4 > 0, "甲类"))
    one, other = (measured("scene", rows, found) for found in (better, answers))
    found = gains(one, other)
    assert list(found) == list(one.figures)
    expected = one.figures["accuracy"]["value"] - other.figures["accuracy"]["value"]
    assert found["accuracy"]["value"] == expected
    assert 0 < found["accuracy"]["low"] < expected < found["accuracy"]["high"]
    assert found["accuracy"]["p"] == pytest.approx(2 / 51)
    none = found["outside"]  # neither has one, in 20 clusters: no proof that they never differ
    assert (none["value"], none["p"]) == (0, 1)
    assert none["high"] == -none["low"] == pytest.approx(1 - 0.025 ** (1 / 20))
    assert gains(other, one)["macro_f1"]["value"] == -found["macro_f1"]["value"]


@pytest.mark.parametrize("num_clusters", [1, MIN_CLUSTERS - 1, MIN_CLUSTERS])
def test_a_gain_in_every_row_is_shown_from_the_least_number_of_clusters_on(
    num_clusters: int,
) -> None:
    num = 2 * num_clusters
    for task, right, wrong in (("scene", "甲类", "乙类"), ("reply", "在首页", "不知道")):
        rows, good = table(task, [("问", right, right)] * num)
        bad = good.assign(output=wrong)
        found = gains(measured(task, rows, good), measured(task, rows, bad))
        shown = {name for name, gain in found.items() if gain["low"] > 0}
        sure = {name for name, gain in found.items() if gain["p"] < 0.05}
        expected = set(found) - {"outside"} if num_clusters == MIN_CLUSTERS else set()
        assert shown == sure == expected, task
