"""The documents hold to the code: commands, choices, keys, files and stages are real."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from newsrec.assistant.params import Params as AssistantParams
from newsrec.cli import app
from newsrec.news.params import Params
from newsrec.news.ranking import read_requests
from newsrec.params.compose import compose
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.ranker.params import Params as RankerParams
from newsrec.safety.params import Params as SafetyParams
from tests import ROOT
from tests.documents import NAMES, TEXTS, blocks, commands, links, of_program, spans
from tests.quick_yaml import safe_load

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NEWSREC = Path(sys.executable).with_name("newsrec")
# What each pipeline's params.yaml is composed of, and read as; the root's is the news'.
PIPELINES = {
    "config": Params,
    "safety": SafetyParams,
    "assistant": AssistantParams,
    "ranker": RankerParams,
}


def pipeline_of(name: str) -> str:
    """The pipeline that a document's commands are of."""
    folder = Path(name).parts[:2]
    return folder[1] if folder[0] == "pipelines" else "config"


OVERRIDES = {
    (pipeline_of(name), *overrides): None
    for name, text in TEXTS.items()
    for words in commands(text)
    if words[0] in ("dvc", "newsrec")
    if (overrides := [word for word in words if "=" in word])
}
# A span like `train.lr` that ends so is a file.
SUFFIXES = (
    "cff",
    "html",
    "json",
    "jsonl",
    "lock",
    "md",
    "parquet",
    "py",
    "tsv",
    "txt",
    "yaml",
    "zip",
)


def graph(file: str = "dvc.yaml") -> dict[str, Any]:
    stages: dict[str, Any] = safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"]
    return stages


def run(*command: str | Path) -> str:
    """The output of a command in this tree, which must succeed."""
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_every_make_target_and_variable_exists() -> None:
    named = {word.partition("=")[::2] for words in of_program("make") for word in words}
    targets = {name for name, value in named if not value}
    assert {"repro", "test", "check", "env", "params", "real", "submission", "publish"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    variables = {name for name, value in named if value}
    assert {"PYTHON", "VLLM", "MIND", "BASE", "TO", "BENCH", "PIPELINE"} == variables
    assert all(
        re.search(rf"^(export )?{name} \?=|\$\({name}\)", MAKEFILE, re.M) for name in variables
    )


@pytest.mark.parametrize("words", of_program("newsrec"), ids=" ".join)
def test_every_newsrec_command_is_parsed(words: list[str]) -> None:
    command: Any = get_command(app)
    path = []
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands
        command = command.commands[words[0]]
        path.append(words[0])
        words = words[1:]
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert shown.exit_code == 0
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"^ +{option}\b", shown.output, re.MULTILINE), option
    if words and "--help" not in words:  # else the name alone, in a sentence
        command.make_context("newsrec", list(words))  # raises where an argument is wrong or missing


def test_every_newsrec_command_is_in_a_document() -> None:
    known = {
        (name, *inner)
        for name, one in get_command(app).commands.items()  # type: ignore[attr-defined]
        for inner in [[name] for name in getattr(one, "commands", [])] or [[]]
    }
    named = {tuple(words[:length]) for words in of_program("newsrec") for length in (1, 2)}
    assert known <= named


def test_every_dvc_command_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.cli.parser import get_main_parser  # a second

    monkeypatch.setattr(sys, "argv", ["dvc"])  # else pytest's own -q and -v are read
    parser = get_main_parser()
    assert len(of_program("dvc")) > 20
    for words in of_program("dvc"):
        parser.parse_args(words)  # raises DvcParserError


@pytest.mark.parametrize("words", of_program("python"), ids=" ".join)
def test_every_python_module_exists(words: list[str]) -> None:
    assert words[0] == "-m"
    module = words[1]
    assert module == "pytest" or (ROOT / f"{module.replace('.', '/')}.py").is_file()


@pytest.mark.slow  # four seconds
@pytest.mark.parametrize("chosen", OVERRIDES, ids=" ".join)
def test_every_choice_and_value_composes(chosen: tuple[str, ...], tmp_path: Path) -> None:
    from dvc.utils.hydra import get_hydra_sweeps

    config, *overrides = chosen
    kind: Any = PIPELINES[config]
    for one in get_hydra_sweeps({"params.yaml": overrides}):
        compose(tmp_path / "params.yaml", one["params.yaml"], config)
        load_params(kind, tmp_path / "params.yaml")


@pytest.mark.slow  # starts processes
def test_make_help_and_newsrec_help_list_their_commands() -> None:
    listed = run("make", "help")
    for target in (
        "repro",
        "test",
        "check",
        "real",
        "submission",
        "publish",
        "compare-methods",
        "params",
    ):
        assert re.search(rf"^{target} +\w", listed, re.MULTILINE), target
    shown = run(NEWSREC, "--help")
    for command in get_command(app).commands:  # type: ignore[attr-defined]
        assert re.search(rf"^  {command} ", shown, re.MULTILINE), command


@pytest.mark.slow  # a second and more
def test_newsrec_params_writes_the_choices_of_the_readme(tmp_path: Path) -> None:
    choices = [words[1:] for words in commands(TEXTS["README.md"]) if words[1:2] == ["params"]]
    assert choices[0][1:] == ["data=mind-small", "model=qwen3-8b"]
    path = tmp_path / "params.yaml"
    run(NEWSREC, *choices[0], "--output", path)
    params = load_params(Params, path)
    assert (params.fetch_mind.source, params.model.context) == ("huggingface", 40960)


@pytest.mark.slow
def test_newsrec_doctor_runs_in_this_tree() -> None:
    assert "verdict" in run(NEWSREC, "doctor").splitlines()[0]


def test_the_requests_to_rank_are_read() -> None:
    lines = [words[0] for words in of_program("echo")]
    assert lines
    assert len(list(read_requests(lines, "README.md"))) == len(lines)


def test_every_stage_is_in_the_table_and_in_the_drawing() -> None:
    text = TEXTS["docs/pipeline.md"]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [*graph(), "submission"]
    assert set(graph()) == set(re.findall(r"[a-z_]+", re.sub(r"@\w+", "", blocks(text, "")[0])))


@pytest.mark.slow  # a second and more
def test_every_key_exists(tmp_path: Path) -> None:
    keys: set[str] = set()
    for choice in (ROOT / "conf/train").glob("*.yaml"):
        compose(tmp_path / "params.yaml", [f"train={choice.stem}"])
        keys |= set(_flat(safe_load((tmp_path / "params.yaml").read_text())))
    for pipeline in PIPELINES:
        compose(tmp_path / "params.yaml", [], pipeline)
        keys |= set(_flat(safe_load((tmp_path / "params.yaml").read_text())))
    found = {span.partition(":")[0] for text in TEXTS.values() for span in spans(text)}
    named = {name for name in found if re.fullmatch(r"[a-z]\w*(\.[a-z]\w*)+", name)}
    named = {name for name in named if name.rpartition(".")[2] not in SUFFIXES}
    assert len(named) > 30
    assert named <= keys


def _flat(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in section.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")


def test_every_path_exists_or_is_made_by_a_run() -> None:
    # A pipeline's own document names paths as seen from its folder.
    files = [("dvc.yaml", ""), ("submission/dvc.yaml", "submission/")]
    files += [(str(path.relative_to(ROOT)), "") for path in ROOT.glob("pipelines/*/dvc.yaml")]
    made = {
        re.sub(r"\$\{[\w.]+\}", "*", f"{folder}{path}")
        for file, folder in files
        for stage in graph(file).values()
        for kind in ("outs", "metrics", "plots")
        for entry in stage.get("do", stage).get(kind, [])
        for path in (entry if isinstance(entry, dict) else [entry])
    }
    folders = (
        "benchmarks|conf|data|docs|metrics|models|newsrec|plots|reports|stages|submission|tests"
    )
    named = {
        re.sub("NAME|METHOD", "*", path)
        for text in TEXTS.values()
        for span in spans(text)
        for path in re.findall(rf"^(?:{folders})/[^ {{<:]*", span)
    }
    assert len(named) > 40
    example = {"conf/second.yaml"}
    for path in sorted(named - example):
        there = list(ROOT.glob(path.rstrip("/"))) or path.endswith("/")
        assert there or any(out.startswith(path) or path.startswith(f"{out}/") for out in made), (
            path
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_link_inside_the_project_resolves(name: str) -> None:
    for link in links(TEXTS[name]):
        if not link.startswith("https://"):
            target = ((ROOT / name).parent / link).resolve().relative_to(ROOT).as_posix()
            assert (ROOT / target).exists(), link


def test_every_document_is_linked_from_the_readme() -> None:
    assert {name for name in NAMES if "/" in name} - set(links(TEXTS["README.md"])) == {
        "data/outside/README.md"  # by docs/engines.md
    }


def test_the_defaults_of_a_real_run_are_those_of_conf_with_two_words_changed() -> None:
    def words(text: str) -> list[tuple[str, str | None]]:
        defaults = safe_load(text)["defaults"]
        pairs = (one if isinstance(one, dict) else {one: None} for one in defaults)
        return [pair for one in pairs for pair in one.items()]

    (shown,) = map(words, blocks(TEXTS["docs/real-run.md"], "yaml"))
    ours = words((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))
    changed = {("data", "synthetic"): "mind-small", ("model", "tiny"): "qwen3-8b"}
    assert shown == [(name, changed.get((name, value or ""), value)) for name, value in ours]
    assert set(changed) <= set(ours)


def test_the_second_pipeline_of_the_document_composes_from_what_is_there(tmp_path: Path) -> None:
    defaults, stages = blocks(TEXTS["docs/new-pipeline.md"], "yaml")
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf/second.yaml").write_text(defaults)
    compose(tmp_path / "params.yaml", [], "second", tmp_path / "conf")
    params = load_params(SharedParams, tmp_path / "params.yaml")
    assert (params.score.engine, params.train.epochs) == ("transformers", 1.0)
    shown, ours = safe_load(stages)["stages"]["train"], graph()["train"]
    deps = {dep.removeprefix("../../") for dep in shown["deps"]}
    assert deps - set(ours["deps"]) == {"data/processed"}
    assert set(shown["params"]) == set(ours["params"])
    config = {words[1]: words[2] for words in of_program("dvc") if words[:1] == ["config"]}
    tested = (ROOT / "tests/test_second_pipeline.py").read_text(encoding="utf-8")
    for key in ("hydra.enabled", "hydra.config_dir", "hydra.config_name", "cache.dir"):
        assert f'"{key}": "{config[key]}"' in tested


@pytest.mark.parametrize(
    ("group", "name"), [("engine", "docs/engines.md"), ("train", "docs/methods.md")]
)
def test_every_shipped_choice_has_its_row(group: str, name: str) -> None:
    for path in (ROOT / "conf" / group).glob("*.yaml"):
        assert re.search(rf"^\| `{path.stem}` \|", TEXTS[name], re.MULTILINE), path.stem


def test_the_choices_of_feedback_are_all_that_there_are() -> None:
    from newsrec.news.mind.samples import FEEDBACK_CHOICES

    section = TEXTS["docs/metrics.md"].split("`prompt.feedback` decides")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^- `(\w+)`", section, re.MULTILINE)) == FEEDBACK_CHOICES


def test_the_published_figures_are_those_of_the_report() -> None:
    from newsrec.news.report.published import ELSEWHERE

    figures = [f"{value:.3f}" for _, found in ELSEWHERE.values() for value in found.values()]
    rows = re.findall(r"^\|.* (\S+) \| (\S+) \| (\S+) \|$", TEXTS["docs/metrics.md"], re.MULTILINE)
    assert [cell for row in rows for cell in row if cell[0].isdigit()] == figures
