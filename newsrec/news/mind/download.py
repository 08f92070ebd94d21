"""Fetch the MIND archives from a Hugging Face dataset and unpack the two tables of each."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, ZipInfo

from huggingface_hub import HfApi, hf_hub_download
from tqdm import tqdm

from newsrec.archives import open_zip
from newsrec.errors import UserError
from newsrec.files import atomic_folder, sha256_file
from newsrec.models.hub_errors import GB, disk_error, huggingface_errors, need_space

TABLES = ("behaviors.tsv", "news.tsv")
_CHUNK = 1 << 20
MAX_BYTES = 10 * GB  # of an archive unpacked; MIND's largest has 2
_REMEDY = "delete it and run again to download it; if it comes back the same check fetch_mind.repo"


def fetch_zips(repo: str, revision: str, files: Mapping[str, str], work: Path) -> list[Path]:
    """Download the zip `files` of dataset `repo` at `revision` and unpack each below `work`.

    `files` gives the SHA-256 of each zip; if it is empty the zip is taken as it comes and its
    SHA-256 printed. Returns one folder per zip, `work`/<zip's stem>, with news.tsv and
    behaviors.tsv. A download that an earlier run began below the same `work` is continued.

    Raises:
        UserError: the repository, the revision or a zip does not exist, access was refused, the hub
            did not answer, a zip is not the expected one or broken, or the disk is full.
    """
    work.mkdir(parents=True, exist_ok=True)
    with huggingface_errors(repo, revision, work, "fetch_mind.repo", "fetch_mind.revision"):
        info = HfApi().dataset_info(repo, revision=revision, files_metadata=True, timeout=60)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        absent = sorted(set(files) - set(sizes))
        if absent:
            zips = sorted(name for name in sizes if name.endswith(".zip"))
            raise UserError(
                f"dataset {repo!r} at {revision!r} has no {', '.join(absent)}; correct "
                f"fetch_mind.files or fetch_mind.repo: it has {', '.join(zips) or 'no zip files'}"
            )
        for name, expected in files.items():
            # Of the commit, not the branch: all zips are of one state of the repository.
            place = hf_hub_download(
                repo, name, repo_type="dataset", revision=info.sha, local_dir=work / "zips"
            )
            _check_digest(Path(place), expected)
    return [_unpack(work / "zips" / name, work / PurePosixPath(name).stem) for name in files]


def _check_digest(archive: Path, expected: str) -> None:
    found = sha256_file(archive)
    if not expected:
        print(f"{archive.name}: sha256 {found} (not compared: write it into fetch_mind.files)")
    elif found != expected.lower():
        archive.unlink()  # or the next run would take it for downloaded
        raise UserError(
            f"{archive}: sha256 is {found}, expected {expected}; it was deleted: run again, and if "
            "it comes back the same correct its sha256 in fetch_mind.files"
        )


def _unpack(archive: Path, target: Path) -> Path:
    """Unpack the two tables of `archive` to `target`, which appears whole or not at all."""
    try:
        with open_zip(archive, MAX_BYTES, _REMEDY) as opened:
            tables = _tables(archive, opened)
            size = sum(member.file_size for member in tables.values())
            need_space(target.parent, size)
            with (
                atomic_folder(target) as draft,
                tqdm(
                    total=size, desc=f"Unpacking {archive.name}", unit="B", unit_scale=True
                ) as bar,
            ):
                for name, member in tables.items():
                    with opened.open(member) as source, (draft / name).open("wb") as sink:
                        while chunk := source.read(_CHUNK):
                            sink.write(chunk)
                            bar.update(len(chunk))
    except OSError as error:
        raise disk_error(target.parent, error) from error
    return target


def _tables(archive: Path, opened: ZipFile) -> dict[str, ZipInfo]:
    """The members that are the two tables, at the top or in one sub-folder."""
    members = opened.infolist()
    tables = {}
    for name in TABLES:
        found = [
            member
            for member in members
            if PurePosixPath(member.filename).name == name
            and len(PurePosixPath(member.filename).parts) <= 2
            and not member.is_dir()
        ]
        if len(found) != 1:
            raise UserError(
                f"{archive}: {len(found)} members are named {name}, expected one; this is not a "
                "MIND zip: check its name and fetch_mind.repo"
            )
        tables[name] = found[0]
    return tables
