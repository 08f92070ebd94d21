"""What a model needs, told from its shape alone: parameters, GPU memory, RAM and disk.

On paper: parameters are exact, memory is what a training step was counted to hold at its peak, not
yet measured on a GPU. Bytes everywhere; a GB is 10**9 bytes.
"""

from collections.abc import Mapping
from typing import Any

from newsrec.preflight.shape import (
    Shape,
    block_parameters,
    linear_layers,
    linear_parameters,
    num_parameters,
)

GB = 10**9

# The CUDA context and its libraries (half), and what PyTorch's allocator holds and does not use.
CUDA = 1 * GB
# A Python process with PyTorch, transformers and the CUDA libraries in it.
PROCESS = 4 * GB
# What vLLM keeps beside weights and cache: the activations of its largest batch, CUDA graphs.
VLLM = 2 * GB

# A trained weight is float32 (LLaMA-Factory casts it up): the weight, its gradient, Adam's two
# moments; and the bfloat16 copy that autocast computes with.
TRAINED = 4 + 4 + 8 + 2
# What a checkpoint keeps of it: the weight and the moments.
CHECKPOINTED = 4 + 8
# Three are kept (save_total_limit), and one is being written.
NUM_CHECKPOINTS = 4
# Of a logit at the peak, all float32: what softmax keeps, the gradient of the loss, its own.
LOGIT = 4 + 4 + 4

# Bits of a 4-bit weight's share of its block's scale: one float32 for 64 weights, or with double
# quantization 8 bits for 64 and one float32 for 64 * 256 (QLoRA, arXiv 2305.14314, section 3).
_SCALE_BITS = {False: 32 / 64, True: 8 / 64 + 32 / (64 * 256)}


def num_trained(shape: Shape, method: str, options: Mapping[str, Any]) -> int:
    """Parameters that a method trains.

    - lora, qlora: rank x (inputs + outputs) of each target in each block; with dora one magnitude
      an output more. Targets that are no linear layer of a block are not counted.
    - full: all. freeze: `num_layers` whole blocks, the last ones, or the first where negative.
    - p-tuning-v2 (PEFT): an embedding of the virtual tokens, as wide as the keys of a layer, and
      two linear layers from there by `projection_size` to the keys and values of all layers.
    - adapter (SeqBnConfig of `adapters`): two linear layers with bias in each block, from the
      model's width to that over `reduction_factor` and back.

    Args:
        shape: of the base model.
        method: `train.method`.
        options: what stands under `train`, of which the keys of the method are read.
    """
    layers, hidden = shape.num_hidden_layers, shape.hidden_size
    if method == "full":
        return num_parameters(shape)
    if method == "freeze":
        return min(abs(int(options["num_layers"])), layers) * block_parameters(shape)
    if method == "p-tuning-v2":
        tokens, width = int(options["num_virtual_tokens"]), int(options["projection_size"])
        prefix = 2 * layers * shape.key_size
        embedding = tokens * shape.key_size
        return embedding + (shape.key_size + 1) * width + (width + 1) * prefix
    if method == "adapter":
        narrow = max(1, hidden // int(options["reduction_factor"]))
        return layers * (2 * hidden * narrow + narrow + hidden)
    rank, magnitude = int(options["rank"]), 1 if options["dora"] else 0
    return layers * sum(
        rank * (inputs + outputs) + magnitude * outputs
        for inputs, outputs in _targets(shape, options)
    )


def weights_to_train(
    shape: Shape, weight_bytes: int, method: str, options: Mapping[str, Any]
) -> int:
    """Bytes of the base model's weights while training.

    - qlora: 4 bits and the share of the block's scale for the linear layers of the blocks; what
      else there is (embeddings, head, norms) stays as it was fetched.
    - full and freeze: what is trained is not among them, see `TRAINED`.
    - else all of it, as it was fetched.
    """
    if method == "qlora":
        quantized = shape.num_hidden_layers * linear_parameters(shape)
        bits = 4 + _SCALE_BITS[bool(options["double_quantization"])]
        return round(quantized * bits / 8) + (num_parameters(shape) - quantized) * weight_bytes
    if method in ("full", "freeze"):
        return (num_parameters(shape) - num_trained(shape, method, options)) * weight_bytes
    return num_parameters(shape) * weight_bytes


def memory_to_train(
    shape: Shape,
    weight_bytes: int,
    method: str,
    options: Mapping[str, Any],
    batch_size: int,
    cutoff_len: int,
) -> int:
    """Bytes on the device that trains, at the peak of a step, without `CUDA` or `PROCESS`.

    - the base's weights: `weights_to_train`;
    - `TRAINED` bytes for each trained parameter: `num_trained`;
    - where each block is computed again in the backward pass (gradient checkpointing: on for all
      methods but p-tuning-v2, for which PEFT refuses it): the input of every block, 2 bytes a
      value (4 where the embeddings are trained and so float32); and beside it the larger of
      - `LOGIT` bytes for each token and word, while the loss goes back through them;
      - what one block keeps for its backward pass, its gradients and LoRA's float32 copies:
        32 bytes x hidden (two norms computed in float32, the inputs of five layers) + 14 x queries
        + 8 x keys + 14 x inner values, a token;
    - for p-tuning-v2: what every block keeps, 9 x hidden + 11 x queries + 6 x keys + 6 x inner
      values a token (no weight of a block is trained: fewer inputs to keep), and the logits;
    - with dora: 6 x hidden + 10 x keys + 15 x inner values a token more (outputs before they are
      scaled); and while the norm of the widest target's weight is computed 6 x inputs x inputs (a
      unit matrix, in 4 and 2 bytes) and 10 x inputs x outputs (that weight with A and B);
    - with qlora: the largest matrix of a block, as it is computed with: 2 bytes a weight.

    Attention is PyTorch's fused one: no score of a pair of tokens is kept.

    The factors were fitted to steps whose tensors were counted one by one (CPU, bfloat16 autocast,
    eight shapes); tests/preflight/test_needs.py counts again. Not measured on a GPU.

    Args:
        shape: of the base model.
        weight_bytes: of a weight as it was fetched: 2 or 4.
        method: `train.method`.
        options: what stands under `train`, of which the keys of the method are read.
        batch_size: samples on the device at once.
        cutoff_len: tokens of the longest sample.
    """
    tokens, layers = batch_size * cutoff_len, shape.num_hidden_layers
    hidden, queries, keys = shape.hidden_size, shape.query_size, shape.key_size
    inner = shape.intermediate_size
    logits = LOGIT * tokens * shape.vocab_size
    if method == "p-tuning-v2":
        kept = 9 * hidden + 11 * queries + 6 * keys + 6 * inner
        activations = layers * tokens * kept + logits
    else:
        block = tokens * (32 * hidden + 14 * queries + 8 * keys + 14 * inner)
        if options.get("dora"):
            block += tokens * (6 * hidden + 10 * keys + 15 * inner)
            targets = _targets(shape, options)
            block += max((ins * (6 * ins + 10 * outs) for ins, outs in targets), default=0)
        if method == "qlora":
            block += 2 * max(ins * outs for ins, outs in linear_layers(shape).values())
        stream = 4 if method == "full" else 2
        activations = layers * tokens * hidden * stream + max(logits, block)
    weights = weights_to_train(shape, weight_bytes, method, options)
    return weights + TRAINED * num_trained(shape, method, options) + activations


def memory_to_score_vllm(shape: Shape, weight_bytes: int, max_model_len: int) -> int:
    """Bytes that vLLM needs of its share of the GPU: weights, the cache of one prompt, `VLLM`.

    With a larger share it caches more prompts at once and is faster.
    """
    cache = _cache(shape, weight_bytes) * max_model_len
    return num_parameters(shape) * weight_bytes + cache + VLLM


def memory_to_score_transformers(
    shape: Shape, weight_bytes: int, batch_size: int, max_model_len: int
) -> int:
    """Bytes on the device while transformers answers a batch, without `CUDA` or `PROCESS`.

    Weights; keys and values of every token; one block's work on a token, 4 x hidden values (what
    goes around it and into it) and 3 x inner values (gate, up and their product); and the last
    token's logits, kept in float32 for each of about four answer tokens, and twice more to read
    them.
    """
    tokens = batch_size * max_model_len
    block = (4 * shape.hidden_size + 3 * shape.intermediate_size) * weight_bytes
    logits = 6 * 4 * batch_size * shape.vocab_size
    cache = _cache(shape, weight_bytes)
    return num_parameters(shape) * weight_bytes + tokens * (cache + block) + logits


def ram_to_load(shape: Shape, weight_bytes: int, method: str, options: Mapping[str, Any]) -> int:
    """RAM to bring a model onto the GPU that trains it.

    It is loaded on the CPU first, and what is trained is cast to float32 there; a model in 4 bit
    goes to the GPU weight by weight. Beside it `PROCESS`.
    """
    if method == "qlora":
        return PROCESS
    trained = num_trained(shape, method, options) if method in ("full", "freeze") else 0
    return (num_parameters(shape) - trained) * weight_bytes + 4 * trained + PROCESS


def ram_to_merge(shape: Shape, weight_bytes: int, method: str) -> int:
    """RAM to merge, on the CPU: one model at a time, and `PROCESS`.

    What was trained whole is read in float32 and takes the base's precision then; what cannot be
    merged is copied.
    """
    if method in ("p-tuning-v2", "adapter"):
        return PROCESS
    if method in ("full", "freeze"):
        return 4 * num_parameters(shape) + PROCESS
    return num_parameters(shape) * weight_bytes + PROCESS


def model_trained(shape: Shape, weight_bytes: int, method: str, options: Mapping[str, Any]) -> int:
    """Bytes on disk of what training leaves: the trained weights in float32.

    For full and freeze the others too, as they were fetched.
    """
    trained = num_trained(shape, method, options)
    whole = method in ("full", "freeze")
    return 4 * trained + ((num_parameters(shape) - trained) * weight_bytes if whole else 0)


def disk_for_checkpoints(
    shape: Shape, weight_bytes: int, method: str, options: Mapping[str, Any]
) -> int:
    """Bytes that training needs while it runs: `NUM_CHECKPOINTS` and its result.

    A checkpoint holds `CHECKPOINTED` bytes for each trained parameter, and for freeze the frozen
    weights.
    """
    result = model_trained(shape, weight_bytes, method, options)
    moments = (CHECKPOINTED - 4) * num_trained(shape, method, options)
    return NUM_CHECKPOINTS * (result + moments) + result


def disk_for_merged(
    shape: Shape, weight_bytes: int, method: str, options: Mapping[str, Any]
) -> int:
    """Bytes of `models/merged`: a whole model, or a copy of what cannot be merged."""
    if method in ("p-tuning-v2", "adapter"):
        return model_trained(shape, weight_bytes, method, options)
    return num_parameters(shape) * weight_bytes


def _targets(shape: Shape, options: Mapping[str, Any]) -> list[tuple[int, int]]:
    layers = linear_layers(shape)
    if options["targets"] == "all":
        return list(layers.values())
    names = [name.strip() for name in str(options["targets"]).split(",")]
    return [layers[name] for name in names if name in layers]


def _cache(shape: Shape, weight_bytes: int) -> int:
    """Bytes of a token's keys and values in all blocks."""
    return 2 * shape.num_hidden_layers * shape.key_size * weight_bytes
