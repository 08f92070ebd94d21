"""What a later stage would fail on is found while a model is fetched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from newsrec.chat.tokens import load_tokenizer
from newsrec.errors import UserError
from newsrec.models.checks import check_model
from newsrec.models.one_form import write_description
from newsrec.models.usable import check_usable
from newsrec.training.samples import load_template

HEAD, EMBEDDINGS = "lm_head.weight", "model.embed_tokens.weight"
NORM = "model.norm.weight"


def change(path: Path, **values: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | values))


def change_weights(model: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(model / "model.safetensors")
    change(weights)
    save_file(weights, model / "model.safetensors", {"format": "pt"})


def fetched(model: Path, template: str = "qwen3") -> None:
    """What `fetch_model` does with a folder, but for vLLM and the weights."""
    draft = model.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    check_model(model)
    write_description(model, draft)
    check_usable(draft, model)
    load_template(load_tokenizer(draft), template)


def reported(model: Path, template: str = "qwen3") -> str:
    with pytest.raises(UserError) as caught:
        fetched(model, template)
    message = str(caught.value)
    assert "\n" not in message
    assert "draft" not in message
    return message


@pytest.mark.parametrize("template", ["qwen3", "auto"])
def test_a_model_without_faults_can_be_used(template: str, tokenized: Path) -> None:
    fetched(tokenized, template)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("qwen3x", "did you mean 'qwen3'"),
        ("Qwen3", "expected one of: "),
        ("", "expected one of: "),
    ],
)
def test_a_template_that_does_not_exist_is_answered_with_those_that_do(
    template: str, message: str, model: Path
) -> None:
    assert message in reported(model, template)


def test_a_pointer_of_git_lfs_is_reported_as_one(model: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for name in ("tokenizer.json", "model.safetensors"):
        (model / name).write_text(pointer)
        assert f"{name}: a pointer of Git LFS" in reported(model)


def test_an_adapter_is_no_model(model: Path) -> None:
    change(model / "adapter_config.json", base_model_name_or_path="acme/base", peft_type="LORA")
    assert "an adapter (of 'acme/base') beside a model" in reported(model)
    (model / "config.json").unlink()
    message = reported(model)
    assert "holds an adapter and no model" in message
    assert "acme/base" in message


@pytest.mark.parametrize("method", ["gptq", "awq", "fp8", "bitsandbytes", "compressed-tensors"])
def test_a_quantised_model_is_refused(method: str, model: Path) -> None:
    change(model / "config.json", quantization_config={"quant_method": method})
    message = reported(model)
    assert f"quantization_config ({method})" in message
    assert "the one that it was made from" in message


def test_quantised_weights_are_found_without_a_word_in_the_configuration(model: Path) -> None:
    change(model / "quantize_config.json", bits=4)
    assert "quantize_config.json" in reported(model)
    (model / "quantize_config.json").unlink()
    change_weights(model, lambda one: one.update({NORM: one[NORM].to(torch.float8_e4m3fn)}))
    assert f"{NORM} is F8_E4M3" in reported(model)


def test_weights_in_double_precision_are_refused(model: Path) -> None:
    change_weights(model, lambda one: one.update({NORM: one[NORM].double()}))
    assert "load the model with dtype=torch.float32" in reported(model)


@pytest.mark.parametrize("name", ["vision_config", "audio_config"])
def test_a_model_that_reads_more_than_text_is_refused(name: str, model: Path) -> None:
    change(model / "config.json", **{name: {}})
    assert f"has a {name}" in reported(model)


@pytest.mark.parametrize(
    "architecture", ["Qwen2_5_VLForConditionalGeneration", "BertForMaskedLM", "Qwen3Model"]
)
def test_a_model_that_does_not_continue_text_is_refused(architecture: str, model: Path) -> None:
    change(model / "config.json", architectures=[architecture])
    assert "expected one *ForCausalLM" in reported(model)


def test_a_model_type_that_no_library_here_has_is_refused(model: Path) -> None:
    change(model / "config.json", model_type="qwen9")
    assert "does not know model_type 'qwen9'" in reported(model)


def test_a_configuration_that_describes_another_model_is_refused(model: Path) -> None:
    change(model / "config.json", num_hidden_layers=2, layer_types=["full_attention"] * 2)
    assert "no model.layers.1." in reported(model)
    change(model / "config.json", num_hidden_layers=1, layer_types=["full_attention"])
    change(model / "config.json", intermediate_size=64)
    assert "has the shape" in reported(model)


def test_weights_that_are_missing_are_not_drawn_at_random(model: Path) -> None:
    change_weights(model, lambda one: one.pop(NORM))
    assert f"no {NORM} (1 tensors are missing)" in reported(model)


def test_an_untied_head_must_be_there(model: Path) -> None:
    change(model / "config.json", tie_word_embeddings=False)
    assert f"no {HEAD}" in reported(model)


def test_tensors_that_vllm_does_not_load_are_refused(model: Path) -> None:
    change_weights(model, lambda one: one.update({"v_head.summary.weight": torch.ones(1, 32)}))
    assert "v_head.summary.weight is not part of it" in reported(model)
    change_weights(model, lambda one: one.pop("v_head.summary.weight"))
    old = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change_weights(model, lambda one: one.update({old: torch.ones(16)}))
    fetched(model)  # both libraries pass over it


def test_a_tied_head_that_is_stored_must_be_the_embeddings(model: Path) -> None:
    change_weights(model, lambda one: one.update({HEAD: one[EMBEDDINGS].clone()}))
    fetched(model)
    change_weights(model, lambda one: one[HEAD].add_(1))
    assert "tie_word_embeddings: true" in reported(model)
    change(model / "config.json", tie_word_embeddings=False)
    fetched(model)  # the remedy


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages", "its chat template fails"),
        ("{{ raise_exception('no users, please') }}", "(no users, please)"),
        ("{{ '<|im_start|>assistant' }}", "does not show the user's question"),
        ("{{ messages[-1].content }}<think>\n", "opens a think block"),
    ],
)
def test_a_chat_template_that_fails_is_refused(template: str, message: str, model: Path) -> None:
    (model / "chat_template.jinja").write_text(template)
    assert message in reported(model)


def test_a_chat_template_that_llamafactory_cannot_parse_is_refused(model: Path) -> None:
    path = model / "chat_template.jinja"
    refusal = "{% if messages | length > 1 %}{{ raise_exception('one turn') }}{% endif %}"
    path.write_text(refusal + path.read_text())
    fetched(model)
    assert "LLaMA-Factory cannot read the chat template" in reported(model, "auto")


def test_a_chat_template_that_knows_no_system_message_will_do(model: Path) -> None:
    path = model / "chat_template.jinja"
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    path.write_text(refusal + path.read_text())
    fetched(model)


def test_a_chat_template_that_shows_todays_date_is_refused(tokenized: Path) -> None:
    path = tokenized / "chat_template.jinja"
    template = path.read_text()
    path.write_text("{{ 'Today: ' + strftime_now('%d %b %Y') }}\n" + template)
    assert "shows today's date" in reported(tokenized)
    path.write_text("{{ 'Today: ' + '26 Jul 2024' }}\n" + template)
    fetched(tokenized)  # the remedy
    path.write_text("{% if tools %}{{ strftime_now('%Y') }}{% endif %}" + template)
    fetched(tokenized)  # not in a prompt of ours


def test_a_tokenizer_must_have_an_end_of_a_turn(model: Path) -> None:
    change(model / "tokenizer_config.json", eos_token=None)
    (model / "special_tokens_map.json").unlink()
    assert "has no eos_token" in reported(model)


def test_a_tokenizer_that_cannot_be_loaded_is_refused(model: Path) -> None:
    (model / "tokenizer.json").write_text("{}")
    assert "cannot load its tokenizer" in reported(model)


def test_a_model_without_its_tokenizer_says_where_to_get_it(model: Path) -> None:
    for path in model.glob("*token*"):
        path.unlink()
    assert "from the model that this one was made from" in reported(model)


def test_every_token_needs_an_embedding(tokenized: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenized)
    tokenizer.add_tokens(["<news>"])
    tokenizer.save_pretrained(tokenized)
    assert "has '<news>' as token" in reported(tokenized)


def test_a_control_token_that_no_text_becomes_needs_none(tokenized: Path) -> None:
    # As in Gemma 3 1B, whose tokenizer names one for images.
    tokenizer = AutoTokenizer.from_pretrained(tokenized)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(tokenized)
    fetched(tokenized)


def test_half_precision_will_do(model: Path) -> None:
    change(model / "config.json", dtype="float16")
    change_weights(model, lambda one: one.update({k: w.half() for k, w in one.items()}))
    fetched(model)
