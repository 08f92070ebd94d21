"""The outputs that a pipeline shares: what of its dvc.yaml DVC caches without `push: false`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import ConfigError, RemoteMissingDepsError
from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.transfer import find_tree_by_obj_id

from newsrec.errors import UserError

NO_REMOTE = (
    "no DVC remote is configured; add one: dvc remote add -d storage s3://BUCKET/PATH && "
    "dvc remote modify storage verify true (more: docs/sharing.md)"
)


@contextmanager
def open_project(root: Path | None = None, **config: Mapping[str, Any]) -> Iterator[Repo]:
    """The DVC project of `root`, or of the current folder, with `config` over its own settings.

    What is pulled is compared with its digest, whether or not the remote is set to `verify`: DVC
    takes altered bytes otherwise.

    Raises:
        UserError: in place of an error of DVC's or of the system's.
    """
    try:
        remotes = config.get("remote") or Config.from_cwd()["remote"]
        verified = {name: {**remote, "verify": True} for name, remote in remotes.items()}
        with Repo(root and str(root), config={**config, "remote": verified}) as repo:
            yield repo
    except (DvcException, ConfigError, RemoteMissingDepsError, OSError) as error:
        raise UserError(str(error) or type(error).__name__) from error


def shared_outputs(repo: Repo) -> list[Output]:
    """The outputs to push and pull.

    Raises:
        UserError: there are none, dvc.lock does not record one, or one has no remote.
    """
    found = [out for out in repo.index.outs if out.use_cache and out.can_push]
    if not found:
        raise UserError("dvc.yaml: no output is shared: each has push: false or cache: false")
    if unknown := [str(out) for out in found if not out.hash_info]:
        raise UserError(
            f"dvc.lock: does not record {', '.join(unknown)}; run dvc repro, and commit dvc.lock"
        )
    known = repo.config["remote"]
    for out in found:
        if (name := remote_of(out)) is None:
            names = ", ".join(known)
            raise UserError(
                f"none of the DVC remotes {names} is the default one; choose: "
                f"dvc remote default {next(iter(known))}"
                if known
                else NO_REMOTE
            )
        if name not in known:
            raise UserError(
                f"{out}: the DVC remote {name} is not configured; expected one of: "
                f"{', '.join(known)}; add it: dvc remote add {name} URL"
            )
    return found


def remote_of(out: Output) -> str | None:
    """The name of the remote that keeps an output: its own, else the default one."""
    name: str | None = out.remote or out.repo.config["core"].get("remote")
    return name


def objects(out: Output, remote: HashFileDB | None = None) -> dict[str, str]:
    """The digest of every object that an output consists of, with the path that it has there.

    One object of a folder lists the others (`.dir`), and is the only one if neither the cache nor
    the remote has it whole.
    """
    found = {str(out.hash_info.value): str(out)}
    if out.hash_info.isdir and (listing := find_tree_by_obj_id([out.cache, remote], out.hash_info)):
        listing.digest()
        if listing.hash_info == out.hash_info:
            found |= {str(info.value): str(Path(str(out), *parts)) for parts, _, info in listing}
    return found


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first of many names, for a message of one line."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
