"""Objects of DVC's cache against the digests that are their names."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def has_digest(stream: IO[bytes], digest: str) -> bool:
    """Whether a file holds what its digest says, an MD5 with or without DVC's `.dir` behind it.

    DVC itself takes an object that is read-only for whole (`LocalHashFileDB.check`).
    """
    found = hashlib.file_digest(stream, "md5")  # type: ignore[arg-type]  # any that is read
    return found.hexdigest() == digest.removesuffix(".dir")


def is_whole(path: Path, digest: str) -> bool:
    """`has_digest` of a file on this machine."""
    with path.open("rb") as stream:
        return has_digest(stream, digest)


def cached_objects(cache: Path) -> Iterator[tuple[str, Path]]:
    """Every object of a cache (`.dvc/cache/files/md5`) with the digest that is its name."""
    for path in sorted(cache.glob("[0-9a-f][0-9a-f]/*")):
        digest = path.parent.name + path.name
        if re.fullmatch(r"[0-9a-f]{32}(\.dir)?", digest):  # else a draft of DVC's
            yield digest, path
