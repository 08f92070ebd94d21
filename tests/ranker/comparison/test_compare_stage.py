"""The stage from the reference JSON to predictions that evaluate takes."""

import json
from pathlib import Path

import pytest

from newsrec.engines.settings import KEY_VARIABLE, URL_VARIABLE
from newsrec.errors import UserError
from newsrec.ranker.evaluation.tables import load_lists, load_scores
from stages.ranker import compare
from tests.engines.texts_server import Reply, TextsServer, written
from tests.ranker import made_lists
from tests.ranker.made_tree import write
from tests.ranker.values import write_params

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-123"
ANSWER = ", ".join(map(str, range(1, 21)))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made_lists.write_processed(tmp_path / "data/processed", num_test=12)
    write(tmp_path / "metrics/prepare.json", {"protocol": {"data": "made up"}})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reply_to(message: str, before: int) -> Reply:
    return written(f"<answer>{ANSWER}</answer>", prompt_tokens=500, completion_tokens=60)


def test_by_default_nobody_is_asked(tree: Path) -> None:
    write_params(tree)
    compare.main()
    assert [*(tree / "data/predictions/compare").iterdir()] == []
    assert list(json.loads((tree / "metrics/compare.json").read_text())) == ["protocol"]


def test_both_rank_the_lists_of_the_reference(
    tree: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(
        tree,
        compare={
            "teacher": "a-model",
            "reasoner": str(tiny_model),
            "max_user_tokens": 2,
            "max_item_tokens": 0,
        },
        score={"engine": "transformers", "batch_size": 8},
    )
    with TextsServer(reply_to) as server:
        monkeypatch.setenv(URL_VARIABLE, server.url)
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        compare.main()
        compare.main()  # from the journal
        assert set(server.asked.values()) == {1}
    lists = load_lists(tree / "data/processed")
    for name in ("teacher", "reasoner"):
        load_scores(tree / f"data/predictions/compare/{name}.parquet", lists)
    found = json.loads((tree / "metrics/compare.json").read_text())
    assert found["teacher"]["num_unparsed"] == 0
    assert found["teacher"]["num_completion_tokens"] == 12 * 60
    assert found["reasoner"]["num_users"] == 12
    # Turned off, they are gone.
    write_params(tree)
    compare.main()
    assert [*(tree / "data/predictions/compare").iterdir()] == []
    for path in tree.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_lists_that_were_changed_are_refused(tree: Path) -> None:
    write_params(tree)
    path = tree / "data/processed/candidates_test.json"
    path.write_text(path.read_text().replace("B001", "B002", 1))
    with pytest.raises(UserError, match="its lists were changed"):
        compare.main()
