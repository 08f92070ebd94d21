"""Compose params.yaml from `conf/` in the same way as `dvc exp run`."""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from newsrec.errors import UserError, unknown_choice

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

    Raises:
        UserError: an override does not follow Hydra's syntax, or names a choice or a key that does
            not exist.
    """
    # The import takes a second, which stages that only read `CONF` can avoid.
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException, MissingConfigException

    try:
        compose_and_dump(str(target), str(conf), None, config, "hydra_plugins", list(overrides))
    except MissingConfigException as error:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        own = sorted(path.stem for path in (conf / config / group).glob("*.yaml"))
        raise unknown_choice(group, name, own or error.options or ()) from None
    except (HydraException, OmegaConfBaseException) as error:
        if found := re.match(r"Could not override '([^']+)'", str(error)):
            raise _unknown_key(found[1], config, conf) from None
        reason = str(error).partition("See https")[0].strip()
        raise UserError(
            f"{' '.join(overrides)}: {reason}; expected choices and values, like train=qlora "
            "train.lr=5e-5"
        ) from None


def _unknown_key(key: str, config: str, conf: Path) -> UserError:
    """The error for an override of a key that the composition does not have."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        compose(path, (), config, conf)
        section: Any = OmegaConf.to_container(OmegaConf.load(path))
    *above, last = key.split(".")
    for place, name in enumerate(above):
        if name not in section:
            above, last = above[:place], name
            break
        if not isinstance(section[name], dict):
            named = ".".join(above[: place + 1])
            return UserError(f"{key}: {named} is a value and has no keys; expected {named}=…")
        section = section[name]
    where = f"a key of {'.'.join(above)}" if above else "a section or choice"
    return unknown_choice(f"{key}: {where}", last, map(str, section))


def compose_pipeline(target: Path, overrides: Sequence[str]) -> None:
    """The same for the pipeline in this folder, with the defaults list set in its DVC project.

    Raises:
        UserError: this folder is not in a DVC project, or see `compose`.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        project = Repo(".")
    except NotDvcRepoError:
        raise UserError(
            f"{Path.cwd()} is in no DVC project; run newsrec params in the folder of a pipeline, "
            "the root of the repository or pipelines/NAME"
        ) from None
    with project as repo:
        hydra = repo.config["hydra"]
        conf = Path(repo.root_dir) / hydra.get("config_dir", "conf")
        compose(target, overrides, hydra.get("config_name", "config"), conf)
