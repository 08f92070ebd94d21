"""docs/sharing.md: remotes that verify, and a table that says of each output what dvc.yaml does."""

import re

from tests import ROOT
from tests.documents import TEXTS, commands
from tests.quick_yaml import safe_load

TEXT = TEXTS["docs/sharing.md"]


def test_every_documented_remote_verifies_what_is_pulled() -> None:
    found = 0
    for text in TEXTS.values():
        words = commands(text)
        for command in words:
            if command[:3] == ["dvc", "remote", "add"] and len(command) > 3:
                name = next(word for word in command[3:] if not word.startswith("-"))
                assert ["dvc", "remote", "modify", name, "verify", "true"] in words
                found += 1
    assert found >= 4


def test_the_table_shares_what_the_graph_does() -> None:
    stages = safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outs = [
        one if isinstance(one, dict) else {one: {}}
        for stage in stages.values()
        for one in stage.get("do", stage).get("outs", [])
    ]
    rows = re.findall(r"^\| (`.*?`) \| (shared|`push: false`) \|", TEXT, re.MULTILINE)
    table = {path: state for paths, state in rows for path in re.findall("`(.+?)`", paths)}
    seen = set()
    for out in outs:
        ((path, flags),) = out.items()
        if not flags.get("cache", True):
            continue
        (name,) = (name for name in table if path == name or path.startswith(f"{name}/"))
        assert (table[name] == "shared") == flags.get("push", True), path
        seen.add(name)
    assert seen == set(table)
