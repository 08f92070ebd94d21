"""What vLLM and its version of transformers read in a model's folder; runs in vLLM's environment.

    python -P newsrec/engines/vllm_reading_worker.py FOLDER IDS.json TARGET.json

FOLDER needs no weights. TARGET gets its configuration, the token that ends an answer, and the text
of the token ids in IDS.json.
"""

import gc
import json
import sys
from pathlib import Path


def main() -> None:
    """Write what is read."""
    gc.disable()  # see vllm_worker
    from transformers import AutoTokenizer
    from vllm.config import ModelConfig  # type: ignore[import-not-found,unused-ignore]
    from vllm.model_executor.models.registry import (  # type: ignore[import-not-found,unused-ignore]
        ModelRegistry,
    )
    from vllm.transformers_utils.config import (  # type: ignore[import-not-found,unused-ignore]
        get_config,
        get_hf_text_config,
    )

    folder, source, target = sys.argv[1:]
    config = get_config(folder, trust_remote_code=False)
    if not set(config.architectures) & set(ModelRegistry.get_supported_archs()):
        try:
            ModelConfig(model=folder)  # slow: whether transformers' own code will do in its place
        except Exception as error:
            sys.exit(str(error).partition("Supported architectures")[0].replace("\n", " "))
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    ids = json.loads(Path(source).read_text(encoding="utf-8"))
    values = {
        "config": get_hf_text_config(config).to_dict(),
        "eos_token_id": tokenizer.eos_token_id,
        "text": tokenizer.decode(ids, clean_up_tokenization_spaces=False),
    }
    Path(target).write_text(json.dumps(values, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
