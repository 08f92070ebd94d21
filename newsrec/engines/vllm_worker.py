"""The one file that imports vLLM; runs in vLLM's own environment.

    python -P newsrec/engines/vllm_worker.py REQUEST.json

Reads the request that `newsrec.engines.vllm_engine` writes and answers its prompts in their order,
so that prompts with a shared beginning come side by side and the prefix cache serves them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from vllm import LLM, SamplingParams  # type: ignore[import-not-found,unused-ignore]
from vllm.platforms import current_platform  # type: ignore[import-not-found,unused-ignore]

# Spelled out again: this environment has no newsrec, whose libraries are of other versions.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])


def main() -> None:
    """Answer the request named on the command line."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = request["answers"]
    engine = LLM(
        model=request["model"],
        trust_remote_code=False,
        enable_prefix_caching=True,
        # Only whole blocks are cached; 128 tokens, the default there, are most of a short prompt.
        block_size=32 if current_platform.is_cpu() else None,
        **request["engine"],
    )
    sampling = SamplingParams(
        temperature=0,
        max_tokens=request["max_tokens"],
        # The raw log-probabilities of just these, however unlikely they are.
        logprob_token_ids=answers or None,
    )
    with pq.ParquetWriter(request["target"], ANSWERS_SCHEMA) as writer:
        batches = pq.ParquetFile(request["prompts"]).iter_batches(
            batch_size=request["batch_size"], columns=["token_ids"]
        )
        for batch in batches:
            prompts = [{"prompt_token_ids": ids} for ids in batch["token_ids"].to_pylist()]
            outputs = engine.generate(prompts, sampling, use_tqdm=True)
            rows = [_answer(output.outputs[0], answers) for output in outputs]
            writer.write_table(pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))


def _answer(completion: Any, answers: list[int]) -> dict[str, Any]:
    first = completion.logprobs[0] if answers else {}
    return {"logprobs": [first[token].logprob for token in answers], "text": completion.text}


if __name__ == "__main__":
    main()
