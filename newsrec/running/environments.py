"""The Python of an environment beside this one, for libraries that do not fit into it."""

import os
import shlex
import sys
from pathlib import Path

from newsrec.errors import UserError
from newsrec.running.copies import original

_ROOT = Path(__file__).resolve().parents[2]


def python_of(environment: str, variable: str) -> Path:
    """Where the Python of another environment is, whether or not it is there.

    Where the variable points, else beside this environment, else where `make env` makes it; in the
    original checkout where this one is a copy.

    Args:
        environment: name of its folder, like .venv-vllm.
        variable: of the process's environment.
    """
    if variable in os.environ:
        return original(Path(os.environ[variable]))
    beside = Path(sys.prefix).with_name(environment) / "bin/python"
    return beside if beside.exists() else original(_ROOT) / environment / "bin/python"


def require_python(environment: str, variable: str, whose: str, target: str = "env") -> Path:
    """The same, which must be there.

    Args:
        environment: see `python_of`.
        variable: see there.
        whose: environment it is, for the error.
        target: of `make`, which creates it.

    Raises:
        UserError: it is not there.
    """
    python = python_of(environment, variable)
    if not python.exists():
        raise UserError(
            f"{python}: no such file; expected the Python of {whose} environment; create it with: "
            f"make -C {shlex.quote(str(original(_ROOT)))} {target} (or point {variable} to another "
            "one)"
        )
    return python
