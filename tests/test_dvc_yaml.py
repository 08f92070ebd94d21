"""The graph holds what it says: every file a stage uses is a dependency, every choice is valid."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
# `submission` stands apart: it is no part of the default run.
FILES = [ROOT / "dvc.yaml", ROOT / "submission/dvc.yaml"]
GRAPH = {
    stage: body
    for file in FILES
    for stage, body in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].items()
}
# Its answer changes no output: a message that is worded anew must not run hours of training again.
PREFLIGHT = ("stages/doctor.py", "stages/_examine.py", "newsrec/preflight/")
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py") if path.stem != "doctor")

# Run or read by a stage, yet imported by nobody; what they import counts too.
NOT_IMPORTED = {
    "train": {
        "newsrec/training/llamafactory_worker.py",
        "newsrec/training/peft_worker.py",
    },
    "score": {"newsrec/engines/vllm_worker.py"},
    "submission": {"newsrec/engines/vllm_worker.py"},
    "report": {"newsrec/report/page.html.j2", "newsrec/report/page.css"},
}
# Its values are dependencies key by key; a new key must not run every stage again.
NOT_A_DEPENDENCY = {"newsrec/params.py", "newsrec/params_faults.py"}


def imported_files(path: Path) -> Iterator[Path]:
    """The project's own files that one file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            file = ROOT / (name.replace(".", "/") + ".py")
            if name.split(".")[0] in ("newsrec", "stages") and file.exists():
                yield file


def used_files(stage: str) -> set[str]:
    """All files that a stage reaches by imports, as paths from the root; not through preflight."""
    seen: set[Path] = set()
    todo = {ROOT / "stages" / f"{stage}.py"} | {ROOT / used for used in NOT_IMPORTED.get(stage, ())}
    while todo:
        path = todo.pop()
        seen.add(path)
        if path.suffix == ".py" and not is_preflight(path):
            todo |= set(imported_files(path)) - seen
    return {path.relative_to(ROOT).as_posix() for path in seen if not is_preflight(path)}


def is_preflight(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(PREFLIGHT)


def body(stage: str) -> dict:
    return GRAPH[stage].get("do", GRAPH[stage])


def test_every_stage_is_one_file_of_the_same_name() -> None:
    assert sorted(GRAPH) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_dependencies_of_a_stage_are_the_files_that_it_imports(stage: str) -> None:
    listed = {dep for dep in body(stage)["deps"] if dep.endswith((".py", ".j2", ".css"))}
    assert listed == used_files(stage) - NOT_A_DEPENDENCY


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_described_and_says_in_its_docstring_how_it_runs(stage: str) -> None:
    assert body(stage)["desc"]
    docstring = ast.get_docstring(ast.parse((ROOT / f"stages/{stage}.py").read_text()))
    assert docstring is not None
    for word in ("Reads", "Writes", "Run", f"dvc repro {stage}"):
        assert word in docstring


def test_timings_are_read_by_the_report_alone() -> None:
    readers = {
        stage
        for stage in GRAPH
        for dep in body(stage)["deps"]
        if dep.startswith("metrics/timings") or dep == "metrics/train.json"
    }
    assert readers == {"report"}


def test_imports_run_down_only() -> None:
    floors = [
        {"errors", "processes"},
        {"files", "prompts"},
        {"metrics", "hub_errors", "params", "params_faults", "protocol"},
        {"predictions"},
        {"mind", "models", "engines", "preflight"},
        {"training", "report", "baselines", "evaluation", "compare"},
    ]
    floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms}
    for path in (ROOT / "newsrec").rglob("*.py"):
        room = path.relative_to(ROOT / "newsrec").parts[0].removesuffix(".py")
        for used in imported_files(path):
            assert used.is_relative_to(ROOT / "newsrec"), f"{path} imports a stage"
            other = used.relative_to(ROOT / "newsrec").parts[0].removesuffix(".py")
            if "__init__" not in (room, other) and room != other:
                assert floor_of[other] <= floor_of[room], f"{path} imports {used}"


def test_shared_rooms_know_no_news() -> None:
    for room in ("models", "training", "engines", "metrics", "evaluation", "preflight"):
        for path in (ROOT / "newsrec" / room).rglob("*.py"):
            for used in imported_files(path):
                assert "mind" not in used.parts, f"{path} imports {used}"


def test_vllm_is_imported_by_its_worker_alone() -> None:
    for path in [*(ROOT / "newsrec").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert ("from vllm" in text) == (path.name == "vllm_worker.py")
