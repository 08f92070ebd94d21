"""From folders of MIND files, whatever their names, to data/raw/{train,val,test}."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from newsrec.errors import UserError
from newsrec.news.mind.tables import (
    NEWS_COLUMNS,
    Impression,
    format_time,
    read_behaviors,
    read_news,
    read_rows,
)

SPLIT_RULES = ("by_time", "by_user")
LABELLED_SPLITS = ("train", "val", "test")

# What a folder may be called, and the part it plays.
_ROLES = {"train": "train", "val": "dev", "dev": "dev", "test": "test", "unlabelled": "unlabelled"}


def split_folders(source: Path, target: Path, rule: str, seed: int) -> dict[str, int]:
    """Check the MIND files below `source` and lay them out as labelled train, val and test.

    Labelled train, val and test folders are taken as they are. Where there is no labelled test,
    `rule` makes the splits:

    - `by_time`: with a dev (or val) folder, that is the test and the last day of train is val;
      with train alone, its last day is the test and the day before is val.
    - `by_user`: train and dev are pooled, and users fall 7:2:1 into train, val and test by a hash
      of `seed` and the user id.

    Unlabelled rows go to `target/unlabelled`. `source` is only read.

    Returns:
        The number of impressions of each split written.

    Raises:
        UserError: no MIND folder found, small and large mixed, a split left without rows, or a
            fault in a file (see `newsrec.news.mind.tables`).
    """
    folders = find_folders(source)
    if "train" not in folders:
        raise UserError(f"{source}: no train folder; expected train/ or MINDsmall_train/ there")
    if "test" in folders and not _is_labelled(folders["test"]):
        folders["unlabelled"] = folders.pop("test")

    counts = {}
    if "unlabelled" in folders:
        counts["unlabelled"] = _copy(folders["unlabelled"], target / "unlabelled", labelled=False)
    if "test" in folders:
        if "dev" not in folders:
            raise UserError(f"{source}: train and test but no val folder; expected val/ there too")
        for role, split in (("train", "train"), ("dev", "val"), ("test", "test")):
            counts[split] = _copy(folders[role], target / split, labelled=True)
    elif rule == "by_user":
        pool = [folders[role] for role in ("train", "dev") if role in folders]
        counts |= _split_by_user(pool, target, seed)
    elif "dev" in folders:
        counts["test"] = _copy(folders["dev"], target / "test", labelled=True)
        counts |= _split_by_day(folders["train"], target, ("val",))
    else:
        counts |= _split_by_day(folders["train"], target, ("test", "val"))
    for split in LABELLED_SPLITS:
        if counts[split] == 0:
            raise UserError(
                f"{source}: the rule fetch_mind.split={rule} leaves {split} without an impression; "
                "give more data, or choose another rule"
            )
    return counts


def find_folders(source: Path) -> dict[str, Path]:
    """Map the roles train, dev, test and unlabelled to the folders of `source` that play them."""
    if not source.is_dir():
        raise UserError(
            f"{source}: no such folder; expected one that holds train/, val/ and test/, or "
            "MINDsmall_train/ and MINDsmall_dev/; set fetch_mind.path"
        )
    found: dict[str, Path] = {}
    sizes = set()
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        size, _, name = folder.name.rpartition("_")
        if size not in ("", "MINDsmall", "MINDlarge") or name not in _ROLES:
            continue
        role = _ROLES[name]
        if role in found:
            raise UserError(
                f"{source}: both {found[role].name}/ and {folder.name}/ would be {role}; keep one "
                "(MINDsmall and MINDlarge use different news ids and never mix)"
            )
        sizes.add(size)
        found[role] = folder
    if len(sizes) > 1:
        names = ", ".join(folder.name for folder in found.values())
        raise UserError(f"{source}: folders of different data sets ({names}); keep one of them")
    return found


def _is_labelled(folder: Path) -> bool:
    first = next(read_behaviors(folder / "behaviors.tsv"))
    return first.labels is not None


def _checked(folder: Path, labelled: bool) -> Iterator[Impression]:
    """The impressions of a folder, each checked to be labelled as the split should be."""
    path = folder / "behaviors.tsv"
    for impression in read_behaviors(path):
        if (impression.labels is not None) != labelled:
            found, expected = ("no labels", "labels") if labelled else ("labels", "none")
            raise UserError(
                f"{path}, line {impression.line}: candidates with {found}, expected {expected} "
                "as in the rest of the split; keep labelled and unlabelled rows in folders apart"
            )
        yield impression


def _copy(source: Path, target: Path, labelled: bool) -> int:
    read_news(source / "news.tsv")
    count = sum(1 for _ in _checked(source, labelled))
    target.mkdir(parents=True)
    for name in ("news.tsv", "behaviors.tsv"):
        shutil.copyfile(source / name, target / name)
    return count


def _split_by_day(source: Path, target: Path, last_splits: tuple[str, ...]) -> dict[str, int]:
    """Give the last days of `source` to `last_splits`, latest first, and the rest to train."""
    days = sorted({impression.time.date() for impression in _checked(source, labelled=True)})
    if len(days) <= len(last_splits):
        raise UserError(
            f"{source / 'behaviors.tsv'}: {len(days)} day(s) of impressions; by_time needs "
            f"{len(last_splits) + 1} or more; set fetch_mind.split=by_user"
        )
    split_of: dict[date, str] = dict.fromkeys(days, "train")
    split_of |= dict(zip(reversed(days), last_splits, strict=False))
    rows = (
        (split_of[impression.time.date()], impression.impression_id, impression)
        for impression in _checked(source, labelled=True)
    )
    read_news(source / "news.tsv")
    return _write_splits(rows, target, ("train", *last_splits), [source])


def _split_by_user(sources: list[Path], target: Path, seed: int) -> dict[str, int]:
    """Pool `sources` and give each user to train, val or test, 7:2:1."""
    rows = (
        (
            _split_of_user(impression.user_id, seed),
            # Ids count from 1 in every MIND file: pooled ones would collide.
            (f"{source.name}-" if len(sources) > 1 else "") + impression.impression_id,
            impression,
        )
        for source in sources
        for impression in _checked(source, labelled=True)
    )
    return _write_splits(rows, target, LABELLED_SPLITS, sources)


def _split_of_user(user_id: str, seed: int) -> str:
    digest = hashlib.sha256(f"{seed}:{user_id}".encode()).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    return "train" if tenth < 7 else "val" if tenth < 9 else "test"


def _write_splits(
    rows: Iterator[tuple[str, str, Impression]],
    target: Path,
    splits: tuple[str, ...],
    news_sources: list[Path],
) -> dict[str, int]:
    counts = dict.fromkeys(splits, 0)
    news = _pooled_news(news_sources)
    with ExitStack() as stack:
        streams = {}
        for split in splits:
            (target / split).mkdir(parents=True)
            (target / split / "news.tsv").write_text(news, encoding="utf-8", newline="\n")
            stream = (target / split / "behaviors.tsv").open("w", encoding="utf-8", newline="\n")
            streams[split] = stack.enter_context(stream)
        for split, impression_id, impression in rows:
            assert impression.labels is not None
            shown = " ".join(
                f"{news_id}-{label}"
                for news_id, label in zip(impression.candidates, impression.labels, strict=True)
            )
            streams[split].write(
                f"{impression_id}\t{impression.user_id}\t{format_time(impression.time)}\t"
                f"{' '.join(impression.history)}\t{shown}\n"
            )
            counts[split] += 1
    return counts


def _pooled_news(sources: list[Path]) -> str:
    """The rows of every news.tsv once; one id with two titles means that data sets were mixed."""
    rows: dict[str, list[str]] = {}
    for source in sources:
        path = source / "news.tsv"
        read_news(path)
        for line, fields in read_rows(path, NEWS_COLUMNS):
            known = rows.setdefault(fields[0], fields)
            if known[3] != fields[3]:
                raise UserError(
                    f"{path}, line {line}: news id {fields[0]!r} has another title than in "
                    f"{sources[0] / 'news.tsv'}; keep files of one data set (small or large) there"
                )
    return "".join("\t".join(fields) + "\n" for fields in rows.values())
