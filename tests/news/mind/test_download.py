import errno
import io
import shutil
import socket
import stat
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

import newsrec.news.mind.download
from newsrec.errors import UserError
from newsrec.news.mind.download import fetch_zips
from tests.hub_servers import COMMIT, Hub, serve_hugging_face, use_hugging_face

REPO = "acme/MIND"
TRAIN, DEV = "MINDsmall_train.zip", "MINDsmall_dev.zip"
TABLES = {"news.tsv": b"N1\tsports\n" * 3000, "behaviors.tsv": b"1\tU1\n" * 2000}


def zipped(members: dict[str, bytes], prefix: str = "") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:  # stored: as long as its content
        for name, content in members.items():
            archive.writestr(prefix + name, content)
    return sink.getvalue()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {
        TRAIN: zipped(TABLES | {"entity_embedding.vec": b"0.1"}),
        DEV: zipped(TABLES, "MINDsmall_dev/"),
        "README.md": b"read me",
    }
    with serve_hugging_face(Hub(REPO, files)) as served:
        use_hugging_face(monkeypatch, served.url)
        yield served


def digests(hub: Hub) -> dict[str, str]:
    return {name: sha256(hub.files[name]).hexdigest() for name in (TRAIN, DEV)}


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    return message


def test_each_zip_becomes_a_folder_of_two_tables(hub: Hub, tmp_path: Path) -> None:
    folders = fetch_zips(REPO, "main", digests(hub), tmp_path)
    assert folders == [tmp_path / "MINDsmall_train", tmp_path / "MINDsmall_dev"]
    for folder in folders:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == TABLES


def test_an_unknown_checksum_is_printed(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_zips(REPO, COMMIT, {TRAIN: "", DEV: digests(hub)[DEV].upper()}, tmp_path)
    out = capsys.readouterr().out
    assert digests(hub)[TRAIN] in out
    assert digests(hub)[DEV] not in out


def test_a_download_goes_on_after_a_broken_connection(hub: Hub, tmp_path: Path) -> None:
    hub.cut[DEV] = 20_000
    assert "run again" in reported(lambda: fetch_zips(REPO, "main", digests(hub), tmp_path))
    assert not (tmp_path / "MINDsmall_dev").exists()
    fetch_zips(REPO, "main", digests(hub), tmp_path)
    first, second = hub.ranges(DEV)
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 20_000
    assert hub.ranges(TRAIN) == [""]


def test_a_wrong_checksum_is_reported_and_the_zip_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    hub.damaged.add(TRAIN)
    message = reported(lambda: fetch_zips(REPO, "main", digests(hub), tmp_path))
    assert TRAIN in message
    assert digests(hub)[TRAIN] in message
    hub.damaged.clear()
    fetch_zips(REPO, "main", digests(hub), tmp_path)
    assert hub.ranges(TRAIN) == ["", ""]


def test_a_wrong_repository_is_reported_in_one_line(hub: Hub, tmp_path: Path) -> None:
    assert "'acme/wrong'" in reported(
        lambda: fetch_zips("acme/wrong", "main", {TRAIN: ""}, tmp_path)
    )
    assert "owner/name" in reported(lambda: fetch_zips("a/b/c", "main", {TRAIN: ""}, tmp_path))


def test_an_unknown_revision_is_reported_in_one_line(hub: Hub, tmp_path: Path) -> None:
    assert "revision 'v9'" in reported(lambda: fetch_zips(REPO, "v9", {TRAIN: ""}, tmp_path))


def test_an_unknown_zip_is_reported_with_those_there_are(hub: Hub, tmp_path: Path) -> None:
    message = reported(lambda: fetch_zips(REPO, "main", {"MINDhuge.zip": ""}, tmp_path))
    assert "MINDhuge.zip" in message
    assert TRAIN in message
    assert "README" not in message


def test_no_network_is_reported_in_one_line(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        use_hugging_face(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
        message = reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))
    assert "check the network" in message


def test_a_refused_token_is_reported_in_one_line(hub: Hub, tmp_path: Path) -> None:
    hub.refuse = 401
    assert "HF_TOKEN" in reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))
    hub.refuse, hub.gated = 0, True
    assert "accept its terms" in reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))


def linked() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        link = zipfile.ZipInfo("news.tsv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("behaviors.tsv", b"1")
    return sink.getvalue()


def damaged() -> bytes:
    content = zipped(TABLES)
    return content.replace(b"sports", b"sporty", 1)


def encrypted() -> bytes:
    content = bytearray(zipped(TABLES))
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flags in the list of members
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html>not found</html>", "broken zip"),
        (zipped(TABLES)[:-200], "broken zip"),
        (damaged(), "broken zip"),
        (encrypted(), "encrypted"),
        (linked(), "points outside"),
        (zipped(TABLES | {"../../evil": b"x"}), "points outside"),
        (zipped(TABLES | {"/evil": b"x"}), "points outside"),
        (zipped(TABLES | {"..\\evil": b"x"}), "points outside"),
        (zipped({"news.tsv": b"N1"}), "0 members are named behaviors.tsv"),
        (zipped(TABLES, "a/b/"), "0 members are named behaviors.tsv"),
        (zipped(TABLES | {"old/news.tsv": b"N2"}), "2 members are named news.tsv"),
    ],
)
def test_a_bad_zip_leaves_no_folder(hub: Hub, tmp_path: Path, content: bytes, fault: str) -> None:
    hub.files[TRAIN] = content
    message = reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))
    assert TRAIN in message
    assert fault in message
    assert [path.name for path in tmp_path.iterdir()] == ["zips"]


def test_a_disk_that_is_too_small_is_reported_before_unpacking(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(hub.files[TRAIN])
    usage = shutil.disk_usage(tmp_path)

    def free(path: object) -> object:
        return usage._replace(free=9 if (tmp_path / "zips" / TRAIN).exists() else size)

    monkeypatch.setattr(shutil, "disk_usage", free)
    message = reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))
    assert "are needed here" in message
    assert [path.name for path in tmp_path.iterdir()] == ["zips"]


def test_a_disk_that_becomes_full_leaves_no_folder(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A bar that finds the disk full when the first part of a table is written."""

        def __init__(self, **more: object) -> None:
            pass

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, count: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(newsrec.news.mind.download, "tqdm", Full)
    message = reported(lambda: fetch_zips(REPO, "main", {TRAIN: ""}, tmp_path))
    assert "the disk became full" in message
    assert [path.name for path in tmp_path.iterdir()] == ["zips"]
