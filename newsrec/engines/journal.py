"""A file of the answers of a server, which remains usable after a kill."""

import json
import os
from pathlib import Path
from typing import Any, Self

from newsrec.errors import UserError


class Journal:
    """Lists of values as lines of JSON, each written as soon as it is available.

    The values in an existing file are passed to `take`, which a subclass implements.
    """

    holds: str  # what a line contains, for error messages

    def __init__(self, path: Path) -> None:
        """Read the file, or create an empty one; its folder must exist.

        Raises:
            UserError: `take` does not accept a line.
        """
        self.path = path
        path.touch()
        content = path.read_bytes()
        # After a kill, the last line may be incomplete; the next line must not be appended to it.
        whole = content[: content.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self.take(*json.loads(line))
            except (ValueError, TypeError):
                raise UserError(
                    f"{path}:{number}: expected {self.holds} as JSON; remove the file to ask again"
                ) from None
        self._stream = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def take(self, *values: Any) -> None:
        """Store the values of a line in the file.

        Raises:
            ValueError, TypeError: the values do not belong to this journal.
        """
        raise NotImplementedError

    def write(self, *values: Any) -> None:
        """Append a line; it survives a kill -9 of this process."""
        self._stream.write(json.dumps(values) + "\n")
        self._stream.flush()

    def forget(self) -> None:
        """Remove all lines."""
        self._stream.truncate(0)
