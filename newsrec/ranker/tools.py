"""What one asks of files of ratings and metadata, before or beside a run."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from newsrec.errors import UserError
from newsrec.ranker.preparation.items import clean_text
from newsrec.ranker.preparation.ratings import load_ratings
from newsrec.ranker.reviews.files import read_metadata, read_ratings
from newsrec.ranker.reviews.sources import find_raw, find_raw_ratings
from newsrec.report.text import printable

_LONG_TITLE = 20  # words: the published rule


def statistics(folder: Path) -> str:
    """What is in the files of a folder such as data/raw, a line for each figure.

    Raises:
        UserError: a fault in a file.
    """
    ratings_file, metadata_file = find_raw(folder)
    ratings = load_ratings(read_ratings(ratings_file))
    num = len(ratings)
    if not num:
        raise UserError(f"{ratings_file}: no row; expected ratings")
    of_user, of_item = np.bincount(ratings.user), np.bincount(ratings.item)
    same_user = np.diff(ratings.user) == 0
    again = int((same_user & (np.diff(ratings.item) == 0)).sum())
    by_time = np.lexsort((ratings.timestamp, ratings.user))
    times, users = ratings.timestamp[by_time], ratings.user[by_time]
    at_once = int(((np.diff(times) == 0) & (np.diff(users) == 0)).sum())
    stars = {
        value: int(count)
        for value, count in zip(*np.unique(ratings.rating, return_counts=True), strict=True)
    }
    lines = {
        "users": f"{len(of_user):,}",
        "items": f"{len(of_item):,}",
        "ratings": f"{num:,}",
        "of all pairs": f"{num / len(of_user) / len(of_item):.4%}",
        "of a user": _quantiles(of_user),
        "of an item": _quantiles(of_item),
        "first and last": f"{_day(times.min())} to {_day(times.max())}",
        "of an item rated before": f"{again / num:.1%}",
        "at the moment of another": f"{at_once / num:.1%}",
        "stars": ", ".join(f"{value:g}: {count / num:.1%}" for value, count in stars.items()),
        **_item_lines(metadata_file, set(ratings.items)),
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _item_lines(path: Path, rated: set[str]) -> dict[str, str]:
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for row in read_metadata(path):
        if row.item in seen:
            counts["again"] += 1
            continue
        seen.add(row.item)
        title = clean_text(row.title or "")
        counts["without a title"] += not title
        counts[f"with a title over {_LONG_TITLE} words"] += len(title.split()) > _LONG_TITLE
        counts["without a price that is a number"] += row.price is None
        counts["without a description"] += not clean_text(row.description)
        counts["never rated"] += row.item not in rated
    num = max(len(seen), 1)
    shares = {name: f"{count / num:.1%}" for name, count in counts.items() if name != "again"}
    return {
        "rows of metadata": f"{len(seen) + counts['again']:,}, of {len(seen):,} items",
        **shares,
        "rated without metadata": f"{len(rated - seen):,}",
    }


def _quantiles(counts: np.ndarray) -> str:
    low, middle, high = np.quantile(counts, (0.05, 0.5, 0.95))
    return f"{counts.mean():.1f} (5 %: {low:.0f}, median {middle:.0f}, 95 %: {high:.0f})"


def _day(timestamp: int) -> str:
    return datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat()


def shared_users(one: Path, other: Path) -> str:
    """How many users two folders such as data/raw have in common.

    Raises:
        UserError: a fault in a file.
    """
    users = []
    for folder in (one, other):
        users.append({user for user, *_ in read_ratings(find_raw_ratings(folder))})
    shared = len(users[0] & users[1])
    shares = [f"{shared / max(len(found), 1):.1%} of {len(found):,}" for found in users]
    return f"{shared:,} users in both: {shares[0]} in {one}, {shares[1]} in {other}"


def user_history(folder: Path, user: str) -> str:
    """What a user rated, in the order of time, a line each.

    Args:
        folder: such as data/raw.
        user: its id.

    Raises:
        UserError: a fault in a file, or there is no such user.
    """
    ratings_file, metadata_file = find_raw(folder)
    found = sorted(
        (time, item, rating)
        for name, item, rating, time in read_ratings(ratings_file)
        if name == user
    )
    if not found:
        raise UserError(
            f"{ratings_file}: no rating of the user {user[:60]!r}; expected an id such as "
            f"{next(read_ratings(ratings_file))[0]}"
        )
    wanted = {item for _, item, _ in found}
    titles: dict[str, str] = {}
    for row in read_metadata(metadata_file):
        if row.item in wanted:
            titles.setdefault(row.item, clean_text(row.title or ""))
    return "\n".join(
        f"{_minute(time)}  {rating:g}  {printable(item)}  "
        f"{printable(titles.get(item, '')) or '(no title)'}"
        for time, item, rating in found
    )


def _minute(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M")
