"""Git, asked as a program: what it prints, or why it failed."""

import subprocess

from newsrec.errors import UserError


def git(*words: str) -> tuple[str, str]:
    """What Git prints in this folder, and if it fails why, in one line.

    Raises:
        UserError: there is no Git.
    """
    try:
        found = subprocess.run(["git", *words], capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        raise UserError("git: no such program; install it") from None
    reason = " ".join(found.stderr.split()) or f"exit code {found.returncode}"
    return found.stdout.strip(), reason if found.returncode else ""
