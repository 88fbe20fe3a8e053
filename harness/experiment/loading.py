"""Reading a protocol from TOML. Errors name the field, the value and the nearest valid one."""

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
    ("(string|dictionary) should", "must"),
)


class ProtocolError(ValueError):
    """A protocol or its name cannot be used; the message says why."""


@cache
def catalogue_names() -> tuple[str, ...]:
    """Return the names of the experiments that come with samestep, in the order of lists."""
    return tuple((CATALOGUE / "order.txt").read_text(encoding="utf-8").split())


def load(name_or_file: str) -> Experiment:
    """Return an experiment of the catalogue, or of a user's file (a name ending in .toml).

    Raises:
        ProtocolError: there is no such experiment, or its protocol is not valid.
    """
    if name_or_file.endswith(".toml"):
        return read(Path(name_or_file))
    if name_or_file not in catalogue_names():
        raise ProtocolError(f"experiment: {unknown(name_or_file, catalogue_names())}")
    return read(CATALOGUE / f"{name_or_file}.toml")


def read(path: Path) -> Experiment:
    """Read and validate one file.

    Raises:
        ProtocolError: the file cannot be read, or its protocol is not valid.
    """
    return parse(toml_of(path), str(path), path.parent)


def toml_of(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file.

    Raises:
        ProtocolError: the file cannot be read, is too large, or is not TOML.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ProtocolError(f"{path}: larger than {LARGEST_FILE_BYTES:,} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"{path}: not valid TOML: {error}") from error


def parse(values: dict[str, Any], origin: str, folder: Path | None = None) -> Experiment:
    """Validate the values of a protocol. A file of the user's that it names is read.

    Args:
        values: as read from TOML, or dumped as JSON.
        origin: where the values come from; errors begin with it.
        folder: where files are that the protocol names; None where it may name none.

    Raises:
        ProtocolError: the protocol is not valid.
    """
    try:
        return Experiment.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        lines = [f"  {sentence}" for sentence in sentences(error, Experiment)]
        raise ProtocolError("\n".join([f"{origin}: not a valid experiment", *lines])) from error


# ---------------------------------------------------------------- pydantic's errors, in our words


def sentences(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return a sentence per mistake in a file, in the file's own words.

    Args:
        error: what pydantic found.
        root: the model of the whole file.
    """
    details = error.errors(include_url=False)
    causes = [detail for detail in details if not _is_consequence(detail, details)]
    return list(dict.fromkeys(_sentence(detail, root) for detail in causes))


def _is_consequence(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Whether an error only says that a list is too short because of errors in its items."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _sentence(error: ErrorDetails, root: type[BaseModel]) -> str:
    location, models = _walk(error["loc"], root)
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        fields = sorted({name for model in models for name in model.model_fields})
        field = str(error["loc"][-1])
        return f"{location}: unknown field.{nearest(field, fields)} Known: {', '.join(fields)}"
    if kind == "missing":
        return f"{location}: missing"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
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
    value_in_words = repr(value)
    if isinstance(value, dict | list):
        value_in_words = "a table" if isinstance(value, dict) else "a list"
    rule = error["msg"][:1].lower() + error["msg"][1:]
    for pattern, plain in PLAIN_WORDS:
        rule = re.sub(pattern, plain, rule)
    return f"{location}: {rule}. Got {value_in_words}"


def _walk(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, list[type[BaseModel]]]:
    """Return the location without pydantic's union tags, and the models of its last field."""
    models: list[type[BaseModel]] = [root]
    location = ""
    for part in loc:
        holders = [m for m in models if isinstance(part, str) and part in m.model_fields]
        tagged = [m for m in models if part in _tags(m)]
        if holders:
            annotation = holders[0].model_fields[str(part)].annotation
            location += f".{part}"
            models = _models_in(annotation) or holders
        elif tagged:
            models = tagged
        elif isinstance(part, int):
            location += f"[{part}]"
        elif part == loc[-1] and not _is_type_name(part):
            location += f".{part}"
    return location.lstrip("."), models


def _is_type_name(part: str) -> bool:
    """Whether a part of a location is the name that pydantic gives to a type in a union."""
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
