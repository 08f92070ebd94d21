"""A run in DVC's copy of the project does not go on without files of the user's own."""

from pathlib import Path

import pytest

from newsrec.running.copies import missing_in_copy, original
from newsrec.running.stage import run_stage

GRAPH = """
stages:
  fetch_mind:
    cmd: "true"
    deps: [stages/fetch_mind.py, "${fetch_mind.path}"]
    outs: [data/raw]
  score:
    foreach: {base: models/base}
    do:
      cmd: "true"
      deps: ["${item}", data/raw/train]
      outs:
        - data/predictions/${key}.parquet: {push: false}
  evaluate:
    cmd: "true"
    deps: [data/outside, data/predictions/base.parquet]
    metrics: [metrics/evaluate.json]
"""


@pytest.fixture(params=["", "pipelines/second"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A DVC project in the root of a checkout, or in a folder of it."""
    (tmp_path / "checkout/.git").mkdir(parents=True)
    folder = tmp_path / "checkout" / request.param
    write(folder, "local")
    for name in ("data/raw/train/news.tsv", "data/outside/.DS_Store"):
        write_file(folder / name)
    return folder


@pytest.fixture(params=["standalone/tmpa1b2", "tmpa1b2"])
def copy(project: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy that `--temp` makes, or `--queue`; the current folder."""
    root = project / ".dvc/tmp/exps" / request.param
    (root / ".git").mkdir(parents=True)
    checkout = next(path for path in (project, *project.parents) if (path / ".git").exists())
    folder = root / project.relative_to(checkout)
    write(folder, "local")
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, source: str, path: str = "data/local") -> None:
    """What Git tracks."""
    for name in ("data/local/README.md", "data/outside/README.md"):
        write_file(folder / name)
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "params.yaml").write_text(f"fetch_mind: {{source: {source}, path: {path}}}\n")


def write_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def test_a_path_in_a_copy_leads_to_the_checkout(project: Path, copy: Path) -> None:
    assert original(Path("data/outside")) == project / "data/outside"
    assert original(copy / "newsrec") == project / "newsrec"


def test_a_path_elsewhere_stays(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert original(Path("data/outside")) == project / "data/outside"
    assert original(Path("/opt/vllm/bin/python")) == Path("/opt/vllm/bin/python")


def test_predictions_that_the_copy_lacks_are_named_with_the_option_that_copies_them(
    project: Path, copy: Path
) -> None:
    for name in ("theirs.parquet", "two words.txt"):
        write_file(project / "data/outside" / name)
    problem = missing_in_copy()
    assert problem.startswith("data/outside: this run is in a copy")
    assert "lacks theirs.parquet, two words.txt" in problem
    assert "-C data/outside/theirs.parquet -C 'data/outside/two words.txt'" in problem
    write_file(copy / "data/outside/theirs.parquet")
    assert "theirs" not in missing_in_copy()


def test_data_that_the_copy_lacks_are_named_where_they_are_read(project: Path, copy: Path) -> None:
    write_file(project / "data/local/train/news.tsv")
    write_file(project / "data/local/test/news.tsv")
    write_file(copy / "data/local/test/news.tsv")
    problem = missing_in_copy()
    assert "data/local: this run is in a copy" in problem
    assert "with -C data/local/train, with an absolute fetch_mind.path, or without" in problem
    write(copy, "synthetic")
    assert missing_in_copy() == ""
    write(copy, "local", str(project / "data/local"))
    assert missing_in_copy() == ""


@pytest.mark.usefixtures("copy")
def test_a_copy_of_all_that_there_is_is_complete() -> None:
    assert missing_in_copy() == ""


def test_a_checkout_lacks_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    write_file(project / "data/outside/theirs.parquet")
    assert missing_in_copy() == ""


def test_every_stage_refuses_before_it_begins(
    project: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = []
    run_stage(lambda: begun.append(1))
    write_file(project / "data/outside/theirs.parquet")
    with pytest.raises(SystemExit) as caught:
        run_stage(lambda: begun.append(2))
    assert (caught.value.code, begun) == (2, [1])
    assert capsys.readouterr().err.startswith("test_copies: data/outside: this run is in a copy")
    assert not (copy / "data/outside/theirs.parquet").exists()
