"""How many lists a difference takes, by predictions tables on disk."""

from pathlib import Path

import pytest

from newsrec import cli
from newsrec.errors import UserError
from newsrec.metrics.significance import detectable, groups_needed
from newsrec.ranker.evaluation.figures import greedy
from newsrec.ranker.evaluation.tables import load_lists
from newsrec.ranker.power import power
from tests.ranker import made_lists

ROWS = made_lists.lists(80, seed=2)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made_lists.write_processed(tmp_path)
    paths = tmp_path / "sft.parquet", tmp_path / "exact.parquet"
    for path, skill in zip(paths, (0.5, 1.5), strict=True):
        made_lists.write_predictions(ROWS, made_lists.scores_of(ROWS, skill, 1), path)
    return paths


def test_the_sentence_holds_how_many_lists_a_difference_takes(files: tuple[Path, Path]) -> None:
    lists = load_lists(files[0].parent)
    sft, exact = (
        greedy(lists, made_lists.scores_of(ROWS, skill, 1))["ndcg_at_10"] for skill in (0.5, 1.5)
    )
    gains = exact - sft
    assert power(0.02, files, files[0].parent) == (
        f"{groups_needed(gains, lists.users, 0.02):,} lists are needed to detect a "
        "difference in NDCG@10 of 0.02 between sft and exact with 80 % power at the 95 % level; "
        "the 80 lists here, from 30 users, detect a difference of "
        f"{detectable(gains, lists.users):.2g} or more."
    )


def test_one_table_is_compared_with_a_random_order(files: tuple[Path, Path]) -> None:
    found = power(0.02, files[1:], files[0].parent)
    assert "between exact and a random order (0.227)" in found


def test_the_command_plans_lists_in_the_folder_of_the_ranker(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = files[0].parent
    (folder / "data").mkdir()
    (folder / "data/processed").symlink_to(folder)
    monkeypatch.chdir(folder)
    cli.power([*files], 0.02)
    assert capsys.readouterr().out == f"{power(0.02, files, folder)}\n"


def test_a_mistake_is_a_users_error(files: tuple[Path, Path]) -> None:
    processed = files[0].parent
    for delta, sources, words in (
        (0.01, [], "0 files"),
        (1.0, files, "expected 0 < delta"),
        (0.01, [files[0], files[0]], "vary"),
        (0.01, [processed / "none.parquet"], "no such file"),
    ):
        with pytest.raises(UserError, match=words):
            power(delta, sources, processed)
