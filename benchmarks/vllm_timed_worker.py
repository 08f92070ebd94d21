"""The project's vLLM worker, with the seconds of each batch of answers, without vLLM's start.

    python -P benchmarks/vllm_timed_worker.py REQUEST.json      (in vLLM's environment)

Writes them beside the request, as seconds.json.
"""

import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from vllm import LLM  # type: ignore[import-not-found,unused-ignore]

WORKER = Path(__file__).resolve().parents[1] / "newsrec/engines/vllm_worker.py"


def main() -> None:
    seconds: list[float] = []
    generate = LLM.generate

    def timed(*given: Any, **options: Any) -> Any:
        began = time.perf_counter()
        outputs = generate(*given, **options)
        seconds.append(time.perf_counter() - began)
        return outputs

    LLM.generate = timed
    runpy.run_path(str(WORKER))["main"]()
    target = Path(sys.argv[1]).with_name("seconds.json")
    target.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")


if __name__ == "__main__":
    main()
