"""params.yaml for tests; Hydra takes a seventh of a second for one, so none is composed twice."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from newsrec.params.compose import compose


def write_params(target: Path, *overrides: str, config: str = "config") -> None:
    """As `newsrec.params.compose.compose`: the composition of `conf/` with these overrides."""
    target.write_text(composed(overrides, config), encoding="utf-8")


@cache
def composed(overrides: tuple[str, ...] = (), config: str = "config") -> str:
    """The text of params.yaml."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        compose(path, overrides, config)
        return path.read_text(encoding="utf-8")
