"""The command `newsrec`, as a person types it."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from newsrec import cli
from tests.compositions import write_params
from tests.documents import TEXTS, commands

ENGINE = ("--engine", "transformers")


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Path:
    """A folder with params.yaml and a tuned model, which is the tiny one."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path / "params.yaml", "score.max_model_len=400")
    shutil.copytree(tiny_model, tmp_path / "models/merged")
    return tmp_path


def newsrec(*words: str | Path) -> int:
    """The exit code of the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["newsrec", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_help_lists_every_command_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert newsrec("--help") == 0
    shown = capsys.readouterr().out
    for command in ("doctor", "compare", "power", "params", "rank", "submission"):
        assert f"\n  {command} " in shown


def test_help_groups_commands_by_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert newsrec("--help") == 0
    sections = capsys.readouterr().out.split("\n\n")
    for pipeline, command in {"news": "rank", "safety": "classify", "ranker": "reviews"}.items():
        (section,) = (one for one in sections if one.startswith(f"Commands of the {pipeline} pip"))
        assert f"\n  {command} " in section
    (shared,) = (one for one in sections if one.startswith("Commands:\n"))
    assert "\n  doctor " in shared
    assert "\n  rank " not in shared


def test_no_summary_is_cut_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for group in ([], ["reviews"], ["submission"]):
        assert newsrec(*group, "--help") == 0
        _, summaries = capsys.readouterr().out.split("\nCommands:\n")
        cut = [line for line in summaries.splitlines() if line.endswith(("…", "..."))]
        assert not cut


def test_titles_are_ranked_as_a_table(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    titles = ["Chef grills soup", "Storm batters coast", "Band records album"]
    words = [word for title in titles for word in ("--candidate", title)]
    assert newsrec("rank", "--history", "Baker bakes pizza", *words, *ENGINE) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["rank", "P(Yes)", "title"]
    assert sorted(row.split(maxsplit=2)[2] for row in rows) == sorted(titles)
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    probabilities = [float(row.split()[1]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(set(probabilities)) > 1


@pytest.mark.slow
def test_a_file_of_many_and_json_in_and_out(
    pipeline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        {"history": ["Baker bakes pizza"], "candidates": ["Chef grills soup", "Storm soaks coast"]},
        {"liked": ["A"], "disliked": ["B"], "candidates": ['<|im_end|> "odd" <b>', "Bank, shares"]},
    ]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    (pipeline / "requests.jsonl").write_text(text)
    assert newsrec("rank", "requests.jsonl", "--json", *ENGINE) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sorted(one["title"] for one in line) for line in lines] == [
        sorted(request["candidates"]) for request in requests
    ]
    assert all([one["rank"] for one in line] == [1, 2] for line in lines)
    assert all(0 < one["probability"] < 1 for line in lines for one in line)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert newsrec("rank", "-", "--json", *ENGINE) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines


@pytest.mark.slow
def test_the_commands_of_the_readme_rank_their_titles(
    pipeline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # vLLM, the default, has a process of its own; the words of the commands are the same.
    write_params(pipeline / "params.yaml", "engine=transformers", "score.max_model_len=400")
    shown = commands(TEXTS["README.md"])
    place = shown.index(["newsrec", "rank", "-", "--json"])
    (by_options,) = (words for words in shown if words[:3] == ["newsrec", "rank", "--history"])
    assert newsrec(*by_options[1:]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    program, request = shown[place - 1]
    assert program == "echo"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{request}\n".encode())))
    assert newsrec(*shown[place][1:]) == 0
    ranked = json.loads(capsys.readouterr().out)
    assert {one["title"] for one in ranked} == {"Five goals in the derby", "Rates rise"}
    assert [one["rank"] for one in ranked] == [1, 2]
    # Both ask the same question.
    assert [row.split(maxsplit=2) for row in rows] == [
        [str(one["rank"]), f"{one['probability']:.4f}", one["title"]] for one in ranked
    ]


@pytest.mark.slow
def test_one_request_and_a_file_of_it_agree(
    pipeline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates = ["Chef grills soup", "Storm soaks coast"]
    (pipeline / "one.jsonl").write_text(json.dumps({"candidates": candidates}) + "\n")
    words = [word for title in candidates for word in ("--candidate", title)]
    shown = []
    for request in (words, ["one.jsonl"]):
        assert newsrec("rank", *request, "--json", *ENGINE) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rank"], "expected either --candidate"),
        (["rank", "bad.jsonl", "--liked", "a"], "titles beside a file of requests"),
        (["rank", "none.jsonl"], "none.jsonl: no such file"),
        (["rank", "bad.jsonl"], "bad.jsonl, line 2: not JSON"),
        (["rank", "key.jsonl"], "key.jsonl, line 1: unknown key 'titles'; expected one of: cand"),
        (["rank", "kind.jsonl"], "kind.jsonl, line 1: history: expected a list of titles"),
        (["rank", "none_to_rank.jsonl"], "line 1: expected an object with candidates"),
        (["rank", "--candidate", "a", "--model", "none"], "none: no such folder"),
        (["rank", "--candidate", "a", "--engine", "vlm"], "did you mean 'vllm'?"),
        (["classify", "a", "--output", "b.jsonl"], "--output is for --file and -; of one text"),
        (
            ["classify", "a", "--threshold", "5"],
            "--threshold is 5.0; expected a number from 0 to 1",
        ),
        (["classify", "a"], "in the folder of the safety pipeline: pipelines/safety in the repo"),
        (["ask"], "in the folder of the assistant: pipelines/assistant in the repository"),
        (["rank-products", "--candidate", "a"], "in the folder of the ranker: pipelines/ranker"),
        (["power", "none.parquet"], "none.parquet: no such file"),
        (["submission", "check", "none.txt", "none.tsv"], "none.tsv: no such file"),
        (["compare", "HEAD~1000"], "not a git repository"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], message: str, pipeline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = '{"candidates": ["a"]}\n'
    (pipeline / "bad.jsonl").write_text(f"{good}[\n")
    (pipeline / "key.jsonl").write_text('{"candidates": ["a"], "titles": []}\n')
    (pipeline / "kind.jsonl").write_text('{"candidates": ["a"], "history": "a"}\n')
    (pipeline / "none_to_rank.jsonl").write_text('{"history": ["a"]}\n')
    assert newsrec(*words) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert message in found.err
    assert found.err.startswith("newsrec: ")
    assert found.err.count("\n") == 1


def test_an_interrupted_command_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("newsrec.news.compare.compare", interrupt)
    assert newsrec("compare", "HEAD") == 130
    assert capsys.readouterr() == ("", "newsrec: interrupted\n")


def test_a_pipeline_is_looked_for_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert newsrec("doctor") == 2
    assert "params.yaml: no such file; run newsrec in the folder" in capsys.readouterr().err
