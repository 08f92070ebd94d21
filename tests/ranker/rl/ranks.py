"""One of several processes that train by each method, once with a fault; each leaves its weights.

torchrun ... -m tests.ranker.rl.ranks FOLDER METHOD ...

Of each method FOLDER has METHOD.json, what to train; PyTorch is started once for all of them.
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
    folder, methods = Path(sys.argv[1]), sys.argv[2:]
    runs = [(method, RankerTrainer) for method in methods]
    for method, kind in [*runs, (methods[0], UnwrappedTrainer)]:
        job = json.loads((folder / f"{method}.json").read_text())
        job["trainer"]["output_dir"] = str(folder / f"{method}-{kind.__name__}")
        policy = train(job, kind)
        trained = {name: one for name, one in policy.named_parameters() if one.requires_grad}
        name = f"{method}-{kind.__name__}-{os.environ['RANK']}.safetensors"
        save_file(trained, folder / name)


if __name__ == "__main__":
    main()
