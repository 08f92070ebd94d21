"""Errors that pydantic finds in params.yaml, reported in one line with the expected values."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import ValidationError

from newsrec.errors import UserError, unknown_choice


def explain(path: Path, error: ValidationError, root: Any) -> UserError:
    """The first error in a params file, described by the keys of the file.

    Args:
        path: path of the file.
        error: the error that pydantic raised.
        root: the dataclass of the whole file.
    """
    unknown = ("unexpected_keyword_argument", "extra_forbidden")
    # A misspelt key is also missing under its correct name, but that error would help less.
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unknown)
    section, holder, kind = _walk(fault["loc"], root)
    key = ".".join(section)
    if fault["type"] in unknown:
        choices = [entry.name for entry in fields(holder)]
        return unknown_choice(f"{path}: key {key!r}: a key of this section", section[-1], choices)
    if fault["type"] in ("missing", "missing_argument"):
        return UserError(f"{path}: key {key!r} is missing; write the file again with: make params")
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = fault["input"].get("method")
        expected = fault["ctx"].get("expected_tags") or ", ".join(map(repr, _methods(kind)))
        return UserError(f"{path}: {key}.method is {found!r}; expected one of: {expected}")
    if fault["type"] == "literal_error":
        expected = fault["ctx"]["expected"]
        return UserError(f"{path}: {key} is {fault['input']!r}; expected one of: {expected}")
    if fault["type"] == "value_error":  # from a validator, whose message contains the key
        return UserError(f"{path}: {'.'.join([*section, ''])}{fault['ctx']['error']}")
    return UserError(f"{path}: {key} is {fault['input']!r}; {fault['msg'].lower()}")


def _methods(kind: Any) -> list[str]:
    """The methods of a section that is a union of several dataclasses."""
    return [get_args(get_type_hints(one)["method"])[0] for one in get_args(get_args(kind)[0])]


def _walk(location: tuple[int | str, ...], root: Any) -> tuple[list[str], Any, Any]:
    """The keys that lead to `location`, and the section and type of the last key."""
    keys: list[str] = []
    holder, kind = root, root
    for name in map(str, location):
        if get_origin(kind) is Annotated and get_origin(get_args(kind)[0]) is tuple:
            kind = get_args(kind)[0]
        if get_origin(kind) is tuple:  # a list: this name is the index of an entry
            keys.append(name)
            kind = get_args(kind)[0]
            continue
        if get_origin(kind) is Annotated:  # a union: this name is the method, not a key
            kind = next(
                one
                for one in get_args(get_args(kind)[0])
                if get_args(get_type_hints(one)["method"]) == (name,)
            )
            continue
        section = next((one for one in (kind, *get_args(kind)) if is_dataclass(one)), None)
        if section is None:  # the rest of the location only says which type was tried
            break
        holder = section
        keys.append(name)
        kind = next((entry.type for entry in fields(holder) if entry.name == name), None)
    return keys, holder, kind
