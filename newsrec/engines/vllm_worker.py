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
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

# Spelled out again: this environment has no newsrec, whose libraries are of other versions.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])
CLASSES_SCHEMA = pa.schema([("logits", pa.list_(pa.float64()))])
DIGEST = b"newsrec.digest"

Prompt = dict[str, list[int]]
MakeBar = Callable[..., Any]  # makes a progress bar, as `tqdm` does
# From prompts and the texts that each may be answered with, to an answer for each.
Ask = Callable[[list[Prompt], list[list[str]], MakeBar], list[dict[str, Any]]]


def main() -> None:
    """Answer the request named on the command line."""
    # vLLM's modules are millions of objects that stay: looking through them for garbage, again and
    # again, is a quarter of the time to import them.
    gc.disable()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    ask, schema = _generating(request) if "answers" in request else _classifying(request)
    gc.freeze()
    gc.enable()
    with pa.ipc.open_stream(sys.stdin.buffer) as stream:
        while True:
            try:
                batch, metadata = stream.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            make_bar = partial(_bar, int(metadata[b"start"]), request["num_prompts"])
            answered = ask(_prompts(batch["token_ids"]), batch["choices"].to_pylist(), make_bar)
            table = pa.Table.from_pylist(answered, schema=schema)
            draft = Path(request["draft"])
            pq.write_table(table.replace_schema_metadata({DIGEST: metadata[DIGEST]}), draft)
            draft.replace(os.fsdecode(metadata[b"part"]))


def _bar(start: int, num_prompts: int, prompts: Any = None, **_: object) -> Any:
    """A progress bar of all prompts for a batch of them, where vLLM would make one of the batch."""
    if prompts is not None:  # it would show one also while it takes them
        return prompts
    return tqdm(initial=start, total=num_prompts, desc="vllm", unit="prompt", leave=False)


def _generating(request: dict[str, Any]) -> tuple[Ask, pa.Schema]:
    """How prompts are answered by a model that writes."""
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found,unused-ignore]
    from vllm.platforms import current_platform  # type: ignore[import-not-found,unused-ignore]

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
        # Not copied deeply for each prompt, which took a sixteenth of the time on a CPU.
        skip_clone=True,
    )

    def ask(
        prompts: list[Prompt], choices: list[list[str]], make_bar: MakeBar
    ) -> list[dict[str, Any]]:
        # Each batch alone decides what is computed for it: a run that was killed and goes on here
        # ends in the same bytes.
        engine.reset_prefix_cache()
        ways = {texts: _choosing(texts) for texts in set(map(tuple, choices)) if texts}
        samplings = [ways.get(tuple(texts), sampling) for texts in choices]
        outputs = engine.generate(prompts, samplings if ways else sampling, use_tqdm=make_bar)
        rows = [_answer(output.outputs[0], answers) for output in outputs]
        for row, texts in zip(rows, choices, strict=True):
            if texts and row["text"] not in texts:
                # Where max_model_len ends it.
                raise ValueError(f"{row['text']!r} is none of {texts}; raise score.max_model_len")
        return rows

    return ask, ANSWERS_SCHEMA


def _choosing(texts: tuple[str, ...]) -> Any:
    """How a prompt is answered with one of these texts, in full."""
    from vllm import SamplingParams  # type: ignore[import-not-found,unused-ignore]
    from vllm.sampling_params import (  # type: ignore[import-not-found,unused-ignore]
        StructuredOutputsParams,
    )

    return SamplingParams(
        temperature=0,
        # A token is a byte or more, and one ends the answer.
        max_tokens=1 + max(len(text.encode()) for text in texts),
        structured_outputs=StructuredOutputsParams(choice=list(texts)),
    )


def _classifying(request: dict[str, Any]) -> tuple[Ask, pa.Schema]:
    """How texts are answered by a model with a head for classes."""
    from vllm import LLM, PoolingParams  # type: ignore[import-not-found,unused-ignore]
    from vllm.lora.request import LoRARequest  # type: ignore[import-not-found,unused-ignore]

    engine = LLM(
        model=request["model"],
        runner="pooling",
        trust_remote_code=False,
        enable_prefix_caching=False,  # texts have no beginning in common
        **request["engine"],
    )
    adapter = LoRARequest("adapter", 1, request["adapter"]) if request["adapter"] else None
    raw = PoolingParams(use_activation=False)  # logits, in place of probabilities

    def ask(prompts: list[Prompt], _: list[list[str]], make_bar: MakeBar) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"logits": None} for _ in prompts]
        # It refuses a text without tokens, which has no class.
        asked = [row for row, prompt in enumerate(prompts) if prompt["prompt_token_ids"]]
        outputs = engine.classify(
            [prompts[row] for row in asked],
            pooling_params=raw,
            use_tqdm=make_bar,
            lora_request=adapter,
        )
        for row, output in zip(asked, outputs, strict=True):
            rows[row]["logits"] = output.outputs.probs
        return rows

    return ask, CLASSES_SCHEMA


def _prompts(ids: pa.LargeListArray) -> list[Prompt]:
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
