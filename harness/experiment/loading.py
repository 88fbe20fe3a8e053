"""TOML to protocol. Errors name the field, the value and the nearest valid one."""

import hashlib
import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.experiment.model import Experiment
from harness.experiment.names import nearest, unknown

CATALOGUE = Path(__file__).parent / "catalogue"
LARGEST_FILE_BYTES = 1_000_000
PLAIN_WORDS = (
    ("input should be", "must be"),
    ("a valid tuple", "a list"),
    ("a valid dictionary or (instance of .*|object to extract fields from)", "a table"),
    ("tuple should have", "must have"),
    (" after validation, not 0", ""),
    ("string should", "must"),
)


class ProtocolError(ValueError):
    """A protocol, or a name of one, that cannot be used. The message says what to do."""


@cache
def catalogue_names() -> tuple[str, ...]:
    """Names of the experiments that come with samestep, in the order they are shown."""
    order = (CATALOGUE / "order.txt").read_text(encoding="utf-8").split()
    return tuple(order)


def load(name_or_file: str) -> Experiment:
    """An experiment of the catalogue, or of a user's own file (anything ending in .toml)."""
    if name_or_file.endswith(".toml"):
        return read(Path(name_or_file))
    if name_or_file not in catalogue_names():
        raise ProtocolError(f"experiment: {unknown(name_or_file, catalogue_names())}")
    return read(CATALOGUE / f"{name_or_file}.toml")


def read(path: Path) -> Experiment:
    """Read and validate one file."""
    return parse(toml_of(path), str(path))


def toml_of(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        ProtocolError: it cannot be read, is too large, or is no TOML.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ProtocolError(f"{path}: larger than {LARGEST_FILE_BYTES:,} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"{path}: not valid TOML: {error}") from error


def parse(values: dict[str, Any], origin: str) -> Experiment:
    """Validate a protocol that was read from `origin` (named in errors)."""
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        nested = [d for d in details if not _is_echo(d, details)]
        lines = dict.fromkeys(f"  {_sentence(detail)}" for detail in nested)
        raise ProtocolError("\n".join([f"{origin}: not a valid experiment", *lines])) from error


def digest(experiment: Experiment) -> str:
    """16 hexadecimal digits of SHA-256 over everything that changes what is computed."""
    return digest_of(experiment.protocol())


def digest_of(value: Any) -> str:
    """16 hexadecimal digits of SHA-256 over a JSON value, whatever its key order."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- pydantic's errors, in our words


def _is_echo(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Whether an error only says that a list has too few items left after errors inside it."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _sentence(error: ErrorDetails) -> str:
    location, models = _walk(error["loc"])
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        fields = sorted({name for model in models for name in model.model_fields})
        field = str(error["loc"][-1])
        return f"{location}: unknown field.{nearest(field, fields)} Known: {', '.join(fields)}"
    if kind == "missing":
        return f"{location}: missing"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = error["ctx"].get("expected") or error["ctx"].get("expected_tags", "")
        names = re.findall(r"'([^']*)'", str(expected))
        if kind == "union_tag_invalid":
            tag_field = str(error["ctx"]["discriminator"]).strip("'")
            location, value = f"{location}.{tag_field}", error["ctx"]["tag"]
        valid = ", ".join(names)
        return f"{location}: {value!r} is not valid.{nearest(value, names)} Valid: {valid}"
    if kind == "union_tag_not_found":
        return f"{location}: {error['ctx']['discriminator']} is missing"
    if kind == "string_pattern_mismatch" and location == "name":
        return f"name: lower-case letters, digits and single hyphens only. Got {value!r}"
    if kind == "value_error":
        message = str(error["ctx"]["error"])
        return f"{location}: {message}" if location else message
    shown = repr(value) if not isinstance(value, dict | list) else "a table"
    rule = error["msg"][:1].lower() + error["msg"][1:]
    for pydantics, ours in PLAIN_WORDS:
        rule = re.sub(pydantics, ours, rule)
    return f"{location}: {rule}. Got {shown}"


def _walk(loc: tuple[int | str, ...]) -> tuple[str, list[type[BaseModel]]]:
    """The place as the user wrote it (union tags left out), and the models it lies in."""
    models: list[type[BaseModel]] = [Experiment]
    shown = ""
    for part in loc:
        holders = [m for m in models if isinstance(part, str) and part in m.model_fields]
        tagged = [m for m in models if part in _tags(m)]
        if holders:
            annotation = holders[0].model_fields[str(part)].annotation
            inner = _models_in(annotation)
            shown += f".{part}"
            models = inner or holders
        elif tagged:
            models = tagged
        elif isinstance(part, int):
            shown += f"[{part}]"
        elif part == loc[-1] and not _is_type_name(part):
            shown += f".{part}"
    return shown.lstrip("."), models


def _is_type_name(part: str) -> bool:
    """Whether pydantic put the name of a union member's type into the location."""
    return bool(re.search(r"[\[(]|^(str|int|float|bool|constrained-.*)$", part))


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    for field in ("name", "order"):
        if field in model.model_fields:
            return get_args(model.model_fields[field].annotation)
    return ()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
