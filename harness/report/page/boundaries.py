"""What a network of two inputs says of every point of the plane, while it learns.

The parameters that a trial left at its evaluation points go through the textbook network of
`harness.parity.reference`; nothing is trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, transforms
from harness.experiment.data import Data
from harness.experiment.model import Experiment
from harness.parity.reference import Reference
from harness.report.page import png as pictures
from harness.report.page.learning_curves import Arrays, rows_of, thinned
from harness.report.section_table import Section
from harness.report.sections import Line
from harness.results import Row
from harness.scoring import meaning_of, sigmoid
from harness.trainer import Array, Parameters

Floats = NDArray[np.float64]

SIDE = 31
FIRST, LAST = -0.25, 1.25
"""The square that is shown; the four inputs are at its corners, at 0 and 1."""
MOST_FRAMES = 9
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
"""One sign for each of `pictures.LEVELS`."""


@dataclass(frozen=True)
class Plane:
    """One framework's pictures.

    Args:
        proven: whether the framework computes what the protocol says.
        frames: per step, the place of its picture in `Boundaries.pictures`.
        last: the last one as a data URI.
    """

    label: str
    proven: bool
    frames: tuple[int, ...]
    last: str


@dataclass(frozen=True)
class Boundaries:
    """Small multiples of one experiment.

    Args:
        steps: the slider's places.
        pictures: every picture that differs, a sign per point, row by row from the top.
        corners: (x1, x2, class) of the four inputs.
        seed: of the trials.
        continued: what the features do between the corners, in words; "" where it is plain.
    """

    steps: tuple[int, ...]
    planes: tuple[Plane, ...]
    pictures: tuple[str, ...]
    corners: tuple[tuple[int, int, int], ...]
    seed: int
    continued: str

    @property
    def alike(self) -> bool:
        """Whether several frameworks draw the same picture at every step."""
        return len(self.planes) > 1 and len({plane.frames for plane in self.planes}) == 1


def boundaries_of(section: Section, rows: Sequence[Row], arrays: Arrays) -> Boundaries | None:
    """The pictures of every framework's best loop; None where the experiment has none."""
    experiment = section.experiment
    facts = experiment.data.facts
    if facts.kind != "binary" or experiment.data.scale != "none" or experiment.training is None:
        return None
    found: list[tuple[Line, dict[int, Parameters]]] = []
    lines = [line for line in section.lines if line.track == "identical" and line.best]
    seed = min((row.seed for line in lines for row in rows_of(section, line, rows)), default=0)
    for line in lines:
        own = [row for row in rows_of(section, line, rows) if row.seed == seed]
        if own:
            steps = parameters_by_step(experiment, arrays(own[0].trial))
            if steps:
                found.append((line, steps))
    common = sorted(set.intersection(*(set(steps) for _, steps in found))) if found else []
    if not common:
        return None
    shown = [common[index] for index in _frames(len(common))]
    unlike: dict[str, int] = {}
    planes = []
    for line, steps in found:
        shares = [probabilities(experiment, steps[step]) for step in shown]
        frames = tuple(unlike.setdefault(_signs(each), len(unlike)) for each in shares)
        label, last = f"{line.framework} {line.loop}", pictures.shares(shares[-1])
        planes.append(Plane(label, line.proven, frames, last))
    targets = raw.read(experiment.data.dataset).targets
    classes = [] if targets is None else targets.tolist()
    corners = tuple(
        (int(x1), int(x2), int(y)) for (x1, x2), y in zip(raw.BITS, classes, strict=True)
    )
    continued = (
        "Between the corners, AND is continued as a product."
        if experiment.data.features == "flipped_and"
        else ""
    )
    return Boundaries(tuple(shown), tuple(planes), tuple(unlike), corners, seed, continued)


def _frames(count: int) -> list[int]:
    """More of the beginning, where most happens: squares of even distances."""
    if count <= MOST_FRAMES:
        return [int(place) for place in thinned(count, MOST_FRAMES)]
    places = np.linspace(0, 1, MOST_FRAMES) ** 2 * (count - 1)
    return sorted({int(place) for place in places.round()})


def parameters_by_step(experiment: Experiment, found: Mapping[str, Array]) -> dict[int, Parameters]:
    """Step to whole parameters; empty where a trial did not keep them, or not whole."""
    if "step" not in found:
        return {}
    points = len(found["step"])
    layers = []
    for index, (layer, shape) in enumerate(
        zip(experiment.network.layers, experiment.network.shapes, strict=True), start=1
    ):
        W, b = found.get(f"W{index}"), found.get(f"b{index}")
        if W is None or W.shape != (points, *shape):
            return {}
        if layer.bias and (b is None or b.shape != (points, shape[1])):
            return {}
        layers.append((W, b if layer.bias else None))
    return {
        int(step): [(W[i], None if b is None else b[i]) for W, b in layers]
        for i, step in enumerate(found["step"].tolist())
    }


def probabilities(experiment: Experiment, parameters: Parameters) -> Floats:
    """(SIDE, SIDE) probability of class 1, the first row at the top (x2 = LAST)."""
    inputs = features(experiment.data, plane())
    outputs = Reference(experiment, parameters, inputs, None).predict(inputs)[:, 0]
    exact = np.asarray(outputs, np.float64)
    shares = sigmoid(exact) if meaning_of(experiment.loss) == "logits" else exact
    return shares.reshape(SIDE, SIDE)


def plane() -> Floats:
    """(SIDE * SIDE, 2) points of the square, row by row from the top left."""
    ticks = np.linspace(FIRST, LAST, SIDE)
    x2, x1 = np.meshgrid(ticks[::-1], ticks, indexing="ij")
    return np.stack([x1.ravel(), x2.ravel()], axis=1)


def features(data: Data, points: Floats) -> Floats:
    """The protocol's features of points between the bits."""
    if data.features == "flipped_and":
        x1, x2 = points.T
        return np.stack([(1 - x1) * x2, x1 * (1 - x2)], axis=1)
    return np.asarray(transforms.features(data.features, points), np.float64)


def _signs(shares: Floats) -> str:
    return "".join(ALPHABET[level] for level in pictures.quantised(shares).ravel())
