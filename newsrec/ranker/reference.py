"""The lists of a split as JSON, for systems of any kind, and the digest that they are known by."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.files import atomic_file, read_json
from newsrec.ranker.lists import read_lists

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class ListsDigest:
    """SHA-256 over lists, in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, row: Mapping[str, Any]) -> str:
        """Add a row of `LISTS_SCHEMA`; returns it as a line of JSON."""
        line = _CANONICAL.encode(row)
        self._digest.update(f"{line}\n".encode())
        return line

    def hexdigest(self) -> str:
        """Of the lists so far."""
        return self._digest.hexdigest()


def lists_digest(lists: Iterable[Mapping[str, Any]]) -> str:
    """The digest of rows of `LISTS_SCHEMA`."""
    digest = ListsDigest()
    for row in lists:
        digest.add(row)
    return digest.hexdigest()


def write_reference(lists: Path, target: Path) -> str:
    """Write the lists of a Parquet file as JSON, a line each, and return their digest."""
    digest = ListsDigest()
    with atomic_file(target) as draft, draft.open("w", encoding="utf-8", newline="\n") as text:
        text.write('{"lists": [')
        for place, row in enumerate(read_lists(lists)):
            text.write(("\n" if place == 0 else ",\n") + digest.add(row))
        text.write(f'\n],\n"digest": "{digest.hexdigest()}"}}\n')
    return digest.hexdigest()


def read_reference(path: Path) -> list[dict[str, Any]]:
    """The rows of `LISTS_SCHEMA` that a reference holds.

    Raises:
        UserError: there is no such file, it is of another kind, or its lists were changed.
    """
    values = read_json(path)
    lists = values.get("lists")
    if not (isinstance(lists, list) and all(isinstance(row, dict) for row in lists)):
        raise UserError(f"{path}: no lists; expected what dvc repro prepare writes; make it again")
    if (found := lists_digest(lists)) != values.get("digest"):
        raise UserError(
            f"{path}: its lists were changed: their digest is {found[:12]}, expected "
            f"{str(values.get('digest'))[:12]}; make it again (dvc repro prepare)"
        )
    return lists
