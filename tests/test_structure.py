"""Who may import whom, over every import statement of the code; and how long a file may be."""

import ast
import re
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests import ROOT

TASKS = {"news", "safety", "assistant", "ranker"}
# What each package may import of the others. Shared packages know no task, tasks never each other.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "running": {"errors"},
    "archives": {"errors"},
    "files": {"errors"},
    "git": {"errors"},
    "protocol": {"errors"},
    "lock_check": {"errors", "running"},
    "chat": {"errors", "files"},
    "metrics": {"errors"},
    "texts": {"errors"},
    "report": {"errors"},
    "ranking_requests": {"errors", "files"},
    "models": {"chat", "errors", "files"},
    "training": {"chat", "errors", "files", "models", "running"},
    "engines": {"chat", "errors", "files", "models", "running"},
    "sharing": {"errors", "files", "git", "models", "provenance"},
    "provenance": {"engines", "errors", "git", "preflight", "running"},
    "params": {"engines", "errors", "models", "training"},
    "preflight": {"engines", "errors", "files", "models", "params", "running", "training"},
}
SHARED = set(ALLOWED)
ALLOWED |= dict.fromkeys(TASKS, SHARED)
ALLOWED["cli"] = SHARED | TASKS

# Libraries whose distribution has another name than what is imported of it.
DISTRIBUTIONS = {
    "bson": "pymongo",
    "hydra": "hydra-core",
    "opencc": "opencc-python-reimplemented",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
# Imported, yet not among the dependencies: the declared one that requires it, in its own range.
REQUIRED_BY = {
    "dvc_data": "dvc",
    "hydra": "dvc",
    "markupsafe": "jinja2",
    "modelscope_hub": "modelscope",
    "scmrepo": "dvc",
    "voluptuous": "dvc",
}
# Imported, yet not among the dependencies, each with the reason.
ELSEWHERE = {"vllm": "in an environment of its own, requirements-vllm-*.txt"}

FILES = sorted((ROOT / "newsrec").rglob("*.py"))
STAGES = sorted((ROOT / "stages").rglob("*.py"))


@cache
def imports_of(path: Path, but_for_types: bool = False) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of one file, anywhere in it, or all but those for types alone."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    for_types = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return tuple(
        node
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not (but_for_types and id(node) in for_types)
    )


@cache
def imported_files(path: Path) -> tuple[Path, ...]:
    """The project's own files that one file imports, anywhere in it."""
    found = []
    for node in imports_of(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names]
        for name in names:
            file = ROOT / (name.replace(".", "/") + ".py")
            if name.split(".")[0] in ("newsrec", "stages", "tests", "benchmarks") and file.exists():
                found.append(file)
    return tuple(found)


def package_of(path: Path) -> str:
    """`models` for newsrec/models/hubs.py, `files` for newsrec/files.py."""
    return path.relative_to(ROOT / "newsrec").parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in FILES if path.name != "__init__.py"]


def test_every_package_is_listed() -> None:
    assert {package_of(path) for path in modules()} == set(ALLOWED)


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for path in modules():
        if package_of(path) == package:
            for used in imported_files(path):
                assert used.is_relative_to(ROOT / "newsrec"), f"{path} imports {used}"
                allowed = ALLOWED[package] | {package}
                assert package_of(used) in allowed, f"{path} imports {used}"


def test_the_list_lets_no_shared_package_know_a_task_and_no_task_another() -> None:
    for package in SHARED:
        assert not ALLOWED[package] & (TASKS | {"cli"})
    for task in TASKS:
        assert not ALLOWED[task] & (TASKS | {"cli"})


def test_no_module_is_part_of_a_cycle() -> None:
    graph = {path: set(imported_files(path)) for path in modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError
    TopologicalSorter(ALLOWED).prepare()


def test_no_stage_is_imported_but_by_tests() -> None:
    for path in [*FILES, *STAGES]:
        for used in imported_files(path):
            assert used.parts[len(ROOT.parts)] == "newsrec", f"{path} imports {used}"


def test_a_shared_stage_imports_no_task() -> None:
    for name in ("fetch_model", "train", "merge"):
        for used in imported_files(ROOT / f"stages/{name}.py"):
            assert package_of(used) in SHARED, f"{name} imports {used}"


@pytest.mark.parametrize("package", sorted(SHARED))
def test_shared_packages_hold_no_word_of_the_news_task(package: str) -> None:
    words = ("impression", "click", "candidate", "mind_", "popularity", '"yes', "'yes")
    for path in modules():
        if package_of(path) == package:
            text = path.read_text(encoding="utf-8").lower()
            found = [word for word in words if word in text]
            assert not found, f"{path}: {found}"


def distribution_of(requirement: str) -> str:
    """`dvc-data` for `dvc_data>=3.18.2`."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def imported_libraries(path: Path) -> set[str]:
    """The top-level packages of others that one file imports, but not for types alone."""
    found = set()
    for node in imports_of(path, but_for_types=True):
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
        else:
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found - sys.stdlib_module_names - {"newsrec", "stages"}


def test_every_library_that_is_imported_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project.get("optional-dependencies", {}).values()
    declared = {
        distribution_of(one) for listed in [project["dependencies"], *optional] for one in listed
    }
    imported = {name for path in [*FILES, *STAGES] for name in imported_libraries(path)}
    assert {*DISTRIBUTIONS, *REQUIRED_BY, *ELSEWHERE} <= imported, "an entry that nothing needs"
    for name in imported - ELSEWHERE.keys() - REQUIRED_BY.keys():
        assert distribution_of(DISTRIBUTIONS.get(name, name)) in declared, name
    for name, dependency in REQUIRED_BY.items():
        assert dependency in declared, dependency
        required = map(distribution_of, requires(dependency) or ())
        assert distribution_of(DISTRIBUTIONS.get(name, name)) in required, name


def test_vllm_is_imported_by_its_workers_alone() -> None:
    workers = {"vllm_worker.py", "vllm_reading_worker.py"}
    for path in [*FILES, *STAGES]:
        assert ("from vllm" in path.read_text(encoding="utf-8")) == (path.name in workers)


def test_no_module_bears_the_name_of_a_library_that_it_imports() -> None:
    for path in modules():
        libraries = {
            str(name).split(".")[0]
            for node in imports_of(path)
            for name in (
                [node.module]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        }
        assert path.stem not in libraries - {"newsrec"}, path


@pytest.mark.parametrize(
    ("paths", "limit"), [(FILES, 300), (STAGES, 100)], ids=["modules", "stages"]
)
def test_a_file_is_short_enough_to_read(paths: list[Path], limit: int) -> None:
    long = {
        path.name: lines
        for path in paths
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }
    assert not long
