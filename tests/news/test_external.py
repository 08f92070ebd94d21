"""External predictions, read from files."""

from pathlib import Path

import pandas as pd
import pytest

from newsrec.errors import UserError
from newsrec.news.external import read_external
from newsrec.news.mind.tables import read_behaviors


@pytest.fixture
def candidates(raw: Path) -> pd.DataFrame:
    rows = [
        (row.impression_id, row.user_id, news_id, label)
        for row in read_behaviors(raw / "test/behaviors.tsv")
        for news_id, label in zip(row.candidates, row.labels or (), strict=True)
    ]
    return pd.DataFrame(rows, columns=["impression_id", "user_id", "news_id", "label"])


def test_both_formats_become_tables_under_their_names(
    candidates: pd.DataFrame, raw: Path, tmp_path: Path
) -> None:
    candidates.assign(score=0.5).to_parquet(tmp_path / "theirs.parquet")
    behaviors = raw / "test/behaviors.tsv"
    with (tmp_path / "ranked.txt").open("w") as stream:
        for row in read_behaviors(behaviors):
            ranks = ",".join(str(rank + 1) for rank in range(len(row.candidates)))
            stream.write(f"{row.impression_id} [{ranks}]\n")
    (tmp_path / "README.md").write_text("no predictions")
    candidates.assign(score=2.5).to_parquet(tmp_path / "logits.parquet")
    tables, ranking_only = read_external(tmp_path, candidates, behaviors, ["base"])
    assert ranking_only == {"ranked", "logits"}
    assert sorted(tables) == ["logits", "ranked", "theirs"]
    first = tables["ranked"].drop_duplicates("impression_id")
    assert (first["score"] == 1).all()
    assert len(tables["ranked"]) == len(candidates)


@pytest.mark.parametrize("name", ["base", "a.b", "<b>", "protocol", "tuned_vs_base"])
def test_a_name_that_cannot_be_one_is_refused(
    name: str, candidates: pd.DataFrame, raw: Path, tmp_path: Path
) -> None:
    candidates.assign(score=0.5).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(UserError, match="rename the file"):
        read_external(tmp_path, candidates, raw / "test/behaviors.tsv", ["base"])
