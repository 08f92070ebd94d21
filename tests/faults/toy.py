"""A pipeline of two stages without a model, in a second what `dvc repro` takes minutes for.

`first` writes a folder, as a training does, by a worker of its own; `second` reads it. While the
file `hold/NAME` is there, `NAME` waits in the midst of its work.
"""

import subprocess
import textwrap
from pathlib import Path

import psutil
import yaml

from newsrec.params.compose import compose
from tests import ROOT
from tests.processes import wait_for
from tests.trees import ENV, commit, run

_COMMON = """
    import os
    import sys
    import time
    from pathlib import Path

    from newsrec.errors import UserError
    from newsrec.running.stage import run_stage
    from newsrec.files import atomic_folder, read_json, write_json, write_text
    from newsrec.running.processes import run_shown

    def wait(name):
        Path(f"began_{name}").write_text(str(os.getpid()))
        while Path(f"hold/{name}").exists():
            time.sleep(0.01)
"""
_FIRST = """
    WORKER = "import sys; sys.path.insert(0, '.'); from stages.first import wait; wait('worker')"

    def main():
        with atomic_folder(Path("models/first")) as draft:
            write_text(draft / "half", "written")
            wait("first")
            finished = run_shown([sys.executable, "-c", WORKER], {}, Path(".work/first/log"))
            if finished.code != 0:
                raise UserError(f"the worker ended with exit code {finished.code}")
            write_text(draft / "part/weights", "bytes" * 1000)
        # Another in each run, as seconds are: whether it ran shows.
        write_json(Path("metrics/first.json"), {"ran": time.time()})
"""
_SECOND = """
    def main():
        weights = Path("models/first/part/weights").read_text()
        wait("second")
        write_text(Path("reports/second.txt"), f"{len(weights)}")
"""
_END = """
    if __name__ == "__main__":
        run_stage(main)
"""
GRAPH = {
    "stages": {
        "first": {
            "cmd": "python -m stages.first",
            "deps": ["stages/first.py", "data/input"],
            "params": ["evaluate.seed"],
            "outs": ["models/first"],
            "metrics": [{"metrics/first.json": {"cache": False}}],
        },
        "second": {
            "cmd": "python -m stages.second",
            "deps": ["stages/second.py", "models/first"],
            "outs": ["reports/second.txt"],
        },
    }
}


def make_toy(tree: Path) -> None:
    """The pipeline in a folder of its own, committed and not yet run."""
    for folder in ("stages", "data", "hold"):
        (tree / folder).mkdir(parents=True)
    (tree / "newsrec").symlink_to(ROOT / "newsrec")
    (tree / "stages/__init__.py").write_text((ROOT / "stages/__init__.py").read_text())
    for name, main in (("first", _FIRST), ("second", _SECOND)):
        text = "".join(textwrap.dedent(part) for part in (_COMMON, main, _END))
        (tree / f"stages/{name}.py").write_text(text)
    (tree / "dvc.yaml").write_text(yaml.safe_dump(GRAPH, sort_keys=False))
    compose(tree / "params.yaml", ["engine=transformers"])
    (tree / "data/input").write_text("data")
    (tree / ".gitignore").write_text("/models\n/reports\n/.work\n__pycache__/\n/hold\nbegan_*\n")
    commit(tree)
    run(tree, "dvc", "init", "-q")
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "dvc")


def begin(tree: Path, *command: str, log: str = "log") -> "subprocess.Popen[bytes]":
    """A command that goes on in `tree`; its output goes to a file beside the tree."""
    with (tree.parent / log).open("wb") as stream:
        return subprocess.Popen(command, cwd=tree, env=ENV, stdout=stream, stderr=stream)


def hold(tree: Path, name: str) -> None:
    """Have a stage wait in the midst of its work from its next run on."""
    (tree / f"began_{name}").unlink(missing_ok=True)
    (tree / "hold" / name).touch()


def release(tree: Path, name: str) -> None:
    (tree / "hold" / name).unlink()


def wait_until_held(tree: Path, name: str) -> psutil.Process:
    """The process that waits."""
    began = tree / f"began_{name}"
    wait_for(lambda: began.exists() and began.read_text())
    return psutil.Process(int(began.read_text()))


def attempt(tree: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """How a command ended, which may fail."""
    return subprocess.run(command, cwd=tree, env=ENV, text=True, capture_output=True, check=False)


def refusal(tree: Path, *command: str) -> str:
    """What a command says that must fail."""
    finished = attempt(tree, *command)
    output = finished.stdout + finished.stderr
    assert finished.returncode != 0, output
    return output


def contents(tree: Path) -> dict[str, bytes]:
    """All outputs, drafts among them, but what differs from run to run."""
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for folder in ("models", "reports")
        for path in sorted((tree / folder).rglob("*"))
        if path.is_file()
    }
