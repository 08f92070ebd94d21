"""A copy of a model is described in one form, which both versions of transformers read alike."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import (
    AutoConfig,
    GenerationConfig,
    LlamaConfig,
    PreTrainedTokenizerBase,
    Qwen3Config,
)

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.errors import UserError
from newsrec.models.loading import load_model
from newsrec.models.one_form import model_config, write_description
from newsrec.models.weights import copy_weights

VERSION_5 = {"rope_theta": 1_000_000.0, "rope_type": "default"}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
NAMES = tuple(f"odd_{number}_token" for number in range(99))
GEMMA3 = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
}


def change(path: Path, *without: str, **values: Any) -> None:
    content = json.loads(path.read_text())
    kept = {key: value for key, value in content.items() if key not in without}
    path.write_text(json.dumps(kept | values))


def copied(model: Path) -> Path:
    target = model.with_name("copy")
    target.mkdir()
    write_description(model, target)
    copy_weights(model, target)
    return target


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(tmp_path: Path, **values: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"dtype": "bfloat16", **values}))
    return tmp_path / "config.json"


def test_what_version_4_saved_stays_byte_for_byte(model: Path) -> None:
    copy = copied(model)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in model.iterdir()
    }


def test_the_positions_of_a_model_saved_by_version_5_are_its_own(model: Path) -> None:
    change(
        model / "config.json", "rope_theta", "rope_scaling", "torch_dtype",
        rope_parameters=VERSION_5, dtype="float32", transformers_version="5.19.0",
    )  # fmt: skip
    copy = copied(model)
    content = json.loads((copy / "config.json").read_text())
    assert content["rope_theta"] == 1_000_000.0
    assert "rope_parameters" not in content  # what `merge` saves has one form too
    frequencies = load_model(copy, "auto").model.rotary_emb.inv_freq
    assert frequencies[1].item() == pytest.approx(1e6 ** (-2 / 32))


@pytest.mark.parametrize(
    ("model_type", "parameters", "wanted"),
    [
        ("qwen3", {**VERSION_5, "factor": None}, {"rope_theta": 1e6, "rope_scaling": None}),
        ("qwen2", {**YARN, "rope_theta": 1e6}, {"rope_theta": 1e6, "rope_scaling": YARN}),
        ("llama", {**LLAMA3, "rope_theta": 5e5}, {"rope_theta": 5e5, "rope_scaling": LLAMA3}),
        ("llama", {"type": "linear", "factor": 2.0, "rope_theta": 1e4},
         {"rope_theta": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
        ("phi", {**VERSION_5, "partial_rotary_factor": 0.4},
         {"rope_theta": 1e6, "rope_scaling": None, "partial_rotary_factor": 0.4}),
        ("llama", {**VERSION_5, "partial_rotary_factor": 1.0}, {"rope_theta": 1e6}),
        ("qwen3", {"full_attention": VERSION_5, "sliding_attention": VERSION_5},
         {"rope_theta": 1e6, "rope_scaling": None}),
        ("qwen3", {"full_attention": VERSION_5}, {"rope_theta": 1e6, "rope_scaling": None}),
        ("gemma3_text", GEMMA3, {"rope_theta": 1e6, "rope_local_base_freq": 2e4,
                                 "rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
        ("olmo3", {"full_attention": {**YARN, "rope_theta": 5e5},
                   "sliding_attention": {"rope_type": "default", "rope_theta": 5e5}},
         {"rope_theta": 5e5, "rope_scaling": YARN}),
    ],
)  # fmt: skip
def test_rope_parameters_have_the_names_of_version_4(
    model_type: str, parameters: dict, wanted: dict, tmp_path: Path
) -> None:
    path = written(tmp_path, model_type=model_type, rope_parameters=parameters, rope_scaling=None)
    found = model_config(path)
    assert "rope_parameters" not in found
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "qwen3", "rope_theta": 1e4}, "rope_theta is 10000.0, and rope_parameters"),
        ({"model_type": "qwen3", "rope_scaling": YARN}, "remove the wrong one"),
        ({"model_type": "qwen9"}, "does not know model_type 'qwen9'"),
        ({"model_type": "gpt_neox"}, "has no such setting for gpt_neox"),
        ({"model_type": "llama", "rope_parameters": GEMMA3}, "differ by the type of layer"),
        ({"model_type": "llama", "rope_parameters": {**VERSION_5, "partial_rotary_factor": 0.5}},
         "partial_rotary_factor = 0.5"),
        ({"model_type": "qwen3", "torch_dtype": "float32"}, "dtype is 'bfloat16' and torch_dtype"),
        ({"model_type": "qwen3", "dtype": "float8_e4m3fn"}, "expected one of: float32"),
        ({"model_type": "qwen3", "configuration_files": ["config.4.json"]}, "other versions"),
    ],
)  # fmt: skip
def test_what_two_versions_would_read_in_two_ways_is_refused(
    values: dict, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, **{"rope_parameters": VERSION_5, **values})
    assert message in reported(lambda: model_config(path))


def test_defaults_that_versions_fill_in_are_written_out(model: Path) -> None:
    change(model / "config.json", "rope_theta", "dtype", "torch_dtype")
    content = model_config(model / "config.json")
    assert content["rope_theta"] == Qwen3Config().rope_theta
    assert content["dtype"] == "float32"


def test_code_and_sampling_leave_the_configuration(tmp_path: Path) -> None:
    path = written(
        tmp_path, model_type="llama", rope_theta=1e4, auto_map={"AutoConfig": "odd.Config"},
        do_sample=False, temperature=0.6, top_p=0.9, max_length=4096,
    )  # fmt: skip
    wanted = {"model_type": "llama", "rope_theta": 1e4, "dtype": "bfloat16"}
    assert model_config(path) == wanted
    LlamaConfig(**wanted).save_pretrained(tmp_path / "saved")


@pytest.mark.parametrize(
    "sampling",
    [
        {"do_sample": False, "temperature": 0.6, "top_p": 0.95, "top_k": 20},
        {"do_sample": True, "temperature": 0.7, "repetition_penalty": 1.05},
        {"num_beams": 1, "early_stopping": True, "length_penalty": 2.0},
        {"cache_implementation": "no such cache", "max_new_tokens": -1},
    ],
)
def test_sampling_settings_are_dropped_and_the_stop_tokens_kept(
    sampling: dict, model: Path
) -> None:
    path = model / "generation_config.json"
    path.write_text(json.dumps({**sampling, "eos_token_id": [2, 0], "pad_token_id": 0}))
    copy = copied(model)
    kept = GenerationConfig.from_pretrained(copy)
    assert (kept.eos_token_id, kept.pad_token_id, kept.repetition_penalty) == ([2, 0], 0, 1.0)
    load_model(copy, "auto").save_pretrained(copy.with_name("saved"))  # as `merge` does


@pytest.mark.parametrize("named", [list, lambda extra: dict(zip(NAMES, extra, strict=False))])
def test_a_tokenizer_saved_by_version_5_gives_the_same_tokens(
    named: Callable[[list[str]], object], tokenized: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    extra = named(tokenizer.additional_special_tokens)
    change(
        tokenized / "tokenizer_config.json", "additional_special_tokens", "added_tokens_decoder",
        tokenizer_class="TokenizersBackend", extra_special_tokens=extra, backend="tokenizers",
        is_local=True, local_files_only=False,
    )  # fmt: skip
    (tokenized / "special_tokens_map.json").unlink(missing_ok=True)
    found, wanted = load_tokenizer(copied(tokenized)), tokenizer
    messages = user_turn("Some question?")
    assert encode_chat(found, messages) == encode_chat(wanted, messages)
    assert found.eos_token_id == wanted.eos_token_id
    assert set(found.all_special_ids) == set(wanted.all_special_ids)


def test_tokens_with_names_of_their_own_keep_them(model: Path) -> None:
    path = model / "tokenizer_config.json"
    change(path, model_specific_special_tokens={"turn_token": "<|im_start|>"})
    assert load_tokenizer(copied(model)).turn_token == "<|im_start|>"


def test_a_class_that_version_5_would_fit_the_tokenizer_to_is_left_out(
    tokenized: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    # As a tokenizer of bytes is often published; version 5 gives it SentencePiece's decoder.
    change(tokenized / "tokenizer_config.json", tokenizer_class="LlamaTokenizerFast")
    copy = copied(tokenized)
    named = json.loads((copy / "tokenizer_config.json").read_text())["tokenizer_class"]
    assert named == "PreTrainedTokenizerFast"
    text = "Two  words, 3 spaces.\n"
    assert load_tokenizer(copy).encode(text) == tokenizer.encode(text)


def test_a_class_of_its_own_without_the_whole_tokenizer_is_refused(model: Path) -> None:
    change(model / "tokenizer_config.json", tokenizer_class="OddTokenizer")
    (model / "tokenizer.json").unlink()
    assert "has no OddTokenizer" in reported(lambda: write_description(model, model.parent))


def test_of_two_chat_templates_the_one_that_is_read_is_left(tokenized: Path) -> None:
    change(tokenized / "tokenizer_config.json", chat_template="stale {{ messages }}")
    copy = copied(tokenized)
    assert "chat_template" not in json.loads((copy / "tokenizer_config.json").read_text())
    assert "stale" not in load_tokenizer(copy).chat_template


def test_the_users_folder_is_not_changed(model: Path) -> None:
    change(model / "config.json", "rope_theta", rope_parameters=VERSION_5)
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    copied(model)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    assert AutoConfig.from_pretrained(model.with_name("copy")).rope_theta == 1e6
