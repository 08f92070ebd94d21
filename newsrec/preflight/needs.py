"""GPU memory, RAM and disk that a model needs, in bytes, estimated from its shape alone.

The factors for memory were fitted to training steps whose tensors were counted one by one (CPU,
bfloat16 autocast; tests/preflight/test_needs.py repeats this), and not yet measured on a GPU.
`weight_bytes` is the size of a weight in the base model, 2 or 4; `options` is the section `train`.
"""

from typing import Any

from newsrec.models.shape import Shape
from newsrec.training.methods import UNMERGEABLE, WHOLE

Options = dict[str, Any]

GB = 10**9
CUDA = 1 * GB  # its context and libraries (half), and unused memory of PyTorch's allocator
PROCESS = 4 * GB  # Python with PyTorch, transformers and the CUDA libraries
VLLM = 2 * GB  # besides weights and cache: activations of the largest batch, CUDA graphs
MOMENTS = 4 + 4  # Adam's two moments of a trained weight, float32
# A trained weight is float32 (LLaMA-Factory casts it): the weight, its gradient, the moments,
# and the bfloat16 copy that autocast computes with.
TRAINED = 4 + 4 + MOMENTS + 2
NUM_CHECKPOINTS = 4  # three are kept (save_total_limit) while another one is written
LOGIT = 4 + 4 + 4  # at the peak, float32: softmax's output, the gradient of the loss, and its own
# Bits per 4-bit weight for the scale of its block: one float32 for 64 weights, or with double
# quantization 8 bits for 64 and one float32 for 64 * 256 (QLoRA, arXiv 2305.14314, section 3).
_SCALE_BITS = {False: 32 / 64, True: 8 / 64 + 32 / (64 * 256)}


def num_trained(shape: Shape, method: str, options: Options) -> int:
    """The number of parameters that a method trains."""
    layers, hidden, keys = shape.num_hidden_layers, shape.hidden_size, shape.key_size
    if method == "full":
        return shape.num_parameters
    if method == "freeze":  # whole blocks, the first ones if negative
        return min(abs(int(options["num_layers"])), layers) * shape.block_parameters
    if method == "p-tuning-v2":
        # PEFT: tokens as wide as the keys of a layer, two linear layers to all keys and values.
        tokens, width = int(options["num_virtual_tokens"]), int(options["projection_size"])
        return tokens * keys + (keys + 1) * width + (width + 1) * 2 * layers * keys
    if method == "adapter":
        # SeqBnConfig of `adapters`: two linear layers with bias in each block.
        narrow = max(1, hidden // int(options["reduction_factor"]))
        return layers * (2 * hidden * narrow + narrow + hidden)
    # LoRA's A and B for each target in each block; DoRA adds a magnitude for each output.
    rank, magnitude, targets = int(options["rank"]), int(options["dora"]), _targets(shape, options)
    return layers * sum(rank * (ins + outs) + magnitude * outs for ins, outs in targets)


def weights_to_train(shape: Shape, weight_bytes: int, method: str, options: Options) -> int:
    """Bytes of the base model's weights in training, without the weights that are trained."""
    if method == "qlora":  # 4 bits for the linear layers of the blocks, the rest unchanged
        block = sum(ins * outs for ins, outs in shape.linear_layers.values())
        linear = shape.num_hidden_layers * block
        quantized = linear * (4 + _SCALE_BITS[options["double_quantization"]]) / 8
        return round(quantized) + (shape.num_parameters - linear) * weight_bytes
    trained = num_trained(shape, method, options) if method in WHOLE else 0
    return (shape.num_parameters - trained) * weight_bytes


def memory_to_train(
    shape: Shape, weight_bytes: int, method: str, options: Options, batch_size: int, cutoff_len: int
) -> int:
    """Bytes on the training device at the peak of a step, without `CUDA` or `PROCESS`.

    The sum of the base's weights, `TRAINED` bytes for each trained parameter, and the activations
    of `batch_size` samples of `cutoff_len` tokens. PyTorch's fused attention stores no scores.
    """
    tokens, layers = batch_size * cutoff_len, shape.num_hidden_layers
    hidden, inner = shape.hidden_size, shape.intermediate_size
    queries, keys = shape.query_size, shape.key_size
    logits = LOGIT * tokens * shape.vocab_size
    largest = max(ins * outs for ins, outs in shape.linear_layers.values())
    whole = 2 * largest if method == "qlora" else 0  # 4-bit weights are computed with in 16 bits
    if method == "p-tuning-v2":
        # PEFT refuses gradient checkpointing, so every block stores what its backward pass needs.
        # No weight of a block is trained, so fewer inputs are stored than below.
        kept = 9 * hidden + 11 * queries + 6 * keys + 6 * inner
        activations = layers * tokens * kept + logits
    elif not options.get("gradient_checkpointing", True):
        # What every block stores, including LoRA's inputs, and the gradients of one block.
        kept = 16 * hidden + 14 * queries + 6 * keys + 8 * inner
        if options["dora"]:
            kept += 8 * hidden + 4 * queries + 8 * keys + 8 * inner
        block = tokens * (18 * hidden + 6 * inner) + whole
        activations = layers * tokens * kept + max(logits, block)
    else:
        # Gradient checkpointing: one block at a time stores two norms computed in float32, the
        # inputs of its layers, their gradients and LoRA's float32 copies.
        block = tokens * (32 * hidden + 14 * queries + 8 * keys + 14 * inner) + whole
        if options.get("dora"):
            # Outputs before they are scaled; and while the norm of the widest target's weight is
            # computed, a unit matrix in 4 and 2 bytes, and that weight with A and B.
            block += tokens * (6 * hidden + 10 * keys + 15 * inner)
            targets = _targets(shape, options)
            block += max((ins * (6 * ins + 10 * outs) for ins, outs in targets), default=0)
        # The inputs of all blocks, which are float32 if the embeddings are trained.
        stream = 4 if method == "full" else 2
        activations = layers * tokens * hidden * stream + max(logits, block)
    weights = weights_to_train(shape, weight_bytes, method, options)
    return weights + TRAINED * num_trained(shape, method, options) + activations


def memory_to_score_vllm(shape: Shape, weight_bytes: int, max_model_len: int) -> int:
    """Bytes that vLLM needs on the GPU: the weights, the cache of one prompt, and `VLLM`."""
    return (shape.num_parameters + max_model_len * _cached(shape)) * weight_bytes + VLLM


def memory_to_score_transformers(shape: Shape, weight_bytes: int, batch: int, length: int) -> int:
    """Bytes on the device while transformers answers a batch, without `CUDA` or `PROCESS`."""
    # The residual stream and input of one block; gate, up and their product.
    block = 4 * shape.hidden_size + 3 * shape.intermediate_size
    values = shape.num_parameters + batch * length * (_cached(shape) + block)
    # Logits of the last token in float32: stored for about four answer tokens, and two copies.
    logits = (4 + 2) * 4 * batch * shape.vocab_size
    return values * weight_bytes + logits


def ram_to_merge(shape: Shape, weight_bytes: int, method: str) -> int:
    """RAM of one model that is loaded to be trained or merged, without `PROCESS`."""
    return shape.num_parameters * (4 if method in WHOLE else weight_bytes)  # float32, see `TRAINED`


def model_trained(shape: Shape, weight_bytes: int, method: str, options: Options) -> int:
    """Bytes on disk after training: the trained weights in float32; the rest of a whole model."""
    frozen = weights_to_train(shape, weight_bytes, method, options) if method in WHOLE else 0
    return frozen + 4 * num_trained(shape, method, options)


def disk_for_checkpoints(shape: Shape, weight_bytes: int, method: str, options: Options) -> int:
    """Bytes on disk during training: its result, and checkpoints with the moments."""
    result = model_trained(shape, weight_bytes, method, options)
    return result + NUM_CHECKPOINTS * (result + MOMENTS * num_trained(shape, method, options))


def disk_for_merged(shape: Shape, weight_bytes: int, method: str, options: Options) -> int:
    """Bytes of `models/merged`: a whole model, or a copy of a part that cannot be merged."""
    if method in UNMERGEABLE:
        return model_trained(shape, weight_bytes, method, options)
    return shape.num_parameters * weight_bytes


def _targets(shape: Shape, options: Options) -> list[tuple[int, int]]:
    """Inputs and outputs of LoRA's targets, if they are linear layers of a block."""
    names = [name.strip() for name in str(options["targets"]).split(",")]
    return [size for name, size in shape.linear_layers.items() if name in names or names == ["all"]]


def _cached(shape: Shape) -> int:
    """The number of cached values per token: its keys and values in all blocks."""
    return 2 * shape.num_hidden_layers * shape.key_size
