"""The results of benchmarks, and docs/benchmarks.md, which shows them.

Run     python -m benchmarks.document      (`save`, with which every benchmark ends, does it too)
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.rows import GPU_ROWS, Row
from newsrec.files import read_json, write_json, write_text
from newsrec.report.svg import drawing, inline_svg
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_program

RESULTS = Path("benchmarks/results")
DOCUMENT = Path("docs/benchmarks.md")
PLOT = Path("docs/growth.svg")
_OF_GROWTH = (
    "Time and memory grow with size to the power of these exponents: 1 is proportional, less is "
    "slower."
)
_BEGIN, _END = "<!-- written by python -m benchmarks.document -->\n", "<!-- end -->\n"


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    write_text(DOCUMENT, with_results(text))
    write_text(PLOT, growth_plot() + "\n")
    print(f"benchmarks: {DOCUMENT}")


def save(
    name: str,
    rows: Sequence[Row],
    rounds: int,
    growth: Mapping[str, list[tuple[float, float, float]]] = {},
    device: str = "",
) -> None:
    """Write benchmarks/results/NAME.json and the tables of docs/benchmarks.md.

    Args:
        name: of the benchmark.
        rows: for the tables.
        rounds: how often each way ran; figures are medians over them.
        growth: of each line of the plot, (size, seconds, peak bytes) at each size.
        device: the GPU that was measured, if one was.
    """
    write_json(
        RESULTS / f"{name}.json",
        {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": ", ".join(filter(None, (machine(), device))),
            "rounds": rounds,
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
    cells = {False: list[tuple[str, ...]](), True: list[tuple[str, ...]]()}
    for name, result in found.items():
        for row in (Row(**values) for values in result["rows"]):
            cells[row.quality].append(_cells(name, row, result))
    if "gpu" not in found:
        cells[False] += [_cells("gpu", row, {}) for row in GPU_ROWS.values()]
    heads = (
        "benchmark", "work", "newsrec", "compared with", "result", "goal", "reached", "rounds",
        "measured",
    )  # fmt: skip
    parts = []
    for title, quality in (("## Speed and memory", False), ("## Quality", True)):
        parts += [title, markdown_table(heads, "<<<<>><><", cells[quality])]
    growth = [
        (name, line, f"{points[0][0]:,.0f} to {points[-1][0]:,.0f}", *_exponents(points))
        for name, result in found.items()
        for line, points in result["growth"].items()
    ]
    if growth:
        of_growth = (
            "benchmark", "way", "sizes", "time: exponent over all sizes", "over the last decade",
            "memory: exponent over all sizes", "over the last decade",
        )  # fmt: skip
        parts += ["## Growth with size", _OF_GROWTH, markdown_table(of_growth, "<<<>>>>", growth)]
        parts.append(f"![Time and memory over size]({PLOT.name})")
    machines = sorted({result["machine"] for result in found.values()})
    parts.append("Machine: " + "; ".join(machines) + ".")
    return "\n\n".join(parts) + "\n"


def _cells(name: str, row: Row, result: dict[str, Any]) -> tuple[str, ...]:
    """The cells of a row; those of what was not measured are empty."""
    if row.figure is None:
        return (name, row.work, row.ours, row.rival, "", row.shown_goal, "not measured", "", "")
    reached = "yes" if row.reached else f"no: {row.bound or 'not examined yet'}"
    rounds = "not recorded" if result["rounds"] is None else str(result["rounds"])
    what = (name, row.work, row.ours, row.rival, row.shown, row.shown_goal)
    return (*what, reached, rounds, result["date"])


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


def _exponents(points: list[list[float]]) -> tuple[str, ...]:
    """Slopes of time, then of memory, over size, all as logarithms: of all sizes, and the last.

    The last decade is what is at least a tenth of the largest size, up to rounding.
    """
    every = np.array(points)
    last = every[every[:, 0] >= every[-1, 0] / 10.5]
    return tuple(
        f"{np.polyfit(np.log(part[:, 0]), np.log(part[:, column]), 1)[0]:.2f}"
        for column in (1, 2)
        for part in (every, last)
    )


if __name__ == "__main__":
    run_program(main)
