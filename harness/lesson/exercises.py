"""What fills the exercises: planted mistakes, the chain rule, details that `explain` changes."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data.fetching import DataMissingError
from harness.lesson.chapters import xor_network
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import Board, Shown, decimals
from harness.lesson.material import Material
from harness.lesson.oracle_run import exact
from harness.lesson.worked_step import work_through
from harness.parity.mistakes import Mistaken
from harness.parity.reference import Reference
from harness.parity.switches import Switches
from harness.parity.trace import prepared_of
from harness.start.batches import BatchPlan
from harness.start.parameters import initial_parameters
from harness.trainer import Parameters

PROGRAM = Path(__file__).parent / "code" / "xor_loop.py.txt"
STEPS, FIRST_LOSSES = 200, 3
PLANTED = {
    "slope": Switches(slope_missing="hidden"),
    "sum": Switches(gradient_scale="rows"),
    "order": Switches(early_kernels=True),
}
"""Exercise to the mistake of the oracle."""


def program() -> Board:
    """Return the program whose lines are changed, with numbers of lines."""
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    return Board("", tuple(f"{number:>2}  {line}" for number, line in enumerate(lines, 1)))


def planted(name: str, material: Material) -> Shown:
    """Return losses of XOR with a hidden layer, with a mistake and without."""
    right, right_after = _losses(Switches())
    wrong, wrong_after = _losses(PLANTED[name])
    lines = [
        Line.over_steps(material["right_program"], right),
        Line.over_steps(material["changed_program"], wrong),
    ]
    start = initial_parameters(exact("xor-mlp"), 0, "float64")
    moved = [float(np.abs(after[0][0] - start[0][0]).max()) for after in (wrong_after, right_after)]
    numbers = {
        "right": ", ".join(decimals(loss, 6) for loss in right[:FIRST_LOSSES].tolist()),
        "wrong": ", ".join(decimals(loss, 6) for loss in wrong[:FIRST_LOSSES].tolist()),
        "ratio": f"{moved[0] / moved[1]:.3g}",
    }
    return Shown(numbers, [line_chart(material["loss"], lines, material["step"], material["loss"])])


def _losses(switches: Switches) -> tuple[NDArray[np.floating], Parameters]:
    """Return the losses of a training, and the parameters after its first step."""
    experiment = exact("xor-mlp")
    rows = prepared_of(experiment).train
    start = initial_parameters(experiment, 0, "float64")
    network = Mistaken(experiment, start, rows.inputs, rows.targets, switches)
    plan = BatchPlan.of(experiment, 0)
    first = network.advance(plan.segment(0, 1))
    after = network.parameters()
    return np.concatenate([first, network.advance(plan.segment(1, STEPS))]), after


def chain(material: Material) -> Shown:
    """Return the derivatives of w x + b."""
    numbers = {
        "w": f"{xor_network.W:g}",
        "x": f"{xor_network.X:g}",
        "b": f"{xor_network.B:g}",
        **xor_network.chain_rule(material).numbers,
    }
    return Shown(numbers)


def start(material: Material) -> Shown:
    """Return accuracies from two starts."""
    if 46 not in material.shown:
        raise DataMissingError("item 46 was not computed")
    return Shown(material.shown[46].numbers)


def digits(material: Material) -> Shown:
    """Return the outputs of the fixed network, and with two of its claim's details changed."""
    claim = material.claim("C10")
    places = claim.numbers[0].decimals
    numbers = {"published": claim.numbers[0].published}
    relu = work_through(material.protocol("C10", "relu"), 0, 1).values[-1][0]
    numbers["relu"] = ", ".join(decimals(value, places) for value in relu.tolist())
    single = material.protocol("C10", "float32")
    given = initial_parameters(single, 0, "float32")
    inputs = prepared_of(single).test.inputs
    outputs = Reference(single, given, inputs, None, "float32").predict(inputs)[0]
    numbers["float32"] = ", ".join(decimals(value, places) for value in outputs.tolist())
    return Shown(numbers)


COMPUTED: Mapping[str, Callable[[Material], Shown]] = {
    **{name: partial(planted, name) for name in PLANTED},
    "chain": chain,
    "start": start,
    "digits": digits,
}
"""Exercise to what computes its numbers."""
