"""Where the two files of a category come from, and how they are laid out for the stages."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.files import size_folder
from newsrec.models.hub_errors import huggingface_errors, need_space
from newsrec.models.hubs import check_arrived
from newsrec.ranker.reviews.files import is_gzip, read_metadata, read_ratings

RATINGS, METADATA = "ratings.csv", "meta.jsonl"
_HUB_RATINGS, _HUB_METADATA = (
    "benchmark/5core/rating_only/{}.csv",
    "raw/meta_categories/meta_{}.jsonl",
)
_REMEDY = "run: dvc repro fetch_reviews"

Files = tuple[Path, Path]  # of ratings and of metadata


def fetch_huggingface_reviews(repo: str, revision: str, category: str, work: Path) -> Files:
    """Download the two files of a category of the dataset `repo` below `work`.

    Ratings are those of users and items with five or more. A download that an earlier run began
    below the same `work` is continued. The environment may set HF_ENDPOINT and HF_TOKEN.

    Raises:
        UserError: the repository, the revision or the category does not exist, access was refused,
            the hub did not answer, a file arrived broken, or the disk is full.
    """
    check_category(category)
    work.mkdir(parents=True, exist_ok=True)
    with huggingface_errors(repo, revision, work, "fetch_reviews.repo", "fetch_reviews.revision"):
        info = HfApi().dataset_info(repo, revision=revision, files_metadata=True, timeout=60)
        listed = {file.rfilename: file for file in info.siblings or []}
        names = [_listed(category, form, list(listed)) for form in (_HUB_RATINGS, _HUB_METADATA)]
        # Named by the commit: both files are of one state of the repository.
        folder = work / str(info.sha)
        folder.mkdir(exist_ok=True)
        size = sum(listed[name].size or 0 for name in names)
        need_space(work, size - size_folder(folder))
        for name in names:
            hf_hub_download(repo, name, repo_type="dataset", revision=info.sha, local_dir=folder)
            check_arrived(folder / name, listed[name])
    return folder / names[0], folder / names[1]


def find_local(folder: Path, category: str) -> Files:
    """The two files of a folder, as the data set names them or `ratings.csv` and `meta.jsonl`.

    Raises:
        UserError: there is none of one kind, or several.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; set fetch_reviews.path to one with {RATINGS} and {METADATA}"
        )
    advice = "see fetch_reviews.path and fetch_reviews.category"
    return (
        _find(folder, (RATINGS, f"{category}.csv"), advice),
        _find(folder, (METADATA, f"meta_{category}.jsonl"), advice),
    )


def find_raw(folder: Path) -> Files:
    """The two files of a folder that `lay_out` filled.

    Raises:
        UserError: they are not there.
    """
    return find_raw_ratings(folder), _find(folder, (METADATA,), _REMEDY)


def find_raw_ratings(folder: Path) -> Path:
    """The first of them alone."""
    return _find(folder, (RATINGS,), _REMEDY)


def _find(folder: Path, names: Sequence[str], advice: str) -> Path:
    known = [name + end for name in dict.fromkeys(names) for end in ("", ".gz")]
    found = [name for name in known if (folder / name).is_file()]
    if len(found) != 1:
        raise UserError(
            f"{folder}: {' and '.join(found) or 'no such file'}; expected one of "
            f"{', '.join(known)}; {advice}"
        )
    return folder / found[0]


def lay_out(files: Files, target: Path, *, move: bool) -> dict[str, int]:
    """Check every row of the two files and put them into `target`, an existing folder.

    They are called ratings.csv and meta.jsonl there, with .gz where they are compressed: a name
    that ends so may lie.

    Args:
        files: of ratings and of metadata.
        target: where they go.
        move: whether they leave their place.

    Returns:
        The number of rows of each.

    Raises:
        UserError: see `read_ratings` and `read_metadata`; or a file has no row.
    """
    ratings, metadata = files
    counts = {}
    for kind, path, rows in (
        ("ratings", ratings, read_ratings(ratings)),
        ("items", metadata, read_metadata(metadata)),
    ):
        progress = tqdm(rows, desc=f"checking {path.name}", unit=" rows", mininterval=5)
        counts[f"num_{kind}"] = sum(1 for _ in progress)
        if not counts[f"num_{kind}"]:
            raise UserError(f"{path}: no row; expected {kind}; fetch it again")
    for path, name in ((ratings, RATINGS), (metadata, METADATA)):
        place = target / (f"{name}.gz" if is_gzip(path) else name)
        if move:
            shutil.move(path, place)
        else:
            shutil.copyfile(path, place)
    return counts


def check_category(category: str) -> None:
    """Raise a `UserError` unless this can be the name of a category."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", category):
        raise UserError(
            f"fetch_reviews.category is {category!r}; expected a name such as Musical_Instruments"
        )


def _listed(category: str, form: str, names: Sequence[str]) -> str:
    for name in (form.format(category), form.format(category) + ".gz"):
        if name in names:
            return name
    before, after = form.split("{}")
    known = sorted(
        name.removesuffix(".gz").removesuffix(after).removeprefix(before)
        for name in names
        if name.startswith(before) and name.removesuffix(".gz").endswith(after)
    )
    raise UserError(
        f"the dataset has no {form.format(category)}; set fetch_reviews.category to one of: "
        f"{', '.join(known) or 'none, as it has no such file; check fetch_reviews.repo'}"
    )
