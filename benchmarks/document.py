"""The results of benchmarks, and docs/benchmarks.md, which shows them.

Run     python -m benchmarks.document      (`save`, with which every benchmark ends, does it too)
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from newsrec.files import read_json, write_json, write_text
from newsrec.report.svg import drawing, inline_svg
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_program

RESULTS = Path("benchmarks/results")
DOCUMENT = Path("docs/benchmarks.md")
PLOT = Path("docs/growth.svg")
_BEGIN, _END = "<!-- written by python -m benchmarks.document -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Row:
    """A line of the table in docs/benchmarks.md.

    Attributes:
        work: what was done, with its size.
        ours: our figure, with its unit.
        rival: what it is compared with, and the figure of that.
        ratio: how many times as good ours is; below 1 it is worse.
        goal: the ratio to reach.
        bound: what keeps the goal from being reached; empty where it is reached.
    """

    work: str
    ours: str
    rival: str
    ratio: float
    goal: float
    bound: str = ""

    @property
    def reached(self) -> bool:
        return self.ratio >= self.goal


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    write_text(DOCUMENT, with_results(text))
    write_text(PLOT, growth_plot() + "\n")
    print(f"benchmarks: {DOCUMENT}")


def save(
    name: str,
    rows: Sequence[Row],
    growth: Mapping[str, list[tuple[float, float, float]]] = {},
    device: str = "",
) -> None:
    """Write benchmarks/results/NAME.json, and docs/benchmarks.md anew.

    Args:
        name: of the benchmark.
        rows: for the table.
        growth: of each line of the plot, (size, seconds, peak bytes) at each size.
        device: the GPU that was measured, if one was.
    """
    write_json(
        RESULTS / f"{name}.json",
        {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": ", ".join(filter(None, (machine(), device))),
            "rows": [asdict(row) for row in rows],
            "growth": {line: [list(point) for point in points] for line, points in growth.items()},
        },
    )
    main()


def machine() -> str:
    """Processor, cores in use and memory."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"


def with_results(text: str) -> str:
    """`text` with the tables between its two marks."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{after}"


def tables() -> str:
    """Every result beside its goal, then how time and memory grow with size."""
    found = {path.stem: read_json(path) for path in sorted(RESULTS.glob("*.json"))}
    rows = [
        (
            name,
            row["work"],
            row["ours"],
            row["rival"],
            f"{row['ratio']:.3g} ×",
            f"{row['goal']:.3g} ×",
            "yes" if row["ratio"] >= row["goal"] else row["bound"] or "no",
            result["date"],
        )
        for name, result in found.items()
        for row in result["rows"]
    ]
    heads = ("benchmark", "work", "newsrec", "rival", "ratio", "goal", "reached", "measured")
    parts = [markdown_table(heads, "<<<<>><<", rows)]
    growth = [
        (name, line, f"{points[0][0]:,.0f} to {points[-1][0]:,.0f}", *_exponents(points))
        for name, result in found.items()
        for line, points in result["growth"].items()
    ]
    if growth:
        of_growth = ("benchmark", "way", "sizes", "time grows as size to the", "memory")
        parts.append(markdown_table(of_growth, "<<<>>", growth))
        parts.append(f"![Time and memory over size]({PLOT.name})")
    machines = sorted({result["machine"] for result in found.values()})
    parts.append("Machine: " + "; ".join(machines) + ".")
    return "\n\n".join(parts) + "\n"


def growth_plot() -> str:
    """Time and memory of each way over its size, as an SVG file; equal results, equal bytes."""
    with drawing(9, 4, constrained=False) as (figure, seconds):
        seconds.set_position((0.08, 0.14, 0.29, 0.8))
        memory = figure.add_axes((0.48, 0.14, 0.29, 0.8))
        for path in sorted(RESULTS.glob("*.json")):
            for line, points in read_json(path)["growth"].items():
                size, time, peak = np.array(points).T
                seconds.loglog(size, time, marker="o", label=f"{path.stem}: {line}")
                memory.loglog(size, peak / 2**20, marker="o")
        for axes, label in ((seconds, "seconds"), (memory, "peak memory, MiB")):
            axes.set(xlabel="rows, prompts, impressions or candidates", ylabel=label)
        figure.legend(loc="center right")
        return inline_svg(figure, "Time and memory over size")


def _exponents(points: list[list[float]]) -> tuple[str, str]:
    """The slopes of time and memory over size, all as logarithms."""
    size, seconds, peak = np.log(np.array(points)).T
    return f"{np.polyfit(size, seconds, 1)[0]:.2f}", f"{np.polyfit(size, peak, 1)[0]:.2f}"


if __name__ == "__main__":
    run_program(main)
