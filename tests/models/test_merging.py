"""What was trained becomes one folder that an engine loads: merged, or exported."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM, PreTrainedModel

from newsrec.errors import UserError
from newsrec.models import merging
from newsrec.models.bottleneck import add_bottleneck, load_bottleneck, save_bottleneck
from newsrec.models.folders import kind_of
from newsrec.models.loading import PrefixedModel, load_causal_lm
from newsrec.models.merging import Fidelity, export_adapter, export_model, merge_adapter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

PROMPTS = [[5, 80, 200, 31], [7, 300, 12, 450, 99, 18]]  # token ids
IDS = torch.arange(5, 25).unsqueeze(0)


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder)


def disturb(model: torch.nn.Module) -> None:
    """Move every trainable weight, as if it had been trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.3)


def logits(model: torch.nn.Module) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits[0, -1]


def trained_prefix(base: Path, target: Path) -> torch.Tensor:
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=7, prefix_projection=True, encoder_hidden_size=9
    )
    model = get_peft_model(load(base), config)
    disturb(model)
    model.save_pretrained(str(target))
    return logits(model)


def trained_bottleneck(base: Path, target: Path) -> torch.Tensor:
    model = load(base)
    add_bottleneck(model, reduction_factor=4)
    disturb(model)
    save_bottleneck(model, target)
    return logits(model)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_a_merged_model_answers_as_base_and_adapter_do(
    variant: dict[str, bool], tiny_model: Path, tmp_path: Path
) -> None:
    model = get_peft_model(
        load(tiny_model),
        LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "up_proj"], **variant),
    )
    disturb(model)
    model.save_pretrained(str(tmp_path / "adapter"))
    wanted = logits(model)
    (tmp_path / "merged").mkdir()
    found = merge_adapter(tiny_model, tmp_path / "adapter", tmp_path / "merged", PROMPTS, "4GB")
    assert found.difference < 1e-4
    assert found.difference < 4 * found.rounding < 1e-3
    assert kind_of(tmp_path / "merged") == "model"
    assert torch.allclose(logits(load(tmp_path / "merged")), wanted, atol=1e-4)
    assert not torch.allclose(logits(load(tiny_model)), wanted, atol=0.1)


def in_precision(model: Path, dtype: torch.dtype, target: Path) -> Path:
    """A copy of a model with its weights rounded to `dtype`."""
    shutil.copytree(model, target)
    load(model).to(dtype).save_pretrained(target)
    return target


def trained_lora(base: Path, target: Path, *targets: str) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    config = LoraConfig(task_type="CAUSAL_LM", target_modules=list(targets))
    adapted = get_peft_model(model, config)
    disturb(adapted)
    adapted.save_pretrained(str(target))
    return logits(adapted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "targets", [("q_proj", "lm_head"), ("v_proj", "embed_tokens"), ("lm_head", "embed_tokens")]
)
def test_a_tied_head_and_the_embeddings_part_where_one_was_trained(
    targets: tuple[str, ...], tiny_model: Path, tmp_path: Path
) -> None:
    wanted = trained_lora(tiny_model, tmp_path / "adapter", *targets)
    target = tmp_path / "merged"
    target.mkdir()
    found = merge_adapter(tiny_model, tmp_path / "adapter", target, PROMPTS, "4GB")
    assert found.difference < 4 * found.rounding < 1e-3
    merged = load(target)
    assert torch.allclose(logits(merged), wanted, atol=1e-4)
    assert merged.config.tie_word_embeddings is False
    config = json.loads((target / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    with safe_open(target / "model.safetensors", framework="pt") as weights:
        assert {"lm_head.weight", "model.embed_tokens.weight"} <= set(weights.keys())
    assert load(tiny_model).config.tie_word_embeddings


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_wrong_merge_is_far_from_rounding_in_every_precision(
    dtype: torch.dtype, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = in_precision(tiny_model, dtype, tmp_path / "base")
    trained_lora(base, tmp_path / "adapter", "q_proj", "lm_head")

    def merged(name: str) -> Fidelity:
        (tmp_path / name).mkdir()
        return merge_adapter(base, tmp_path / "adapter", tmp_path / name, PROMPTS, "4GB")

    right = merged("right")
    assert right.difference < 4 * right.rounding
    # PEFT alone adds what is learned of the head to the embeddings too.
    monkeypatch.setattr(merging, "_untie_adapted", lambda network: None)
    wrong = merged("wrong")
    assert wrong.difference > 4 * wrong.rounding


@pytest.mark.parametrize(
    ("prompts", "num_computed"),
    [
        ([[5, 80, 200, 31], [5, 80, 12, 450, 99, 18], [5, 80, 200]], 2 + 2 + 4 + 1),
        ([[5, 80, 200], [5, 80, 200, 31]], 2 + 1 + 2),
        ([[5, 80], [5, 80]], 1 + 1 + 1),
        ([[5], [80, 5]], 1 + 2),
        (PROMPTS, 4 + 6),
    ],
    ids=["shared", "contained", "equal", "one token", "nothing shared"],
)
def test_what_prompts_share_is_computed_once_and_each_is_answered_as_alone(
    prompts: list[list[int]], num_computed: int, tiny_model: Path
) -> None:
    model, computed = load(tiny_model).eval(), []
    counter = model.get_input_embeddings().register_forward_hook(
        lambda _, inputs, __: computed.append(inputs[0].numel())
    )
    found = merging._logits(model, prompts, "causal-lm")
    counter.remove()
    assert sum(computed) == num_computed
    for ids, one in zip(prompts, found, strict=True):
        with torch.no_grad():
            alone = model(input_ids=torch.tensor([ids])).logits[0, -1]
        assert torch.allclose(one, alone, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_every_weight_moves_to_a_neighbouring_number(dtype: torch.dtype) -> None:
    special = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.0**-14, -3e-3, 60_000.0])
    before = torch.cat([special, torch.randn(3, 9_000).flatten()]).to(dtype)
    model = torch.nn.ParameterList([torch.nn.Parameter(before.clone().reshape(1, -1))])
    merging._move_by_one_rounding(model)
    after = model[0].detach().flatten()
    up = after == torch.nextafter(before, torch.full_like(before, torch.inf))
    down = after == torch.nextafter(before, torch.full_like(before, -torch.inf))
    assert (up ^ down).all()
    assert 0.48 < up.double().mean() < 0.52


def test_a_model_trained_whole_is_exported_in_the_precision_of_the_base(
    tiny_model: Path, tmp_path: Path
) -> None:
    base, trained = tmp_path / "base", tmp_path / "trained"
    load(tiny_model).to(torch.bfloat16).save_pretrained(base)
    for path in tiny_model.glob("*token*"):
        (base / path.name).write_bytes(path.read_bytes())
    (base / "chat_template.jinja").write_bytes((tiny_model / "chat_template.jinja").read_bytes())
    model = load(tiny_model)
    disturb(model)
    model.save_pretrained(trained)
    (tmp_path / "merged").mkdir()
    found = export_model(base, trained, tmp_path / "merged", PROMPTS, "4GB")
    # Rounded to 8 bits of mantissa, and no more than that.
    assert 0 < found.difference < 0.5
    assert found.difference < 4 * found.rounding
    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert exported.dtype == torch.bfloat16
    for name, weight in model.state_dict().items():
        assert torch.equal(exported.state_dict()[name], weight.to(torch.bfloat16)), name


def test_layers_trained_beside_frozen_ones_are_rounded_knowingly(
    tiny_model: Path, tmp_path: Path
) -> None:
    base, trained, target = tmp_path / "base", tmp_path / "trained", tmp_path / "merged"
    shutil.copytree(tiny_model, base)
    load(tiny_model).to(torch.bfloat16).save_pretrained(base)
    model = load(base).to(torch.bfloat16)
    model.model.layers[-1].float()  # as LLaMA-Factory trains it
    disturb(model.model.layers[-1])
    model.save_pretrained(trained)
    target.mkdir()
    assert 0 < export_model(base, trained, target, PROMPTS, "4GB").difference < 0.5


@pytest.mark.slow
def test_bottlenecks_are_scored_in_bfloat16_as_they_were_trained(
    tiny_model: Path, tmp_path: Path
) -> None:
    trained_bottleneck(tiny_model, tmp_path)
    scored = load_causal_lm(tmp_path, "bfloat16").eval()
    assert {weight.dtype for weight in scored.parameters()} == {torch.bfloat16}
    # Training: a base in bfloat16, adapters in float32, under autocast.
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    load_bottleneck(model, tmp_path)
    ids = torch.arange(400).remainder(500).unsqueeze(0)  # long: positions must not be rounded
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        wanted = model.eval()(input_ids=ids).logits[0, -1].float()
    with torch.no_grad():
        found = scored(input_ids=ids).logits[0, -1].float()
    assert (found - wanted).abs().max() < 0.05
    assert scored.model.rotary_emb.inv_freq.dtype == torch.float32


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize("train", [trained_prefix, trained_bottleneck])
def test_what_cannot_be_merged_is_exported_beside_its_base(
    train: object, tiny_model: Path, tmp_path: Path
) -> None:
    adapter, target = tmp_path / "adapter", tmp_path / "merged"
    adapter.mkdir()
    target.mkdir()
    wanted = train(tiny_model, adapter)  # type: ignore[operator]
    export_adapter(tiny_model, adapter, target)
    assert not (target / "config.json").exists()  # nobody takes it for the base model by mistake
    assert json.loads((target / "base.json").read_text())["folder"] == str(tiny_model)
    loaded = load_causal_lm(target, "auto")
    if isinstance(loaded, PrefixedModel):
        found = loaded.generate(
            IDS,
            torch.ones_like(IDS),
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        ).logits[0][0]
    else:
        found = logits(loaded)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(logits(load(tiny_model)), wanted, atol=0.1)


@pytest.mark.slow
def test_an_adapter_of_another_model_is_reported(tiny_model: Path, tmp_path: Path) -> None:
    wider = load(tiny_model)
    config = wider.config
    config.intermediate_size *= 2
    model = get_peft_model(
        type(wider)(config), LoraConfig(task_type="CAUSAL_LM", target_modules=["up_proj"])
    )
    model.save_pretrained(str(tmp_path / "adapter"))
    (tmp_path / "merged").mkdir()
    with pytest.raises(UserError, match=r"does not fit the model in .*; train it again on"):
        merge_adapter(tiny_model, tmp_path / "adapter", tmp_path / "merged", PROMPTS, "4GB")


def test_a_folder_of_neither_kind_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither a model .* nor an adapter"):
        kind_of(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(UserError, match=r"neither a model .* nor an adapter"):
        kind_of(tmp_path)
