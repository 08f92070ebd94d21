"""Errors of a download in one line: a full disk, and replies of Hugging Face or ModelScope."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from newsrec.errors import UserError

GB = 10**9
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def need_space(folder: Path, needed: int) -> None:
    """Make sure that `needed` bytes fit on the disk of `folder`, which must exist.

    Raises:
        UserError: they do not fit; the message says how much to free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {needed / GB:.2f} GB are needed here and {free / GB:.2f} GB are free; "
            f"free {(needed - free) / GB:.2f} GB and run again"
        )


def disk_error(folder: Path, error: OSError) -> OSError | UserError:
    """The exception for `error`: a `UserError` if the disk of `folder` is full, else `error`."""
    if error.errno not in _DISK_FULL:
        return error
    free = shutil.disk_usage(folder).free
    return UserError(
        f"{folder}: the disk became full during the download ({free / GB:.2f} GB free); free some "
        "space and run again: the download resumes where it stopped"
    )


@contextmanager
def huggingface_errors(
    repo: str, revision: str, work: Path, repo_key: str, revision_key: str
) -> Iterator[None]:
    """Set up the Hugging Face client for the block, which downloads `repo` into `work`.

    `repo_key` and `revision_key` are the settings of the two values, for messages.

    Raises:
        UserError: the repository, the revision or the file does not exist, access was refused, the
            hub did not answer or closed the connection, or the disk is full.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True
    # Both replace the plain HTTP download with one that restarts each file after a killed run.
    constants.HF_HUB_DISABLE_XET = True
    constants.HF_HUB_ENABLE_HF_TRANSFER = False
    try:
        yield
    except LocalEntryNotFoundError as error:
        # The client raises this for "no answer, and no copy on disk"; its cause is the real error.
        raise _explain_huggingface(
            error.__cause__ or error, repo, revision, repo_key, revision_key
        ) from error
    except (
        requests.RequestException,
        HFValidationError,
        OfflineModeIsEnabled,
        FileMetadataError,
    ) as error:
        raise _explain_huggingface(error, repo, revision, repo_key, revision_key) from error
    except OSError as error:
        if error.errno is None:
            # The client raises a bare OSError for a file that is shorter or longer than announced.
            raise UserError(
                f"{repo}: a file does not have the announced size; delete {work} and run again"
            ) from error
        raise disk_error(work, error) from error


def _explain_huggingface(
    error: BaseException, repo: str, revision: str, repo_key: str, revision_key: str
) -> UserError:
    # The client's own texts are omitted, as they may contain a signed URL.
    hub = constants.ENDPOINT
    if isinstance(error, HFValidationError):
        return UserError(f"{repo_key} is {repo!r}; expected owner/name, as shown on {hub}")
    if isinstance(error, RevisionNotFoundError):
        return UserError(
            f"{hub} has no revision {revision!r} of {repo!r}; set {revision_key} to one of its "
            "branches, tags or full commit ids"
        )
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{repo!r} is gated on {hub}; accept its terms on its page, then set HF_TOKEN to a "
            "token of the same account"
        )
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{repo!r} was not found on {hub}; check {repo_key}, and if it is private, set "
            "HF_TOKEN to a token with read access"
        )
    if isinstance(error, EntryNotFoundError):
        return UserError(
            f"{hub} lists a file of {repo!r} at {revision!r} that it does not have; try again "
            f"later, or set another {revision_key}"
        )
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(f"HF_HUB_OFFLINE is set, but {repo!r} must be downloaded; unset it")
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return UserError(
                f"{hub} refuses access to {repo!r} (HTTP {status}); set HF_TOKEN to a valid token "
                "with read access, or unset an invalid one"
            )
        return UserError(f"{hub} answered HTTP {status} for {repo!r}; try again later")
    return UserError(
        f"no complete answer from {hub} for {repo!r} ({type(error).__name__}); check the network, "
        "the proxy settings and HF_ENDPOINT, then run again: the download resumes where it stopped"
    )


@contextmanager
def modelscope_errors(name: str, revision: str, work: Path) -> Iterator[None]:
    """The same for a block that downloads model `name` from ModelScope into `work`.

    Raises:
        UserError: the model or the revision does not exist, access was refused, ModelScope did not
            answer, a file arrived damaged, or the disk is full.
    """
    # This client takes seconds to import; other sources do not need it.
    from modelscope_hub.errors import FileDownloadError, HubError

    try:
        yield
    except FileDownloadError as error:
        path, cause = next(iter(error.failed_files.items()))
        raise _explain_modelscope(cause, f"{path} of {name!r}", revision, work) from error
    except requests.HTTPError as error:
        # modelscope's older interface wraps the errors of its client in this class.
        raise _explain_modelscope(error.__cause__ or error, repr(name), revision, work) from error
    except (HubError, OSError) as error:
        raise _explain_modelscope(error, repr(name), revision, work) from error


def _explain_modelscope(
    error: BaseException, what: str, revision: str, work: Path
) -> BaseException:
    from modelscope_hub.errors import (
        AuthenticationError,
        FileIntegrityError,
        HubError,
        NetworkError,
        NotExistError,
        PermissionDeniedError,
    )

    if isinstance(error, (NetworkError, requests.RequestException)):
        return UserError(
            f"no complete answer from ModelScope for {what} ({type(error).__name__}); check the "
            "network, the proxy settings and MODELSCOPE_ENDPOINT, then run again: the download "
            "resumes where it stopped"
        )
    if isinstance(error, FileIntegrityError):
        return UserError(
            f"{what} arrived broken from ModelScope (size or checksum differs from its list) and "
            "was deleted; run again to download it"
        )
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return UserError(
            f"ModelScope refuses access to {what} (HTTP {error.status_code}); accept the model's "
            "terms on its page if it has any, and set MODELSCOPE_API_TOKEN to a valid token with "
            "read access"
        )
    if isinstance(error, NotExistError):
        return UserError(
            f"{what} was not found on ModelScope at {revision!r}; check fetch_model.name and "
            "fetch_model.revision, and if it is private, set MODELSCOPE_API_TOKEN to a token with "
            "read access"
        )
    if isinstance(error, HubError):
        return UserError(f"ModelScope refused {what}: {error.message}; try again later")
    if isinstance(error, OSError):
        return disk_error(work, error)
    return error
