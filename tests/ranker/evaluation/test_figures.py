"""The figures by hand, and pairs that are differences of the same resamples."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from newsrec.metrics.significance import ClusterBootstrap, detectable
from newsrec.ranker.evaluation.figures import greedy, measure, of_random_order, plan
from newsrec.ranker.evaluation.probes import otherwise_prompted, with_popularity
from newsrec.ranker.evaluation.slices import measure_slices, slices_of
from newsrec.ranker.evaluation.tables import Lists

NUM, K = 40, 20


def made(num: int = NUM, num_candidates: int = K, seed: int = 3) -> Lists:
    rng = np.random.default_rng(seed)
    return Lists(
        ids=np.array([f"l{number}" for number in range(num)], dtype=object),
        users=np.array([f"u{number % 9}" for number in range(num)], dtype=object),
        num_history=rng.integers(0, 11, size=num),
        candidates=np.array(
            [[f"i{one}" for one in rng.permutation(30)[:num_candidates]] for _ in range(num)],
            dtype=object,
        ),
        target=rng.integers(num_candidates, size=num),
        digest="ab",
    )


def noise(lists: Lists, skill: float, seed: int) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=lists.candidates.shape)
    scores[np.arange(len(scores)), lists.target] += skill
    return scores


def test_without_ties_a_list_has_the_figures_of_its_targets_rank() -> None:
    lists = made()
    scores = noise(lists, 1.0, 1)
    found = greedy(lists, scores)
    of_target = scores[np.arange(NUM), lists.target]
    ranks = 1 + (scores > of_target[:, None]).sum(axis=1)
    for k in (1, 5, 10, 20):
        inside = ranks <= k
        assert found[f"ndcg_at_{k}"] == pytest.approx(inside / np.log2(ranks + 1))
        assert list(found[f"hr_at_{k}"]) == list(inside)
    assert found["mrr"] == pytest.approx(1 / ranks)
    assert not found["tie_rate"].any()


def test_ties_are_averaged_over_every_order_of_them() -> None:
    lists = made(num=1, num_candidates=5)
    lists = Lists(**{**vars(lists), "target": np.array([2])})
    found = greedy(lists, np.array([[3.0, 1.0, 2.0, 2.0, 2.0]]))
    # The target is second, third or fourth, each in a third of the orders.
    orders = [one.index(2) + 2 for one in itertools.permutations([2, 3, 4])]
    assert found["ndcg_at_5"][0] == pytest.approx(np.mean([1 / math.log2(r + 1) for r in orders]))
    assert found["mrr"][0] == pytest.approx(np.mean([1 / rank for rank in orders]))
    assert found["hr_at_1"][0] == 0
    assert found["tie_rate"][0] == 1
    assert "ndcg_at_10" not in found  # of lists of five


def test_equal_scores_are_worth_a_random_order() -> None:
    lists = made()
    found = greedy(lists, np.zeros(lists.candidates.shape))
    for name, value in of_random_order(K).items():
        assert found[name] == pytest.approx(np.full(NUM, value))
    assert of_random_order(K)["ndcg_at_10"] == pytest.approx(0.227, abs=5e-4)


def test_every_pair_is_compared_over_the_same_resamples_of_users() -> None:
    lists = made()
    bootstrap = ClusterBootstrap(lists.users, 200, seed=1)
    of_lists = {
        name: greedy(lists, noise(lists, skill, 4))
        for name, skill in {"good": 2.0, "fair": 1.0, "poor": 0.0}.items()
    }
    systems, pairs = measure(of_lists, bootstrap)
    assert list(pairs) == ["good vs fair", "good vs poor", "fair vs poor"]
    found = pairs["good vs poor"]["ndcg_at_10"]
    good, poor = (systems[name]["ndcg_at_10"] for name in ("good", "poor"))
    assert found["value"] == pytest.approx(good["value"] - poor["value"])
    # By hand: the same users are drawn for both.
    drawn = [
        np.average(of_lists["good"]["ndcg_at_10"] - of_lists["poor"]["ndcg_at_10"], weights=w)
        for w in (
            np.array([weights[list(bootstrap.clusters).index(user)] for user in lists.users])
            for weights in bootstrap.weights
        )
    ]
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert found["low"] > 0
    assert found["p"] == pytest.approx(2 / 201)
    assert good["low"] < good["value"] < good["high"]


def test_the_plan_is_of_the_differences_and_leaves_out_equal_systems() -> None:
    lists = made()
    one = greedy(lists, noise(lists, 2.0, 4))
    other = greedy(lists, noise(lists, 0.0, 4))
    found = plan({"a": one, "b": other, "c": other}, lists.users, 0.05)
    assert set(found) == {"a vs b", "a vs c"}
    differences = one["ndcg_at_10"] - other["ndcg_at_10"]
    smallest = detectable(differences, lists.users)
    assert found["a vs b"]["detectable"] == pytest.approx(smallest)
    needed = found["a vs b"]["num_lists_needed"]
    assert (
        detectable(differences, lists.users, needed)
        <= 0.05
        < detectable(differences, lists.users, needed - 1)
    )


def test_slices_part_the_lists_and_have_their_own_figures() -> None:
    lists = made()
    counts = {f"i{number}": number for number in range(5, 30)}
    categories = {f"i{number}": f"c{number % 20}" for number in range(30)}
    slices = slices_of(lists, counts, categories)
    for parts in slices.values():
        assert sum(inside.astype(int) for inside in parts.values()).tolist() == [1] * NUM
    unseen = slices["target"]["unseen in training"]
    assert list(unseen) == [target not in counts for target in lists.targets]
    assert "other categories" in slices["category"]
    assert len(slices["category"]) == 13
    of_lists = {"one": greedy(lists, noise(lists, 1.0, 2))}
    found = measure_slices(lists, of_lists, slices, ClusterBootstrap(lists.users, 50, seed=1))
    part = found["target"]["unseen in training"]["one"]
    assert part["value"] == pytest.approx(of_lists["one"]["ndcg_at_10"][unseen].mean())
    assert part["num_lists"] == unseen.sum()
    assert part["low"] <= part["value"] <= part["high"]


def test_a_slice_of_one_user_has_no_figures() -> None:
    lists = made()
    inside = lists.users == "u1"
    of_lists = {"one": greedy(lists, noise(lists, 1.0, 2))}
    bootstrap = ClusterBootstrap(lists.users, 50, seed=1)
    assert measure_slices(lists, of_lists, {"h": {"one user": inside}}, bootstrap) == {"h": {}}


def test_another_history_is_compared_with_the_own_one_and_with_chance() -> None:
    lists = made()
    own, wrong = noise(lists, 2.0, 4), noise(lists, 0.0, 4)
    bootstrap = ClusterBootstrap(lists.users, 100, seed=1)
    found = otherwise_prompted(lists, {"a": own, "b": own}, {"a": wrong}, bootstrap)
    assert list(found) == ["a"]
    values = found["a"]
    assert values["difference"]["value"] == pytest.approx(
        values["probed"]["value"] - values["own"]["value"]
    )
    assert values["difference"]["high"] < 0
    assert values["random"] == pytest.approx(0.227, abs=5e-4)


def test_a_probe_of_some_lists_is_compared_on_these_alone() -> None:
    lists = made()
    own, wrong = noise(lists, 2.0, 4), noise(lists, 0.0, 4)
    some = np.arange(NUM) % 3 == 0
    wrong[~some] = np.nan
    own[~some] = 0.0  # what no figure may come from
    bootstrap = ClusterBootstrap(lists.users, 100, seed=1)
    values = otherwise_prompted(lists, {"a": own}, {"a": wrong}, bootstrap)["a"]
    assert values["num_lists"] == some.sum()
    assert values["own"]["value"] == pytest.approx(greedy(lists, own)["ndcg_at_10"][some].mean())
    assert values["own"]["low"] < values["own"]["value"] < values["own"]["high"]
    assert values["difference"]["high"] < 0


def test_the_correlation_with_popularity_is_within_lists(tmp_path: Path) -> None:
    lists = made()
    counts = {f"i{number}": number for number in range(30)}
    popularity = np.array([[float(counts[item]) for item in row] for row in lists.candidates])
    bootstrap = ClusterBootstrap(lists.users, 100, seed=1)
    offset = np.arange(NUM)[:, None] * 1e6  # between lists, which is no correlation within them
    scores = {
        "same": popularity**3 - offset,
        "opposite": -popularity,
        "noise": noise(lists, 0.0, 8),
        "constant": np.zeros(popularity.shape),
    }
    found = with_popularity(lists, scores, counts, bootstrap)
    assert found["same"]["value"] == pytest.approx(1)
    assert found["opposite"]["value"] == pytest.approx(-1)
    assert abs(found["noise"]["value"]) < 0.15
    assert "constant" not in found
    assert "target" in found
