"""What fills the exercises: planted mistakes, the chain rule, details that `explain` changes."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data.fetching import DataMissingError
from harness.experiment.loading import load
from harness.lesson.chapters import xor_network
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import Board, Shown, decimals
from harness.lesson.material import Material
from harness.lesson.worked_step import work_through
from harness.parity.answer import PartialAnswer
from harness.parity.mistakes import Mistaken
from harness.parity.partial import handed_out, judge_partial
from harness.parity.reference import Reference
from harness.parity.switches import Switches
from harness.parity.trace import prepared_of
from harness.start.batches import BatchPlan
from harness.start.parameters import initial_parameters
from harness.trainer import Parameters

PROGRAM = Path(__file__).parent / "code" / "xor_loop.py.txt"
EXPERIMENT = "xor-mlp"
STEPS, FIRST_LOSSES = 200, 3
JUDGED_STEPS = 2
"""First steps whose losses and parameters are handed to the diagnosis."""
HARDLY_SEEN = 0.005
"""Of two curves of losses: then their difference is drawn."""
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
    """Return losses of XOR with a hidden layer, with a mistake and without, and its diagnosis."""
    right, right_steps = _trained(Switches())
    wrong, wrong_steps = _trained(PLANTED[name])
    difference = wrong - right
    if np.abs(difference).max() < HARDLY_SEEN:
        lines = [Line.over_steps(material["changed_minus_right"], difference)]
    else:
        lines = [
            Line.over_steps(material["right_program"], right),
            Line.over_steps(material["changed_program"], wrong),
        ]
    start = right_steps[0]
    moved = [
        float(np.abs(steps[1][0][0] - start[0][0]).max()) for steps in (wrong_steps, right_steps)
    ]
    answer = PartialAnswer(losses=wrong[:JUDGED_STEPS], parameters=wrong_steps)
    verdict = judge_partial(handed_out(load(EXPERIMENT)), 0, answer)
    numbers = {
        "right": ", ".join(decimals(loss, 6) for loss in right[:FIRST_LOSSES].tolist()),
        "wrong": ", ".join(decimals(loss, 6) for loss in wrong[:FIRST_LOSSES].tolist()),
        "ratio": f"{moved[0] / moved[1]:.3g}",
        "diagnosis": "; ".join(verdict.causes) or verdict.judgement.reason,
    }
    return Shown(numbers, [line_chart(material["loss"], lines, material["step"], material["loss"])])


def _trained(switches: Switches) -> tuple[NDArray[np.floating], dict[int, Parameters]]:
    """Return the losses of a training, and the parameters at its start and after first steps."""
    experiment = load(EXPERIMENT)
    rows = prepared_of(experiment).train
    start = initial_parameters(experiment, 0, "float64")
    network = Mistaken(experiment, start, rows.inputs, rows.targets, switches)
    plan = BatchPlan.of(experiment, 0)
    losses, parameters = [], {0: network.parameters()}
    for step in range(JUDGED_STEPS):
        losses.append(network.advance(plan.segment(step, step + 1)))
        parameters[step + 1] = network.parameters()
    losses.append(network.advance(plan.segment(JUDGED_STEPS, STEPS)))
    return np.concatenate(losses), parameters


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
