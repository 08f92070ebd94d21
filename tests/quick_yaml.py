"""YAML by PyYAML's compiled parser, ten times as fast as `yaml.safe_load`."""

from typing import Any

import yaml


def safe_load(text: str) -> Any:
    """As `yaml.safe_load`."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def safe_dump(values: object) -> str:
    """As `yaml.safe_dump`."""
    text: str = yaml.dump(values, Dumper=yaml.CSafeDumper)
    return text
