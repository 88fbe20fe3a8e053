"""The base class of every part of a protocol, and the types of its names and numbers."""

import math
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

NAME_RULE = "lower-case letters, digits and single hyphens only"


def _name(text: str) -> str:
    """Accept letters of any script, composed as keyboards type them, and digits."""
    composed = unicodedata.normalize("NFC", text)
    if not all(part.isalnum() for part in composed.split("-")) or composed != composed.lower():
        raise PydanticCustomError("name", "{rule}", {"rule": NAME_RULE})
    return composed


Name = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_name)]


def _in_float32(number: float) -> float:
    """Accept a number only if float32 keeps it finite, not 0, and below 1 where it is below 1."""
    try:
        rounded = float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        rounded = math.inf
    if math.isinf(rounded) or (number != 0 and rounded == 0) or (number < 1 <= rounded):
        raise ValueError(
            f"rounds to {rounded:g} in float32, and all frameworks receive float32. Got {number}"
        )
    return number


Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_in_float32)]
PositiveNumber = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), AfterValidator(_in_float32)
]
NotNegative = Annotated[
    float, Field(strict=True, ge=0, allow_inf_nan=False), AfterValidator(_in_float32)
]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1), AfterValidator(_in_float32)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
RandomStateSeed = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
"""A seed that NumPy's `RandomState` accepts."""


class Frozen(BaseModel):
    """An immutable part of a protocol that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def with_absolute_paths(values: Any, fields: Sequence[str], info: ValidationInfo) -> Any:
    """Return the values of a table with the paths in these fields made absolute.

    Raises:
        ValueError: a path is relative, and the protocol is in no file beside which it could be.
    """
    if not isinstance(values, dict):
        return values
    found = {}
    for field in fields:
        file = values.get(field)
        if not isinstance(file, str) or not file or Path(file).is_absolute():
            continue
        folder = (info.context or {}).get("folder")
        if folder is None:
            raise ValueError(
                f"{field}: must be absolute in a protocol without a file. Got {file!r}"
            )
        found[field] = str(Path(folder).absolute() / Path(file).expanduser())
    return values | found


class Interval(Frozen):
    """An interval in steps or in epochs.

    Args:
        every_steps: 1 to 1e9 steps. Give either this or `every_epochs`.
        every_epochs: 1 to 1e9 epochs.
    """

    every_steps: Count | None = None
    every_epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give either every_steps or every_epochs")
        return self

    def in_steps(self, steps_per_epoch: int) -> int:
        """Return the interval in steps."""
        return self.every_steps or (self.every_epochs or 0) * steps_per_epoch


class Length(Frozen):
    """How long training lasts.

    Args:
        steps: number of updates, 1 to 1e9. Give either this or `epochs`.
        epochs: number of passes over the training rows, 1 to 1e9.
    """

    steps: Count | None = None
    epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    def __str__(self) -> str:
        """Return the length in words, such as `50 epochs`."""
        count, unit = (self.steps, "step") if self.steps else (self.epochs, "epoch")
        return f"{count:,} {unit}{'s' * (count != 1)}"
