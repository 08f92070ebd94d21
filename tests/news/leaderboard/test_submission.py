"""The leaderboard's file: it says what the scores said, and the validator lets no other pass."""

import json
import random
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.news.leaderboard.submission import (
    read_prediction_txt,
    validate_submission,
    write_submission,
)
from newsrec.news.mind.tables import read_behaviors
from newsrec.news.mind.unlabelled import write_candidates_unlabelled
from newsrec.news.predictions import write_predictions

ROOT = Path(__file__).resolve().parents[2]
BEHAVIORS = (
    "7\tU1\t11/15/2019 9:00:00 AM\tN1 N2\tN3 N4 N5\n"
    "3\tU2\t11/15/2019 9:00:01 AM\t\tN6 N7\n"
    "12\tU1\t11/15/2019 9:00:02 AM\tN1\tN8 N9 N10 N11\n"
)
GOOD = "7 [2,3,1]\n3 [1,2]\n12 [4,1,3,2]\n"
Scores = list[tuple[str, str, float]]


@pytest.fixture
def behaviors(tmp_path: Path) -> Path:
    path = tmp_path / "behaviors.tsv"
    path.write_text(BEHAVIORS)
    return path


def submit(behaviors: Path, scores: Scores, name: str = "prediction.zip") -> Path:
    """Write `scores` as a predictions table, and that as a submission."""
    folder = behaviors.parent
    table = pd.DataFrame(scores, columns=["impression_id", "news_id", "score"])
    table.to_parquet(folder / "predictions.parquet")
    write_submission(behaviors, folder / "predictions.parquet", folder / name)
    return folder / name


def content(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["prediction.txt"]
        return archive.read("prediction.txt").decode()


def zipped(path: Path, name: str, text: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


def scores_of(behaviors: Path, score: Callable[[], float]) -> Scores:
    return [
        (row.impression_id, news_id, score())
        for row in read_behaviors(behaviors)
        for news_id in row.candidates
    ]


def fault(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_the_highest_score_gets_rank_1_in_the_order_of_behaviors(behaviors: Path) -> None:
    scores = [("12", "N8", -4.0), ("12", "N9", 9.0), ("12", "N10", 0.0), ("12", "N11", 0.5)]
    scores += [("3", "N6", 0.2), ("3", "N7", 0.1)]
    scores += [("7", "N3", 0.5), ("7", "N4", 0.4), ("7", "N5", 0.6)]
    path = submit(behaviors, scores)
    assert content(path) == GOOD
    assert validate_submission(path, behaviors) == 3
    assert content(submit(behaviors, random.Random(1).sample(scores, len(scores)))) == GOOD


def test_ranks_read_back_sort_as_the_scores_did(raw: Path, tmp_path: Path) -> None:
    behaviors = tmp_path / "behaviors.tsv"
    behaviors.write_bytes((raw / "test/behaviors.tsv").read_bytes())
    rng = np.random.default_rng(1)
    scores = scores_of(behaviors, lambda: float(np.round(rng.normal(), 1)))  # with ties
    path = submit(behaviors, scores)
    rows = [
        (row.impression_id, row.user_id, news_id, label)
        for row in read_behaviors(behaviors)
        for news_id, label in zip(row.candidates, row.labels or (), strict=True)
    ]
    candidates = pd.DataFrame(rows, columns=["impression_id", "user_id", "news_id", "label"])
    candidates["predicted"] = [score for _, _, score in scores]
    table = read_prediction_txt(path, candidates, behaviors)
    assert list(table) == ["impression_id", "user_id", "news_id", "label", "score"]
    table["predicted"] = candidates["predicted"]
    for _, group in table.groupby("impression_id"):
        in_order = group.sort_values("score", ascending=False)
        assert in_order["predicted"].is_monotonic_decreasing
        assert sorted(1 / group["score"]) == pytest.approx(range(1, len(group) + 1))


def test_tied_candidates_are_ranked_alike_whatever_their_order_in_the_row(tmp_path: Path) -> None:
    path = tmp_path / "behaviors.tsv"
    ids = [f"N{number}" for number in range(12)]
    news_by_rank = []
    for order in (ids, ids[::-1]):
        shown = f"U1\t11/15/2019 9:00:00 AM\t\t{' '.join(order)}\n"
        path.write_text("".join(f"{number}\t{shown}" for number in range(300)))
        lines = content(submit(path, scores_of(path, lambda: 0.5))).splitlines()
        ranks = [json.loads(line.split()[1]) for line in lines]
        news_by_rank.append([dict(zip(row, order, strict=True)) for row in ranks])
    assert news_by_rank[0] == news_by_rank[1]
    winners = Counter(row[1] for row in news_by_rank[0])
    assert min(winners[news_id] for news_id in ids) >= 10, "each should win about 25 of 300 ties"


def test_candidates_without_a_prediction_come_last(behaviors: Path) -> None:
    scores = [("7", "N4", -1e300), ("3", "N7", 0.1), ("12", "N11", 0.3), ("12", "N8", 0.4)]
    seven, three, twelve = content(submit(behaviors, scores)).splitlines()
    assert seven in ("7 [2,1,3]", "7 [3,1,2]")
    assert three == "3 [2,1]"
    assert twelve in ("12 [1,3,4,2]", "12 [1,4,3,2]")


def test_an_impression_without_any_prediction_is_ranked_and_reported(
    behaviors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate_submission(submit(behaviors, [("7", "N4", 0.1)]), behaviors) == 3
    assert "2 of 3 impressions have no prediction" in capsys.readouterr().err


def test_news_that_is_twice_in_a_row_keeps_both_scores(tmp_path: Path) -> None:
    path = tmp_path / "behaviors.tsv"
    path.write_text("1\tU1\t11/15/2019 9:00:00 AM\t\tN1 N2 N1\n")
    scores = [("1", "N1", 0.1), ("1", "N2", 0.2), ("1", "N1", 0.3)]
    assert content(submit(path, scores)) == "1 [3,2,1]\n"


def test_the_same_scores_give_the_same_bytes(behaviors: Path) -> None:
    scores = scores_of(behaviors, lambda: 0.5)
    first = submit(behaviors, scores).read_bytes()
    assert submit(behaviors, scores, "other.zip").read_bytes() == first
    with zipfile.ZipFile(behaviors.with_name("other.zip")) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0), "not the time of the run"
    names = {path.name for path in behaviors.parent.iterdir()}
    assert names == {"behaviors.tsv", "predictions.parquet", "prediction.zip", "other.zip"}


@pytest.mark.parametrize(
    ("extra", "reported"),
    [
        (("99", "N3", 0.1), "impression '99' is not in"),
        (("3", "N3", 0.1), "behaviors.tsv, line 2: impression '3' does not show 'N3'"),
        (("3", "N6", 0.1), "behaviors.tsv, line 2: impression '3' does not show 'N6' as often"),
        (("3", "N6", float("nan")), "no finite number"),
    ],
)
def test_predictions_for_another_split_are_refused(
    extra: tuple[str, str, float], reported: str, behaviors: Path
) -> None:
    scores = [*scores_of(behaviors, lambda: 0.5), extra]
    assert reported in fault(lambda: submit(behaviors, scores))
    assert not (behaviors.parent / "prediction.zip").exists()


def test_an_impression_id_that_is_twice_is_reported_with_its_line(behaviors: Path) -> None:
    scores = scores_of(behaviors, lambda: 0.5)
    behaviors.write_text(BEHAVIORS + BEHAVIORS)
    assert "line 4: impression id '7' occurs twice" in fault(lambda: submit(behaviors, scores))


@pytest.mark.parametrize("text", [GOOD, GOOD.removesuffix("\n")])
def test_a_correct_file_is_valid_as_text_and_as_zip(text: str, behaviors: Path) -> None:
    path = behaviors.with_name("prediction.txt")
    path.write_text(text)
    assert validate_submission(path, behaviors) == 3
    archive = zipped(behaviors.with_name("p.zip"), "prediction.txt", text)
    assert validate_submission(archive, behaviors) == 3


FAULTS = [
    ("", "line 1: the file ends before it; expected a line for impression '7'"),
    ("7 [2,3,1]\n3 [1,2]\n", "line 3: the file ends before it"),
    ("7 [2,3,1]\n12 [4,1,3,2]\n", "line 2: impression '12'; expected '3'"),
    ("3 [1,2]\n7 [2,3,1]\n12 [4,1,3,2]\n", "line 1: impression '3'; expected '7'"),
    (GOOD + "13 [1]\n", "line 4: '13 [1]' after the last impression"),
    (GOOD + "\n", "line 4: '' after the last impression"),
    (GOOD.replace("\n3", "\n\n3"), "line 2: a blank line"),
    (GOOD.replace("3 [", "x ["), "line 2: impression 'x'; expected '3'"),
    (GOOD.replace("1,2]\n", "1,2,3]\n"), "line 2: found 3 ranks, expected 2"),
    (GOOD.replace("[1,2]", "[1]"), "line 2: found 1 ranks, expected 2"),
    (GOOD.replace("[1,2]", "[]"), "line 2: found 0 ranks, expected 2"),
    (GOOD.replace("[1,2]", "[1,2,]"), "line 2: found 3 ranks, expected 2"),
    (GOOD.replace("[1,2]", "[0,1]"), "line 2: rank '0' at place 1; expected a whole number from 1"),
    (GOOD.replace("[1,2]", "[1,3]"), "line 2: rank '3' at place 2"),
    (GOOD.replace("[1,2]", "[1,02]"), "line 2: rank '02' at place 2"),
    (GOOD.replace("[1,2]", "[1,2.0]"), "line 2: rank '2.0' at place 2"),
    (GOOD.replace("[1,2]", "[0.9,0.1]"), "line 2: rank '0.9' at place 1"),
    (GOOD.replace("[1,2]", "[１,2]"), "line 2: rank '１' at place 1"),
    (GOOD.replace("4,1,3,2", "4,1,3,1"), "line 3: rank 1 at places 2 and 4"),
    (GOOD.replace("[1,2]", "[1, 2]"), "line 2: '3 [1, 2]'; expected '3 [2,1,...]' with one space"),
    (GOOD.replace("3 [", "3  ["), "line 2: '3  [1,2]'; expected"),
    (GOOD.replace("3 [", "3\t["), "line 2: '3\\t[1,2]'; expected"),
    (GOOD.replace("3 [", "3["), "line 2: '3[1,2]'; expected"),
    (GOOD.replace("\n3", "\n 3"), "line 2: ' 3 [1,2]'; expected"),
    (GOOD.replace("1,2]", "1,2] "), "line 2: '3 [1,2] '; expected"),
    (GOOD.replace("[1,2]", "1,2"), "line 2: '3 1,2'; expected"),
    (GOOD.replace("3 [", "3[ ["), "line 2: '3[ [1,2]'; expected"),
    (GOOD.replace("[1,2]", "[[1,2]]"), "line 2: '3 [[1,2]]'; expected"),
    (GOOD.replace("\n", "\r\n"), "line 1: ends in \\r\\n (Windows)"),
    (GOOD.replace("2]\n", "2]\r\n", 1), "line 2: ends in \\r\\n (Windows)"),
    ("\ufeff" + GOOD, "line 1: starts with a byte order mark"),
    (GOOD.replace("3 [", "\udcff3 ["), "line 2: byte 0xff at position 0 is not UTF-8"),
]


@pytest.mark.parametrize(("text", "reported"), FAULTS)
def test_a_near_miss_is_reported_with_its_line(text: str, reported: str, behaviors: Path) -> None:
    path = behaviors.with_name("prediction.txt")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert f"{path}, {reported}" in fault(lambda: validate_submission(path, behaviors))


def test_a_zip_without_a_whole_prediction_txt_is_reported(behaviors: Path) -> None:
    path = behaviors.with_name("prediction.zip")
    assert "no such file" in fault(lambda: validate_submission(path, behaviors))
    path.write_text(GOOD)
    assert "expected a zip with prediction.txt" in fault(
        lambda: validate_submission(path, behaviors)
    )
    zipped(path, "out/prediction.txt", GOOD)
    assert "no item named 'prediction.txt'" in fault(lambda: validate_submission(path, behaviors))
    zipped(path, "prediction.txt", GOOD)
    path.write_bytes(path.read_bytes().replace(b"3 [1,2]", b"3 [2,1]"))
    assert "broken zip (Bad CRC-32" in fault(lambda: validate_submission(path, behaviors))
    zipped(path, "prediction.txt", "7 [1,2]\n")
    assert "prediction.zip, prediction.txt, line 1: found 2 ranks" in fault(
        lambda: validate_submission(path, behaviors)
    )


@pytest.mark.slow
def test_the_command_line_says_valid_or_the_fault_with_code_2(behaviors: Path) -> None:
    path = behaviors.with_name("prediction.txt")
    command = [sys.executable, "-m", "newsrec.cli", "submission", "check", path, behaviors]
    path.write_text(GOOD)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "valid: 3 impressions\n", "")
    path.write_text(GOOD.replace("1,2", "2,2"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "line 2: rank 2 at places 1 and 2" in done.stderr


def evaluation_set(*rows: tuple[str, str, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["impression_id", "news_id", "label"])
    return table.assign(user_id="U1", category="topic")


def test_external_ranks_become_scores_of_the_drawn_impressions(behaviors: Path) -> None:
    path = behaviors.with_name("prediction.txt")
    path.write_text(GOOD)
    # N9 has no news and so no row; impression 3 was not drawn.
    candidates = evaluation_set(
        ("12", "N8", 0), ("12", "N10", 1), ("12", "N11", 0), ("7", "N3", 0), ("7", "N5", 1)
    )
    table = read_prediction_txt(path, candidates, behaviors)
    assert list(table["score"]) == pytest.approx([1 / 4, 1 / 3, 1 / 2, 1 / 2, 1])
    assert list(table["label"]) == [0, 1, 0, 0, 1]
    path.write_text("".join(GOOD.splitlines(keepends=True)[::-2]))  # the drawn ones, other order
    pd.testing.assert_frame_equal(read_prediction_txt(path, candidates, behaviors), table)


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("3 [1,2]\n", "no line for impression '12'; expected all 2"),
        ("12 [4,1,3,2]\n3 [1,2]\n", "no line for impression '7'"),
        (GOOD.replace("4,1,3,2", "3,1,2"), "line 3: found 3 ranks, expected 4"),
        (GOOD + "7 [2,3,1]\n", "line 4: impression '7' is already in line 1"),
        # Impression 3 was not drawn; its line is checked all the same.
        (GOOD.replace("3 [1,2]", "3 [1,1]"), "line 2: rank 1 at places 1 and 2"),
        (GOOD.replace("3 [", "13 ["), "line 2: '13 [1,2]' does not begin with an impression of"),
        (GOOD.replace("3 [", "x ["), "line 2: 'x [1,2]' does not begin with an impression of"),
        (GOOD + "3 [1,2]\n", "line 4: impression '3' is already in line 2"),
        (GOOD.replace("7 [", "7["), "line 1: '7[2,3,1]'; expected '7 [2,1,...]' with one space"),
        (GOOD.replace("7 [", " 7 ["), "line 1: ' 7 [2,3,1]'; expected '7 [2,1,...]' with one"),
        (GOOD + "\n", "line 4: '' does not begin with an impression of"),
        (
            "impression_id,news_id,score\n",
            "line 1: 'impression_id,news_id,score' does not begin with",
        ),
        (GOOD.replace("3 [1,2]", "3 [0.7,0.3]"), "line 2: rank '0.7' at place 1"),
        (GOOD.replace("\n", "\r\n"), "prediction.txt, line 1: ends in \\r\\n (Windows)"),
    ],
)
def test_an_external_file_that_does_not_fit_is_reported(
    text: str, reported: str, behaviors: Path
) -> None:
    path = behaviors.with_name("prediction.txt")
    path.write_text(text)
    candidates = evaluation_set(("12", "N8", 0), ("7", "N3", 0))
    assert reported in fault(lambda: read_prediction_txt(path, candidates, behaviors))


def test_an_evaluation_set_of_another_split_is_reported(behaviors: Path) -> None:
    path = behaviors.with_name("prediction.txt")
    path.write_text(GOOD)
    for rows, reported in (
        ([("8", "N8", 0)], "behaviors.tsv: no line for impression '8'"),
        ([("7", "N8", 0)], "impression '7' does not show 'N8'"),
    ):
        candidates = evaluation_set(*rows)
        assert reported in fault(lambda: read_prediction_txt(path, candidates, behaviors))  # noqa: B023


def unlabelled(raw: Path, target: Path, feedback: str = "earlier", **changes: int) -> pd.DataFrame:
    settings = {"num_history": 3, "num_feedback": 3, "seed": 1} | changes
    count = write_candidates_unlabelled(raw, target, feedback=feedback, **settings)
    table = pd.read_parquet(target)
    assert len(table) == count
    return table


def test_unlabelled_prompts_show_the_feedback_of_the_labelled_splits(tmp_path: Path) -> None:
    news = "".join(f"N{number}\tt\ts\tTitle {number}\t\tu\t[]\t[]\n" for number in range(1, 20))
    rows = {
        "train": "1\tU1\t11/11/2019 9:00:00 AM\tN1\tN5-1 N6-0\n",
        "val": "1\tU1\t11/12/2019 9:00:00 AM\tN1\tN7-1\n",
        "test": "1\tU1\t11/20/2019 9:00:00 AM\tN1\tN8-1 N9-0\n",
        "unlabelled": "1\tU1\t11/15/2019 9:00:00 AM\tN1\tN10 N99 N11\n"
        "2\tU1\t11/16/2019 9:00:00 AM\tN1 N2\tN12\n3\tU2\t11/16/2019 9:00:00 AM\t\tN12\n",
    }
    for split, text in rows.items():
        (tmp_path / "raw" / split).mkdir(parents=True)
        (tmp_path / "raw" / split / "news.tsv").write_text(news)
        (tmp_path / "raw" / split / "behaviors.tsv").write_text(text)
    table = unlabelled(tmp_path / "raw", tmp_path / "out/candidates.parquet")
    assert list(table["target"]) == ["Title 10", "Title 11", "Title 12", "Title 12"]
    assert table["label"].isna().all()
    assert [list(liked) for liked in table["liked"]] == [["Title 5", "Title 7"]] * 3 + [[]]
    assert [list(disliked) for disliked in table["disliked"]] == [["Title 6"]] * 3 + [[]]
    assert list(table["history"].iloc[2]) == ["Title 1", "Title 2"]
    silent = unlabelled(tmp_path / "raw", tmp_path / "none.parquet", "none")
    assert silent["liked"].map(len).sum() == silent["disliked"].map(len).sum() == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["candidates.parquet"]


def test_the_unlabelled_split_becomes_a_valid_submission(raw: Path, tmp_path: Path) -> None:
    table = unlabelled(raw, tmp_path / "candidates.parquet")
    predictions = tmp_path / "predictions.parquet"
    write_predictions(table, np.random.default_rng(1).random(len(table)), predictions)
    assert pq.read_table(predictions)["label"].null_count == len(table)
    behaviors = raw / "unlabelled/behaviors.tsv"
    shown = sum(len(row.candidates) for row in read_behaviors(behaviors))
    assert 0 < len(table) < shown, "some candidates have no news"
    count = write_submission(behaviors, predictions, tmp_path / "prediction.zip")
    assert validate_submission(tmp_path / "prediction.zip", behaviors) == count == 60


def test_a_trial_draws_impressions_by_the_seed(raw: Path, tmp_path: Path) -> None:
    drawn = [
        tuple(unlabelled(raw, tmp_path / "a", num_impressions=5, seed=seed)["impression_id"])
        for seed in (1, 1, 2)
    ]
    assert len(set(drawn[0])) == 5
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_an_unlabelled_split_cannot_give_is_reported(synthetic: Path, tmp_path: Path) -> None:
    assert "shows the labels" in fault(
        lambda: unlabelled(tmp_path, tmp_path / "a", "same_impression")
    )
    assert "unlabelled: no behaviors.tsv" in fault(lambda: unlabelled(tmp_path, tmp_path / "a"))


def test_a_zip_is_one_in_any_case_and_its_packing_is_checked(behaviors: Path) -> None:
    path = zipped(behaviors.with_name("p.ZIP"), "prediction.txt", GOOD)
    assert validate_submission(path, behaviors) == 3
    path.write_bytes(path.read_bytes().replace(b"\x14\0\0\0\0\0", b"\x14\0\0\0\x09\0"))
    assert "expected a zip with prediction.txt" in fault(
        lambda: validate_submission(path, behaviors)
    )


def test_the_remedy_for_a_text_file_names_it(behaviors: Path) -> None:
    path = behaviors.with_name("my ranks.txt")
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    message = fault(lambda: validate_submission(path, behaviors))
    subprocess.run(message.split("with: ")[1], shell=True, check=True)
    assert validate_submission(path, behaviors) == 3


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"score": "high"}, "row 0 (the first is 0): a score that is no finite number"),
        ({"news_id": None}, "row 0 (the first is 0): no news_id"),
    ],
)
def test_predictions_of_a_wrong_type_are_reported_with_their_row(
    change: dict[str, object], reported: str, behaviors: Path
) -> None:
    path = behaviors.with_name("predictions.parquet")
    table = pd.DataFrame(
        scores_of(behaviors, lambda: 0.5), columns=["impression_id", "news_id", "score"]
    )
    table.assign(**change).to_parquet(path)
    assert reported in fault(
        lambda: write_submission(behaviors, path, behaviors.with_name("prediction.zip"))
    )


def test_predictions_with_numbers_for_ids_and_text_for_scores_are_read(behaviors: Path) -> None:
    table = pd.DataFrame(
        [(7, "N3", "0.2"), (7, "N4", "1e-3"), (7, "N5", "0.9")],
        columns=["impression_id", "news_id", "score"],
    )
    path = behaviors.with_name("predictions.parquet")
    table.to_parquet(path)
    write_submission(behaviors, path, behaviors.with_name("prediction.zip"))
    assert content(behaviors.with_name("prediction.zip")).splitlines()[0] == "7 [2,3,1]"
