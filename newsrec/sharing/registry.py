"""The registry of models: versions of an artifact of dvc.yaml, kept by gto as tags of Git."""

from typing import NamedTuple

from gto.exceptions import GTOException
from gto.registry import GitRegistry
from gto.versions import SemVer
from scmrepo.exceptions import SCMError

from newsrec.errors import UserError


class Version(NamedTuple):
    """A registered version, like v0.0.1, and its commit."""

    name: str
    commit: str


def last_version(artifact: str) -> Version | None:
    """The highest version of an artifact that is registered and not deprecated; None without one.

    Args:
        artifact: its name in the dvc.yaml of the repository's root.
    """
    with GitRegistry.from_url(".") as registry:
        found = registry.find_artifact(artifact, create_new=True)
        latest = found.get_latest_version(registered_only=True)
    return Version(latest.version, latest.commit_hexsha) if latest else None


def register(artifact: str, message: str) -> str:
    """Register the commit that is checked out as the next version, and return the name of its tag.

    Raises:
        UserError: Git or gto refuses, such as without a name for the author.
    """
    try:
        with GitRegistry.from_url(".") as registry:
            known = registry.find_artifact(artifact, create_new=True).get_versions(
                active_only=False
            )
            # Left to gto, it is the one after the last that is active, whose tag may exist.
            name = SemVer(known[0].version).bump(bump_patch=True).version if known else None
            made = registry.register(artifact, "HEAD", name, message, simple=True)
    except (GTOException, SCMError) as error:
        raise UserError(f"{artifact}: cannot be registered: {error}") from None
    return str(made.tag)
