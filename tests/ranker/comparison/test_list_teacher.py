"""A server that ranks whole lists: places shuffled, nothing guessed, the same facts shown."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from newsrec.engines.api_texts import FILTERED, Written
from newsrec.ranker.comparison.list_teacher import (
    messages_of,
    order_of,
    rank_lists,
    read_ranking,
    scores_of,
)
from newsrec.ranker.comparison.predictions import write_predictions
from newsrec.ranker.evaluation.figures import greedy
from newsrec.ranker.evaluation.tables import load_lists, load_scores
from newsrec.ranker.lists import parts_of
from tests.engines.test_api_texts import server_of
from tests.engines.texts_server import Reply, TextsServer, written
from tests.ranker import made_lists
from tests.ranker.values import prompt_of_default

ROWS = made_lists.lists(80, seed=2)
ITEMS = {row["item"]: row for row in made_lists.items()}


def test_a_target_stands_at_every_place() -> None:
    orders = [order_of(f"l{number}", 20, seed=1) for number in range(2000)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    counts = Counter(order.index(0) for order in orders)
    assert len(counts) == 20
    assert max(counts.values()) < 160  # 100 on average
    assert order_of("l1", 20, seed=1) == orders[1] != order_of("l1", 20, seed=2)


def test_a_message_shows_what_our_models_see() -> None:
    prompt = prompt_of_default()
    parts = parts_of(ROWS, ITEMS, prompt)
    for row, message, (history, candidates) in zip(
        ROWS, messages_of(ROWS, ITEMS, prompt, 1), parts, strict=True
    ):
        assert message.startswith(history)
        order = order_of(row["id"], 20, 1)
        shown = re.findall(r"Product (\d+):\n((?:- .*\n)+)", message)
        assert [int(number) for number, _ in shown] == list(range(1, 21))
        for (_, facts), place in zip(shown, order, strict=True):
            assert candidates[place] == f"A product:\n{facts}"
        assert "Rank all 20" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So: <answer>3, 1, 2</answer>", [2, 0, 1]),
        ("<answer>3 > 1 > 2</answer>", [2, 0, 1]),
        ("<answer>2</answer>", [1]),
        ("<think><answer>1,2,3</answer></think> <answer>2, 1, 3</answer>", [1, 0, 2]),
        ("<answer>1, 1, 2</answer>", None),
        ("<answer>0, 1, 2</answer>", None),
        ("<answer>4, 1, 2</answer>", None),
        ("<answer>, </answer>", None),
        ("3, 1, 2", None),
        ("<answer>three</answer>", None),
    ],
)
def test_a_ranking_is_read_whole_or_not_at_all(text: str, expected: list[int] | None) -> None:
    assert read_ranking(Written(text, "stop"), 3) == expected
    assert read_ranking(Written(text, "length"), 3) is None
    assert read_ranking(Written(None, FILTERED), 3) is None


def test_what_is_not_ranked_ties_below() -> None:
    assert scores_of([2, 0], order=[1, 3, 0, 2]) == [4.0, 3.0, 0.0, 0.0]
    assert scores_of(None, order=[1, 0]) == [0.0, 0.0]


@pytest.mark.slow  # 160 requests
def test_a_server_that_knows_the_target_ranks_it_first_and_one_that_rambles_is_chance(
    tmp_path: Path,
) -> None:
    made_lists.write_processed(tmp_path)
    lists = load_lists(tmp_path)
    prompt = prompt_of_default()
    targets = {}
    for row, message in zip(ROWS, messages_of(ROWS, ITEMS, prompt, 1), strict=True):
        order = order_of(row["id"], 20, 1)
        targets[message] = 1 + order.index(row["candidates"].index(row["target"]))

    def knows(message: str, before: int) -> Reply:
        first = targets[message]
        rest = [number for number in range(1, 21) if number != first]
        answer = ", ".join(map(str, [first, *rest]))
        return written(f"<answer>{answer}</answer>", prompt_tokens=500, completion_tokens=60)

    def rambles(message: str, before: int) -> Reply:
        return written(f"Perhaps {targets[message]}?")

    for number, (reply_to, value, num_unparsed) in enumerate(
        ((knows, 1.0, 0), (rambles, 0.227, 80))
    ):
        with TextsServer(reply_to) as server:
            scores, found = rank_lists(
                ROWS,
                ITEMS,
                prompt,
                server_of(server.url),
                tmp_path / f"{number}.jsonl",
                prices=(1.0, 10.0),
                seed=1,
            )
        write_predictions(ROWS, scores, lists.digest, tmp_path / "teacher.parquet")
        loaded = load_scores(tmp_path / "teacher.parquet", lists)
        assert greedy(lists, loaded)["ndcg_at_10"].mean() == pytest.approx(value, abs=1e-3)
        assert (found["num_lists"], found["num_unparsed"]) == (80, num_unparsed)
        assert found["num_incomplete"] == 0
        assert found["cost"] == pytest.approx(80 * (500 + 600) / 1e6 if number == 0 else 0)
        assert json.dumps(found)
