"""The values of the safety pipeline as `conf/` composes them, with changes."""

from pathlib import Path
from typing import Any

from tests.compositions import composed
from tests.quick_yaml import safe_dump, safe_load


def write_params(folder: Path, **sections: dict[str, Any]) -> None:
    """Write params.yaml into `folder`, where the keys of `sections` win."""
    values = safe_load(composed(config="safety"))
    for name, section in sections.items():
        values[name] |= section
    (folder / "params.yaml").write_text(safe_dump(values), encoding="utf-8")
