"""DVC's commands, as the benchmarks use them."""

from newsrec.errors import UserError
from newsrec.running.processes import run_group


def run_dvc(*words: str) -> None:
    """Run a command of DVC, which shows its own output.

    Raises:
        UserError: it failed.
    """
    if code := run_group(["dvc", *words]):
        command = " ".join(["dvc", *words[:2]])
        raise UserError(f"{command} ended with exit code {code}, see above; run it again")
