"""Push and pull the shared outputs, and name what was lost or altered on the way."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import CheckoutError, FileTransferError
from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB

from newsrec.errors import UserError
from newsrec.sharing.digests import has_digest, is_whole
from newsrec.sharing.outputs import listed, objects, open_project, remote_of, shared_outputs
from newsrec.sharing.probe import check_answers


@dataclass(frozen=True)
class Loss:
    """An object that a remote does not hold as it was made."""

    name: str  # its path, and what is wrong
    urls: tuple[str, ...]  # what to delete there, so that DVC pushes the object again


def push() -> None:
    """Push the shared outputs of the project in the current folder, and no other.

    Raises:
        UserError: there is no remote or it does not answer, the cache lacks an object or has a
            damaged one, or DVC left one out.
    """
    with open_project() as repo:
        outs = shared_outputs(repo)
        check_remotes(outs)
        _check_cached(repo, outs)
        count = repo.push()  # without targets, for each of which DVC reads dvc.yaml again
        # DVC takes the files of a folder for pushed where the object is that lists them.
        _raise_losses(loss for out in outs for loss in _losses(repo, out, cached=True))
    print(f"{count} objects pushed; on the remote: {', '.join(map(str, outs))}")


def pull() -> None:
    """Pull the shared outputs of the project in the current folder, and no other.

    Raises:
        UserError: there is no remote or it does not answer, or an object is missing or altered
            there.
    """
    with open_project() as repo:
        outs = shared_outputs(repo)
        check_remotes(outs)
        count = pull_outputs(repo, outs)
    print(f"{count} objects pulled; here: {', '.join(map(str, outs))}")


def check_remotes(outs: list[Output]) -> None:
    """Return when every remote of the outputs has answered; see `check_answers`."""
    for name in dict.fromkeys(str(remote_of(out)) for out in outs):
        settings = outs[0].repo.config["remote"][name]
        check_answers(name, settings.get("endpointurl") or settings["url"])


def pull_outputs(repo: Repo, outs: list[Output]) -> int:
    """Pull outputs into the folder of `repo`.

    Returns:
        The number of objects that were not in its cache before.

    Raises:
        UserError: one cannot be pulled; the objects that are missing or altered are named.
    """
    try:
        result = repo.pull(targets=[out.fs_path for out in outs])
    except (CheckoutError, FileTransferError, OSError):
        _raise_losses(loss for out in outs for loss in _losses(repo, out, cached=False))
        raise
    return int(result["stats"]["fetched"])


def _check_cached(repo: Repo, outs: list[Output]) -> None:
    for out in outs:
        for digest, path in objects(out).items():
            file = Path(repo.cache.local.oid_to_path(digest))
            if not file.exists():
                raise UserError(
                    f"{path}: not in DVC's cache; nothing is pushed; run newsrec pull or dvc repro"
                )
            if not is_whole(file, digest):
                raise UserError(
                    f"{file}: damaged (it should hold {path}); nothing is pushed; newsrec verify "
                    "names everything that is damaged and what to do"
                )


def _losses(repo: Repo, out: Output, cached: bool) -> Iterator[Loss]:
    """What the remote lacks of an output; or has altered, among what is not `cached`."""
    name = remote_of(out)
    remote = repo.cloud.get_remote_odb(name)
    folder = str(out.hash_info.value)
    for digest, path in objects(out, remote).items():
        there = remote.exists(digest)
        if there and (cached or Path(repo.cache.local.oid_to_path(digest)).exists()):
            continue
        if there and _is_whole_on(remote, digest):
            continue
        state = "altered" if there else "missing"
        urls = [
            str(remote.fs.unstrip_protocol(remote.oid_to_path(one)))
            for one in dict.fromkeys([digest, folder])
            if remote.exists(one)
        ]
        yield Loss(f"{path} is {state} on the remote {name}", tuple(urls))


def _is_whole_on(remote: HashFileDB, digest: str) -> bool:
    with remote.fs.open(remote.oid_to_path(digest), "rb") as stream:
        return has_digest(stream, digest)


def _raise_losses(losses: Iterator[Loss]) -> None:
    found = list(losses)
    if not found:
        return
    urls = dict.fromkeys(url for loss in found for url in loss.urls)
    delete = f"delete {', '.join(urls)} there, then " if urls else ""
    raise UserError(
        f"{listed(loss.name for loss in found)}; to repair it, {delete}run newsrec push where the "
        "cache is whole (more: docs/sharing.md)"
    )
