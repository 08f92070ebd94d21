"""What is shared, pushed to real servers and pulled from them; what is not shared never leaves."""

from pathlib import Path

import pytest

from tests import ROOT
from tests.documents import TEXTS, blocks
from tests.sharing.project import clone, configure, make_small, marks, refused, succeed
from tests.sharing.servers import SSHD, ssh_server
from tests.trees import ran_stages

pytestmark = pytest.mark.slow

SHARED = {
    "models/adapter/inside.txt",
    "models/adapter/second.txt",
    "models/checked/base.json",
    "models/checked/tuned.json",
    "models/merged/inside.txt",
    "models/merged/second.txt",
    "metrics/timings/score_base.json",
    "metrics/timings/score_tuned.json",
    "metrics/timings/train.json",
}


def make(tree: Path, target: str) -> str:
    """What a target of the Makefile says, in the environment that the tests have."""
    if not (tree / ".venv").exists():
        (tree / ".venv").symlink_to(ROOT / ".venv")
    return succeed(tree, "make", "--old-file", ".venv/.ready", target)


def test_a_clone_that_pulls_has_nothing_to_run(project: Path, bucket: Path, tmp_path: Path) -> None:
    assert "models/merged" in make(project, "push")
    assert marks(bucket) == SHARED
    other = clone(project, tmp_path / "other")
    assert "11 objects pulled" in make(other, "pull")
    assert marks(other / "models") | marks(other / "metrics/timings") == SHARED
    said = succeed(other, "dvc", "repro", "--allow-missing")
    assert ran_stages(said) == set()
    assert said.count("didn't change, skipping") == 12
    assert not (other / "data/raw").exists()


def test_no_byte_of_data_predictions_or_reports_leaves_with_any_command(
    project: Path, bucket: Path, tmp_path: Path
) -> None:
    everything = marks(project / ".dvc/cache")
    assert len(everything - SHARED) > 15
    succeed(project, "git", "init", "-q", "--bare", str(tmp_path / "origin"))
    succeed(project, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    (project / "models/merged/of_the_experiment.txt").write_text('{"text": "content of more"}')
    succeed(project, "dvc", "commit", "--force", "merge")
    succeed(project, "dvc", "exp", "save", "--name", "tried")
    succeed(project, "dvc", "push", "--run-cache")
    succeed(project, "dvc", "exp", "push", "origin", "tried")
    assert list((bucket / "newsrec/runs").iterdir())
    assert marks(bucket) == SHARED | {"more"}


def test_a_site_may_keep_its_data_on_a_private_remote(
    project: Path, store: Path, tmp_path: Path
) -> None:
    before, after = blocks(TEXTS["docs/sharing.md"], "yaml")
    graph = project / "dvc.yaml"
    assert before in graph.read_text()
    graph.write_text(graph.read_text().replace(before, after))
    assert "the DVC remote private is not configured" in refused(project, "newsrec", "push")
    private = tmp_path / "private"
    configure(project, "private", url=str(private), verify="true")
    succeed(project, "newsrec", "push")
    assert marks(store) == SHARED
    data = marks(project / "data/raw/test")
    assert data
    assert marks(private) == data
    other = clone(project, tmp_path / "other")
    succeed(other, "newsrec", "pull")
    assert marks(other / "data/raw") == data
    assert marks(other / ".dvc/cache") == data | SHARED
    assert ran_stages(succeed(other, "dvc", "repro", "--allow-missing", "--dry")) == set()


@pytest.mark.usefixtures("store")
def test_others_take_the_models_into_their_projects(project: Path, tmp_path: Path) -> None:
    succeed(project, "dvc", "push")
    names = ("news-adapter", "news-recommender")
    for name in names:
        succeed(project, "gto", "register", name, "--version", "v1.0.0")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    succeed(theirs, "git", "init", "-q")
    succeed(theirs, "dvc", "init", "-q")
    source = str(project)
    succeed(theirs, "dvc", "get", source, "models/adapter", "-o", "got")
    succeed(theirs, "dvc", "import", source, "models/merged", "-o", "imported")
    for name in names:
        succeed(theirs, "dvc", "artifacts", "get", source, name, "--rev", "v1.0.0", "-o", name)
    adapter, merged = (
        {one for one in SHARED if one.startswith(f"models/{part}/")}
        for part in ("adapter", "merged")
    )
    assert marks(theirs / "got") == marks(theirs / "news-adapter") == adapter
    assert marks(theirs / "imported") == marks(theirs / "news-recommender") == merged
    assert source in (theirs / "imported.dvc").read_text()


@pytest.mark.skipif(SSHD is None, reason="there is no sshd (Debian: openssh-server)")
def test_a_remote_may_be_a_machine_with_ssh(tmp_path: Path) -> None:
    project = tmp_path / "small"
    make_small(project)
    with ssh_server(tmp_path / "ssh") as settings:
        configure(project, **settings, verify="true")
        succeed(project, "newsrec", "push")
        shared = {"models/merged/first.txt", "models/merged/second.txt"}
        assert marks(tmp_path / "ssh/store") == shared
        assert "3 objects of commit" in succeed(project, "newsrec", "verify")
