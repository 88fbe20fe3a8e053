"""Reading a protocol from TOML. Errors name the field, the value and the nearest valid one."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.experiment.fields import Length
from harness.experiment.foreign_names import WHO
from harness.experiment.model import Experiment
from harness.experiment.names import meant, nearest, unknown
from harness.experiment.rate_checks import check_warm_up
from harness.experiment.text_files import EncodingError, place_of, text_of
from harness.experiment.translating import field_translation

CATALOGUE = Path(__file__).parent / "catalogue"
LARGEST_FILE_BYTES = 1_000_000
PLAIN_WORDS = (
    ("input should be", "must be"),
    ("a valid tuple", "a list"),
    ("a valid dictionary or (instance of .*|object to extract fields from)", "a table"),
    ("tuple should have", "must have"),
    (r" after validation, not \d+", ""),
    ("(string|dictionary) should", "must"),
)


class ProtocolError(ValueError):
    """A protocol or its name cannot be used; the message says why."""


@cache
def catalogue_names() -> tuple[str, ...]:
    """Return the names of the experiments that come with samestep, in the order of lists."""
    return tuple((CATALOGUE / "order.txt").read_text(encoding="utf-8").split())


def load(name_or_file: str) -> Experiment:
    """Return an experiment of the catalogue, or of a user's file (see `names_a_file`).

    Raises:
        ProtocolError: there is no such experiment, or its protocol is not valid.
    """
    if names_a_file(name_or_file):
        return read(place_of(name_or_file))
    if name_or_file not in catalogue_names():
        raise ProtocolError(f"experiment: {unknown(name_or_file, catalogue_names())}")
    return read(CATALOGUE / f"{name_or_file}.toml")


def names_a_file(name_or_file: str) -> bool:
    """Whether what a user names is a TOML file: it ends in .toml, in small or capital letters.

    Raises:
        ProtocolError: it is a file with another ending.
    """
    if name_or_file.lower().endswith(".toml"):
        return True
    if place_of(name_or_file).is_file() and name_or_file not in catalogue_names():
        raise ProtocolError(
            f"{name_or_file}: the name of a protocol's or a claim's file must end in .toml; "
            "rename the file"
        )
    return False


def read(path: Path) -> Experiment:
    """Read and validate one file.

    Raises:
        ProtocolError: the file cannot be read, or its protocol is not valid.
    """
    experiment = parse(toml_of(path), str(path), path.parent)
    check_whole(experiment, str(path))
    return experiment


def toml_of(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file.

    Raises:
        ProtocolError: the file cannot be read, is too large, or is not TOML.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ProtocolError(f"{path}: larger than {LARGEST_FILE_BYTES:,} bytes")
        return tomllib.loads(text_of(path.read_bytes()))
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read ({error.strerror or error})") from error
    except EncodingError as error:
        raise ProtocolError(f"{path}: {error}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
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


def check_whole(experiment: Experiment, origin: str) -> None:
    """Check what must hold at full length, and at the length of the quick preset.

    Args:
        experiment: a protocol that is not cut, as a proof is.
        origin: where it comes from; errors begin with it.

    Raises:
        ProtocolError: its warm-up is longer than the training.
    """
    lengths: dict[str, Length | None] = {"": None}
    if experiment.quick is not None and experiment.quick.length is not None:
        lengths["quick.length: with it, "] = experiment.quick.length
    for beginning, length in lengths.items():
        try:
            check_warm_up(experiment.of_length(length))
        except ValueError as error:
            message = f"{origin}: not a valid experiment\n  {beginning}{error}"
            raise ProtocolError(message) from error


# ---------------------------------------------------------------- pydantic's errors, in our words

Models = list[type[BaseModel]]


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
    location, models, within = _walk(error["loc"], root)
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return _unknown_field(location, models)
    if kind == "missing":
        return f"{location}: missing{_choices(models, str(error['loc'][-1]))}"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = error["ctx"].get("expected") or error["ctx"].get("expected_tags", "")
        names = re.findall(r"'([^']*)'", str(expected))
        if kind == "union_tag_invalid":
            tag_field = str(error["ctx"]["discriminator"]).strip("'")
            location, value = f"{location}.{tag_field}", error["ctx"]["tag"]
        valid = ", ".join(names)
        return f"{location}: {value!r} is not valid.{meant(value, names, location)} Valid: {valid}"
    if kind == "union_tag_not_found":
        tag_field = str(error["ctx"]["discriminator"]).strip("'")
        return f"{location}: {tag_field!r} is missing. Valid: {', '.join(_names_of(within))}"
    if kind == "value_error":
        message = str(error["ctx"]["error"])
        return f"{location}: {message}" if location else message
    value_in_words = repr(value)
    if isinstance(value, dict | list | tuple):
        value_in_words = "a table" if isinstance(value, dict) else "a list"
    rule = error["msg"][:1].lower() + error["msg"][1:]
    for pattern, plain in PLAIN_WORDS:
        rule = re.sub(pattern, plain, rule)
    return f"{location}: {rule}. Got {value_in_words}"


def _unknown_field(location: str, models: Models) -> str:
    fields = sorted({name for model in models for name in model.model_fields})
    place, _, field = location.rpartition(".")
    names = _names_of(models) if place else []
    advice = field_translation(location, names) or nearest(field, fields)
    rule = f" of {' or '.join(map(repr, names))}" if names else ""
    return f"{location}: unknown field{rule}.{advice} Known: {', '.join(fields)}"


def _choices(models: Models, field: str) -> str:
    """The values of a missing field, where they are names or truth values."""
    stated = models[0].model_fields.get(field) if models else None  # none of an item of a list
    annotation = stated.annotation if stated else None
    if annotation is bool:
        return "; write true or false"
    names = [value for value in get_args(annotation) if isinstance(value, str)]
    choices = [f"'{name}' ({WHO[name]})" if name in WHO else f"'{name}'" for name in names]
    return f"; write one of {', '.join(choices)}" if choices else ""


def _walk(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, Models, Models]:
    """Return the location without pydantic's union tags, and models.

    The first are those that have the last field, the second those of its value. A part of the
    location that stands where several models may be is the tag of one of them, even if a field
    has the same name, as `momentum` of the optimizer `momentum`.
    """
    models: Models = [root]
    holders: Models = [root]
    location = ""
    for index, part in enumerate(loc):
        is_last = index == len(loc) - 1
        tagged = [model for model in models if part in _tags(model)]
        if isinstance(part, int):
            location += f"[{part}]"
        elif len(models) > 1 and tagged:
            models = holders = tagged
        elif having := [model for model in models if part in model.model_fields]:
            location += f".{part}"
            holders = having
            inner = _models_in(having[0].model_fields[part].annotation)
            models = inner or having
        elif is_last and not _is_type_name(part):
            location += f".{part}"
            holders = models
    return location.lstrip("."), holders, models


def _is_type_name(part: str) -> bool:
    """Whether a part of a location is the name that pydantic gives to a type in a union."""
    return bool(re.search(r"[\[(]|^(str|int|float|bool|constrained-.*)$", part))


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    for field in ("name", "order", "kind"):
        annotation = model.model_fields[field].annotation if field in model.model_fields else None
        if get_origin(annotation) is Literal:
            return get_args(annotation)
    return ()


def _names_of(models: Models) -> list[str]:
    return [str(tag) for model in models for tag in _tags(model)]


def _models_in(annotation: Any) -> Models:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = (model for part in get_args(annotation) for model in _models_in(part))
    return list(dict.fromkeys(inner))
