"""What is lost or altered on the way is named, with a repair that works; nothing waits for long."""

import re
import time
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.sharing import probe
from newsrec.sharing.digests import cached_objects, is_whole
from newsrec.sharing.transfer import pull, push
from newsrec.sharing.verify import verify
from tests import ROOT
from tests.sharing.project import clone, configure, finish, make_small, marks, refused, succeed
from tests.sharing.servers import KEYS, silent_server

pytestmark = pytest.mark.slow

# DVC waits minutes for a server that is down. Ours is to answer within 20 s on a machine that is
# not busy with other tests.
GENEROUS = 100


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project, not to be changed."""
    tree = tmp_path_factory.mktemp("made") / "small"
    make_small(tree)
    return tree


def holding(folder: Path, text: str) -> Path:
    """The object that holds a text."""
    (found,) = (path for path in folder.rglob("*") if path.is_file() and text in path.read_text())
    return found


def remove_named(bucket: Path, message: str) -> None:
    """Delete on the remote what a message says."""
    urls = message.split("delete ")[1].split(" there, then")[0].split(", ")
    for url in urls:
        (bucket.parent / url.removeprefix("s3://")).unlink()
    time.sleep(0.2)  # longer than the server remembers what it has


def test_a_file_that_the_remote_lost_is_named_and_pushed_again(project: Path, bucket: Path) -> None:
    succeed(project, "newsrec", "push")
    everything = marks(bucket)
    holding(bucket, "content of models/merged/second.txt").unlink()
    time.sleep(0.2)
    message = refused(project, "newsrec", "verify")
    assert "models/merged/second.txt is missing on the remote storage" in message
    assert list((project / ".work").iterdir()) == []
    assert message == refused(project, "newsrec", "push")
    remove_named(bucket, message)
    succeed(project, "newsrec", "push")
    assert marks(bucket) == everything


def test_bytes_that_the_remote_altered_are_refused_and_pushed_again(
    project: Path, buckets: tuple[Path, str], bucket: Path, tmp_path: Path
) -> None:
    # Without `verify = true`, as somebody may have configured it.
    configure(project, url=f"s3://{bucket.name}/newsrec", endpointurl=buckets[1])
    succeed(project, "dvc", "push")
    altered = holding(bucket, "content of models/merged/second.txt")
    altered.write_text(altered.read_text().replace("merged", "MERGED"))
    other = clone(project, tmp_path / "other")
    message = refused(other, "newsrec", "pull")
    assert "models/merged/second.txt is altered on the remote storage" in message
    assert "first.txt" not in message
    assert not (other / "models/merged/second.txt").exists()
    remove_named(bucket, message)
    succeed(project, "newsrec", "push")
    succeed(other, "newsrec", "pull")
    assert "models/merged/second.txt" in marks(other / "models")


@pytest.mark.usefixtures("store")
def test_a_damaged_object_of_the_cache_is_named_never_pushed_and_repaired(project: Path) -> None:
    succeed(project, "dvc", "push")
    for name in ("models/merged/second.txt", "data/raw/rows.txt"):
        found = holding(project / ".dvc/cache", f"content of {name}")
        found.chmod(0o644)
        found.write_text(found.read_text().upper())
        found.chmod(0o444)
    assert "damaged (it should hold models/merged/second.txt)" in refused(
        project, "newsrec", "push"
    )
    code, said = finish(project, "newsrec", "verify")
    assert code == 2
    damaged = dict(
        line.removeprefix("damaged: ").removesuffix(")").split(" (")
        for line in said.splitlines()
        if line.startswith("damaged: ")
    )
    assert set(damaged.values()) == {"models/merged/second.txt", "data/raw/rows.txt"}
    for path in damaged:
        (project / path).unlink()
    succeed(project, "newsrec", "pull")
    succeed(project, "dvc", "commit", "--force")
    found = list(cached_objects(project / ".dvc/cache/files/md5"))
    assert len(found) == 5
    assert all(is_whole(path, digest) for digest, path in found)


@pytest.mark.parametrize(
    ("command", "settings", "named"),
    [
        (
            "push",
            {"url": "s3://bucket/newsrec", "endpointurl": "http://127.0.0.1:1"},
            "http://127.0.0.1:1",
        ),
        (
            "pull",
            {"url": "ssh://somebody:password@127.0.0.1:1/srv"},
            "ssh://127.0.0.1:1/srv",
        ),
        (
            "verify",
            {"url": "s3://bucket/newsrec", "endpointurl": "http://none.invalid"},
            "http://none.invalid",
        ),
    ],
    ids=["refused", "refused by SSH", "unknown"],
)
def test_a_server_that_is_down_or_does_not_exist_is_named_without_a_password(
    project: Path, command: str, settings: dict[str, str], named: str
) -> None:
    configure(project, **settings)
    began = time.monotonic()
    message = refused(project, "newsrec", command)
    assert f"the remote storage ({named}) cannot be used: " in message
    assert re.search("Could not connect|Connect call failed", message)
    assert "password" not in message
    assert time.monotonic() - began < GENEROUS


def test_a_server_that_takes_connections_and_is_silent_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probe.SECONDS_TO_ANSWER == 12  # with the imports less than 20
    monkeypatch.setattr(probe, "SECONDS_TO_ANSWER", 1)
    for name, value in {**KEYS, "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    with silent_server() as url:
        configure(project, url="s3://bucket/newsrec", endpointurl=url)
        with pytest.raises(
            UserError, match=r"storage .* does not answer within 1 s; is the server"
        ):
            probe.check_answers("storage", url)


def test_without_a_remote_each_command_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    words = "^no DVC remote is configured; add one: dvc remote add -d storage s3://"
    for command in (push, pull, verify):
        with pytest.raises(UserError, match=words):
            command()
    assert not (project / ".work").exists()
    assert refused(project, "newsrec", "push").startswith("newsrec: no DVC remote")
