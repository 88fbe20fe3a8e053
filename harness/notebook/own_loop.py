"""A loop written in a cell: the neutral start for it, and the verdict on what it computed."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from harness import data
from harness.experiment.gradients import L1, Clipping, MaxNorm
from harness.experiment.losses import Loss
from harness.experiment.model import Experiment
from harness.experiment.network import Network
from harness.experiment.optimizers import Optimizer
from harness.experiment.training import L2
from harness.experiment.vocabulary import Dtype
from harness.notebook import arguments
from harness.notebook.loaded_run import Chart, drawn, table_html
from harness.notebook.protocols import ExperimentLike, experiment_of
from harness.parameters import map_arrays
from harness.parity.answer import PartialAnswer, read_losses
from harness.parity.partial import PartialVerdict, handed_out, judge_partial
from harness.parity.partial_text import lines_of
from harness.parity.trace import PREDICTED_ROWS, expected_trace
from harness.report.page.drawing import Drawing
from harness.report.page.figures import COLOURS, new_spec
from harness.report.protocol_text import protocol_line
from harness.start import BatchPlan, task_of
from harness.trainer import Array, LayerParameters, unpacked
from harness.trainer import Task as AdapterTask

LOSS_CHART = "loss-difference-by-step"
LEAST_DRAWN = 1e-17
"""Smaller differences, and none at all, are drawn here: a logarithmic axis has no 0."""


class Batch(NamedTuple):
    """What one step trains on.

    Args:
        rows: (batch,) row numbers of `OwnTask.inputs`.
        learning_rate: of this step, rounded to float32 as every framework receives it: 0.1 is
            0.10000000149. A loop in float64 that has 0.1 itself differs, and `check` says so.
    """

    rows: Array
    learning_rate: float


class OwnTask:
    """The neutral start for a loop of your own. `harness.task` returns it.

    All arrays are copies: a loop may change them.

    Args:
        experiment: the protocol, of the length that the loop is to run.
        seed: of the start and the batches.
        dtype: precision of the arrays.
    """

    def __init__(self, experiment: Experiment, seed: int, dtype: Dtype) -> None:
        self._experiment, self._seed, self._dtype = experiment, seed, dtype
        self._prepared = data.load(experiment.data, experiment.loss, dtype)
        self._task: AdapterTask = task_of(
            experiment, self._prepared, seed=seed, loop="stepwise", dtype=dtype
        )

    @property
    def experiment(self) -> Experiment:
        """The protocol, of the length that the loop is to run."""
        return self._experiment

    @property
    def seed(self) -> int:
        """Of the start and the batches."""
        return self._seed

    @property
    def steps(self) -> int:
        """How many updates the loop is to make; 0 for a network that only predicts."""
        return self._experiment.steps

    @property
    def inputs(self) -> Array:
        """(rows, inputs), the inputs of the training set."""
        return np.array(self._task.inputs)

    @property
    def targets(self) -> Array | None:
        """(rows,) class numbers for softmax cross-entropy, else (rows, outputs); None without."""
        return None if self._task.targets is None else np.array(self._task.targets)

    @property
    def test_inputs(self) -> Array:
        """(rows, inputs), the rows whose raw outputs `check` compares."""
        return np.array(self._prepared.test.inputs[:PREDICTED_ROWS])

    @property
    def parameters(self) -> list[LayerParameters]:
        """The start: for every layer W (inputs, units) and b (units,), or None without bias."""
        return map_arrays(np.array, self._task.parameters)

    @property
    def batches(self) -> list[Batch]:
        """The batch of every step, in order."""
        if not self.steps:
            return []
        batches = BatchPlan.of(self._experiment, self._seed).segment(0, self.steps)
        every_row = np.arange(len(self._task.inputs))
        rows = [every_row] * self.steps if batches.rows is None else list(batches.rows)
        return [
            Batch(np.array(of_step[:size]), float(rate))
            for of_step, size, rate in zip(rows, batches.sizes, batches.learning_rates, strict=True)
        ]

    @property
    def masks(self) -> list[list[Array]]:
        """Of every step, for every dropout layer, (batch, width): 1 where a number is kept."""
        if not self.steps:
            return []
        batches = BatchPlan.of(self._experiment, self._seed).segment(0, self.steps)
        widths = self._task.network.dropout_widths
        return [
            [
                unpacked(masks[step, :size], width)
                for masks, width in zip(batches.masks, widths, strict=True)
            ]
            for step, size in enumerate(batches.sizes)
        ]

    @property
    def network(self) -> Network:
        """The layers: units, activation and bias of each."""
        return self._task.network

    @property
    def loss(self) -> Loss | None:
        """The loss with its reductions; None for a network that only predicts."""
        return self._task.loss

    @property
    def optimizer(self) -> Optimizer | None:
        """The update rule with its constants; None for a network that only predicts."""
        return self._task.optimizer

    @property
    def l2(self) -> L2 | None:
        """The penalty that is part of the loss, or None."""
        return self._task.l2

    @property
    def l1(self) -> L1 | None:
        """The penalty of |w| that is part of the loss, or None."""
        return self._task.l1

    @property
    def clipping(self) -> Clipping | None:
        """What is done to gradients before the update rule, or None."""
        return self._task.clipping

    @property
    def max_norm(self) -> MaxNorm | None:
        """What is done to weights after every update, or None."""
        return self._task.max_norm

    def check(
        self,
        losses: Mapping[int, float] | Sequence[float] | Array | None = None,
        parameters: Mapping[int, Any] | Sequence[Any] | None = None,
        *,
        outputs_before: Any = None,
        outputs_after: Any = None,
        gradients: Any = None,
        dtype: str | None = None,
    ) -> "LoopVerdict":
        """Compare what a loop computed with the protocol, and name the mistake.

        Every part may be left out; the verdict says what a missing part would show.

        Args:
            losses: of every step before its update, (steps,), or a mapping of steps, counted from
                1, to losses.
            parameters: a mapping of updates so far to parameters, such as {0: start, 1: ...}.
                Parameters by themselves are those after the last step. They are a list of (W, b)
                per layer, W (inputs, units), or a flat list W, b, W, b, ...
            outputs_before: raw outputs (rows, outputs) of `test_inputs` before training.
            outputs_after: the same after the last step.
            gradients: of the first batch at the start, as a list of (dW, db).
            dtype: "float32" or "float64", what the loop computed in. By default the numbers say.

        Returns:
            The verdict. A notebook shows it; `print` does too.

        Raises:
            harness.parity.answer.AnswerError: a ValueError: a part has another shape or holds no
                numbers. The message says which, and what to hand back.
        """
        if dtype is not None:
            dtype = str(arguments.word("dtype", dtype, Dtype))
        if parameters is not None and not isinstance(parameters, Mapping):
            parameters = {self.steps: parameters}
        answer = PartialAnswer(
            losses=losses,
            outputs_before=outputs_before,
            gradients=gradients,
            parameters=parameters,
            outputs_after=outputs_after,
        )
        verdict = judge_partial(self._experiment, self._seed, answer, dtype)
        return LoopVerdict(verdict, self._losses_beside(losses))

    def _losses_beside(self, losses: Any) -> pd.DataFrame:
        """The losses handed back beside those of the protocol."""
        columns = ["step", "loss", "protocol", "difference"]
        if losses is None:
            return pd.DataFrame(columns=columns)
        right = expected_trace(self._experiment, self._seed).losses
        assert right is not None
        given = read_losses(losses, self._experiment)
        largest = float(np.nanmax(np.abs(right), initial=0.0)) or 1.0
        values = (np.arange(1, self.steps + 1), given, right, np.abs(given - right) / largest)
        table = pd.DataFrame(dict(zip(columns, values, strict=True)))
        return table.dropna(subset="loss").reset_index(drop=True)

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in self._facts())

    def _repr_html_(self) -> str:
        title = f"task of {self._experiment.name}, seed {self._seed}"
        return table_html(title, ("what", "as"), self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        layers = ", ".join(
            " and ".join(
                f"{letter} {v.shape}"
                for letter, v in zip("Wb", entry, strict=False)
                if v is not None
            )
            for entry in self._task.parameters
            if entry
        )
        targets = self._task.targets
        shape = "none" if targets is None else f"{targets.shape} {targets.dtype}"
        return [
            ("protocol", protocol_line(self._experiment)),
            ("parameters", layers),
            ("inputs", f"{self._task.inputs.shape} {self._task.inputs.dtype}"),
            ("targets", shape),
            ("batches", f"{self.steps} of {self._experiment.batch_size} rows"),
            ("test_inputs", str(self.test_inputs.shape)),
        ]


class LoopVerdict:
    """What a loop's numbers show. A notebook shows the sentences.

    Args:
        verdict: of the judge.
        losses: those handed back, beside those of the protocol.
    """

    def __init__(self, verdict: PartialVerdict, losses: pd.DataFrame) -> None:
        self._verdict, self._losses = verdict, losses

    @property
    def verdict(self) -> str:
        """`same`, `same to float32`, `different` and so on, see `harness/parity/README.md`."""
        return str(self._verdict.judgement.verdict)

    @property
    def same(self) -> bool:
        """Whether all that was handed back is what the protocol says."""
        return self._verdict.same

    @property
    def different(self) -> bool:
        """Whether something that was handed back is not what the protocol says."""
        return self._verdict.different

    @property
    def step(self) -> int | None:
        """The first step that goes wrong, counted from 1; 0 for the start; None if not known."""
        return self._verdict.step

    @property
    def causes(self) -> tuple[str, ...]:
        """The mistakes that are shown, in words; several where nothing tells them apart."""
        return self._verdict.causes

    @property
    def rungs(self) -> Mapping[str, float]:
        """What was compared, and the worst relative difference of each."""
        return {rung.name: rung.difference for rung in self._verdict.judgement.rungs}

    @property
    def losses(self) -> pd.DataFrame:
        """The losses: `step`, `loss` handed back, `protocol` the right one, `difference`.

        The difference is relative to the largest right loss. Empty without losses.
        """
        return self._losses.copy()

    def chart(self) -> Chart:
        """Return the difference of the losses by step, on a logarithmic axis.

        Raises:
            harness.report.chart_names.NoChartError: a ValueError: no losses were handed back.
            harness.report.chart_names.NoChartLibraryError: vl-convert is not installed.
        """
        return drawn(LOSS_CHART, loss_drawings(self._losses))

    @property
    def missing(self) -> Mapping[str, str]:
        """What was not handed back, and what it would show."""
        return {each.part: each.shows for each in self._verdict.missing}

    def __str__(self) -> str:
        return "\n".join(lines_of(self._verdict))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *others = lines_of(self._verdict)
        items = "".join(f"<li>{html.escape(line)}</li>" for line in others)
        return f"<p><b>{html.escape(first)}</b></p>\n<ul>{items}</ul>"


def loss_drawings(losses: pd.DataFrame) -> Mapping[str, Drawing]:
    """Return the chart of the differences of losses; none where there are no losses."""
    records = [
        {"step": int(step), "difference": max(float(difference), LEAST_DRAWN)}
        for step, difference in zip(losses.step, losses.difference, strict=True)
        if np.isfinite(difference)
    ]
    if not records:
        return {}
    spec = new_spec("difference of the loss from the protocol's, by step", 190) | {
        "mark": {"type": "line", "point": True, "color": COLOURS[0]},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step"},
            "y": {
                "field": "difference",
                "type": "quantitative",
                "title": "relative difference",
                "scale": {"type": "log"},
                "axis": {"format": ".0e"},
            },
        },
    }
    return {LOSS_CHART: Drawing(spec, records)}


def own_task(experiment: ExperimentLike, seed: int, steps: int | None, dtype: str) -> OwnTask:
    """Do what `harness.task` promises."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: must be a whole number, 0 or more. Got {seed!r}")
    precision = arguments.word("dtype", dtype, Dtype)
    return OwnTask(handed_out(experiment_of(experiment), steps), seed, precision)
