"""The one file that imports vLLM; runs in vLLM's own environment.

    python -P newsrec/engines/vllm_worker.py REQUEST.json < PROMPTS

Reads the request that `newsrec.engines.vllm_engine` writes, and from standard input its prompts, as
a stream of Arrow batches. Each is answered in one go and in its order, so that prompts with a
shared beginning come side by side and the prefix cache serves them; its answers are in the file
that its metadata name before the next one is read.
"""

import gc
import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# Spelled out again: this environment has no newsrec, whose libraries are of other versions.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])
DIGEST = b"newsrec.digest"


def main() -> None:
    """Answer the request named on the command line."""
    # vLLM's modules are millions of objects that stay: looking through them for garbage, again and
    # again, is a quarter of the time to import them.
    gc.disable()
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found,unused-ignore]
    from vllm.platforms import current_platform  # type: ignore[import-not-found,unused-ignore]

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
    gc.freeze()
    gc.enable()
    sampling = SamplingParams(
        temperature=0,
        max_tokens=request["max_tokens"],
        # The raw log-probabilities of just these, however unlikely they are.
        logprob_token_ids=answers or None,
        # Not copied deeply for each prompt, which took a sixteenth of the time on a CPU.
        skip_clone=True,
    )
    with pa.ipc.open_stream(sys.stdin.buffer) as stream:
        while True:
            try:
                batch, metadata = stream.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            # Each batch alone decides what is computed for it: a run that was killed and goes on
            # here ends in the same bytes.
            engine.reset_prefix_cache()
            outputs = engine.generate(_prompts(batch["token_ids"]), sampling, use_tqdm=True)
            rows = [_answer(output.outputs[0], answers) for output in outputs]
            table = pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA)
            draft = Path(request["draft"])
            pq.write_table(table.replace_schema_metadata({DIGEST: metadata[DIGEST]}), draft)
            draft.replace(os.fsdecode(metadata[b"part"]))


def _prompts(ids: pa.LargeListArray) -> list[dict[str, list[int]]]:
    values, offsets = ids.flatten().to_numpy().tolist(), ids.offsets.to_pylist()
    return [{"prompt_token_ids": values[start:end]} for start, end in pairwise(offsets)]


def _answer(completion: Any, answers: list[int]) -> dict[str, Any]:
    first = completion.logprobs[0] if answers else {}
    return {"logprobs": [first[token].logprob for token in answers], "text": completion.text}


if __name__ == "__main__":
    main()
    # All answers are on disk. Taking the interpreter apart module by module takes seconds.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
