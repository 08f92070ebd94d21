"""From folders of MIND files, whatever their names, to data/raw/{train,val,test}."""

import hashlib
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from newsrec.errors import UserError
from newsrec.news.mind.checks import SplitCheck, check_behaviors, check_news
from newsrec.news.mind.layout import find_folders
from newsrec.news.mind.tables import (
    NEWS_COLUMNS,
    Impression,
    format_time,
    read_behaviors,
    read_rows,
)

SPLIT_RULES = ("by_time", "by_user")
LABELLED_SPLITS = ("train", "val", "test")


def split_folders(source: Path, target: Path, rule: str, seed: int) -> dict[str, int]:
    """Check the MIND files below `source` and lay them out as labelled train, val and test.

    Every row is checked, and what a split needs, so that no later stage finds a new fault in them.
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
        UserError: folders that do not fit (see `newsrec.news.mind.layout`), a split that nothing
            can be learned or measured from, or a fault in a file (see `newsrec.news.mind.tables`
            and `newsrec.news.mind.checks`).
    """
    folders = _labelled_apart(find_folders(source), source)
    titled = check_news(folders)
    # The prompts of the unlabelled split show the news of all, others those of the labelled ones.
    of_all = set().union(*titled.values())
    of_labelled = set().union(*(ids for role, ids in titled.items() if role != "unlabelled"))
    checks = {
        role: check_behaviors(folder, of_all if role == "unlabelled" else of_labelled, role)
        for role, folder in folders.items()
    }

    made: dict[str, SplitCheck] = {}
    as_it_is = {"unlabelled": "unlabelled"} if "unlabelled" in folders else {}
    if "test" in folders:
        as_it_is |= {"train": "train", "dev": "val", "test": "test"}
    elif rule == "by_time" and "dev" in folders:
        as_it_is |= {"dev": "test"}
    for role, split in as_it_is.items():
        made[split] = checks[role]
        _copy(folders[role], target / split)
    if "test" not in folders and rule == "by_user":
        pool = [folders[role] for role in ("train", "dev") if role in folders]
        made |= _split_by_user(pool, target, seed, of_labelled)
    elif "test" not in folders:
        last_splits = ("val",) if "dev" in folders else ("test", "val")
        days = sorted(checks["train"].days)
        made |= _split_by_day(folders["train"], target, days, last_splits, of_labelled)

    for split in LABELLED_SPLITS:
        if made[split].num_impressions == 0:
            raise UserError(
                f"{source}: the rule fetch_mind.split={rule} leaves {split} without an impression; "
                "give more data, or choose another rule"
            )
    for split, check in made.items():
        check.require(split, f"{source}, split {split}")
    return {split: check.num_impressions for split, check in made.items()}


def _labelled_apart(folders: dict[str, Path], source: Path) -> dict[str, Path]:
    """The folders with a test that has no labels as the unlabelled one, where that is possible."""
    if "test" not in folders:
        return folders
    first = next(read_behaviors(folders["test"] / "behaviors.tsv"))
    if first.labels is None and "unlabelled" in folders:
        raise UserError(
            f"{source}: neither {folders['test'].name}/ nor {folders['unlabelled'].name}/ has "
            "labels; expected one folder without; keep one of them"
        )
    if first.labels is None:
        return {"unlabelled" if role == "test" else role: path for role, path in folders.items()}
    if "dev" not in folders:
        raise UserError(f"{source}: train and test but no val folder; expected val/ there too")
    return folders


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in ("news.tsv", "behaviors.tsv"):
        shutil.copyfile(source / name, target / name)


def _split_by_day(
    source: Path,
    target: Path,
    days: list[date],
    last_splits: tuple[str, ...],
    titled: Collection[str],
) -> dict[str, SplitCheck]:
    """Give the last days of `source` to `last_splits`, latest first, and the rest to train."""
    if len(days) <= len(last_splits):
        raise UserError(
            f"{source / 'behaviors.tsv'}: {len(days)} day(s) of impressions; by_time needs "
            f"{len(last_splits) + 1} or more; set fetch_mind.split=by_user"
        )
    split_of: dict[date, str] = dict.fromkeys(days, "train")
    split_of |= dict(zip(reversed(days), last_splits, strict=False))
    rows = (
        (split_of[impression.time.date()], impression.impression_id, impression)
        for impression in read_behaviors(source / "behaviors.tsv")
    )
    return _write_splits(rows, target, ("train", *last_splits), [source], titled)


def _split_by_user(
    sources: list[Path], target: Path, seed: int, titled: Collection[str]
) -> dict[str, SplitCheck]:
    """Pool `sources` and give each user to train, val or test, 7:2:1."""
    rows = (
        (
            _split_of_user(impression.user_id, seed),
            # Ids count from 1 in every MIND file: pooled ones would collide.
            (f"{source.name}-" if len(sources) > 1 else "") + impression.impression_id,
            impression,
        )
        for source in sources
        for impression in read_behaviors(source / "behaviors.tsv")
    )
    return _write_splits(rows, target, LABELLED_SPLITS, sources, titled)


def _split_of_user(user_id: str, seed: int) -> str:
    digest = hashlib.sha256(f"{seed}:{user_id}".encode()).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    return "train" if tenth < 7 else "val" if tenth < 9 else "test"


def _write_splits(
    rows: Iterator[tuple[str, str, Impression]],
    target: Path,
    splits: tuple[str, ...],
    news_sources: list[Path],
    titled: Collection[str],
) -> dict[str, SplitCheck]:
    checks = {split: SplitCheck(titled) for split in splits}
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
            checks[split].add(impression)
    return checks


def _pooled_news(sources: list[Path]) -> str:
    """The rows of every news.tsv, those of one id once."""
    rows: dict[str, list[str]] = {}
    for source in sources:
        for _, fields in read_rows(source / "news.tsv", NEWS_COLUMNS):
            rows.setdefault(fields[0], fields)
    return "".join("\t".join(fields) + "\n" for fields in rows.values())
