"""What is published is checked, has its figures in its card, and goes where a person said."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import ModelCard

from newsrec.errors import UserError
from newsrec.files import sha256_file
from newsrec.models.checks import check_model
from newsrec.news.publish import PREPARED, publish
from newsrec.report.card import NOT_MEASURED
from tests.hub_servers import Hub, serve_hugging_face_uploads
from tests.news.conftest import commit, finish_run, metrics
from tests.report.reading import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # seconds of DVC and Git
TOKEN = "hf_secret_of_the_test"


@pytest.fixture
def hub(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the repository someone/news, with what an earlier upload left there."""
    left = {"model-00001-of-00002.safetensors": b"old", "picture.png": b"theirs"}
    with serve_hugging_face_uploads(Hub("someone/news", left, token=TOKEN)) as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


def test_without_a_destination_the_folder_is_prepared_and_nothing_leaves(
    project: Path, hub: Hub
) -> None:
    merged = project / "models/merged"
    before = {path.name: sha256_file(path) for path in merged.iterdir()}
    said = publish(None)
    assert "nothing was uploaded; to upload it: make publish TO=owner/name" in said
    assert (hub.made, hub.messages) == ([], [])
    assert {path.name: sha256_file(path) for path in merged.iterdir()} == before
    assert {path.name for path in PREPARED.iterdir()} == {*before, "LICENSE"}
    assert (PREPARED / "model.safetensors").read_bytes() == (
        merged / "model.safetensors"
    ).read_bytes()
    check_model(PREPARED)


def test_the_card_has_the_figures_the_verdict_and_what_made_them(project: Path) -> None:
    publish(None)
    card = ModelCard.load(PREPARED / "README.md")
    found = {result.metric_type: result for result in card.data.eval_results}
    assert found["auc"].metric_value == 0.7
    assert found["auc"].metric_name == "AUC per impression (95 % interval 0.670 to 0.730)"
    assert set(found) == {"auc", "mrr", "ndcg_at_10", "accuracy"}
    assert card.data.base_model == "someone/model"
    assert card.data.datasets == ["Recommenders/MIND"]
    for words in (
        "The tuned model is better than its base: its AUC per impression is higher by 0.200",
        "By AUC per impression, the tuned model is better than",
        "`0123456789abcdef0123456789abcdef01234567`",
        "torch 2.13.0",
        "NVIDIA L4",
        "Microsoft Research License",
    ):
        assert words in card.text, words
    assert NOT_MEASURED not in card.text
    assert str(project) not in str(card)


def test_baselines_that_it_is_not_shown_to_beat_are_named(project: Path) -> None:
    found = metrics()
    nrms = found["evaluate"]["tuned_vs_nrms"]["auc"]
    nrms.update(delta=0.01, low=-0.01, high=0.03)
    finish_run(project, found)
    publish(None)
    assert "It is not significantly different from `nrms`" in (PREPARED / "README.md").read_text()


def test_a_hostile_name_is_inert_in_the_card(project: Path) -> None:
    found = metrics()
    found["fetch_model"].update(source="local", name=HOSTILE)
    found["baselines"]["leak_probe"]["rule"] = HOSTILE
    finish_run(project, found)
    publish(None)
    card = ModelCard.load(PREPARED / "README.md")
    assert card.data.license == "other"
    assert "<script" not in "".join(card.text.split("`")[::2])


def test_it_is_uploaded_as_one_commit_to_where_a_person_said(project: Path, hub: Hub) -> None:
    said = publish("someone/news")
    assert f"uploaded: {hub.url}/someone/news/commit/" in said
    assert [made["private"] for made in hub.made] == [True]
    assert len(hub.messages) == 1
    # Shards of before are gone, what else is theirs stays.
    prepared = {path.name: path.read_bytes() for path in PREPARED.iterdir()}
    assert hub.files == {**prepared, "picture.png": b"theirs"}
    assert TOKEN not in said
    assert publish("someone/news")  # a second time


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fetch_model": {"source": "tiny"}}, "tiny test model"),
        ({"merge": {"max_logit_difference": 0.5}}, "more than 4 times rounding"),
        ({"check_engine_tuned": {"max_difference": 0.5}}, "score with engine=transformers"),
        ({"check_engine_tuned": {"engine": "openai-api"}}, "answers of a server"),
    ],
)
def test_a_gate_that_does_not_hold_uploads_nothing(
    changes: dict[str, dict[str, object]], words: str, project: Path, hub: Hub
) -> None:
    publish(None)
    found = metrics()
    for name, values in changes.items():
        found[name].update(values)
    finish_run(project, found)
    nothing_published(words, hub)


def test_a_prompt_that_leaks_is_refused(project: Path, hub: Hub) -> None:
    finish_run(project, metrics(feedback="same_impression"))
    nothing_published("prompt.feedback", hub)


def test_what_is_not_the_committed_run_is_refused(project: Path, hub: Hub) -> None:
    Path("metrics/evaluate.json").write_text(json.dumps(metrics(tuned=0.99)["evaluate"]))
    nothing_published("differ from the last commit: metrics/evaluate.json.*dvc status", hub)
    commit(project)  # an edited metric, committed
    nothing_published("dvc status names run", hub)
    subprocess.run(["git", "reset", "-q", "--hard", "HEAD~1"], check=True)
    Path("new.py").write_text("")
    nothing_published("differ from the last commit: new.py", hub)
    Path("new.py").unlink()
    shutil.rmtree("models/merged")
    nothing_published("dvc status names run.*dvc checkout", hub)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling.py", "optimizer.pt"])
def test_a_folder_with_more_than_a_model_is_refused(name: str, project: Path, hub: Hub) -> None:
    (project / "models/merged" / name).write_bytes(b"\x80\x04")
    finish_run(project, metrics())
    nothing_published(f"models/merged/{name}: not part of a model in safetensors", hub)


@pytest.mark.parametrize(
    ("destination", "token", "words"),
    [
        (
            "someone/news",
            "hf_wrong",
            r"does not accept an upload to 'someone/news' \(HTTP 401\).*HF_TOKEN",
        ),
        ("news", TOKEN, "the destination is 'news'; expected owner/name"),
        ("some one/news", TOKEN, "expected owner/name"),
        ("a/b/c", TOKEN, "expected owner/name"),
        ("../../etc/x", TOKEN, "expected owner/name"),
    ],
)
def test_a_destination_that_cannot_be_written_is_reported(
    destination: str,
    token: str,
    words: str,
    project: Path,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=words) as caught:
        publish(destination)
    assert hub.messages == []
    assert token not in str(caught.value)


def test_a_hub_that_fails_or_is_down_is_reported(
    project: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.refuse = 503
    with pytest.raises(UserError, match=r"answered HTTP 503 to the upload.*try again later"):
        publish("someone/news")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no complete answer from http://127\.0\.0\.1:9"):
        publish("someone/news")


def nothing_published(words: str, hub: Hub) -> None:
    with pytest.raises(UserError, match=words):
        publish("someone/news")
    assert (hub.made, hub.messages) == ([], [])
    assert not PREPARED.exists()
