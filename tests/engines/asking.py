"""Has an engine answer prompts or classify them, for a test that kills it:

    python -m tests.engines.asking ENGINE MODEL WORK

The answers are in WORK/answers.parquet.
"""

import sys
from dataclasses import replace
from pathlib import Path

from newsrec.engines.answering import answer
from newsrec.engines.classifying import classify
from newsrec.engines.request import ClassRequest, FewPrompts, Request
from newsrec.engines.settings import OnnxSettings, TransformersSettings
from newsrec.files import read_json
from tests.engines.conftest import VLLM

NUM_PROMPTS, BATCH = 960, 32  # a batch: of vLLM, and those that transformers sorts together
SETTINGS = {
    "transformers": TransformersSettings(dtype="float32", batch_size=1, device="cpu"),
    "vllm": replace(VLLM, batch_size=BATCH),
    "onnx": OnnxSettings(batch_size=1),
}
PROMPTS = [[number % 251, *range(40, 60 + number % 37), 7] for number in range(NUM_PROMPTS)]


def main() -> None:
    engine, model, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    prompts, target = FewPrompts(PROMPTS), work / "answers.parquet"
    (architecture,) = read_json(model / "config.json")["architectures"]
    if architecture.endswith("ForSequenceClassification"):
        classify(SETTINGS[engine], model, ClassRequest(prompts), target, work)
    else:
        request = Request(prompts, (300, 301), max_tokens=2)
        answer(SETTINGS[engine], "base", model, request, target, work)


if __name__ == "__main__":
    main()
