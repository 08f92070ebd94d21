"""README.md and README.zh.md: the same content, with the committed figures, on few lines."""

import json
import re

import pytest
import yaml

from tests import ROOT
from tests.documents import TEXTS, commands, links, spans, tree

ENGLISH, CHINESE = TEXTS["README.md"], TEXTS["README.zh.md"]
BOTH = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["English", "Chinese"])


@BOTH
def test_it_is_short(text: str) -> None:
    assert len(text.splitlines()) <= 150


@BOTH
def test_every_folder_and_file_of_the_tree_exists(text: str) -> None:
    folders = [ROOT]
    for line in tree(text).splitlines():
        found = re.match(r"( *)(\S+)(?:  (\S+/))?  ", line)
        assert found is not None, line
        depth = len(found[1]) // 2
        for name in filter(None, found.groups()[1:]):
            assert (folders[depth] / name).exists(), line
            folders[depth + 1 :] = [folders[depth] / name]
    packages = {path.parent.name for path in (ROOT / "newsrec").glob("*/*.py")}
    # Two packages may share a line.
    assert packages <= {
        name for line in tree(text).splitlines() for name in re.findall(r"(\w+)/ ", line)
    }


@pytest.mark.parametrize(("text", "to"), [(ENGLISH, "to"), (CHINESE, "至")], ids=["en", "zh"])
def test_the_first_table_shows_the_committed_figures(text: str, to: str) -> None:
    metrics = json.loads((ROOT / "metrics/evaluate.json").read_text())
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d.]+) \| (.+?) \| ([\d.]+) \| (.+?) \|", text, re.MULTILINE
    )
    predictors = {name for name, figures in metrics.items() if "num_candidates" in figures}
    assert {name for name, *_ in rows} == predictors
    for name, *cells in rows:
        found = metrics[name]
        assert cells == [
            f"{found['auc']:.4f}",
            f"{found['auc_low']:.3f} {to} {found['auc_high']:.3f}",
            f"{found['mrr']:.4f}",
            f"{found['ndcg_at_10']:.4f}",
        ], name
    gain = metrics["tuned_vs_base"]["auc"]
    below = text.split("| `random` |")[1]
    for figure in (
        f"{gain['delta']:+.3f}",
        f"{gain['low']:+.3f} {to} {gain['high']:+.3f}",
        f"p = {gain['p']:.3f}",
    ):
        assert figure in below.split("\n\n")[1]
    above = text.split("| `base` |")[0]
    assert re.findall(r"\b\d{2,}\b", above) == [
        str(metrics["tuned"]["num_impressions"]),
        "95",
        "10",
    ]


def test_both_have_the_same_commands_tables_links_headings_and_tree() -> None:
    def code(text: str) -> list[str]:
        return [span for span in spans(text) if span.isascii()]

    def tables(text: str) -> list[list[str]]:
        rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)
        return [re.findall(r"`\w+`|[+-]?\d[\d.,]*|nDCG@|MRR|:?--:?|\|", row) for row in rows]

    def names(text: str) -> list[str]:
        return re.findall(r"^ *(\S+(?:  \S+/)?)  ", tree(text), re.MULTILINE)

    def headings(text: str) -> list[str]:
        return re.findall(r"^#+ ", text, re.MULTILINE)

    for part in (commands, code, tables, names, headings):
        assert part(CHINESE) == part(ENGLISH), part.__name__
        assert part(ENGLISH)
    assert links(ENGLISH) == ["README.zh.md", *links(CHINESE)[1:]]
    assert links(CHINESE)[0] == "README.md"


def test_the_version_and_the_licence_are_the_same_everywhere() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version, licence = (
        found[1]
        for key in ("version", "license")
        if (found := re.search(rf'^{key} = "(.+)"', project, re.MULTILINE))
    )
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (version, licence)
    assert re.findall(r"^## \[(\d.+?)\]", TEXTS["CHANGELOG.md"], re.MULTILINE)[0] == version
    assert licence in ENGLISH
