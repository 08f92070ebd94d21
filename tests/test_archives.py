"""Archives made to do harm: refused in one line, before anything is written."""

import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.packages import unpack_files
from newsrec.archives import MAX_MEMBERS, open_zip
from newsrec.errors import UserError

MB = 10**6


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read_all(path: Path, max_bytes: int = MB) -> None:
    with open_zip(path, max_bytes, "make it again") as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                while stream.read(1 << 16):
                    pass


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_a_member_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"good": b"1", name: b"2"})
    assert "points outside the archive; make it again" in reported(lambda: read_all(path))


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("news.tsv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "points outside" in reported(lambda: read_all(tmp_path / "a.zip"))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {str(number): b"" for number in range(MAX_MEMBERS + 1)})
    assert f"1,001 members; expected at most {MAX_MEMBERS:,}" in reported(lambda: read_all(path))


def test_a_list_of_millions_of_members_is_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"m" * 60_000: b""})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry, end = data[start:-22], bytearray(data[-22:])
    end[12:16] = struct.pack("<I", 100 * len(entry))
    path.write_bytes(data[:start] + 100 * entry + end)
    assert "its list of members has 6,0" in reported(lambda: read_all(path))


def test_more_than_the_bound_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": bytes(MB), "b": b"1"})
    assert "1,000,001 bytes unpacked; expected at most 1,000,000" in reported(
        lambda: read_all(path)
    )


def test_a_member_gives_no_more_than_the_list_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": bytes(50 * MB)})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + place
        data[start : start + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    tracemalloc.start()
    assert "broken zip (Bad CRC-32" in reported(lambda: read_all(path))
    assert tracemalloc.get_traced_memory()[1] < 10 * MB
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_without_bound_is_refused(method: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": bytes(MB)}, method)
    assert f"packed by method {method}; expected Deflate" in reported(lambda: read_all(path))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "'a' is encrypted" in reported(lambda: read_all(path))


def test_damage_anywhere_is_reported_in_one_line_or_does_no_harm(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"é": b"one two three " * 20, "b": b"2"})
    data, refused = path.read_bytes(), 0
    for place in range(0, len(data), 3):
        for value in (0x00, 0xFF, data[place] ^ 0x80):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                read_all(path)
            except UserError:
                refused += 1
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        reported(lambda: read_all(path))
    assert refused > len(data) / 3


def test_a_file_that_is_no_zip_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")
    assert "broken zip (File is not a zip file)" in reported(lambda: read_all(tmp_path / "a.zip"))


def test_of_a_tar_the_named_plain_files_alone_are_unpacked(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()

    def packed(**attributes: object) -> Path:
        with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
            for name, changed in (("p/a", attributes), ("../evil", {}), ("p/b", {})):
                member = tarfile.TarInfo(name)
                member.size = 3
                for key, value in changed.items():
                    setattr(member, key, value)
                archive.addfile(member, io.BytesIO(b"abc"))
        return tmp_path / "a.tgz"

    unpack_files(packed(), "p", ["a"], target)
    assert [(path.name, path.read_bytes()) for path in target.iterdir()] == [("a", b"abc")]
    link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}
    assert "p/a is no file" in reported(lambda: unpack_files(packed(**link), "p", ["a"], target))
    assert "p/c is no file" in reported(lambda: unpack_files(packed(), "p", ["c"], target))
    (tmp_path / "a.tgz").write_bytes(zlib.compress(b"x"))
    assert "broken" in reported(lambda: unpack_files(tmp_path / "a.tgz", "p", ["a"], target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "target"]
