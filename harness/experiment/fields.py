"""What every part of a protocol is made of: frozen, closed classes and checked numbers."""

import math
import struct
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=64)
]


def _in_float32(number: float) -> float:
    """Accept a number only if rounding to float32, as adapters get it, keeps its kind."""
    try:
        rounded = float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        rounded = math.inf
    if math.isinf(rounded) or (number != 0 and rounded == 0) or (number < 1 <= rounded):
        raise ValueError(f"is {rounded:g} in float32, which every framework gets. Got {number}")
    return number


Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_in_float32)]
PositiveNumber = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), AfterValidator(_in_float32)
]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1), AfterValidator(_in_float32)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
RandomStateSeed = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
"""What NumPy's `RandomState` takes."""


class Frozen(BaseModel):
    """Immutable, and closed against misspelt fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Frozen):
    """Every so many steps, or every so many epochs."""

    every_steps: Count | None = None
    every_epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give either every_steps or every_epochs")
        return self

    def in_steps(self, steps_per_epoch: int) -> int:
        """The interval in steps."""
        return self.every_steps or (self.every_epochs or 0) * steps_per_epoch
