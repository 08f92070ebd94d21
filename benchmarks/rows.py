"""A row of the tables in docs/benchmarks.md, and those of benchmarks/gpu.py with their goals."""

from dataclasses import dataclass, replace

TIMES = "×"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        work: what was done, with its size.
        ours: the result of this project, with its unit.
        rival: what it is compared with, and the result of that; empty if there is nothing to
            compare with.
        figure: what the goal limits, in `unit`; None if it has not been measured.
        goal: the least `figure` to reach, or the most if `at_most`.
        at_most: whether the goal is an upper limit.
        unit: of `figure` and `goal`; times the rival by default.
        bound: what keeps the goal from being reached; empty if it is reached.
        quality: whether the row is about the quality of results, not about time or memory.
    """

    work: str
    ours: str
    rival: str
    figure: float | None
    goal: float
    at_most: bool = False
    unit: str = TIMES
    bound: str = ""
    quality: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        if self.figure is None:
            return False
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal

    @property
    def shown(self) -> str:
        """The figure with its unit."""
        return "" if self.figure is None else with_unit(self.figure, self.unit)

    @property
    def shown_goal(self) -> str:
        """The goal with its unit and its direction."""
        limit = "at most" if self.at_most else "at least"
        return f"{limit} {with_unit(self.goal, self.unit)}"

    def __str__(self) -> str:
        """All of it in one line, for the terminal."""
        compared = f" ({self.rival})" if self.rival else ""
        return f"{self.work}: {self.ours}{compared}: {self.shown}, {self.shown_goal}"


def with_unit(value: float, unit: str) -> str:
    """A number with its unit: three digits, four between 1 and 10, whole from 1,000 on."""
    if value >= 1000:
        digits = f"{value:,.0f}"
    else:
        digits = f"{value:.4g}" if 1 <= value < 10 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def limited(bound: str, row: Row) -> Row:
    """The row with what bounds it, if it missed its goal."""
    return row if row.reached else replace(row, bound=bound)


# What benchmarks/gpu.py measures: shown without figures until it has run on a GPU.
GPU_ROWS = {
    "train": Row("LoRA training, shapes of Qwen3-8B", "", "published settings", None, 3),
    "train_grouped": Row(
        "LoRA training, samples of similar length together", "", "published settings", None, 3
    ),
    "train_peak": Row(
        "LoRA training, share of the GPU's measured peak", "", "a large matrix product", None, 45,
        unit="%",
    ),
    "memory": Row(
        "memory to train: the doctor's formula", "", "memory that PyTorch measured", None, 1
    ),
    "merge": Row("merge, checked", "", "copying and loading the files", None, 2, at_most=True),
    "merge_memory": Row(
        "merge, checked: peak memory", "", "size of the model", None, 1.15, at_most=True
    ),
    "score": Row(
        "scoring prompts of whole impressions", "", "vLLM without shared prefixes", None, 3
    ),
    "score_peak": Row(
        "scoring, unique tokens only", "", "the same operations at the GPU's measured peak", None,
        0.5,
    ),
}  # fmt: skip
