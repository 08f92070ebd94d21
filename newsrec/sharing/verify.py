"""Verify what is kept: every object of the cache, and a pull into an empty clone."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from dvc.repo import Repo

from newsrec.errors import UserError
from newsrec.sharing.digests import cached_objects, is_whole
from newsrec.sharing.outputs import listed, objects, open_project, shared_outputs
from newsrec.sharing.transfer import check_remotes, pull_outputs


def verify() -> None:
    """Compare every object in the cache with its digest, then pull HEAD into an empty clone.

    Raises:
        UserError: what is damaged, missing or altered, and what to do.
    """
    with open_project() as repo:
        damaged = _damaged(repo)
        for path, name in damaged.items():
            print(f"damaged: {path} ({name})")
        try:
            _pull_into_clone(repo)
        except UserError as error:
            raise UserError(f"{_advice(damaged)}{error}") from None
        if damaged:
            raise UserError(_advice(damaged))


def _damaged(repo: Repo) -> dict[Path, str]:
    """The files of damaged objects, each with the output that it belongs to."""
    names: dict[str, str] = {}
    for out in repo.index.outs:
        if out.use_cache and out.hash_info:
            names |= objects(out)
    cache = Path(repo.cache.local.path)
    found = list(cached_objects(cache))
    damaged = {path: digest for digest, path in found if not is_whole(path, digest)}
    print(f"cache: {len(found)} objects, {len(damaged)} damaged")
    return {
        path: names.get(digest, "of no output of dvc.lock, maybe of another commit")
        for path, digest in damaged.items()
    }


def _advice(damaged: dict[Path, str]) -> str:
    if not damaged:
        return ""
    return (
        f"{listed(map(str, damaged))}: damaged; delete it, then run newsrec pull for what is "
        "shared, dvc commit for what is whole in this folder, and dvc repro for the rest "
    )


def _pull_into_clone(repo: Repo) -> None:
    """Pull the shared outputs of HEAD into a clone with an empty cache, and delete that.

    Raises:
        UserError: it cannot be pulled.
    """
    check_remotes(shared_outputs(repo))
    checkout = Path(repo.scm.root_dir)
    # Beside the project, not in /tmp, which may be too small for a model.
    work = checkout / ".work"
    work.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="verify-", dir=work) as folder:
        clone = Path(folder) / "clone"
        _git("clone", "-q", str(checkout), str(clone))
        settings = {
            # Also what is in .dvc/config.local, which Git does not clone.
            "remote": repo.config["remote"],
            "core": {"remote": repo.config["core"].get("remote"), "site_cache_dir": folder},
            # Links, so that a model takes its space once.
            "cache": {"dir": f"{folder}/cache", "type": ["reflink", "hardlink", "copy"]},
        }
        root = clone / Path(repo.root_dir).relative_to(checkout)
        with open_project(root, **settings) as cloned:
            outs = shared_outputs(cloned)
            count = pull_outputs(cloned, outs)
            commit = cloned.scm.get_rev()[:7]
    names = ", ".join(Path(out.fs_path).relative_to(root).as_posix() for out in outs)
    print(f"remote: {count} objects of commit {commit} pulled into an empty clone: {names}")


def _git(*words: str) -> None:
    finished = subprocess.run(["git", *words], text=True, capture_output=True, check=False)
    if finished.returncode:
        raise UserError(f"git {words[0]}: {finished.stderr.strip()}")
