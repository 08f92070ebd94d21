"""A folder as it is published: a model's weights, tokenizer, card and licence, and nothing else."""

import shutil
from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import atomic_folder, size_folder, write_text
from newsrec.models.checks import check_model
from newsrec.models.folders import TOKENIZER_FILES, is_model_file
from newsrec.models.hub_errors import need_space

CARD = "README.md"


def prepare_folder(model: Path, base: Path, card: str, target: Path) -> list[str]:
    """Copy a whole model to `target`, with the base's licence files and another card, and check it.

    Returns:
        The names of the files.

    Raises:
        UserError: the folder holds a file that is not part of a model, or no whole model; the disk
            is too small.
    """
    for path in sorted(model.iterdir()):
        if not (is_model_file(path) or path.name in (*TOKENIZER_FILES, CARD)):
            raise UserError(
                f"{path}: not part of a model in safetensors; remove it, or make the folder again: "
                "dvc checkout --force"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    need_space(target.parent, size_folder(model))
    with atomic_folder(target) as draft:
        for path in [*model.iterdir(), *base.glob("LICENSE*")]:
            if path.name != CARD:
                shutil.copyfile(path, draft / path.name)
        write_text(draft / CARD, card)
        check_model(draft)
    return sorted(path.name for path in target.iterdir())
