"""One configuration from defaults, a TOML file, `--set` and flags, later ones winning; all problems told at once."""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.config import Config

_STORAGE_IS_TOLD_ELSEWHERE = (
    "storages are told by the environment, the same for every command and worker (AWS_PROFILE, AWS_ENDPOINT_URL, "
    "FSSPEC_S3_ANON=true, ...), and secrets belong in no configuration; see docs/storage.md"
)


def load_config(file: Path | None, assignments: Sequence[str], flags: Mapping[str, Any]) -> Config:
    """Merge file, `key=value` assignments and flags (later ones win) into a checked configuration.

    Args:
        file: a TOML file, or None.
        assignments: as given with `--set`, such as `plan.unit_s=60`; values in TOML syntax or plain words.
        flags: dotted key to value; None values are left out.

    Raises:
        UsageError: with every problem found.
    """
    title = f"in {file}" if file else "in the command"
    problems: list[str] = []
    values = _read_toml(file, problems) if file else {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if equals:
            _put(values, key.strip(), _parse(text), problems)
        else:
            problems.append(f"--set {assignment}: is not KEY=VALUE")
    for key, value in flags.items():
        if value is not None:
            _put(values, key, value, problems)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        problems += [_explain(detail) for detail in error.errors()]
    if problems:
        raise UsageError.counting(title, problems)
    return config


def _read_toml(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problems.append(f"{file}: there is no such file")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file}: is not valid TOML: {error}")
    return {}


def _put(values: dict[str, Any], key: str, value: Any, problems: list[str]) -> None:
    *path, last = key.split(".")
    for name in path:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            problems.append(f"{key}: {name} is a value, not a section")
            return
        values = inner
    values[last] = value


def _parse(text: str) -> Any:
    """A TOML value where it is one, otherwise the plain words."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _explain(detail: ErrorDetails) -> str:
    """One pydantic error as `key = value: why`."""
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden" and detail["loc"][0] == "storage":
        return f"{key}: {_STORAGE_IS_TOLD_ELSEWHERE}"
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_suggest(detail['loc'])}"
    if detail["type"] == "missing":
        return f"{key}: is required"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return f"{key}.{message}" if key else message
    message = message[:1].lower() + message[1:]
    return f"{key} = {json.dumps(detail['input'], ensure_ascii=False, default=str)}: {message}"


def _suggest(location: tuple[int | str, ...]) -> str:
    section: type[BaseModel] = Config
    for part in location[:-1]:
        kind = section.model_fields[str(part)].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            section = kind
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(known)}"
