"""Run LLaMA-Factory on a YAML file like `llamafactory-cli train`, with additional callbacks.

python -m newsrec.training.llamafactory_worker FILE
"""

import signal
import sys
from pathlib import Path

import yaml
from llamafactory.train.tuner import run_exp

from newsrec.running.garbage import collect_as_usual
from newsrec.running.places import plain_path
from newsrec.running.processes import die_with_parent
from newsrec.training.callbacks import (
    EvaluateLastStep,
    KeepFourBitLayout,
    KeepPissaStart,
    Meter,
    SeedEpochs,
    StopAtBrokenLoss,
    ValidateParts,
)


def main() -> None:
    die_with_parent(signal.SIGKILL)  # the parent is torchrun if there are several processes
    collect_as_usual()
    arguments = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    own = [StopAtBrokenLoss(), EvaluateLastStep(), KeepPissaStart(), SeedEpochs(), Meter()]
    if "eval_on_each_dataset" in arguments:
        own.append(ValidateParts())
    if "quantization_bit" in arguments:
        own.append(KeepFourBitLayout())
    # LLaMA-Factory passes the path to `datasets`, which treats it as a glob pattern with variables.
    with plain_path(Path(arguments["dataset_dir"])) as folder:
        run_exp({**arguments, "dataset_dir": str(folder)}, own)


if __name__ == "__main__":
    main()
