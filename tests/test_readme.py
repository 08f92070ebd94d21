"""The README holds to the code: its commands, stages, folders, keys and figures are real."""

import json
import re

import pytest
import yaml

from tests.compose_params import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def test_every_make_command_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"(?:^|`)make (?:[A-Z]+=\S+ )*([a-z-]+(?: [a-z-]+`)?)", README, re.MULTILINE)
    commands = {word.rstrip("`") for words in named for word in words.split()}
    assert {"repro", "test", "check", "env", "params"} <= commands
    assert commands <= set(targets)


def test_every_stage_stands_in_the_table() -> None:
    section = README.split("## The pipeline")[1].split("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    assert table == [
        "fetch_model",
        "fetch_mind",
        *[s for s in GRAPH if not s.startswith("fetch")],
        "submission",
    ]


def test_every_folder_and_file_of_the_tree_exists() -> None:
    tree = README.split("```\ndvc.yaml", 1)[1].split("```", 1)[0]
    parent = ROOT
    for line in ("dvc.yaml" + tree).splitlines():
        for name in re.findall(r"^ *(\S+)(?:  (\S+/))?  ", line)[0]:
            if name and not line.startswith(" "):
                parent = ROOT / name if name == "newsrec/" else ROOT
                assert (ROOT / name).exists(), name
            elif name:
                assert (parent / name).exists(), name


@pytest.mark.parametrize("key", sorted(set(re.findall(r"`((?:[a-z]+)\.[a-z_]+)[`:]", README))))
def test_every_key_exists(key: str) -> None:
    section, _, name = key.partition(".")
    if (ROOT / key).exists() or name in ("py", "yaml", "txt", "parquet"):
        return
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert name in params[section], key


def test_the_first_table_shows_the_committed_figures() -> None:
    metrics = json.loads((ROOT / "metrics/evaluate.json").read_text())
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d.]+) \| (.+?) \| ([\d.]+) \| (.+?) \|", README, re.MULTILINE
    )
    predictors = {name for name, figures in metrics.items() if "num_candidates" in figures}
    assert {name for name, *_ in rows} == predictors
    for name, *cells in rows:
        found = metrics[name]
        assert cells == [
            f"{found['auc']:.4f}",
            f"{found['auc_low']:.3f} to {found['auc_high']:.3f}",
            f"{found['mrr']:.4f}",
            f"{found['ndcg_at_10']:.4f}",
        ], name
    gain = metrics["tuned_vs_base"]["auc"]
    assert (
        f"{gain['delta']:+.3f} AUC, 95 % interval {gain['low']:+.3f} to {gain['high']:+.3f}, "
        f"p = {gain['p']:.3f}." in README
    )
    assert f"{metrics['tuned']['num_impressions']} impressions" in README
