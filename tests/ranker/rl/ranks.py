"""One of several processes that train, with and without a fault; each leaves its weights.

torchrun ... -m tests.ranker.rl.ranks JOB FOLDER
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
    job, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    for kind in (RankerTrainer, UnwrappedTrainer):
        job["trainer"]["output_dir"] = str(folder / kind.__name__)
        policy = train(job, kind)
        trained = {name: one for name, one in policy.named_parameters() if one.requires_grad}
        save_file(trained, folder / f"{kind.__name__}-{os.environ['RANK']}.safetensors")


if __name__ == "__main__":
    main()
