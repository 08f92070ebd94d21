"""Write params.yaml as DVC composes it from conf/: python -m tests.compose_params [FILE]."""

import sys
from pathlib import Path

from dvc.utils.hydra import compose_and_dump

ROOT = Path(__file__).resolve().parent.parent


def compose(target: Path, overrides: list[str]) -> None:
    """Write the composition of conf/ with Hydra `overrides` to `target`."""
    compose_and_dump(str(target), str(ROOT / "conf"), None, "config", "hydra_plugins", overrides)


if __name__ == "__main__":
    compose(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "params.yaml", [])
