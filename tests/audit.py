"""Known vulnerabilities of what is pinned, by pip-audit; run by `make audit`.

python -m tests.audit .work/audit/bin/pip-audit requirements.txt ...

Exit code: 0 none is known, 1 some are, 2 nothing could be looked up.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")


def audit(program: str | Path, requirements: Iterable[str | Path]) -> int:
    """Print what is known of each file's packages, and return the exit code."""
    codes = [_audit_file(program, path) for path in requirements]
    return 1 if 1 in codes else max(codes)


def _audit_file(program: str | Path, path: str | Path) -> int:
    finished = subprocess.run(
        [program, *_OPTIONS, "--requirement", path], capture_output=True, text=True, check=False
    )
    try:
        packages: list[dict[str, Any]] = json.loads(finished.stdout)["dependencies"]
    except (ValueError, LookupError):
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{path}: NOT AUDITED: pip-audit gave no result: {last}")
        return 2
    known = [package for package in packages if "vulns" in package]
    unknown = [package["name"] for package in packages if "vulns" not in package]
    if not known:
        print(
            f"{path}: NOT AUDITED: the service of vulnerabilities knows none of its "
            f"{len(packages)} packages, so it cannot be reached from here; run it where PyPI "
            "itself can be"
        )
        return 2
    if unknown:
        print(f"{path}: not known to the service: {', '.join(unknown)}")
    vulnerable = [package for package in known if package["vulns"]]
    for package in vulnerable:
        for found in package["vulns"]:
            fixed = ", ".join(found.get("fix_versions", [])) or "no version yet"
            print(f"{path}: {package['name']} {package['version']}: {found['id']}; fixed: {fixed}")
    print(f"{path}: {len(known)} packages audited, {len(vulnerable)} with known vulnerabilities")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1], sys.argv[2:]))
