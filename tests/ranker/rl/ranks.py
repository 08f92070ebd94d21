"""One of several processes that train; each leaves the weights that it ended with.

torchrun ... -m tests.ranker.rl.ranks JOB FOLDER [unwrapped]
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from newsrec.ranker.rl.trainer import RankerTrainer
from newsrec.ranker.rl.worker import train


class UnwrappedTrainer(RankerTrainer):
    """The fault of published code: what DistributedDataParallel wraps is called, and not it."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *others: Any, **options: Any) -> Any:
        inner = model.module if hasattr(model, "module") else model
        return super().compute_loss(inner, inputs, *others, **options)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    policy = train(job, UnwrappedTrainer if sys.argv[3:] else RankerTrainer)
    weights = {name: weight for name, weight in policy.named_parameters() if weight.requires_grad}
    save_file(weights, Path(sys.argv[2]) / f"{os.environ['RANK']}.safetensors")


if __name__ == "__main__":
    main()
