"""How fast `preprocess` is at MINDlarge's shape, and how time and memory grow.

Makes behaviors.tsv and news.tsv of MINDlarge's shape: 37 candidates and 30 clicked before in the
mean, 100,000 news, of which one in a hundred has no row. Of the impressions 75 in a hundred are
train's, 10 val's and 15 test's. Then, alternately and each in a process of its own: `preprocess`
with the settings of `data=mind-large`, `preprocess` with a sample of every impression, a pandas row
loop of the published recipe, which that one does the same work as, and Arrow, which reads the files
and does nothing. At a smaller size as large a share of the impressions is drawn; the news stay
100,000, which weigh more there, so that its figures are the worse ones.

Run     python -m benchmarks.preprocess [--impressions 2609219] [--rounds 3]      (an hour)
"""

import argparse
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.news.mind.samples import SPLITS
from newsrec.news.mind.tables import format_time
from newsrec.running.stage import run_program

MINDLARGE = 2_609_219  # train and dev together
NUM_NEWS = 100_000
SHARES = dict(zip(SPLITS, (0.75, 0.1, 0.15), strict=True))
_ROWS = 10_000
# What profiles of 100,000 impressions showed.
BOUNDS = {
    "default settings": "besides the news, whose time does not grow with the impressions, reading "
    "rows and looking up their ids took 41 % of a profile, samples with their feedback 31 %",
    "a sample of every impression": "Python code run for each sample took 63 % of a profile: "
    "feedback 25 %, prompt 19 %, writing 20 %",
}
FLOORS, MEMORY = 4, 2 << 10  # at most: times Arrow's reading, and MiB


def write_files(raw: Path, num_impressions: int, seed: int) -> None:
    """Write train, val and test of `num_impressions` together."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{number}" for number in range(500)])
    titles = words[rng.integers(len(words), size=(NUM_NEWS, 9))]
    news = "".join(
        f"N{number + 1}\ttopic{number % 18}\tsub{number % 200}\t{' '.join(title)}\t"
        f"An abstract of some length: {' '.join(title)}\thttps://example.org/{number}\t[]\t[]\n"
        for number, title in enumerate(titles)
        if number % 100
    )
    for split, share in SHARES.items():
        (raw / split).mkdir(parents=True)
        (raw / split / "news.tsv").write_text(news, encoding="utf-8", newline="\n")
        num_rows, num_users = int(num_impressions * share), max(1, num_impressions // 4)
        with (raw / split / "behaviors.tsv").open("w", encoding="utf-8", newline="\n") as stream:
            for first in range(0, num_rows, _ROWS):
                stream.write(_rows(first, min(_ROWS, num_rows - first), num_users, rng))


def _rows(first: int, num: int, num_users: int, rng: np.random.Generator) -> str:
    lengths = np.minimum(rng.geometric(1 / 31, size=num) - 1, 400)  # of histories
    sizes = np.minimum(2 + rng.geometric(1 / 35, size=num), 280)  # of pages
    # A few news are shown often, most seldom.
    history, shown = (
        (NUM_NEWS * rng.random(part.sum()) ** 2).astype(int) + 1 for part in (lengths, sizes)
    )
    labels = (rng.random(sizes.sum()) < 0.04).astype(int)
    labels[np.cumsum(sizes) - 1 - rng.integers(sizes)] = 1
    clicked = [f"N{number}" for number in history.tolist()]
    page = [f"N{n}-{label}" for n, label in zip(shown.tolist(), labels.tolist(), strict=True)]
    users, seconds = rng.integers(num_users, size=num), rng.integers(6 * 86_400, size=num)
    start, lines = datetime(2019, 11, 9), []
    of_history, of_page = np.cumsum(lengths).tolist(), np.cumsum(sizes).tolist()
    for row in range(num):
        before = (of_history[row - 1], of_page[row - 1]) if row else (0, 0)
        lines.append(
            f"{first + row + 1}\tU{users[row]}\t"
            f"{format_time(start + timedelta(seconds=int(seconds[row])))}\t"
            f"{' '.join(clicked[before[0] : of_history[row]])}\t"
            f"{' '.join(page[before[1] : of_page[row]])}\n"
        )
    return "".join(lines)


def _measure(num_impressions: int, names: list[str], rounds: int) -> dict[str, Measured]:
    with tempfile.TemporaryDirectory() as folder:
        raw, target = Path(folder) / "raw", Path(folder) / "made"
        write_files(raw, num_impressions, seed=1)
        # Of few impressions a hundredth at least, else no whole impression is drawn.
        share = str(max(0.01, num_impressions / MINDLARGE))
        ways = {
            name: (sys.executable, "-m", "benchmarks.preprocess_ways", name, raw, target, share)
            for name in names
        }
        return run_alternately(ways, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--impressions", type=int, default=MINDLARGE, help="of all three splits")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size = options.impressions
    found = _measure(size, ["default", "every", "row_loop", "floor"], options.rounds)
    loop, floor = found["row_loop"], found["floor"]
    peak = max(found[name].peak_bytes for name in ("default", "every")) / 2**20
    sampled = "a sample of every impression"
    rows = [
        _row("default settings", size, found["default"], "pandas row loop", loop, 8),
        _row(
            "default settings", size, found["default"], "Arrow reads, and does nothing", floor,
            FLOORS, at_most=True,
        ),
        _row(sampled, size, found["every"], "pandas row loop", loop, 4),
        Row(
            work=f"peak memory, {size:,} impressions",
            ours=f"{peak:,.0f} MiB",
            rival=f"pandas row loop: {loop.peak_bytes / 2**20:,.0f} MiB",
            figure=peak,
            goal=MEMORY,
            at_most=True,
            unit="MiB",
        ),
    ]  # fmt: skip
    growth: dict[str, list[tuple[float, float, float]]] = {"default": [], "every": []}
    for number in (size // 1000, size // 100, size // 10):
        for name, measured in _measure(number, list(growth), 1).items():
            growth[name].append((number, measured.median, measured.peak_bytes))
    for name, points in growth.items():
        points.append((size, found[name].median, found[name].peak_bytes))
    save("preprocess", rows, options.rounds, growth)
    for row in rows:
        print(row)


def _row(
    work: str,
    size: int,
    ours: Measured,
    name: str,
    rival: Measured,
    goal: float,
    at_most: bool = False,
) -> Row:
    times = ours.median / rival.median
    row = Row(
        work=f"{work}, {size:,} impressions",
        ours=f"{size / ours.median:,.0f}/s",
        rival=f"{name}: {size / rival.median:,.0f}/s",
        figure=times if at_most else 1 / times,
        goal=goal,
        at_most=at_most,
    )
    return limited(BOUNDS[work], row)


if __name__ == "__main__":
    run_program(main)
