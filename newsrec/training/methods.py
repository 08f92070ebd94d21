"""The methods of fine-tuning by what they leave behind."""

# A LoRA adapter, which is merged into the base model.
MERGED = ("lora", "qlora")
# A whole model.
WHOLE = ("full", "freeze")
# Weights that stay beside the base model; only transformers can load them.
UNMERGEABLE = ("p-tuning-v2", "adapter")
