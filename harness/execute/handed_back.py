"""What a command handed back of a whole training, as the columns and curves of its row.

The harness scores it: outputs are computed by the oracle from the parameters that were handed back.
What was not handed back stays empty.
"""

import json

import numpy as np

from harness import data, scoring, start
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.handover.answer import Answer
from harness.parity.answer import ReadAnswer, read_answer
from harness.parity.digits import digits_of
from harness.parity.reference import Reference
from harness.parity.rounding import outputs_beyond_rounding
from harness.parity.trace import PREDICTED_ROWS, Trace, is_finite
from harness.plan import Trial
from harness.trainer import Array, Parameters
from harness.trial.contradictions import OUTPUTS_TOLERANCE, Contradictions
from harness.trial.curves import Curves
from harness.trial.evaluation import BLOCK_ROWS, Score, Scores, score_columns
from harness.trial.outcome import Diverged, Outcome

POINTS_AT_MOST = 100
"""Steps whose parameters are scored; of more, some are chosen evenly."""
FEWEST_DIGITS = 7
"""Numbers that were written with fewer contradict nothing."""


def fill(outcome: Outcome, answer: Answer, trial: Trial, experiment: Experiment) -> None:
    """Put into an outcome what an answer says of a whole training.

    Args:
        outcome: is filled as far as the answer goes.
        answer: of the program.
        trial: which was run.
        experiment: the protocol at the length that was handed out.

    Raises:
        harness.parity.answer.AnswerError: a part of the answer cannot be compared.
        Diverged: a loss, or a parameter after the last step, is not finite.
    """
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    parameters = start.initial_parameters(experiment, trial.seed, trial.dtype)
    plan = start.BatchPlan.of(experiment, trial.seed) if experiment.training else None
    absent = prepared.absent_classes(experiment.data)
    outcome.columns.set(
        data_digest=prepared.digest,
        start_digest=start.start_digest(parameters, plan),
        absent_classes=json.dumps(absent, ensure_ascii=False) if absent else None,
        stated_train_s=answer.stated_train_s,
    )
    read = read_answer(answer.parts, experiment, parameters)
    outcome.columns.precision = _precision(answer, read)
    losses = _known_losses(read.trace)
    _set_progress(outcome, read.trace, plan, len(losses))
    with np.errstate(all="ignore"):  # the numbers may be anything
        _score(outcome, read.trace, experiment, prepared, losses)
    if read.digits.written is None or read.digits.written >= FEWEST_DIGITS:
        looked_at = _Handed(experiment, prepared, read)
        outcome.columns.contradiction = looked_at.contradiction(parameters, plan, losses)


def _precision(answer: Answer, read: ReadAnswer) -> str | None:
    """The precision of what was trained; None where it was rounded to digits when written."""
    trained = answer.parts.parameters or {}
    arrays = [v for pair in trained.get(max(trained, default=0), ()) for v in pair if v is not None]
    digits = digits_of(arrays) if max(trained, default=0) else read.digits
    return digits.dtype if digits.written is None else None


def _known_losses(trace: Trace) -> Array:
    """The losses of the first steps, as far as every one is known."""
    if trace.losses is None:
        return np.zeros(0)
    unknown = trace.unknown_losses
    return trace.losses if unknown is None else trace.losses[: int(unknown.argmax())]


def _set_progress(
    outcome: Outcome, trace: Trace, plan: start.BatchPlan | None, losses: int
) -> None:
    """Say how many steps the answer shows."""
    if plan is None:
        return
    steps = max(losses, *trace.parameters, 0)
    epochs, rest = divmod(steps, plan.steps_per_epoch)
    sizes = plan.segment(0, plan.steps_per_epoch).sizes
    samples = epochs * int(sizes.sum()) + int(sizes[:rest].sum())
    outcome.columns.set(steps=steps, samples=samples)


def _score(
    outcome: Outcome, trace: Trace, experiment: Experiment, prepared: Prepared, losses: Array
) -> None:
    finite = np.isfinite(losses)
    if not finite.all():
        raise Diverged(f"loss is not finite at step {int(finite.argmin()) + 1}")
    last = trace.parameters.get(experiment.steps)
    if last is not None and not is_finite(last):
        raise Diverged(f"parameters are not finite after step {experiment.steps}")
    curves = Curves(experiment.network)
    if len(losses):
        curves.add_losses(losses)
    for step in _chosen(sorted(set(trace.parameters) - {0})):
        scores = _scores(trace.parameters[step], experiment, prepared)
        curves.add_point(step, np.nan, scores, trace.parameters[step])
    arrays = curves.arrays()
    arrays.pop("train_s", None)  # nothing was timed
    outcome.arrays = arrays
    if last is not None:
        outcome.arrays["first_weights"] = np.asarray(last[0][0])
        outputs = _outputs(last, experiment, prepared.test.inputs)
        outcome.columns.set(**score_columns(_scores(last, experiment, prepared)))
        _store_outputs(outcome, experiment, prepared, outputs)
        return
    given = trace.final_outputs if experiment.steps else trace.outputs
    if given is not None and len(given) == len(prepared.test):
        score = scoring.score(given, prepared.test, experiment.loss)
        outcome.columns.set(**score_columns({"test": Score(*score)}))
        _store_outputs(outcome, experiment, prepared, given)
    outcome.columns.status_detail = _what_is_empty(experiment, trace)


def _what_is_empty(experiment: Experiment, trace: Trace) -> str | None:
    """Say that there is no result, and what would give one."""
    if not experiment.steps:
        return None
    has = f"; it has those after step {max(trace.parameters)}" if any(trace.parameters) else ""
    return (
        f"handed back no parameters after step {experiment.steps}, the last one{has}: nothing of "
        "the trained network is scored but what was handed back"
    )


def _chosen(steps: list[int]) -> list[int]:
    if len(steps) <= POINTS_AT_MOST:
        return steps
    places = np.linspace(0, len(steps) - 1, POINTS_AT_MOST).round().astype(int)
    return [steps[place] for place in places]


def _scores(parameters: Parameters, experiment: Experiment, prepared: Prepared) -> Scores:
    """Loss and accuracy of every subset that has rows."""
    subsets = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    return {
        name: Score(
            *scoring.score(_outputs(parameters, experiment, subset.inputs), subset, experiment.loss)
        )
        for name, subset in subsets.items()
        if len(subset)
    }


def _outputs(parameters: Parameters, experiment: Experiment, inputs: Array) -> Array:
    """Raw outputs (rows, outputs) of the oracle with these parameters, in float64."""
    oracle = Reference(experiment, parameters, inputs, None)
    blocks = [
        oracle.predict(inputs[first : first + BLOCK_ROWS])
        for first in range(0, len(inputs), BLOCK_ROWS)
    ]
    return np.concatenate(blocks) if blocks else np.zeros((0, experiment.network.outputs))


def _store_outputs(
    outcome: Outcome, experiment: Experiment, prepared: Prepared, outputs: Array
) -> None:
    test = prepared.test
    outcome.arrays["test_outputs"] = outputs
    if test.labels is not None and (experiment.loss or experiment.network.outputs > 1):
        meaning = scoring.meaning_of(experiment.loss)
        right = scoring.right_rows(outputs, test.labels, meaning, test.middle)
        outcome.arrays["test_right"] = right


class _Handed:
    """Holds the parts of an answer against each other, as `Contradictions` does of a trainer."""

    def __init__(self, experiment: Experiment, prepared: Prepared, read: ReadAnswer) -> None:
        self.experiment, self.prepared, self.trace = experiment, prepared, read.trace
        self.dtype = "float64" if read.digits.exact else "float32"

    def contradiction(
        self, initial: Parameters, plan: start.BatchPlan | None, losses: Array
    ) -> str | None:
        """Return the first contradiction, in words; None without any."""
        contradictions = Contradictions(self.experiment, self.prepared, self.dtype)
        if plan is not None:
            by_step = {**self.trace.parameters, 0: initial}
            for step in _chosen([step for step in sorted(by_step) if step < len(losses)]):
                batches = plan.segment(step, step + 1)
                contradictions.look_at_loss(by_step[step], batches, losses[step:], step)
        return contradictions.found or self._of_outputs()

    def _of_outputs(self) -> str | None:
        last = self.trace.parameters.get(self.experiment.steps)
        outputs = self.trace.final_outputs
        if last is None or outputs is None or not self.experiment.steps:
            return None
        rows = self.prepared.test.inputs[:PREDICTED_ROWS]
        beyond = outputs_beyond_rounding(self.experiment, last, rows, outputs, self.dtype)
        if beyond <= OUTPUTS_TOLERANCE[self.dtype]:
            return None
        return (
            "its outputs after training are not those of its own parameters: they differ by "
            f"{beyond:.1e}, relative to the largest"
        )
