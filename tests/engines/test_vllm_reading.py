"""Training and vLLM read the same in a model's folder, or the model is refused."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from transformers import (
    AutoConfig,
    Gemma3TextConfig,
    LlamaConfig,
    PreTrainedTokenizerBase,
    Qwen3Config,
)

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat
from newsrec.engines.vllm_engine import PYTHON_VARIABLE, vllm_python
from newsrec.engines.vllm_reading import check_same_reading, differences
from newsrec.errors import UserError
from newsrec.models.checks import check_model
from newsrec.models.one_form import write_description
from newsrec.models.usable import check_usable

ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
LOCAL = {"full_attention": {**ROPE, "rope_theta": 1e6}, "sliding_attention": ROPE}
YARN = {"rope_type": "yarn", "factor": 2.0}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Qwen3Config(), {"rope_parameters": ROPE}),
        (LlamaConfig(), {"rope_parameters": {**ROPE, "type": "default"}}),
        (Gemma3TextConfig(), {"rope_parameters": LOCAL}),
        # Version 5 fills in what version 4 takes for granted.
        (
            Qwen3Config(rope_scaling=YARN, max_position_embeddings=512),
            {"rope_parameters": {**ROPE, **YARN, "original_max_position_embeddings": 512}},
        ),
        (
            Qwen3Config(head_dim=None, hidden_size=64, num_attention_heads=4),
            {"rope_parameters": ROPE, "head_dim": 16},
        ),
    ],
)
def test_one_configuration_in_the_words_of_two_versions_is_the_same(
    ours: Any, theirs: dict
) -> None:
    config = ours.to_dict()
    wording = {"rope_theta", "rope_scaling", "rope_local_base_freq"}
    other = {key: one for key, one in config.items() if key not in wording}
    other |= {"transformers_version": "5.19.0", "only_in_5": 1, **theirs}
    assert differences(config, other, Path("model")) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("rms_norm_eps", 1e-5), ("tie_word_embeddings", True), ("sliding_window", 4096)],
)
def test_a_value_that_two_versions_read_in_two_ways_is_found(key: str, value: object) -> None:
    config = Qwen3Config().to_dict()
    found = differences(config, config | {key: value}, Path("model"))
    assert found == {key: (config[key], value)}


def test_another_base_of_the_positions_is_found() -> None:
    config = Qwen3Config(rope_parameters={**ROPE, "rope_theta": 5e5}).to_dict()  # kept, unread
    other = config | {"rope_parameters": {**ROPE, "rope_theta": 5e5}}
    found = differences(config, other, Path("model"))
    assert found == {"rope_theta": (10_000.0, 5e5)}


def stand_in(work: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python of the vLLM environment that does what `body` says; $5 is where it answers."""
    program = work / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(program))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"eos_token_id": 7}, "the tokenizer's eos_token_id is"),
        ({"text": "Ġgarbled"}, "the tokenizer's text is"),
        ({"config": {"rms_norm_eps": 0.5}}, "rms_norm_eps is 1e-06 in training and 0.5 in vLLM"),
    ],
)
def test_what_differs_is_named_with_both_values(
    changes: dict,
    message: str | None,
    tokenized: Path,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {
        "config": AutoConfig.from_pretrained(tokenized).to_dict(),
        "eos_token_id": tokenizer.eos_token_id,
        "text": tokenizer.decode(encode_chat(tokenizer, user_turn("Is 7 more than 5?"))),
    }
    (tmp_path / "answer.json").write_text(json.dumps(answer | changes, default=str))
    stand_in(tmp_path, f'cp {tmp_path}/answer.json "$5"', monkeypatch)
    if message is None:
        check_same_reading(tokenized, Path("mine"), tmp_path)
        return
    with pytest.raises(UserError, match=rf"mine: {message}"):
        check_same_reading(tokenized, Path("mine"), tmp_path)


def test_an_architecture_that_vllm_lacks_is_reported(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "echo 'Model architectures [...] are not supported'; exit 1", monkeypatch)
    with pytest.raises(UserError, match=r"vLLM cannot use it .*not supported.*transformers"):
        check_same_reading(tiny_model, Path("mine"), tmp_path)


SAVE = """
import sys
from transformers import AutoConfig, AutoTokenizer
source, target, theta = sys.argv[1:]
config = AutoConfig.from_pretrained(source)
config.rope_parameters["rope_theta"] = float(theta)
config.save_pretrained(target)
AutoTokenizer.from_pretrained(source).save_pretrained(target)
"""


@pytest.mark.slow
def test_a_folder_that_version_5_saved_is_read_alike(tokenized: Path, tmp_path: Path) -> None:
    saved, draft = tmp_path / "saved", tmp_path / "draft"
    subprocess.run(
        [vllm_python(), "-c", SAVE, tokenized, saved, "500000"], check=True, cwd=tmp_path
    )
    assert "rope_parameters" in json.loads((saved / "config.json").read_text())
    settings = json.loads((saved / "tokenizer_config.json").read_text())
    # A class of version 5 alone, or one that Qwen's own tokenizer keeps.
    assert settings["tokenizer_class"] in ("TokenizersBackend", "Qwen2Tokenizer")
    shutil.copyfile(tokenized / "model.safetensors", saved / "model.safetensors")
    draft.mkdir()
    check_model(saved)
    write_description(saved, draft)
    check_usable(draft, saved)
    check_same_reading(draft, saved, tmp_path)
    assert AutoConfig.from_pretrained(draft).rope_theta == 500_000
    # As it was, it is not.
    shutil.copyfile(saved / "config.json", draft / "config.json")
    with pytest.raises(UserError, match=r"rope_theta is .* in training and 500000"):
        check_same_reading(draft, saved, tmp_path)
