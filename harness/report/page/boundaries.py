"""What a network of two inputs answers at every point of the plane, while it learns.

The parameters that a trial stored at its evaluation points go through the textbook network of
`harness.parity.reference`. Nothing is trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, splits, transforms
from harness.data.fetching import DataMissingError
from harness.experiment.data import Data
from harness.experiment.model import Experiment
from harness.experiment.network import WeightedLayer
from harness.parameters import map_arrays
from harness.parity.reference import Reference
from harness.report.model import Line, Section
from harness.report.page import png
from harness.report.page.learning_curves import rows_of, thinned
from harness.run import Run
from harness.scoring import meaning_of, sigmoid
from harness.trainer import Array, DenseParameters, LayerParameters, NoParameters, Parameters

Floats = NDArray[np.float64]
Steps = dict[int, Parameters]
"""Step to the parameters after it."""

SIDE = 31
FIRST, LAST = -0.25, 1.25
"""The square that is shown. On each axis the smallest input is at 0 and the largest at 1."""
MOST_POINTS, POINT_SIZE, CORNER_SIZE = 200, 0.02, 0.07
"""How many rows are marked, and half the size of a mark, of many rows and of four."""
MOST_FRAMES = 9
UNDECIDED = 1e-3
"""Where every probability is this close to one half, rounding alone draws the boundary."""
SAME_SIDE = 0.99
"""The share of points at which two pictures that look alike predict the same class."""
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
"""One sign for each of `png.LEVELS`."""


FINE_SIDE = 61
"""The same where every point has one of several classes, between which there is nothing."""
MARKS = {
    "rings": "m{minus} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 {back} 0z",
    "crosses": "m{minus} {minus}l{d} {d}m0 {back}l{back} {d}",
    "triangles": "m{minus} {r}l{d} 0l{minus} {back}z",
    "squares": "m{minus} {minus}l{d} 0l0 {d}l{back} 0z",
    "pluses": "m{minus} 0l{d} 0m{minus} {minus}l0 {d}",
    "diamonds": "m{minus} 0l{r} {minus}l{r} {r}l{minus} {r}z",
}
"""Name of a mark to its outline from its centre, as SVG has it. No class has a colour alone."""
MOST_CLASSES = len(MARKS)


@dataclass(frozen=True)
class Plane:
    """One picture, of all frameworks that draw it.

    Args:
        names: of the frameworks and their loops.
        proven: whether they compute what the protocol says.
        frames: per step, the place of its picture in `Boundaries.pictures`.
        last: the last one as a data URI.
    """

    names: tuple[str, ...]
    proven: bool
    frames: tuple[int, ...]
    last: str

    @property
    def label(self) -> str:
        return ", ".join(self.names)


@dataclass(frozen=True)
class Boundaries:
    """Small multiples of one experiment.

    Args:
        steps: the slider's places.
        pictures: every picture that differs, a sign per point, row by row from the top.
        corners: (x1, x2, class) of the rows that are marked, at their places in the square.
        seed: of the trials.
        between_corners: what the features are between the corners, or what the edges of the
            square are, in words; "" where it is plain.
        mark: half the size of a mark.
        axes: names of the two inputs.
        side: how many points the pictures have on each axis.
        classes: names of the classes, where an output is of each; () for a single output.
        undecided: steps at which no framework's probability is further than `UNDECIDED` from 1/2.
    """

    steps: tuple[int, ...]
    planes: tuple[Plane, ...]
    pictures: tuple[str, ...]
    corners: tuple[tuple[float, float, int], ...]
    seed: int
    between_corners: str
    mark: float = CORNER_SIZE
    axes: tuple[str, str] = ("x1", "x2")
    side: int = SIDE
    classes: tuple[str, ...] = ()
    undecided: tuple[int, ...] = ()

    @property
    def shades(self) -> int:
        """How many shades a class has in the pictures; 0 for a single output's probability."""
        return png.shades_of(len(self.classes)) if self.classes else 0

    @property
    def colours(self) -> list[tuple[int, int, int]]:
        return png.class_palette(len(self.classes)) if self.classes else png.palette()

    @property
    def legend(self) -> str:
        """`blue and rings: setosa; orange and crosses: virginica`."""
        named = zip(png.CLASS_COLOURS.values(), MARKS, self.classes, strict=False)
        return "; ".join(f"{colour} and {mark}: {name}" for colour, mark, name in named)

    def mark_path(self, x1: float, x2: float, label: int) -> str:
        """Return the outline of a mark in the square, whose x2 grows upwards."""
        centre, r = f"M{x1} {round(1 - x2, 4)}", self.mark
        return centre + list(MARKS.values())[label % len(MARKS)].format(
            r=r, d=2 * r, minus=-r, back=-2 * r
        )

    @property
    def alike(self) -> bool:
        """Whether several frameworks draw the same picture at every step, as far as one sees."""
        return len(self.planes) == 1 and len(self.planes[0].names) > 1

    @property
    def undecided_text(self) -> str:
        """Return where there is no boundary, in a sentence; "" where there is one."""
        if not self.undecided:
            return ""
        steps = ", ".join(f"{step:,}" for step in self.undecided)
        return (
            f"After {steps} steps every probability is within {UNDECIDED:g} of one half: the "
            "network prefers neither class, so there is no boundary."
        )


def boundaries_of(section: Section, run: Run) -> Boundaries | None:
    """Return the pictures of every framework's best loop; None where there are none."""
    experiment = section.experiment
    data = experiment.data
    if not _has_a_plane(experiment):
        return None
    seed, parameters = _parameters_of_lines(section, run)
    if not parameters:
        return None
    common = sorted(set.intersection(*(set(steps) for _, steps in parameters)))
    if not common:
        return None
    steps = [common[index] for index in _frames(len(common))]
    try:
        view = _view(data)
    except DataMissingError:  # the user's file has changed or is gone
        return None
    classes = _classes(experiment)
    groups, undecided = _groups(experiment, parameters, steps, view, len(classes))
    pictures: dict[str, int] = {}
    colours = png.class_palette(len(classes)) if classes else png.palette()
    planes = []
    for group in groups:
        frames = tuple(pictures.setdefault(_signs(each), len(pictures)) for each in group.levels)
        last = png.data_uri(group.levels[-1], colours)
        planes.append(Plane(tuple(group.names), group.proven, frames, last))
    return Boundaries(
        steps=tuple(steps),
        planes=tuple(planes),
        pictures=tuple(pictures),
        corners=view.marked,
        seed=seed,
        between_corners=_explained(data, view),
        mark=CORNER_SIZE if data.dataset in raw.GATES else POINT_SIZE,
        axes=_axes(data),
        side=view.side,
        classes=classes,
        undecided=undecided,
    )


@dataclass(eq=False)
class _Group:
    """Lines whose pictures look the same, and the pictures of the first: levels per step."""

    names: list[str]
    proven: bool
    levels: list[NDArray[np.uint8]]


def _groups(
    experiment: Experiment,
    parameters: Sequence[tuple[Line, Steps]],
    steps: Sequence[int],
    view: "View",
    classes: int,
) -> tuple[list[_Group], tuple[int, ...]]:
    """Return the lines by what they draw, and the steps at which none of them decides anything."""
    groups: list[_Group] = []
    undecided = set(steps)
    for line, by_step in parameters:
        shares = [probabilities(experiment, by_step[step], view) for step in steps]
        undecided &= {s for s, each in zip(steps, shares, strict=True) if _is_undecided(each)}
        levels = [_levels(each, classes) for each in shares]
        same = [g for g in groups if g.proven == line.proven and _alike(g.levels, levels, classes)]
        if same:
            same[0].names.append(line.name)
        else:
            groups.append(_Group([line.name], line.proven, levels))
    return groups, tuple(sorted(undecided))


def _is_undecided(shares: Floats) -> bool:
    """Whether a single output's probability is one half everywhere, but for a little."""
    return shares.shape[2] == 1 and bool((np.abs(shares - 0.5) <= UNDECIDED).all())


def _alike(
    pictures: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]], classes: int
) -> bool:
    """Whether nobody sees a difference: one shade at most, the same classes almost everywhere."""
    per_class = png.shades_of(classes) if classes else png.LEVELS // 2
    for here, there in zip(pictures, others, strict=True):
        same_side = here // per_class == there // per_class
        shades = np.abs(here.astype(np.int64) - there.astype(np.int64))
        if same_side.mean() < SAME_SIDE or shades[same_side].max(initial=0) > 1:
            return False
    return True


def _has_a_plane(experiment: Experiment) -> bool:
    """Whether the network tells classes of two inputs apart, by one output or by a few."""
    facts, outputs = experiment.data.facts, experiment.network.outputs
    if facts.features != 2 or experiment.training is None:
        return False
    return facts.kind == "binary" or (facts.kind == "classes" and outputs <= MOST_CLASSES)


def _classes(experiment: Experiment) -> tuple[str, ...]:
    """Return the names of the classes where the network has an output for each, else ()."""
    data = experiment.data
    if data.facts.kind != "classes":
        return ()
    numbered = tuple(f"class {place}" for place in range(data.facts.outputs))
    return data.contents.classes if data.contents else numbered


@dataclass(frozen=True, eq=False)
class View:
    """Where the square lies in the plane of the two inputs, as they are before scaling.

    Args:
        low: (2,) the inputs at 0.
        width: (2,) how far it is from there to 1.
        scale: the protocol's scaling, as of the training rows.
        marked: (place, place, class) of the rows that are marked.
        side: how many points of the square are computed on each axis.
    """

    low: Floats
    width: Floats
    scale: transforms.Scale
    marked: tuple[tuple[float, float, int], ...]
    side: int = SIDE


def _view(data: Data) -> View:
    source = raw.rows_of(data)
    inputs = np.asarray(source.inputs)
    parts = splits.split(data, source.targets, len(inputs), source.train_rows)
    mapped = transforms.features(data.features, inputs)
    fitted = mapped if data.scale_fitted_on == "all" else mapped[parts.train]
    scale = transforms.fit_scale(data, fitted, "float64")
    low = inputs.min(axis=0).astype(np.float64)
    width = inputs.max(axis=0) - low
    width[width == 0] = 1
    labels = [] if source.targets is None else source.targets[:MOST_POINTS].tolist()
    places = ((inputs[:MOST_POINTS] - low) / width).round(4).tolist()
    if data.dataset in raw.GATES:
        places = inputs.tolist()
    marked = tuple((x1, x2, int(y)) for (x1, x2), y in zip(places, labels, strict=True))
    side = FINE_SIDE if data.facts.kind == "classes" else SIDE
    return View(low, width, scale, marked, side)


def _axes(data: Data) -> tuple[str, str]:
    if data.contents is None:
        return "x1", "x2"
    first, second = data.contents.inputs
    return first, second


def _explained(data: Data, view: View) -> str:
    """Return what is not plain about the square."""
    if data.features == "flipped_and":
        return "Between the corners, AND is computed as a product."
    if data.dataset in raw.GATES:
        return ""
    ends = [view.low + place * view.width for place in (FIRST, LAST)]
    edges = ", ".join(
        f"{name} from {low:.3g} to {high:.3g}"
        for name, low, high in zip(_axes(data), *ends, strict=True)
    )
    is_part = len(view.marked) < data.facts.train_rows
    marked = f"the first {len(view.marked)} rows" if is_part else "all rows"
    return f"The square shows {edges}; marked are {marked}, test rows among them."


def _parameters_of_lines(section: Section, run: Run) -> tuple[int, list[tuple[Line, Steps]]]:
    """Return the first seed, and of every best loop the parameters that its trial stored."""
    lines = [line for line in section.lines if line.identical and line.best]
    rows = {line.name: rows_of(section, line, run.rows) for line in lines}
    seed = min((row.seed for of_line in rows.values() for row in of_line), default=0)
    parameters = []
    for line in lines:
        trials = [row.trial for row in rows[line.name] if row.seed == seed]
        steps = parameters_by_step(section.experiment, run.arrays(trials[0])) if trials else {}
        if steps:
            parameters.append((line, steps))
    return seed, parameters


def _frames(count: int) -> Sequence[int]:
    """Return places of `count` steps, denser at the beginning, where most happens."""
    if count <= MOST_FRAMES:
        return [int(place) for place in thinned(count, MOST_FRAMES)]
    places = np.linspace(0, 1, MOST_FRAMES) ** 2 * (count - 1)
    return sorted({int(place) for place in places.round()})


def parameters_by_step(experiment: Experiment, arrays: Mapping[str, Array]) -> Steps:
    """Return step to whole parameters; nothing where a trial did not store them, or not whole."""
    if "step" not in arrays:
        return {}
    points = len(arrays["step"])
    network = experiment.network
    layers: list[LayerParameters] = []
    for index, (layer, rows) in enumerate(zip(network.layers, network.row_shapes, strict=False), 1):
        if not isinstance(layer, WeightedLayer):
            layers.append(NoParameters())
            continue
        shape = layer.weights_shape(rows)
        W, b = arrays.get(f"W{index}"), arrays.get(f"b{index}")
        if W is None or W.shape != (points, *shape):
            return {}
        if layer.bias and (b is None or b.shape != (points, shape[-1])):
            return {}
        layers.append(DenseParameters(W, b if layer.bias else None))
    return {
        int(step): map_arrays(lambda v, i=i: v[i], layers)
        for i, step in enumerate(arrays["step"].tolist())
    }


def _levels(shares: Floats, classes: int) -> NDArray[np.uint8]:
    """Return (side, side) levels of the palette; the middle one where nothing is decided."""
    if not classes:
        undecided = _is_undecided(shares)
        return png.quantised(np.full(shares.shape[:2], 0.5) if undecided else shares[:, :, 0])
    return png.class_levels(shares.argmax(axis=2), shares.max(axis=2), classes)


def probabilities(experiment: Experiment, parameters: Parameters, view: View) -> Floats:
    """Return (side, side, outputs) probabilities, the first row at the top (x2 = LAST).

    Of a single output it is that of class 1. What a squared error trains is taken for one.
    """
    inputs = view.scale(features(experiment.data, view.low + plane(view.side) * view.width))
    outputs = Reference(experiment, parameters, inputs, None).predict(inputs)
    exact = np.asarray(outputs, np.float64)
    no, yes = experiment.data.numbers_for_no_and_yes
    if experiment.loss is not None and experiment.loss.name == "softmax_cross_entropy":
        powers = np.exp(exact - exact.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
    else:
        is_logit = meaning_of(experiment.loss) == "logits"
        shares = sigmoid(exact) if is_logit else (exact - no) / (yes - no)
    return np.asarray(shares.reshape(view.side, view.side, -1), np.float64)


def plane(side: int = SIDE) -> Floats:
    """Return (side * side, 2) points of the square, row by row from the top left."""
    ticks = np.linspace(FIRST, LAST, side)
    x2, x1 = np.meshgrid(ticks[::-1], ticks, indexing="ij")
    return np.stack([x1.ravel(), x2.ravel()], axis=1)


def features(data: Data, points: Floats) -> Floats:
    """Return the protocol's features of points between the bits."""
    if data.features == "flipped_and":
        x1, x2 = points.T
        return np.stack([(1 - x1) * x2, x1 * (1 - x2)], axis=1)
    return np.asarray(transforms.features(data.features, points), np.float64)


def _signs(levels: NDArray[np.uint8]) -> str:
    return "".join(ALPHABET[level] for level in levels.ravel())
