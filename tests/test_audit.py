"""`make audit` never takes a service that was not reached for a clean result."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.audit import audit

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "private", "skip_reason": "not found on PyPI"}


def program(folder: Path, said: str, words: str = "") -> Path:
    """A pip-audit that says this."""
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\necho '{words}' >&2\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([GOOD, SKIPPED], 0, "a.txt: 1 packages audited, 0 with known vulnerabilities"),
        ([GOOD, BAD], 1, "a.txt: bad 2: PYSEC-1; fixed: 3"),
        ([GOOD, SKIPPED], 0, "a.txt: not known to the service: private"),
        ([SKIPPED, SKIPPED], 2, "a.txt: NOT AUDITED: the service of vulnerabilities knows none"),
    ],
)
def test_the_code_says_what_was_found(
    packages: list[dict[str, Any]],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = json.dumps({"dependencies": packages, "fixes": []})
    assert audit(program(tmp_path, said), ["a.txt"]) == code
    assert words in capsys.readouterr().out


def test_a_service_that_is_not_reached_is_no_clean_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(program(tmp_path, "", "ConnectionError: no such host"), ["a.txt"]) == 2
    shown = capsys.readouterr().out
    assert "NOT AUDITED: pip-audit gave no result: ConnectionError: no such host" in shown


def test_every_pinned_environment_is_audited() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\naudit:")[1].split("\n\n")[0]
    for path in ROOT.glob("requirements*.in"):
        assert f" {path.stem}.txt" in recipe
