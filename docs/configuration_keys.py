"""Every configuration key as people write it: type, default and meaning, from the models of the configuration."""

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from funasr_beam.pipeline.config import Config

_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def describe_keys(section: type[BaseModel] = Config, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and one sentence of every setting, sections after one another."""
    for name, info in section.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from describe_keys(kind, f"{prefix}{name}.")
        else:
            default = "required" if info.is_required() else _value(info.default)
            yield f"{prefix}{name}", _type_name(kind), default, info.description or ""


def _value(value: Any) -> str:
    return "not set" if value is None else f"`{json.dumps(value)}`"


def _type_name(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return _type_name(next(argument for argument in arguments if argument is not types.NoneType))
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}s"
    if origin is dict:
        return f"section of {_type_name(arguments[1])}s"
    return _NAMES[kind]
