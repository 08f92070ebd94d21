"""Read params.yaml into the dataclass of a pipeline.

Only stages and the command line do this; the functions of the library take plain arguments.
"""

from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError
from yaml import YAMLError

from newsrec.errors import UserError
from newsrec.params.faults import explain

P = TypeVar("P")


def load_params(kind: type[P], path: Path = Path("params.yaml")) -> P:
    """Read and check the parameters of the run.

    Args:
        kind: the pipeline's own `Params`, or `SharedParams` for a stage of every pipeline.
        path: path of the file.

    Raises:
        UserError: the file is missing or not YAML, a key is unknown or missing, or a value has the
            wrong type or is not one of the allowed values.
    """
    try:
        # Not PyYAML, which reads `1e-4` as a string; `dvc exp run -S train.lr=5e-5` writes 5e-05.
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; write it with: make params") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}; write it again with: make params") from None
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise explain(path, error, kind) from None
