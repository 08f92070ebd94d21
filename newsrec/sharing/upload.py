"""Upload a prepared folder to the Hugging Face hub, to a destination that a person named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)

from newsrec.errors import UserError

# What an earlier upload left and this one has not: shards of another number would stay beside.
_REPLACED = ["*.safetensors", "*.safetensors.index.json"]


def upload_huggingface(folder: Path, destination: str, message: str) -> str:
    """Upload all files of `folder` as one commit; the repository is made, private, if it is new.

    The environment may set HF_ENDPOINT and HF_TOKEN.

    Args:
        folder: its files go to the root of the repository.
        destination: owner/name.
        message: of the commit.

    Returns:
        The address of the commit.

    Raises:
        UserError: no such owner, no right to write there, or no complete answer.
    """
    with _errors(destination):
        if destination.count("/") != 1:  # the rest the client checks
            raise HFValidationError
        api = HfApi()
        api.create_repo(destination, private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=destination,
            folder_path=folder,
            commit_message=message,
            delete_patterns=_REPLACED,
        )
    return str(commit.commit_url)


@contextmanager
def _errors(destination: str) -> Iterator[None]:
    constants.HF_HUB_DISABLE_TELEMETRY = True
    # The client's own texts are left out: they may hold a signed address.
    hub = constants.ENDPOINT
    try:
        yield
    except HFValidationError:
        raise UserError(
            f"the destination is {destination!r}; expected owner/name, as {hub} writes it"
        ) from None
    except OfflineModeIsEnabled:
        raise UserError("HF_HUB_OFFLINE is set, and nothing can be uploaded; unset it") from None
    except LocalTokenNotFoundError:
        raise _refused(hub, destination, "no token") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403, 404):
            raise _refused(hub, destination, f"HTTP {status}") from None
        raise UserError(
            f"{hub} answered HTTP {status} to the upload to {destination!r}; nothing was changed "
            "there: try again later"
        ) from None
    except requests.RequestException as error:
        raise UserError(
            f"no complete answer from {hub} to the upload to {destination!r} "
            f"({type(error).__name__}); check the network, proxies and HF_ENDPOINT, then run again"
        ) from None
    except (RuntimeError, ValueError) as error:  # the client's for an answer that it cannot use
        reason = str(error).splitlines()[0]
        raise UserError(f"{hub}: the upload to {destination!r} broke off: {reason}") from None


def _refused(hub: str, destination: str, reason: str) -> UserError:
    return UserError(
        f"{hub} does not accept an upload to {destination!r} ({reason}); check the name, and "
        "set HF_TOKEN to a token that may write there"
    )
