"""The effect of a branch, for its pull request: a comment in Markdown, and a page of the plots.

Everything comes from files in Git, so neither the data nor reports/ are needed.

Reads   metrics/evaluate.json, metrics/fetch_model.json, metrics/baselines.json; the metrics and
        plots that DVC tracks, here and in the commit BASE
Writes  .work/pull-request: comment.md, plots/index.html
Run     make pull-request BASE=origin/main
        (alone: python -m newsrec.news.report.comment origin/main)
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import read_json, write_text
from newsrec.news.report.summary import summary_markdown
from newsrec.running.stage import report_user_error

TARGET = Path(".work/pull-request")
MAX_CHARACTERS = 60_000  # GitHub takes 65,536


def main() -> None:
    """Write the comment and the plots.

    Raises:
        UserError: BASE is missing, or DVC cannot compare with it.
    """
    if len(sys.argv) != 2:
        raise UserError("expected one commit to compare with, as in: make pull-request BASE=HEAD~1")
    base = sys.argv[1]
    TARGET.mkdir(parents=True, exist_ok=True)
    _dvc("plots", "diff", "--out", str(TARGET / "plots"), base)
    changed = _dvc("metrics", "diff", base)
    evaluated, model, baselines = (
        read_json(Path(f"metrics/{name}.json")) for name in ("evaluate", "fetch_model", "baselines")
    )
    summary = summary_markdown(evaluated, model, baselines["leak_probe"])
    # The page of plots can be downloaded from the workflow run that uploads it.
    text = comment(summary, changed, base, os.environ.get("RUN_URL", ""))
    write_text(TARGET / "comment.md", text)
    print(f"comment: {TARGET / 'comment.md'}, {TARGET / 'plots/index.html'}")


def comment(summary: str, changed: str, base: str, run_url: str) -> str:
    """The comment, truncated if it would be too long to post.

    Args:
        summary: the figures of this branch, in Markdown.
        changed: the output of `dvc metrics diff`; empty if nothing changed.
        base: the commit that the branch is compared with.
        run_url: the URL of the workflow run; empty if there is none.
    """
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", changed)), default=0))
    where = f"Plots of both: see the artifact of [this run]({run_url}).\n\n" if run_url else ""
    head = f"{summary}\n{where}"
    if not changed.strip():
        return f"{head}No metric differs from `{base}`.\n"
    # In a code block, names are read neither as mark-up nor as mentions.
    head += f"<details><summary>Metrics that differ from <code>{base}</code></summary>\n\n{fence}\n"
    tail = f"{fence}\n\n</details>\n"
    lines = changed.strip().splitlines(keepends=True)
    note = f"… and more; for the full list: dvc metrics diff {base}\n"
    room = MAX_CHARACTERS - len(head) - len(tail) - len(note)
    kept = []
    for line in lines:
        room -= len(line)
        if room < 0:
            kept.append(note)
            break
        kept.append(line)
    return head + "".join(kept).rstrip() + "\n" + tail


def _dvc(*words: str) -> str:
    """The output of a DVC command."""
    finished = subprocess.run(
        [sys.executable, "-m", "dvc", *words], capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        reason = finished.stderr.strip() or finished.stdout.strip()
        raise UserError(f"dvc {' '.join(words)}: {reason}")
    return finished.stdout


if __name__ == "__main__":
    with report_user_error("comment"):
        main()
