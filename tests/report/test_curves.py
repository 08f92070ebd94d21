"""Tables of `plots/`, as a report reads them."""

from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.files import write_tsv
from newsrec.report.curves import read_plot


def test_a_plots_table_comes_back(tmp_path: Path) -> None:
    source = tmp_path / "loss.tsv"
    write_tsv(source, ("step", "loss"), [(10, 1.5)])
    assert read_plot(source, ("step", "loss")).to_dict("list") == {"step": [10], "loss": [1.5]}
    write_tsv(source, ("step", "loss"), [])
    assert len(read_plot(source)) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file; run the stage"),
        ("", "not a table"),
        ("step\tloss\n1\t2\t3\t4\n1\t2\t3\t4\t5\n", "not a table"),
        ("step\n1\n", "no column loss; expected"),
    ],
)
def test_what_is_no_plots_table_is_one_line(text: str | None, words: str, tmp_path: Path) -> None:
    source = tmp_path / "loss.tsv"
    if text is not None:
        source.write_text(text)
    with pytest.raises(UserError, match=words):
        read_plot(source, ("step", "loss"))
