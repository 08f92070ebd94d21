"""An object is whole when its content has the digest that is its name."""

import hashlib
from pathlib import Path

from newsrec.sharing.digests import cached_objects, is_whole


def test_objects_are_compared_with_their_names(tmp_path: Path) -> None:
    digest = hashlib.md5(b"content").hexdigest()
    folder = tmp_path / digest[:2]
    folder.mkdir()
    for name, content in ((digest[2:], b"content"), (f"{digest[2:]}.dir", b"c0ntent")):
        (folder / name).write_bytes(content)
    (folder / ".draft.tmp").write_bytes(b"")
    found = {path.name: is_whole(path, name) for name, path in cached_objects(tmp_path)}
    assert found == {digest[2:]: True, f"{digest[2:]}.dir": False}
