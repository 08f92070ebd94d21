"""The graph matches the code: dependencies are imports, docstrings list inputs and outputs."""

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import ruamel.yaml
from dvc.repo import Repo
from dvc.repo.index import collect_files

from tests import ROOT
from tests.quick_yaml import safe_load
from tests.test_structure import imported_files


def stages_of(file: str) -> dict[str, dict]:
    """The stages of a dvc.yaml, with paths from the root."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.startswith("submission/"):
        text = text.replace("- prediction.zip:", "- submission/prediction.zip:")
        text = text.replace("      - ../params.yaml:\n", "").replace("          - ", "      - ")
        text = text.replace("- ../", "- ")
    text = text.replace("- ../../", "- ")
    return safe_load(text)["stages"]


# `submission` is a DVC project of its own, no part of the default run; so is each of pipelines/.
GRAPH = stages_of("dvc.yaml") | stages_of("submission/dvc.yaml")
PIPELINES = sorted(path.name for path in (ROOT / "pipelines").iterdir())
for pipeline in PIPELINES:
    of_pipeline = stages_of(f"pipelines/{pipeline}/dvc.yaml")
    GRAPH |= {f"{pipeline}/{name}": stage for name, stage in of_pipeline.items()}
STAGES = sorted(GRAPH)

# Run or read by a stage, yet imported by nobody; what they import counts too.
NOT_IMPORTED = {
    "fetch_model": {"newsrec/news/corpus.py"},
    "check_engine": {"newsrec/engines/vllm_worker.py", "newsrec/news/corpus.py"},
    "train": {
        "newsrec/training/llamafactory_worker.py",
        "newsrec/training/peft_worker.py",
    },
    "merge": {"newsrec/news/card.py"},
    "score": {"newsrec/engines/vllm_worker.py"},
    "submission": {"newsrec/engines/vllm_worker.py"},
    "report": {
        "newsrec/news/report/page.html.j2",
        "newsrec/report/macros.html.j2",
        "newsrec/report/page.css",
        "newsrec/report/shell.html.j2",
    },
    "assistant/fetch_model": {"newsrec/assistant/corpus/pretraining.py"},
    "assistant/train": {
        "newsrec/training/llamafactory_worker.py",
        "newsrec/training/peft_worker.py",
    },
    "assistant/merge": {"newsrec/assistant/card.py"},
    "assistant/score": {"newsrec/engines/vllm_worker.py"},
    "assistant/report": {
        "newsrec/assistant/report/page.html.j2",
        "newsrec/report/macros.html.j2",
        "newsrec/report/page.css",
        "newsrec/report/shell.html.j2",
    },
    "ranker/fetch_model": {"newsrec/ranker/corpus/pretraining.py"},
    "ranker/train": {
        "newsrec/training/llamafactory_worker.py",
        "newsrec/training/peft_worker.py",
    },
    "ranker/merge": {"newsrec/ranker/card.py"},
    "ranker/rl": {"newsrec/ranker/rl/worker.py"},
    "ranker/score": {"newsrec/engines/vllm_worker.py"},
    "ranker/score_rl": {"newsrec/engines/vllm_worker.py"},
    "ranker/compare": {"newsrec/engines/vllm_worker.py"},
    "ranker/report": {
        "newsrec/ranker/report/page.html.j2",
        "newsrec/report/macros.html.j2",
        "newsrec/report/page.css",
        "newsrec/report/shell.html.j2",
    },
    "safety/fetch_model": {"newsrec/safety/corpus/unlabelled.py"},
    "safety/train": {"newsrec/training/classification_worker.py"},
    "safety/score": {"newsrec/engines/vllm_worker.py"},
    "safety/report": {
        "newsrec/safety/report/page.html.j2",
        "newsrec/report/macros.html.j2",
        "newsrec/report/page.css",
        "newsrec/report/shell.html.j2",
    },
}
# Imported, yet no dependency: a message that is reworded must not train a model again. Each with
# the reason why it determines no output.
NOT_A_DEPENDENCY = {
    "newsrec/errors.py": "what a person reads when something is wrong",
    "newsrec/files.py": "writes what it is given; its formats are tested byte by byte",
    "newsrec/running/": "how a stage and its workers run, and how that is reported; no output",
    "newsrec/models/checks.py": "refuses a model that cannot be used; changes nothing",
    "newsrec/models/usable.py": "the same, asked of the libraries",
    "newsrec/training/same_tokens.py": "refuses a sample that is read in two ways; changes nothing",
    "newsrec/models/hub_errors.py": "what a person reads when a download fails",
    "newsrec/engines/advice.py": "what a person reads when an engine fails",
    "newsrec/engines/vllm_reading.py": "compares two libraries; its answer changes no output",
    "newsrec/training/advice.py": "what a person reads when a training fails",
    "newsrec/params/": "reads params.yaml, whose values are dependencies key by key",
    "newsrec/news/params.py": "the same",
    "newsrec/safety/params.py": "the same",
    "newsrec/assistant/params.py": "the same",
    "newsrec/ranker/params.py": "the same",
    "newsrec/ranker/rl/params.py": "the same",
    "newsrec/safety/sources/params.py": "the same",
    "newsrec/provenance.py": "describes the run; no later stage reads it but to print it",
    "newsrec/preflight/": "compares a configuration with a machine; its answer changes no output",
}


def is_reporting(path: str) -> bool:
    return path.startswith(tuple(NOT_A_DEPENDENCY))


@cache
def script(stage: str) -> Path:
    """The file of a stage, by its command; the same one for all that share it."""
    module = re.search(r"python -m (stages[.\w]+)", body(stage)["cmd"])
    if module is None:  # a command of its own, like that of `submission`
        return ROOT / f"stages/{stage}.py"
    return ROOT / f"{module[1].replace('.', '/')}.py"


@cache
def used_files(stage: str) -> frozenset[str]:
    """The files that a stage reaches by imports, as paths from the root; not through exceptions."""
    seen: set[Path] = set()
    todo = {script(stage)} | {ROOT / used for used in NOT_IMPORTED.get(stage, ())}
    while todo:
        path = todo.pop()
        seen.add(path)
        if path.suffix == ".py" and not is_reporting(path.relative_to(ROOT).as_posix()):
            todo |= set(imported_files(path)) - seen
    return frozenset(path.relative_to(ROOT).as_posix() for path in seen)


def body(stage: str) -> dict:
    return GRAPH[stage].get("do", GRAPH[stage])


def paths_of(entries: list) -> set[str]:
    """The paths in a list of dvc.yaml, whose entries may have settings; matrix keys as NAME."""
    paths = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
    return {
        re.sub(r"(?<=.)\$\{(key|item|rl\.method|rl\.trained\[\d\])\}", "NAME", path)
        for path in paths
    }


@cache
def docstring(stage: str) -> str:
    found = ast.get_docstring(ast.parse(script(stage).read_text(encoding="utf-8")))
    assert found is not None
    return found


@cache
def documented(stage: str, heading: str) -> set[str]:
    """The paths that a docstring lists under Reads or Writes, with {a,b} spelled out."""
    section = docstring(stage).split(f"\n{heading} ")[1]
    section = re.split(r"\n(?=[A-Z])|\n\n", section)[0]
    found = set()
    for path in re.findall(
        r"(?:[a-z]+/)[\w./{},-]*[\w}]|(?<![\w./])(?:reports|tasks\.yaml)(?![\w./])", section
    ):
        found |= spelled_out(path)
    return found


def spelled_out(path: str) -> set[str]:
    """`a/b` and `a/c` for `a/{b,c}`."""
    if not (braces := re.search(r"\{([^}]*)\}", path)):
        return {path}
    options = (path.replace(braces[0], one, 1) for one in braces[1].split(","))
    return {found for one in options for found in spelled_out(one)}


def matches(documented_path: str, listed: str) -> bool:
    """Whether a documented path is or contains a path of dvc.yaml; NAME, METHOD, PROBE: any."""
    pattern = re.sub("NAME|METHOD|PROBE", r"\\w+", re.escape(documented_path))
    return re.fullmatch(rf"{pattern}(/.*)?", listed) is not None


@cache
def listed(stage: str, heading: str) -> set[str]:
    """The paths that dvc.yaml has of a stage, code aside."""
    if heading == "Writes":
        kinds = ("outs", "metrics", "plots")
        return paths_of([entry for kind in kinds for entry in body(stage).get(kind, [])])
    found = {
        path
        for path in paths_of(body(stage)["deps"])
        if not path.startswith(("stages/", "newsrec/", "${"))
    }
    each = GRAPH[stage].get("foreach", {})
    return found | (set(each.values()) if isinstance(each, dict) else set())


def test_every_stage_is_one_file_of_the_same_name() -> None:
    assert {*(ROOT / "stages").rglob("[a-z]*.py")} == {*map(script, STAGES)}
    for stage in STAGES:
        # score_rl is score of what rl trained: both at once would be two loops in one entry.
        assert Path(stage).name in (script(stage).stem, f"{script(stage).stem}_rl")


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_dependencies_of_a_stage_are_the_files_that_it_imports(stage: str) -> None:
    listed = {dep for dep in body(stage)["deps"] if dep.endswith((".py", ".j2", ".css"))}
    assert listed == {path for path in used_files(stage) if not is_reporting(path)}


def test_every_exception_is_imported_by_some_stage_and_has_a_reason() -> None:
    used = frozenset().union(*map(used_files, STAGES))
    for path, reason in NOT_A_DEPENDENCY.items():
        assert any(one.startswith(path) for one in used), path
        assert reason


@pytest.mark.parametrize("stage", STAGES)
def test_a_docstring_lists_what_the_stage_reads_writes_and_how_it_runs(stage: str) -> None:
    assert body(stage)["desc"]
    run = "make submission" if stage == "submission" else f"dvc repro {Path(stage).name}"
    assert run in docstring(stage)
    for heading in ("Reads", "Writes"):
        described = documented(stage, heading)
        for path in listed(stage, heading):
            assert any(matches(one, path) for one in described), (
                f"{heading}: {path} is not documented"
            )
        # Of what pipelines share, not every one has all that it can read.
        paths = {
            path for one in STAGES if script(one) == script(stage) for path in listed(one, heading)
        }
        for one in described:
            assert any(matches(one, path) for path in paths), f"{heading}: {one} is not in dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_a_docstring_lists_the_parameters_that_the_stage_reads(stage: str) -> None:
    params = re.findall(r"params: ([^;]+);", docstring(stage)) or [""]
    listed = {key.replace("${item}", "METHOD") for key in body(stage).get("params", [])}
    assert {*re.findall(r"[\w.]+", params[0])} == listed


# Their settings are those of `score`, or they have none.
WITHOUT_SECTION = ("check_engine", "submission", "assistant/baselines")


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in WITHOUT_SECTION])
def test_a_stage_its_section_and_its_metrics_share_a_name(stage: str) -> None:
    pipeline, name = stage.rpartition("/")[0], script(stage).stem
    folder = ROOT / "pipelines" / pipeline if pipeline else ROOT
    sections = safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    assert name in sections
    for path in paths_of(body(stage).get("metrics", [])):
        assert Path(path).stem.removesuffix("_NAME") == name


class Project(NamedTuple):
    """What DVC collects of one project: its files, outputs and dependencies.

    The paths are absolute; of an output it is kept whether DVC removes it before a run.
    """

    files: set[str]
    outs: dict[Path, bool]
    deps: set[Path]


@cache
def project(folder: str) -> Project:
    """The project in a folder of this one; DVC takes half a second to read it."""
    files, outs, deps = set(), {}, set()
    with Repo(str(ROOT / folder)) as repo:
        for file, part in collect_files(repo):
            files.add(Path(file).relative_to(ROOT).as_posix())
            outs |= {Path(str(out.fs_path)): out.persist for out in part.outs}
            deps |= {Path(str(dep.fs_path)) for dep in part.deps}
    return Project(files, outs, deps)


@pytest.mark.slow
def test_the_root_project_has_no_stage_that_the_default_run_leaves_out() -> None:
    # `dvc commit` and `dvc exp save` ask for the outputs of every dvc.yaml that DVC collects.
    assert project(".").files == {"dvc.yaml"}


def test_what_is_read_of_another_stage_is_a_whole_output() -> None:
    # Without the data DVC compares a dependency with an output of the same path alone (dvc#11099):
    # of a part of a folder, or of a folder of outputs, nobody would see that it is not the latest.
    made = project(".").outs.keys()
    read = project(".").deps | project("submission").deps
    overlap = {
        (dep.relative_to(ROOT), out.relative_to(ROOT))
        for dep in read - made
        for out in made
        if dep.is_relative_to(out) or out.is_relative_to(dep)
    }
    assert len(read & made) > 20
    assert overlap == set()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_is_read_of_another_stage_of_a_pipeline_is_a_whole_output(pipeline: str) -> None:
    _, outs, read = project(f"pipelines/{pipeline}")
    pairs = ((dep, out) for dep in read - outs.keys() for out in outs)
    assert len(read & outs.keys()) > 10
    assert not [
        pair for pair in pairs if pair[0].is_relative_to(pair[1]) or pair[1].is_relative_to(pair[0])
    ]


def test_evaluate_never_comes_from_the_run_cache() -> None:
    # In a copy, data/outside is as it was before there was a file in it: DVC would bring back the
    # figures of that time, and no stage would run that could refuse.
    for folder in (".", "pipelines/assistant"):
        assert (ROOT / folder / "data/outside").is_dir()
        stages = stages_of(f"{folder}/dvc.yaml".removeprefix("./"))
        made = paths_of([*stages["evaluate"].get("outs", []), *stages["evaluate"]["metrics"]])
        outs = project(folder).outs
        assert any(outs[ROOT / folder / path] for path in made if ROOT / folder / path in outs)


def test_timings_are_read_by_the_report_alone() -> None:
    readers = {
        stage
        for stage in GRAPH
        for dep in body(stage)["deps"]
        if dep.startswith("metrics/timings") or dep == "metrics/train.json"
    }
    assert {Path(stage).name for stage in readers} == {"report"}


def test_make_clean_removes_every_output_that_git_ignores_and_nothing_else(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    folders = [Path(), *(Path("pipelines") / pipeline for pipeline in PIPELINES)]
    made = {folder / name for folder in folders for name in (".work/a.log", "models/checked/a")}
    kept = {folder / f"{name}/local/a" for folder in folders for name in ("data", "models")}
    made.add(Path("submission/prediction.zip"))
    for folder in folders:
        text = (ROOT / folder / "dvc.yaml").read_text(encoding="utf-8")
        for stage in safe_load(text)["stages"].values():
            for out in stage.get("do", stage).get("outs", []):
                path, settings = (out, {}) if isinstance(out, str) else next(iter(out.items()))
                name = folder / re.sub(r"\$\{.+?\}", "x", path)
                (made if settings.get("cache", True) else kept).add(name)
    for path in (tmp_path / name for name in made | kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, Path("Makefile")}


def test_dvc_parses_by_libyaml() -> None:
    # Without it every command of DVC takes half a second more.
    assert ruamel.yaml.__with_libyaml__
