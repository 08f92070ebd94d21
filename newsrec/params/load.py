"""Read params.yaml into the dataclass of a pipeline.

Only stages and the command line do this; the functions of the library take plain arguments.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError
from yaml import YAMLError

from newsrec.errors import UserError
from newsrec.params.faults import explain

P = TypeVar("P")


@dataclass(frozen=True)
class Pipeline:
    """How a pipeline is distinguished from the others; the `pipeline` of its `Params`.

    Attributes:
        name: for people, like "the safety pipeline".
        folder: of its params.yaml, from the root of the repository.
        section: that only its params.yaml has.
    """

    name: str
    folder: str
    section: str


def load_params(kind: type[P], path: Path = Path("params.yaml")) -> P:
    """Read and check the parameters of the run.

    Args:
        kind: the pipeline's own `Params`, or `SharedParams` for a stage of every pipeline.
        path: path of the file.

    Raises:
        UserError: the file is missing, not YAML or belongs to another pipeline, a key is unknown or
        missing, or a value has the wrong type or is not one of the allowed values.
    """
    pipeline: Pipeline | None = getattr(kind, "pipeline", None)
    try:
        # Not PyYAML, which reads `1e-4` as a string; `dvc exp run -S train.lr=5e-5` writes 5e-05.
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        if pipeline and _found_above(pipeline):
            raise UserError(f"{path}: no such file; {_go_to(pipeline)}") from None
        raise UserError(f"{path}: no such file; write it with: make params") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}; write it again with: make params") from None
    if pipeline and isinstance(values, dict) and pipeline.section not in values:
        known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
        if not known.issuperset(values):
            raise UserError(f"{path}: belongs to another pipeline; {_go_to(pipeline)}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise explain(path, error, kind) from None


def _found_above(pipeline: Pipeline) -> str | None:
    """The way to the folder of the pipeline, in the repository around the current folder."""
    here = Path.cwd()
    for root in (here, *here.parents):
        folder = root / pipeline.folder
        if folder != here and (folder / "params.yaml").is_file() and (root / "conf").is_dir():
            return os.path.relpath(folder)
    return None


def _go_to(pipeline: Pipeline) -> str:
    found = _found_above(pipeline)
    where = f"cd {found}" if found else f"{pipeline.folder} in the repository"
    return f"run this in the folder of {pipeline.name}: {where}"
