"""Put the figures of benchmarks/results into docs/benchmarks.md.

Run     python -m benchmarks.document      (every benchmark ends with it)
"""

from pathlib import Path

import numpy as np

from benchmarks.side_by_side import RESULTS
from newsrec.files import read_json, write_text
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_stage

DOCUMENT = Path("docs/benchmarks.md")
_BEGIN, _END = "<!-- written by python -m benchmarks.document -->\n", "<!-- end -->\n"


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    write_text(DOCUMENT, with_results(text))
    print(f"benchmarks: {DOCUMENT}")


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
    machines = sorted({result["machine"] for result in found.values()})
    parts.append("Machine: " + "; ".join(machines) + ".")
    return "\n\n".join(parts) + "\n"


def _exponents(points: list[list[float]]) -> tuple[str, str]:
    """The slopes of time and memory over size, all as logarithms."""
    size, seconds, peak = np.log(np.array(points)).T
    return f"{np.polyfit(size, seconds, 1)[0]:.2f}", f"{np.polyfit(size, peak, 1)[0]:.2f}"


if __name__ == "__main__":
    run_stage(main)
