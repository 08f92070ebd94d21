"""A stage that stops for ever before one of its renames, to be killed there.

Copied into a tree as sitecustomize.py, which every Python there imports as it starts. What a stage
writes appears by a rename: before the first nothing of its output is there, before the last all but
one file. Variables: RENAMES, a folder, has each stage write there how many it makes; STOP_BEFORE, a
number, stops it.
"""

import os
import re
import sys
import time
from pathlib import Path

_DRAFT = re.compile(r"\.(.+)\.[a-z0-9_]{8}$")
_made = 0


def _look(event: str, arguments: tuple[object, ...]) -> None:
    global _made
    if event != "os.rename" or not _DRAFT.search(str(arguments[0])):
        return
    _made += 1
    if folder := os.environ.get("RENAMES"):
        (Path(folder) / os.environ["DVC_STAGE"]).write_text(str(_made))
    if str(_made) == os.environ.get("STOP_BEFORE"):
        Path("stopped").touch()
        time.sleep(600)


if any(word.startswith("stages.") for word in sys.orig_argv):
    sys.addaudithook(_look)
