"""DVC that stops for ever at one moment of recording a stage, to be killed there.

python -m tests.faults.stopped_dvc MOMENT [what follows dvc]
"""

import io
import sys
import time
from pathlib import Path
from typing import Any

import dvc.utils.serialize._yaml as dvc_yaml
from dvc.cli import main
from dvc.output import Output
from dvc.stage import PipelineStage, Stage

STOPPED = Path("stopped")


def stop(*_: object, **__: object) -> None:
    STOPPED.touch()
    time.sleep(600)


def stop_behind_one(commit: Any) -> Any:
    def commit_and_stop(output: Output, *arguments: object, **options: object) -> None:
        commit(output, *arguments, **options)
        stop()

    return commit_and_stop


def stop_within(dump: Any, share: float) -> Any:
    """Stop when a share of dvc.lock is written, which DVC empties before."""

    def dump_part(data: dict[str, Any], stream: io.TextIOBase) -> None:
        if "schema" not in data:  # of the run cache
            dump(data, stream)
            return
        whole = io.StringIO()
        dump(data, whole)
        stream.write(whole.getvalue()[: int(share * len(whole.getvalue()))])
        stream.flush()
        stop()

    return dump_part


def set_up(moment: str) -> None:
    """Have DVC stop at a moment; in the order in which they come."""
    match moment:
        case "outputs not hashed":
            Stage.save = stop
        case "nothing in the cache":
            Stage.commit = stop
        case "one output in the cache":
            Output.commit = stop_behind_one(Output.commit)
        case "all in the cache":
            PipelineStage.dump = stop
        case "dvc.lock empty":
            dvc_yaml._dump = stop_within(dvc_yaml._dump, 0)
        case "half of dvc.lock":
            dvc_yaml._dump = stop_within(dvc_yaml._dump, 0.5)
        case _:
            raise ValueError(moment)


if __name__ == "__main__":
    set_up(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
