"""Compose params.yaml from `conf/` in the same way as `dvc exp run`."""

from collections.abc import Sequence
from pathlib import Path

CONF = Path(__file__).resolve().parents[2] / "conf"


def compose(
    target: Path, overrides: Sequence[str] = (), config: str = "config", conf: Path = CONF
) -> None:
    """Write the composition of a defaults list to `target`.

    Args:
        target: params.yaml, or another file.
        overrides: Hydra overrides, such as `train=qlora` or `train.lr=5e-5`.
        config: name of the defaults list, `conf/<config>.yaml`.
        conf: the folder of the defaults list.
    """
    # The import takes a second, which stages that only read `CONF` can avoid.
    from dvc.utils.hydra import compose_and_dump

    compose_and_dump(str(target), str(conf), None, config, "hydra_plugins", list(overrides))


def compose_pipeline(target: Path, overrides: Sequence[str]) -> None:
    """The same for the pipeline in this folder, with the defaults list set in its DVC project."""
    from dvc.repo import Repo

    with Repo(".") as repo:
        hydra = repo.config["hydra"]
        conf = Path(repo.root_dir) / hydra.get("config_dir", "conf")
        compose(target, overrides, hydra.get("config_name", "config"), conf)
