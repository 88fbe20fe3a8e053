"""What in a timed trial contradicts its proof, looked at off the clock.

A proof is a short run of the same loop. It does not see the hundred-thousandth step or the
ten-thousandth row. So the trial itself is held against the oracle, one forward pass at a time:
the losses it returns are those of its own parameters on the batches it was given, and the outputs
it leaves are what its own parameters make of the test rows.
"""

import numpy as np

from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.parity.clocked_work import problem_with_clock, repeated
from harness.parity.reference import masks_of
from harness.parity.rounding import outputs_beyond_rounding, rounded_losses
from harness.parity.trace import is_finite
from harness.start import BatchPlan
from harness.trainer import Array, Batches, Parameters, StepTrainer

ROWS = 400
"""Test rows whose outputs are looked at, spread evenly over all."""
PREDICTED_ROWS = 20
"""Rows that are predicted while it is measured where the work is done."""
PRODUCTS_AT_MOST = 2e9
"""Multiplications of a batch's forward pass beyond which its loss is not looked at."""
OUTPUTS_TOLERANCE = {"float64": 1e-7, "float32": 1e-3}
"""Beyond rounding, relative to the largest output. A trial is not a proof: what is looked for here
is another network, not another last digit."""
LOSS_TOLERANCE = {"float64": 1e-6, "float32": 1e-2}
"""Likewise of a loss, relative to itself."""


class Contradictions:
    """Collects what contradicts the proof of one trial.

    Args:
        experiment: the protocol.
        prepared: its data, in the trial's precision.
        dtype: the trial's precision.

    Attributes:
        found: the first contradiction, in words; None without any.
        clock_is_suspect: whether much time passed before or after `advance`.
    """

    def __init__(self, experiment: Experiment, prepared: Prepared, dtype: str) -> None:
        self.experiment, self.prepared, self.dtype = experiment, prepared, dtype
        self.found: str | None = None
        self.clock_is_suspect = False

    def look_at_loss(
        self, parameters: Parameters, batches: Batches, losses: Array | None, step: int
    ) -> None:
        """Hold the first of these losses against that of the parameters before its step.

        Args:
            parameters: before the first of these batches.
            batches: of a segment.
            losses: what `advance` returned for them.
            step: the number of steps before the segment.
        """
        rows = int(batches.sizes[0])
        weights = self.experiment.network.parameter_count
        if losses is None or self.found or not is_finite(parameters):
            return
        if rows * weights > PRODUCTS_AT_MOST:
            return
        chosen = slice(None) if batches.rows is None else batches.rows[0, :rows]
        train = self.prepared.train
        assert train.targets is not None
        masks = masks_of(batches, 0, self.experiment)
        right, within = rounded_losses(
            self.experiment,
            parameters,
            train.inputs[chosen],
            train.targets[chosen],
            self.dtype,
            None if masks is None else [mask[:rows] for mask in masks],
        )
        tolerance = LOSS_TOLERANCE[self.dtype]
        gap = min(abs(float(losses[0]) - value) - tolerance * abs(value) for value in right)
        if gap > within:
            self.found = (
                f"step {step + 1} returned a loss of {losses[0]:.6g}; its parameters and its batch "
                f"give {right[0]:.6g}"
            )

    def look_at_outputs(self, parameters: Parameters, outputs: Array) -> None:
        """Hold the outputs (rows, outputs) of the test rows against these parameters."""
        inputs = self.prepared.test.inputs
        if self.found or not len(inputs) or not is_finite(parameters):
            return
        if not np.isfinite(outputs).all():
            return
        rows = np.unique(np.linspace(0, len(inputs) - 1, ROWS).round().astype(int))
        beyond = outputs_beyond_rounding(
            self.experiment, parameters, inputs[rows], outputs[rows], self.dtype
        )
        if beyond > OUTPUTS_TOLERANCE[self.dtype]:
            self.found = (
                "its outputs of the test rows are not those of its own parameters: they differ "
                f"by {beyond:.1e}, relative to the largest"
            )

    def look_at_clock(self, trainer: StepTrainer, plan: BatchPlan) -> None:
        """Measure whether the work is done in `advance`, if that is in doubt. It trains on."""
        if self.found or not self.clock_is_suspect:
            return
        rows = self.prepared.test.inputs[:PREDICTED_ROWS]
        problem = problem_with_clock(trainer, lambda steps: repeated(plan, steps), rows)
        self.found = problem or None
