"""params.yaml: equal to its composition, and every fault told in one line."""

from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.params import load_params
from tests.compose_params import ROOT, compose

CHOICES = [
    f"{folder.name}={file.stem}"
    for folder in sorted((ROOT / "conf").iterdir())
    if folder.is_dir()
    for file in sorted(folder.glob("*.yaml"))
]


def test_params_yaml_is_the_composition_of_conf(tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [])
    assert (tmp_path / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize("choice", CHOICES)
def test_every_shipped_choice_is_parsed(choice: str, tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [choice])
    load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("model", ["tiny", "qwen3-0.6b", "qwen3-8b"])
@pytest.mark.parametrize("data", ["synthetic", "mind-small", "local"])
def test_models_and_data_combine(model: str, data: str, tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [f"model={model}", f"data={data}"])
    params = load_params(tmp_path / "params.yaml")
    assert (params.model.tiny is not None) == (model == "tiny")
    assert params.train.lr == (5e-3 if model == "tiny" else 1e-4)


@pytest.mark.parametrize("text", ["5e-5", "5e-05", "0.00005"])
def test_a_learning_rate_is_a_number_however_it_is_written(text: str, tmp_path: Path) -> None:
    params = edited(tmp_path, "  lr: 0.005", f"  lr: {text}")
    assert load_params(params).train.lr == 5e-5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  lr: 0.005", "  lrr: 0.005", ["'train.lrr'", "did you mean 'lr'"]),
        ("prompt:", "promt:", ["'promt'", "did you mean 'prompt'"]),
        ("feedback: earlier", "feedback: later", ["'later'", "'earlier'", "'same_impression'"]),
        ("split: by_user", "split: by_week", ["'by_week'", "'by_time'"]),
        ("  source: tiny", "  source: dropbox", ["'dropbox'", "'modelscope'", "'huggingface'"]),
        ("  lr: 0.005", "  lr: fast", ["train.lr", "'fast'", "number"]),
        ("  lr: 0.005\n", "", ["'train.lr' is missing", "make params"]),
        ("  num_impressions: 300", "  num_impressions: most", ["num_impressions", "'most'"]),
        ("mind:", "mind: [", ["not YAML"]),
    ],
)
def test_a_fault_names_the_key_and_what_was_expected(
    old: str, new: str, words: list[str], tmp_path: Path
) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(UserError) as caught:
        load_params(path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def edited(folder: Path, old: str, new: str) -> Path:
    path = folder / "params.yaml"
    compose(path, [])  # not the file in the root: an experiment may have changed that one
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    return path
