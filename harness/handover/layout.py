"""Names of the files in an exported folder, and what a program may hand back beside them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.experiment.model import Experiment
from harness.experiment.network import WeightedLayer

MARKER = "protocol.json"
"""The file that says what a folder was exported from."""
PAGE = "README.md"
ANSWER = "answer"
"""The folder for what a program hands back; `answer.npz` beside it is read too."""
ARCHIVE = "answer.npz"

INPUTS, TARGETS, TO_PREDICT = "inputs", "targets", "inputs_to_predict"
ROWS, SIZES, RATES = "batch_rows", "batch_sizes", "learning_rates"
MASKS = "dropout_masks"
"""What each dropout layer keeps, followed by `_` and the number of the layer."""
START = "start"

LOSSES, OUTPUTS, OUTPUTS_AFTER = "losses", "outputs_before", "outputs_after"
GRADIENTS = "gradients_of_first_batch"
TRAIN_S = "train_s"
"""Seconds of training, by the program's own clock."""
PARAMETERS = re.compile(r"parameters_after_step_(0|[1-9]\d{0,8})")
TENSOR = re.compile(r"(?:weights|biases)_\d{1,3}")
IN_ONE_NAME = re.compile(rf"({PARAMETERS.pattern}|{GRADIENTS})_({TENSOR.pattern})")
"""How a tensor may be named where there are no folders, as in an archive."""
PARTS = {
    "losses": LOSSES,
    "outputs before training": OUTPUTS,
    "outputs after training": OUTPUTS_AFTER,
    "gradients of the first batch": GRADIENTS,
    "parameters at the start": "parameters_after_step_0",
}
"""Where a part of an answer lies, by what `harness.parity` calls it."""


class Tensor(NamedTuple):
    """The weights or the biases of a layer.

    Args:
        name: such as `weights_1`; layers are counted from 1.
        what: such as `weights of layer 1`.
        shape: of the array.
    """

    name: str
    what: str
    shape: tuple[int, ...]


def tensors(experiment: Experiment) -> Iterator[Tensor]:
    """Yield every tensor of a network, layer by layer, weights before biases."""
    network = experiment.network
    for number, (layer, rows) in enumerate(
        zip(network.layers, network.row_shapes, strict=False), start=1
    ):
        if not isinstance(layer, WeightedLayer):
            continue
        shape = layer.weights_shape(rows)
        yield Tensor(f"weights_{number}", f"weights of layer {number}", shape)
        if layer.bias:
            yield Tensor(f"biases_{number}", f"biases of layer {number}", shape[-1:])


def folder_of_step(step: int) -> str:
    """Return the folder for the parameters after a step; step 0 is the start."""
    return f"parameters_after_step_{step}"


def place_of(part: str) -> str:
    """Return where a part lies: `parameters_after_step_1` of `parameters after step 1`.

    What has no file of its own is returned as it is.
    """
    name = PARTS.get(part, part.replace(" ", "_"))
    return name if part in PARTS or PARAMETERS.fullmatch(name) else part


def steps_asked_for(experiment: Experiment) -> tuple[int, ...]:
    """Return the steps whose parameters tell most: 0, 1, 2 and the last."""
    return tuple(sorted({*range(min(2, experiment.steps) + 1), experiment.steps}))
