"""A model is registered where it is shown to be better, and else the reason is given."""

import subprocess
from pathlib import Path

import gto.api
import pytest
from typer.testing import CliRunner

from newsrec.cli import app
from newsrec.errors import UserError
from newsrec.news.promote import promote
from newsrec.sharing.registry import last_version
from tests.news.conftest import commit, finish_run, metrics, users

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # seconds of DVC and Git


def tags(folder: Path) -> list[str]:
    return subprocess.check_output(["git", "tag"], cwd=folder, text=True).split()


def refused(words: str, folder: Path) -> None:
    before = tags(folder)
    with pytest.raises(UserError, match=words):
        promote(200, 1)
    assert tags(folder) == before


def test_the_first_version_is_better_than_its_base(project: Path) -> None:
    said = promote(200, 1)
    assert "news-recommender@v0.0.1: better than its base" in said
    assert "AUC per impression +0.200" in said
    assert tags(project) == ["news-recommender@v0.0.1"]
    refused("this commit is registered already, as v0.0.1", project)


def test_a_later_version_is_better_than_the_last_one_by_the_paired_test(project: Path) -> None:
    first = commit(project)
    promote(200, 1)
    finish_run(project, metrics(tuned=0.72))
    said = promote(200, 1)
    assert f"better than v0.0.1 ({first[:7]}): AUC per impression +0.020, 95 % interval" in said
    assert tags(project) == ["news-recommender@v0.0.1", "news-recommender@v0.0.2"]
    version = last_version("news-recommender")
    assert version is not None
    assert version.name == "v0.0.2"


def test_what_is_not_shown_to_be_better_is_not_registered(project: Path) -> None:
    promote(200, 1)
    commit(project, "documents alone")
    refused("it is not significantly different from v0.0.1", project)
    finish_run(project, metrics(tuned=0.68))
    refused("it is worse than v0.0.1", project)


def test_a_first_model_that_is_not_better_than_its_base_is_not_registered(project: Path) -> None:
    finish_run(project, metrics(tuned=0.51))
    refused("it is not significantly different from its base", project)
    finish_run(project, metrics(tuned=0.4))
    refused("it is worse than its base", project)


def test_figures_of_another_protocol_or_of_other_rows_do_not_compare(project: Path) -> None:
    promote(200, 1)
    finish_run(project, metrics(tuned=0.8, data="huggingface, another"))
    refused(r"two protocols.*data is 'huggingface, 0123456789ab' in v0.0.1", project)
    finish_run(project, metrics(tuned=0.8) | {"by_user": users(0.8, "others")})
    refused("other rows than this commit", project)


def test_another_model_and_seed_are_what_is_compared(project: Path) -> None:
    promote(200, 1)
    finish_run(project, metrics(tuned=0.8, model="another", train_seed="7", method="full"))
    assert "v0.0.2" in promote(200, 1)


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_version_without_the_sums_cannot_be_compared_with(damage: str, project: Path) -> None:
    if damage == "missing":
        subprocess.run(["git", "rm", "-q", "--cached", "metrics/by_user.json"], check=True)
        subprocess.run(["git", "commit", "-qm", "without"], check=True)
    else:
        Path("metrics/by_user.json").write_text("<<<<<<< HEAD")
        commit(project)
    gto.api.register(".", "news-recommender", "HEAD")
    finish_run(project, metrics(tuned=0.8))
    refused(r"v0.0.1 \(\w+\) has no metrics/by_user.json.*gto register", project)


def test_a_run_that_is_not_committed_is_not_registered(project: Path) -> None:
    Path("params.yaml").write_text("train: {}\n")
    refused("differ from the last commit: params.yaml; commit.*dvc status names run", project)
    commit(project)
    refused("dvc status names run", project)


def test_figures_that_are_no_evidence_register_nothing(project: Path) -> None:
    finish_run(project, metrics(feedback="same_impression"))
    refused("prompt.feedback", project)
    found = metrics()
    found["baselines"]["leak_probe"]["is_leak"] = True
    found["evaluate"]["tuned_vs_leak_probe"]["auc"] = {
        "delta": 0.01,
        "low": -0.01,
        "high": 0.03,
        "p": 0.5,
    }
    finish_run(project, found)
    refused("an artefact", project)


def test_a_registered_version_that_was_withdrawn_is_none_to_compare_with(project: Path) -> None:
    promote(200, 1)
    gto.api.deregister(".", "news-recommender", version="v0.0.1")
    finish_run(project, metrics(tuned=0.68))
    assert "news-recommender@v0.0.2: better than its base" in promote(200, 1)


def test_the_command_registers_with_the_settings_of_the_run(project: Path) -> None:
    shown = CliRunner().invoke(app, ["promote"], catch_exceptions=False)
    assert "news-recommender@v0.0.1: better than its base" in shown.output
    message = subprocess.check_output(
        ["git", "tag", "-l", "--format=%(contents)", "news-recommender@v0.0.1"], text=True
    )
    assert "better than its base" in message
