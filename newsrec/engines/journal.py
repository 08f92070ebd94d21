"""A file of what a server has answered, which a kill leaves usable."""

import json
import os
from pathlib import Path
from typing import Any, Self

from newsrec.errors import UserError


class Journal:
    """Lists of values as lines of JSON, each written as soon as it is there.

    What is in the file is given to `take`, which a subclass has.
    """

    holds: str  # what a line is, for errors

    def __init__(self, path: Path) -> None:
        """Read the file, or make an empty one; its folder must exist.

        Raises:
            UserError: a line that `take` does not take.
        """
        self.path = path
        path.touch()
        content = path.read_bytes()
        # A kill leaves the last line torn, and the next one must not be glued to it.
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
        """Keep the values of a line that is in the file.

        Raises:
            ValueError, TypeError: they are none of this journal.
        """
        raise NotImplementedError

    def write(self, *values: Any) -> None:
        """Append a line; it outlives a kill -9 of this process."""
        self._stream.write(json.dumps(values) + "\n")
        self._stream.flush()

    def forget(self) -> None:
        """Remove all lines."""
        self._stream.truncate(0)
