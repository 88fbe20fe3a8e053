"""A start from a file of the user's: `weights = { name = "file", file = "start.npz" }`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from harness.experiment.fields import Frozen, with_absolute_paths
from harness.experiment.own_file import Sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

Part = Literal["weights", "biases"]


class FoundArrays(Frozen):
    """What was found in the file.

    Args:
        sha256: of its bytes.
        shapes: the name of every array and its shape.
    """

    sha256: Sha256
    shapes: tuple[tuple[str, tuple[int, ...]], ...]


class FromFile(Frozen):
    """Arrays of a `.npz` file of the user's, as `numpy.savez` writes it.

    The arrays are called `weights_1`, `biases_1`, `weights_2` and so on, as in the folders of
    `samestep export`, unless `array` names another. They are numbers of any type.

    Args:
        name: `file`.
        file: absolute, or beside the TOML file.
        array: the name of the array, in a list of initializers per layer.
        layout: of weights: `inputs_first`, (inputs, units), by default; `outputs_first`, (units,
            inputs), as PyTorch's `Linear.weight` has them.
        found: what is in the file. It is never written by hand.
    """

    name: Literal["file"]
    file: Annotated[str, Field(min_length=1, max_length=4096)]
    array: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    layout: Literal["inputs_first", "outputs_first"] = "inputs_first"
    found: FoundArrays | None = None

    @model_validator(mode="before")
    @classmethod
    def _finds_the_file(cls, values: Any, info: ValidationInfo) -> Any:
        """Make the path absolute: a relative one is beside the TOML file."""
        return with_absolute_paths(values, ("file",), info)

    @model_validator(mode="after")
    def _has_found(self) -> Self:
        """Read the file, unless what it holds is known: then the protocol was read before."""
        if self.found is None:
            sha256, arrays = self._read()
            shapes = tuple((name, array.shape) for name, array in arrays.items())
            object.__setattr__(self, "found", FoundArrays(sha256=sha256, shapes=shapes))
        return self

    @property
    def label(self) -> str:
        """The file without its folder."""
        return Path(self.file).name

    def array_of(self, part: Part, layer: int) -> str:
        """Return the name of the array of a layer, counted from 0."""
        return self.array or f"{part}_{layer + 1}"

    def check(self, part: Part, layer: int, shape: tuple[int, ...]) -> None:
        """Check that the file has the array of a layer, in its shape.

        Args:
            part: of the layer.
            layer: counted from 0.
            shape: (inputs, units) of weights, (units,) of biases.

        Raises:
            ValueError: it has not; the message says what to write.
        """
        shapes = dict(self.found.shapes if self.found else ())
        name = self.array_of(part, layer)
        turned = (*shape[-1:-3:-1], *shape[:-2])  # PyTorch's (out, in, height, width) of kernels
        wanted, other_way = (shape, turned) if self.layout != "outputs_first" else (turned, shape)
        if name not in shapes:
            have = ", ".join(f"{each} {shape}" for each, shape in shapes.items())
            raise ValueError(
                f"{self.label} has no array {name!r} for the {part} of layer {layer + 1}. It has "
                f'{have}. Name it by array = "...", in a list of one initializer per layer, or '
                f"write it under this name: numpy.savez({self.label!r}, {name}=...)"
            )
        if shapes[name] == wanted:
            return
        axes = "(inputs, units)" if part == "weights" else "(units,)"
        if len(shape) > 2:
            axes = "(height, width, channels in, channels)"
        hint = ""
        if part == "weights" and shapes[name] == other_way:
            other = "inputs_first" if self.layout == "outputs_first" else "outputs_first"
            hint = f'; arrays that are stored the other way round have layout = "{other}"'
        raise ValueError(
            f"{name!r} of {self.label} must have the shape {shape}, {axes}, for the {part} of "
            f"layer {layer + 1}. Got {shapes[name]}{hint}"
        )

    def values(self, part: Part, layer: int) -> "NDArray[Any]":
        """Return the array of a layer in float64: (inputs, units) of weights, (units,) of biases.

        Raises:
            harness.tables.TableError: the file cannot be read, has changed since the protocol was
                read, or holds something else than finite numbers.
        """
        import numpy as np

        from harness.tables import TableError

        sha256, arrays = self._read()
        if self.found is not None and sha256 != self.found.sha256:
            raise TableError(
                f"{self.label}: has changed since the run was planned (SHA-256 {sha256}, expected "
                f"{self.found.sha256}); a changed start is another experiment: run the command "
                "again"
            )
        name = self.array_of(part, layer)
        if arrays[name].dtype.kind not in "fiub":
            raise TableError(f"{self.label}: {name!r} must hold numbers. Got {arrays[name].dtype}")
        values = np.asarray(arrays[name], np.float64)
        if not np.isfinite(values).all():
            raise TableError(f"{self.label}: {name!r} must hold finite numbers alone")
        turned = part == "weights" and self.layout == "outputs_first"
        return np.ascontiguousarray(np.moveaxis(values, (0, 1), (-1, -2)) if turned else values)

    def _read(self) -> "tuple[str, dict[str, NDArray[Any]]]":
        from harness.tables.archive_files import read_archive

        return read_archive(Path(self.file))
