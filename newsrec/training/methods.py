"""The fine-tuning methods, grouped by the kind of their result."""

# A LoRA adapter, which is merged into the base model.
MERGED = ("lora", "qlora")
# A whole model.
WHOLE = ("full", "freeze")
# Weights that are stored next to the base model; only transformers can load them.
UNMERGEABLE = ("p-tuning-v2", "adapter")
