"""What a model needs: counted by the libraries that need it, and written down as they count."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from newsrec.models.shape import Shape, read_shape
from newsrec.preflight import needs
from tests.preflight.shapes import LORA, SHIPPED, TARGETS

SMALL = Shape(
    hidden_size=96,
    num_hidden_layers=3,
    intermediate_size=320,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    vocab_size=512,
    tie_word_embeddings=True,
)
NARROW_HEADS = replace(SMALL, num_key_value_heads=1, head_dim=16, tie_word_embeddings=False)


def network(shape: Shape) -> Qwen3ForCausalLM:
    return Qwen3ForCausalLM(Qwen3Config(**vars(shape)))


def count(model: torch.nn.Module, trained_only: bool = False) -> int:
    return sum(
        weight.numel() for weight in model.parameters() if weight.requires_grad or not trained_only
    )


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize("shape", [*SHIPPED.values(), SMALL, NARROW_HEADS])
def test_parameters_are_those_that_transformers_makes(shape: Shape) -> None:
    with torch.device("meta"):
        assert shape.num_parameters == count(network(shape))


@pytest.mark.parametrize(
    ("name", "in_memory", "published"),
    [
        ("qwen3-0.6b", 596_049_920, 751_632_384),
        ("qwen3-1.7b", 1_720_574_976, 2_031_739_904),
        ("qwen3-4b", 4_022_468_096, 4_022_468_096),
        ("qwen3-8b", 8_190_735_360, 8_190_735_360),
    ],
)
def test_the_files_of_a_published_model_hold_no_more_than_reported(
    name: str, in_memory: int, published: int
) -> None:
    shape = SHIPPED[name]
    assert shape.num_parameters == in_memory
    assert in_memory <= published <= shape.num_parameters_on_disk
    if name != "qwen3-4b":  # published without the second copy of its tied head
        assert published == shape.num_parameters_on_disk


@pytest.mark.slow  # two seconds
@pytest.mark.parametrize("targets", [TARGETS, "q_proj,v_proj", "all"])
@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("shape", [SMALL, NARROW_HEADS])
def test_lora_trains_what_peft_makes(shape: Shape, dora: bool, targets: str) -> None:
    modules = TARGETS if targets == "all" else targets
    with torch.device("meta"):
        config = LoraConfig(
            task_type="CAUSAL_LM", r=8, target_modules=modules.split(","), use_dora=dora
        )
        made = get_peft_model(network(shape), config)
    options = {"rank": 8, "targets": targets, "dora": dora}
    assert needs.num_trained(shape, "lora", options) == count(made, trained_only=True)
    assert needs.num_trained(shape, "qlora", options) == count(made, trained_only=True)


@pytest.mark.parametrize("shape", [SMALL, NARROW_HEADS])
def test_p_tuning_trains_what_peft_makes(shape: Shape) -> None:
    options = {"num_virtual_tokens": 20, "projection_size": 24}
    found = needs.num_trained(shape, "p-tuning-v2", options)
    assert found == count(prefixed(network(shape), options), trained_only=True)


@pytest.mark.parametrize(("num_layers", "blocks"), [(2, (1, 2)), (-1, (0,)), (9, (0, 1, 2))])
def test_freeze_trains_whole_blocks(num_layers: int, blocks: tuple[int, ...]) -> None:
    with torch.device("meta"):
        layers = network(SMALL).model.layers
    expected = sum(count(layers[block]) for block in blocks)
    assert needs.num_trained(SMALL, "freeze", {"num_layers": num_layers}) == expected


@pytest.mark.parametrize("reduction_factor", [16, 7, 1000])
def test_an_adapter_is_two_linear_layers_in_each_block(reduction_factor: int) -> None:
    narrow = max(1, SMALL.hidden_size // reduction_factor)
    with torch.device("meta"):
        pair = count(torch.nn.Linear(96, narrow)) + count(torch.nn.Linear(narrow, 96))
    found = needs.num_trained(SMALL, "adapter", {"reduction_factor": reduction_factor})
    assert found == SMALL.num_hidden_layers * pair


class Tensors(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and their peak."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._sizes: dict[int, int] = {}
        for weight in model.parameters():
            self._add(weight)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._add(value)
        return result

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._sizes:
            return
        self._sizes[storage._cdata] = storage.nbytes()
        self.alive += storage.nbytes()
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._drop, storage._cdata)

    def _drop(self, key: int) -> None:
        self.alive -= self._sizes.pop(key)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Two that wait busily for each other stand still beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def prefixed(model: Qwen3ForCausalLM, options: dict[str, int]) -> torch.nn.Module:
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=options["num_virtual_tokens"],
        encoder_hidden_size=options["projection_size"],
        prefix_projection=True,
    )
    return get_peft_model(model, config)


def peak_of_a_step(shape: Shape, method: str, options: dict[str, Any], batch: int) -> int:
    """Bytes at the peak of the second step, trained as LLaMA-Factory does: bfloat16 and float32."""
    model = network(shape).to(torch.bfloat16).train()
    if method == "p-tuning-v2":
        model = prefixed(model, options)
    else:
        if options.get("gradient_checkpointing", True):
            model.gradient_checkpointing_enable({"use_reentrant": True})
        model.config.use_cache = False
    if method == "lora":
        model.enable_input_require_grads()
        names = options["targets"].split(",")
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=options["rank"],
            target_modules=names,
            use_dora=options["dora"],
        )
        model = get_peft_model(model, config)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    optimizer = torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad], foreach=False
    )
    ids = torch.zeros(batch, LENGTH, dtype=torch.long)
    with Tensors(model) as tensors:
        for _ in range(2):
            for _ in range(2):  # gradients stay between the parts of a step
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model(input_ids=ids, labels=ids).loss
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return tensors.peak


# Short: the mask of pairs of tokens, which no real width notices, would count here.
LENGTH = 32
# Where the blocks decide, the logits do, and the weights do.
BLOCKS = replace(SMALL, hidden_size=128, vocab_size=64)
WIDE = replace(BLOCKS, hidden_size=256)
LOGITS = replace(SMALL, vocab_size=8192)
WEIGHTS = replace(SMALL, vocab_size=16384, tie_word_embeddings=False)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize(
    ("shape", "method", "options", "batch"),
    [
        (BLOCKS, "lora", LORA, 16),
        (BLOCKS, "lora", {**LORA, "dora": True}, 16),
        (WIDE, "lora", {**LORA, "gradient_checkpointing": False}, 16),
        (WIDE, "lora", {**LORA, "dora": True, "gradient_checkpointing": False}, 16),
        (BLOCKS, "p-tuning-v2", {"num_virtual_tokens": 4, "projection_size": 16}, 16),
        (LOGITS, "lora", LORA, 8),
        (LOGITS, "lora", {**LORA, "gradient_checkpointing": False}, 8),
        (LOGITS, "p-tuning-v2", {"num_virtual_tokens": 4, "projection_size": 16}, 8),
        (LOGITS, "full", {}, 8),
        (WEIGHTS, "full", {}, 1),
    ],
)
def test_the_peak_of_a_step_is_what_is_reported(
    shape: Shape, method: str, options: dict[str, Any], batch: int
) -> None:
    estimated = needs.memory_to_train(
        shape, 2, method, options, batch_size=batch, cutoff_len=LENGTH
    )
    assert estimated == pytest.approx(peak_of_a_step(shape, method, options, batch), rel=0.1)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize(("shape", "batch"), [(BLOCKS, 32), (LOGITS, 32)])
def test_the_peak_of_an_answer_is_what_is_reported(shape: Shape, batch: int) -> None:
    model = network(shape).to(torch.bfloat16).eval()
    prompts = torch.ones(batch, LENGTH - 4, dtype=torch.long)
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=4,
        min_new_tokens=4,
        pad_token_id=0,
        eos_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    with torch.inference_mode(), Tensors(model) as tensors:
        output = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), generation_config=config
        )
        torch.log_softmax(output.logits[0], dim=-1)
    estimated = needs.memory_to_score_transformers(shape, 2, batch, LENGTH)
    assert estimated == pytest.approx(tensors.peak, rel=0.15)


@pytest.mark.parametrize(("double", "bits"), [(True, 4.127), (False, 4.5)])
def test_qlora_holds_the_linear_layers_of_the_blocks_in_four_bits(
    double: bool, bits: float
) -> None:
    shape = SHIPPED["qwen3-8b"]
    with torch.device("meta"):
        model = network(shape)
    linear = sum(
        count(module)
        for module in model.model.layers.modules()
        if isinstance(module, torch.nn.Linear)
    )
    estimated = needs.weights_to_train(shape, 2, "qlora", {**LORA, "double_quantization": double})
    rest = 2 * (count(model) - linear)
    assert estimated == pytest.approx(rest + linear * bits / 8, rel=1e-4)


def test_vllm_needs_the_weights_and_the_cache_of_a_prompt() -> None:
    # 36 layers x 8 heads x 128 values, keys and values, 2 bytes: 147,456 bytes a token.
    estimated = needs.memory_to_score_vllm(SHIPPED["qwen3-8b"], 2, max_model_len=1000)
    assert estimated == 2 * 8_190_735_360 + 147_456_000 + needs.VLLM


@pytest.mark.slow  # a second and more
def test_what_is_written_is_as_large_as_reported(tmp_path: Path) -> None:
    model = network(SMALL).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "merged")
    written = (tmp_path / "merged/model.safetensors").stat().st_size
    assert needs.disk_for_merged(SMALL, 2, "lora", LORA) == pytest.approx(written, rel=0.02)

    model.save_pretrained(tmp_path / "whole", state_dict=network(SMALL).state_dict())
    written = (tmp_path / "whole/model.safetensors").stat().st_size
    assert needs.model_trained(SMALL, 2, "full", {}) == pytest.approx(written, rel=0.02)

    config = LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=TARGETS.split(","))
    adapted = get_peft_model(model, config)
    # Else PEFT asks a hub whether the vocabulary grew.
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    written = (tmp_path / "adapter/adapter_model.safetensors").stat().st_size
    assert needs.model_trained(SMALL, 2, "lora", LORA) == pytest.approx(written, rel=0.1)


def test_training_writes_checkpoints_with_adams_moments_and_the_result() -> None:
    shape = SHIPPED["qwen3-8b"]
    assert needs.disk_for_checkpoints(shape, 2, "lora", LORA) == 21_823_488 * (4 * 12 + 4)
    assert needs.disk_for_checkpoints(shape, 2, "full", {}) == 8_190_735_360 * (4 * 12 + 4)


def test_ram_holds_one_model_in_float32_where_it_was_trained_whole() -> None:
    shape, size = SHIPPED["qwen3-8b"], 8_190_735_360
    assert needs.ram_to_merge(shape, 2, "lora") == 2 * size
    assert needs.ram_to_merge(shape, 4, "lora") == 4 * size
    assert needs.ram_to_merge(shape, 2, "full") == 4 * size
    assert needs.ram_to_merge(shape, 2, "freeze") == 4 * size


def test_a_shape_is_read_from_a_config_that_transformers_writes() -> None:
    for shape in (SMALL, NARROW_HEADS):
        assert read_shape(network(shape).config.to_dict()) == shape


def test_older_configs_leave_out_what_follows_from_the_rest() -> None:
    config = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "vocab_size": 100,
    }
    assert read_shape(config) == Shape(64, 2, 128, 4, 4, 16, 100, False)
    assert read_shape({**config, "num_experts": 8}) is None
    assert read_shape({"n_embd": 64}) is None
