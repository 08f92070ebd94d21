"""The commands about products, as a person types them."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.ranker.given import NOW, product, write_metadata, write_ratings
from tests.ranker.values import write_params
from tests.test_cli import newsrec

ENGINE = ("--engine", "transformers")


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and raw files."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, score={"max_model_len": 400})
    (tmp_path / "data/raw").mkdir(parents=True)
    write_ratings(tmp_path / "data/raw/ratings.csv", [("U1", "A", 5.0, NOW), ("U2", "B", 4.0, NOW)])
    metadata = [product("A", "Bell \x1b[31m \u202eof\n brass"), product("B")]
    write_metadata(tmp_path / "data/raw/meta.jsonl", metadata)
    return tmp_path


def test_reviews_are_looked_at(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert newsrec("reviews", "statistics") == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["users", "2"]
    assert newsrec("reviews", "shared-users", "data/raw", "data/raw") == 0
    assert capsys.readouterr().out.startswith("2 users in both: 100.0% of 2 in data/raw")
    assert newsrec("reviews", "history", "U2") == 0
    assert capsys.readouterr().out == "2020-09-13 12:26  4  B  Plain brass bell\n"


def test_a_title_commands_no_terminal(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert newsrec("reviews", "history", "U1") == 0
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert not {"\x1b", "\u202e"} & set(shown)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rank-products"], "expected either --candidate"),
        (["rank-products", "bad.jsonl", "--history", "a"], "titles beside a file of requests"),
        (["rank-products", "none.jsonl", "--model", "data"], "none.jsonl: no such file"),
        (["rank-products", "bad.jsonl", "--model", "data"], "bad.jsonl, line 2: not JSON"),
        (["rank-products", "--candidate", "a"], "models/rl/exact/merged: no such folder"),
        (
            ["rank-products", "--candidate", "a", "--engine", "vlm", "--model", "data"],
            "did you mean 'vllm'?",
        ),
        (["generate", "a"], "models/merged: no such folder; expected a model"),
        (["generate", " ", "--model", "data"], "the text has nothing to read"),
        (["reviews", "statistics", "none"], "none"),
        (["reviews", "history", "U9"], "no rating of the user 'U9'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], message: str, pipeline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pipeline / "bad.jsonl").write_text('{"candidates": ["a"]}\n[\n')
    assert newsrec(*words) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert message in found.err
    assert found.err.count("\n") == 1


@pytest.mark.parametrize("words", [["generate"], ["rank-products"]])
def test_standard_input_that_is_not_utf_8_is_one_line(
    words: list[str],
    pipeline: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n")))
    assert newsrec(*words, "-", "--model", "data") == 2
    found = capsys.readouterr()
    assert found.err.startswith("newsrec: standard input, line 1: not UTF-8")
    assert found.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_products_are_ranked_and_a_message_is_answered(
    pipeline: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_model, pipeline / "models/rl/exact/merged")
    titles = ["Clip-on tuner", "Garden hose", "Brass bell"]
    words = [word for title in titles for word in ("--candidate", title)]
    assert newsrec("rank-products", "--history", "Strings", *words, *ENGINE) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["rank", "score", "title"]
    assert sorted(row.split(maxsplit=2)[2] for row in rows) == sorted(titles)
    scores = [float(row.split()[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)

    (pipeline / "one.jsonl").write_text(json.dumps({"history": ["Strings"], "candidates": titles}))
    assert newsrec("rank-products", "one.jsonl", "--json", *ENGINE) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert [f"{one['score']:+.3f}" for one in json.loads(line)] == [row.split()[1] for row in rows]

    model = ("--model", "models/rl/exact/merged", "--max-tokens", "3")
    assert newsrec("generate", "Hello", *model) == 0
    assert capsys.readouterr().out.count("\n") == 1
