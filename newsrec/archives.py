"""Zip archives that may have been made by anyone, read without harm.

No member points outside the archive, none is a link, their number and size are bounded, and the
memory that reading takes does not grow with what a member claims to hold.
"""

import io
import stat
import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from newsrec.errors import UserError

MAX_MEMBERS = 1_000
_MAX_DIRECTORY = 1 << 22  # bytes of the list of members, which is read as a whole
_ENCRYPTED = 0x1  # bit of a member's flags
# What a broken zip raises where its list is read, and where a member is.
_BROKEN_LIST = (BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error)
_BROKEN_MEMBER = (BadZipFile, NotImplementedError, UnicodeDecodeError, zlib.error, EOFError)


@contextmanager
def open_zip(path: Path, max_bytes: int, remedy: str) -> Iterator[ZipFile]:
    """Open a zip and check its list of members; nothing is unpacked.

    Args:
        path: the archive.
        max_bytes: that all members may have, unpacked.
        remedy: what to do about an archive that is refused; ends each message.

    Yields:
        The archive; reading a member gives no more bytes than the list says.

    Raises:
        UserError: it is broken, also where that is found inside the block; a member leads out of
            it, is a link, is encrypted or is packed by another method than Deflate; or there are
            too many, or too much in them.
    """
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_SmallReads(io.FileIO(path)))
            archive = stack.enter_context(ZipFile(stream))
        except _BROKEN_LIST as error:
            raise UserError(f"{path}: broken zip ({error}); {remedy}") from error
        _check(path, archive.infolist(), max_bytes, remedy)
        try:
            yield archive
        except _BROKEN_MEMBER as error:
            raise UserError(f"{path}: broken zip ({error}); {remedy}") from error


class _SmallReads(io.BufferedReader):
    """A file of which the list of members is read only if it is of a decent size."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_DIRECTORY:
            raise BadZipFile(f"its list of members has {size:,} bytes")
        return super().read(size)


def _check(path: Path, members: Collection[ZipInfo], max_bytes: int, remedy: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise UserError(
            f"{path}: {len(members):,} members; expected at most {MAX_MEMBERS:,}; {remedy}"
        )
    size = path.stat().st_size
    for member in members:
        name = PurePosixPath(member.filename)
        link = stat.S_ISLNK(member.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or link:
            raise UserError(
                f"{path}: member {member.filename!r} points outside the archive; {remedy}"
            )
        if not 0 <= member.header_offset < size:
            raise UserError(f"{path}: broken zip ({member.filename!r} is not inside it); {remedy}")
        if member.flag_bits & _ENCRYPTED:
            raise UserError(f"{path}: {member.filename!r} is encrypted; {remedy}")
        # Python unpacks bzip2 and LZMA by whole blocks, whose size has no bound.
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise UserError(
                f"{path}: {member.filename!r} is packed by method {member.compress_type}; expected "
                f"Deflate; {remedy}"
            )
    if (total := sum(member.file_size for member in members)) > max_bytes:
        raise UserError(
            f"{path}: {total:,} bytes unpacked; expected at most {max_bytes:,}; {remedy}"
        )
