"""Projects as a run leaves them, without the run: a small file for every output."""

import re
import subprocess
from pathlib import Path

from dvc.config import Config
from dvc.repo import Repo

from tests import ROOT
from tests.sharing.servers import KEYS
from tests.trees import ENV, commit, copy_tree, run

# In every file that is made, with its path behind it, to be searched for on a remote.
MARK = "content of"


def make_project(tree: Path) -> None:
    """Copy this tree, write what its stages would, and record it as DVC does after a run."""
    copy_tree(tree)
    graph = tree / "dvc.yaml"
    # Without dependencies on code, a clone's own, which DVC takes long to read.
    graph.write_text(re.sub(r"^ +- (newsrec|stages)/.*\n", "", graph.read_text(), flags=re.M))
    commit(tree)
    with Repo(str(tree)) as repo:
        made = [Path(one.fs_path) for one in (*repo.index.outs, *repo.index.deps)]
    for path in sorted(path for path in made if not path.exists()):
        if any(other != path and other.is_relative_to(path) for other in made) or not path.suffix:
            path = path / "inside.txt"
        write(tree, path)
    for name in ("models/adapter", "models/merged"):
        write(tree, tree / name / "second.txt")
    run(tree, "dvc", "commit", "--force")
    save(tree, "what a run makes")


def make_small(tree: Path) -> None:
    """A project of one stage, which DVC reads faster than this one; a folder is shared, one not."""
    graph = "stages: {make: {cmd: 'true', outs: [models/merged, data/raw: {push: false}]}}\n"
    for name in ("models/merged/first.txt", "models/merged/second.txt", "data/raw/rows.txt"):
        write(tree, tree / name)
    (tree / "dvc.yaml").write_text(graph)
    run(tree, "git", "init", "-q")
    run(tree, "dvc", "init", "-q")
    run(tree, "dvc", "commit", "--force")
    save(tree, "what a run makes")


def write(tree: Path, path: Path) -> None:
    """A small file that says where it is; JSON, as metrics are read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"text": "{MARK} {path.relative_to(tree)}"}}\n')


def save(tree: Path, message: str) -> None:
    """Commit all that changed."""
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", message)


def configure(tree: Path, name: str = "storage", **settings: str) -> None:
    """Add a DVC remote to the project's settings and commit them; `storage` is the default one."""
    with Config(str(tree / ".dvc")).edit("repo") as config:
        config["remote"][name] = settings
        config["core"]["remote"] = "storage"
    save(tree, f"the remote {name}")


def finish(tree: Path, *command: str) -> tuple[int, str]:
    """The exit code and the output of a command that may fail, with the keys of the S3 server."""
    finished = subprocess.run(
        command,
        cwd=tree,
        env={**ENV, **KEYS, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return finished.returncode, finished.stdout


def succeed(tree: Path, *command: str) -> str:
    """The output of a command that must succeed."""
    code, output = finish(tree, *command)
    assert code == 0, output
    return output


def refused(tree: Path, *command: str) -> str:
    """The last line of a command that must end as at a user's mistake, without a traceback."""
    code, output = finish(tree, *command)
    assert (code, "Traceback" in output) == (2, False), output
    return output.splitlines()[-1]


def clone(tree: Path, target: Path) -> Path:
    """A clone as somebody else makes it, with nothing in its cache."""
    run(tree.parent, "git", "clone", "-q", str(tree), str(target))
    return target


def marks(folder: Path) -> set[str]:
    """The paths of all files whose bytes are somewhere below `folder`."""
    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        pieces = path.read_bytes().split(MARK.encode() + b" ")[1:]
        found |= {piece.split(b'"')[0].decode() for piece in pieces}
    return found
