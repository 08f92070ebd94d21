"""Fetch a language model from a hub or a folder: its safetensors and descriptive files."""

import hashlib
import re
import shutil
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.hf_api import RepoSibling

from newsrec.errors import UserError, unknown_choice
from newsrec.files import sha256_file, size_folder
from newsrec.models.hub_errors import huggingface_errors, modelscope_errors, need_space

# Safetensors weights and descriptive files; never pickle files or code, which run when loaded.
MODEL_FILES = [
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "LICENSE*",
    # Only to check the kind of the model; they are not kept.
    "adapter_config.json",
    "quant*_config.json",
    "hf_quant_config.json",
]
# Copies of the weights for other programs: sub-folders, and Mistral's own format.
OTHER_FILES = ["*/*", "consolidated*"]


def fetch_modelscope(name: str, revision: str, work: Path) -> Path:
    """Download `name` at `revision` from ModelScope below `work` and return its folder.

    A download that an earlier run began below the same `work` is continued. The environment may set
    MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN.

    Raises:
        UserError: the model or the revision does not exist, access was refused, ModelScope did not
            answer, a file arrived broken, or the disk is full.
    """
    # This client takes seconds to import; the other sources do without it.
    import modelscope
    from modelscope_hub import HubApi
    from modelscope_hub.errors import NotExistError

    _check_name(name, revision)
    folder = work / "modelscope" / f"{name}@{quote(revision, safe='')}"
    folder.mkdir(parents=True, exist_ok=True)
    with modelscope_errors(name, revision, work):
        # Done here because the download hides a failure to find the site that has the model.
        endpoint = HubApi().resolve_endpoint_for_read(name)
        hub = HubApi(endpoint=endpoint)
        try:
            files = hub.list_repo_files(name, "model", revision=revision)
        except NotExistError:
            # The model's own list distinguishes a wrong revision from a wrong name.
            known = [str(entry["Revision"]) for entry in hub.list_repo_revisions(name, "model")]
            raise unknown_choice(f"fetch_model.revision of {name!r}", revision, known) from None
        sizes = {file.path: file.size for file in files if _is_wanted(file.path)}
        _check_listed(name, revision, sizes)
        need_space(work, sum(sizes.values()) - size_folder(folder))
        modelscope.snapshot_download(
            name,
            revision=revision,
            cache_dir=str(work / "modelscope" / "locks"),
            local_dir=str(folder),
            allow_patterns=MODEL_FILES,
            ignore_patterns=OTHER_FILES,
            endpoint=endpoint,
        )
    _keep_only(folder, sizes)
    return folder


def fetch_huggingface(name: str, revision: str, work: Path) -> Path:
    """Download `name` at `revision` from Hugging Face below `work` and return its folder.

    A download that an earlier run began below the same `work` is continued. The environment may set
    HF_ENDPOINT and HF_TOKEN.

    Raises:
        UserError: the model or the revision does not exist, access was refused, Hugging Face did
            not answer, a file arrived broken, or the disk is full.
    """
    _check_name(name, revision)
    work.mkdir(parents=True, exist_ok=True)
    with huggingface_errors(name, revision, work, "fetch_model.name", "fetch_model.revision"):
        info = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=60)
        wanted = [file for file in info.siblings or [] if _is_wanted(file.rfilename)]
        _check_listed(name, revision, wanted)
        # Named after the commit, so that a branch that moves between two runs does not mix models.
        folder = work / "huggingface" / f"{name}@{info.sha}"
        folder.mkdir(parents=True, exist_ok=True)
        need_space(work, sum(file.size or 0 for file in wanted) - size_folder(folder))
        snapshot_download(
            name,
            revision=info.sha,
            local_dir=folder,
            allow_patterns=MODEL_FILES,
            ignore_patterns=OTHER_FILES,
        )
    _keep_only(folder, [file.rfilename for file in wanted])
    for file in wanted:
        check_arrived(folder / file.rfilename, file)
    return folder


def fetch_local(folder: Path) -> Path:
    """Return `folder`, a model on this machine.

    Raises:
        UserError: it does not exist or is a file.
    """
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; set fetch_model.path to the folder of a model")
    if not folder.is_dir():
        raise UserError(
            f"{folder}: expected the folder of a model, found a file; check fetch_model.path"
        )
    return folder


def _check_name(name: str, revision: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name):
        raise UserError(f"fetch_model.name is {name!r}; expected owner/name, as shown on the hub")
    if not revision:
        raise UserError("fetch_model.revision is empty; expected a branch, a tag or a commit id")


def _is_wanted(path: str) -> bool:
    chosen = any(fnmatchcase(path, pattern) for pattern in MODEL_FILES)
    return chosen and not any(fnmatchcase(path, pattern) for pattern in OTHER_FILES)


def _check_listed(name: str, revision: str, wanted: Collection[object]) -> None:
    if not wanted:
        raise UserError(
            f"{name!r} at {revision!r} has no files of a safetensors model; choose another "
            "fetch_model.name or fetch_model.revision"
        )


def check_arrived(path: Path, listed: RepoSibling) -> None:
    """Compare a downloaded file with Hugging Face's list; its client compares only sizes.

    Raises:
        UserError: the checksum differs; the file was deleted.
    """
    if listed.lfs is not None:
        expected: str | None = listed.lfs.sha256
        found = sha256_file(path)
    else:
        content = path.read_bytes()
        expected = listed.blob_id  # git's
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if expected is not None and found != expected:
        path.unlink()  # otherwise the next run would treat it as downloaded
        raise UserError(
            f"{path}: arrived broken (checksum {found[:12]}, expected {expected[:12]}) and was "
            "deleted; run again to download it"
        )


def _keep_only(folder: Path, names: Collection[str]) -> None:
    """Delete the clients' records and files of an earlier state of a branch."""
    # Hugging Face's client returns existing files if the hub stops answering after the listing.
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise UserError(f"{folder}: {', '.join(missing)} did not arrive; run again to fetch them")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()
