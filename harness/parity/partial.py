"""Judge a part of a trace: what somebody's own loop hands back, and no more than it shows.

The rungs are those of the ladder, as far as there is something to compare. A mistake is named only
if it reproduces all that was handed back and is more than a coincidence; where several do, it is
said what would tell them apart. What is missing is said, and what it would show.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.training import Evaluation, Length
from harness.parity import diagnosis, ladder, sight
from harness.parity.answer import PartialAnswer, read_answer
from harness.parity.digits import DIGITS_OF_FLOAT32, Digits
from harness.parity.estimates import Case, first_wrong_step
from harness.parity.evidence import is_no_coincidence
from harness.parity.functions import Floats
from harness.parity.hypotheses import LOSSES, RETURNED, ROWS, Hypothesis
from harness.parity.judgement import Judgement, Rung, Verdict, first_failure
from harness.parity.missing import Missing, missing_parts, telling_parts
from harness.parity.row_weights import other_rows
from harness.parity.rungs import compare, rung_name
from harness.parity.simulation import cut, shortened
from harness.parity.trace import Trace, expected_trace, kept_steps
from harness.start import initial_parameters
from harness.trainer import Parameters

PARTS = (2, 12)
"""First steps that are judged by themselves: later, rounding has grown and hides more."""
SAYS_SOMETHING = 1e-2
"""A rung with a larger tolerance shows nothing."""
EARLY = {"gradients", rung_name(1), rung_name(2)}
CAUSES_TRIED = 400
FLOP_AT_MOST = 2e12
"""A diagnosis that would take more is not begun: minutes."""


def handed_out(experiment: Experiment, steps: int | None = None) -> Experiment:
    """Return the protocol that a loop of its own is to follow.

    Args:
        experiment: the protocol, whole.
        steps: how many; by default as many as a proof has, at most 100.

    Raises:
        ValueError: the protocol does not have so many steps.
    """
    proof = proof_of(experiment)
    if experiment.training is None:
        if steps:
            raise ValueError(f"steps: {experiment.name} has no training, so 0 steps. Got {steps}")
        return proof
    if steps is None:
        return proof
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= experiment.steps:
        raise ValueError(
            f"steps: must be a whole number, 1 to {experiment.steps}, the length of "
            f"{experiment.name}. Got {steps!r}"
        )
    length = {"length": Length(steps=steps), "evaluation": Evaluation(every_steps=steps)}
    assert proof.training is not None
    return proof.model_copy(update={"training": proof.training.model_copy(update=length)})


@dataclass(frozen=True)
class PartialVerdict:
    """What a part of a trace shows.

    Args:
        judgement: the verdict with its reason and its rungs. `NOT_COMPARABLE` where nothing that
            was handed back could show a difference.
        digits: how exact the numbers were.
        step: the first step that goes wrong, counted from 1; 0 for the start and the first
            outputs; None where nothing differs, or where steps before are not known to be right.
        causes: the mistakes that are shown, in words; several where nothing tells them apart.
        line: of the contract, that the first cause breaks; "" without a cause.
        notes: what is seen of single tensors, where no mistake is shown.
        tell_apart: parts that were not handed back and would tell the causes apart, in words.
        missing: what was not handed back, and what it would show.
    """

    judgement: Judgement
    digits: Digits
    step: int | None = None
    causes: tuple[str, ...] = ()
    line: str = ""
    notes: tuple[str, ...] = ()
    tell_apart: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def same(self) -> bool:
        """Whether all that was handed back is what the protocol says, and it shows something."""
        return self.judgement.proven

    @property
    def different(self) -> bool:
        """Whether something that was handed back is not what the protocol says."""
        return self.judgement.verdict == Verdict.DIFFERENT

    @property
    def first_failure(self) -> Rung | None:
        """The lowest rung that does not hold."""
        return self.judgement.first_failure

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of the rungs that were compared, in order."""
        return tuple(rung.name for rung in self.judgement.rungs)


def judge_partial(
    experiment: Experiment,
    seed: int,
    answer: PartialAnswer,
    dtype: str | None = None,
    name_causes: bool = True,
) -> PartialVerdict:
    """Judge what a loop handed back.

    Args:
        experiment: the protocol as `handed_out` returns it.
        seed: of the start and the batches.
        answer: what the loop hands back.
        dtype: the precision that the loop computed in, "float64" or "float32"; by default the
            numbers say it.
        name_causes: whether to look for the mistake where something differs, which takes seconds.

    Raises:
        AnswerError: a part cannot be compared; the message says why and what to hand back.
    """
    start = initial_parameters(experiment, seed, "float64")
    read = read_answer(answer, experiment, start, dtype)
    trace, digits = read.trace, read.digits
    judgement = _judged(trace, experiment, seed, digits)
    missing = missing_parts(trace, experiment)
    undecided = PartialVerdict(judgement, digits, missing=missing)
    failed = judgement.first_failure
    if judgement.proven or failed is None or not name_causes:
        return undecided
    expected = expected_trace(experiment, seed, kept_steps(trace, experiment))
    case = Case(trace, expected, experiment, seed, digits, is_own_loop=True)
    with np.errstate(all="ignore"):  # the loop may have diverged
        verdict = _explained(judgement, case, missing)
    if verdict.different:
        return verdict
    # rounding may have done it, but a mistake that does exactly this is no rounding
    reason = f"{failed.where} by {failed.difference:.1e}"
    refuted = replace(judgement, verdict=Verdict.DIFFERENT, reason=reason)
    return replace(verdict, judgement=refuted) if verdict.causes else undecided


# ---------------------------------------------------------------- the verdict


def _judged(trace: Trace, experiment: Experiment, seed: int, digits: Digits) -> Judgement:
    """The judgement of the first steps that differ by themselves, or of all steps."""
    for steps in sorted({*(n for n in PARTS if n < experiment.steps), experiment.steps}):
        part = cut(trace, steps)
        if steps == experiment.steps:
            part = trace
        elif not _has_training(part):
            continue
        judgement = _judged_whole(part, shortened(experiment, steps), seed, digits)
        if judgement.verdict == Verdict.DIFFERENT:
            return judgement
    return judgement


def _has_training(trace: Trace) -> bool:
    """Whether something of a trace was computed in training."""
    known = trace.losses is not None and (
        trace.unknown_losses is None or not trace.unknown_losses.all()
    )
    return known or bool(trace.gradients) or any(trace.parameters)


def _judged_whole(trace: Trace, experiment: Experiment, seed: int, digits: Digits) -> Judgement:
    if digits.written is not None:
        return _judged_as_written(trace, experiment, seed, digits)
    judgement = ladder.judge(trace, experiment, seed, digits.dtype)
    if judgement.proven and not _says_something(judgement, trace):
        failed = judgement.first_failure
        if failed is not None and judgement.verdict == Verdict.SAME_TO_FLOAT32:
            reason = (
                f"{failed.where} by {failed.difference:.1e}, which float32 can do where the input "
                "of a ReLU is nearly 0; the parameters after steps 1 and 2, or float64, would tell"
            )
            return replace(judgement, verdict=Verdict.NOT_COMPARABLE, reason=reason)
        reason = (
            f"{judgement.reason or 'rounding grows'}; what was handed back is of steps where two "
            "right loops differ as much"
        )
        return replace(judgement, verdict=Verdict.NOT_COMPARABLE, reason=reason)
    return judgement


def _says_something(judgement: Judgement, trace: Trace) -> bool:
    """Whether a rung could have failed that was handed back."""
    names = {rung.name for rung in judgement.rungs if rung.tolerance <= SAYS_SOMETHING}
    if judgement.verdict == Verdict.SAME_WHILE_COMPARABLE:
        return bool(names & EARLY) or trace.losses is not None
    if judgement.verdict == Verdict.SAME_TO_FLOAT32 and judgement.first_failure is not None:
        return bool(names & EARLY)  # a ReLU's kink excuses what is later
    return bool(names)


def _judged_as_written(
    trace: Trace, experiment: Experiment, seed: int, digits: Digits
) -> Judgement:
    """Numbers that were rounded when they were written are right as far as their digits go."""
    expected = expected_trace(experiment, seed, kept_steps(trace, experiment))
    rungs = compare(trace, expected, *digits.tolerances(experiment, seed))
    failed = first_failure(rungs)
    if failed is not None:
        return Judgement(Verdict.DIFFERENT, f"{failed.where} by {failed.difference:.1e}", rungs)
    assert digits.written is not None
    count = f"{digits.written} digit{'s' * (digits.written > 1)}"
    if digits.written >= DIGITS_OF_FLOAT32:
        return Judgement(Verdict.SAME_TO_FLOAT32, f"numbers of {count} were handed back", rungs)
    reason = (
        f"right as far as the {count} go that were handed back; hand back the numbers unrounded "
        "to have them proven"
    )
    return Judgement(Verdict.NOT_COMPARABLE, reason, rungs)


# ---------------------------------------------------------------- the cause


def _explained(judgement: Judgement, case: Case, missing: tuple[Missing, ...]) -> PartialVerdict:
    verdict = PartialVerdict(judgement, case.digits, _first_step(judgement, case), missing=missing)
    if _are_one_object(case):
        words = "the parameters of all steps are the same numbers: hand back copies, `W.copy()`"
        return replace(verdict, causes=(words,), line=RETURNED)
    if not _is_affordable(case):
        note = "the protocol is too large to look for the mistake without its first steps"
        return replace(verdict, notes=(note,))
    found = diagnosis.diagnose(case)
    shown = [h for h in found if is_no_coincidence(case, diagnosis.reproduced(case, h), h)]
    if shown:
        return _with_causes(verdict, case, shown)
    shifted = _shift(case)
    if shifted:
        return replace(verdict, causes=(shifted,), line=LOSSES)
    rows = other_rows(case.to_propose_from)
    if rows:
        return replace(verdict, causes=(rows,), line=ROWS)
    return replace(verdict, notes=tuple(sight.notes(_with_what_is_there(case))))


def _with_causes(
    verdict: PartialVerdict, case: Case, shown: Sequence[Hypothesis]
) -> PartialVerdict:
    by_words = {hypothesis.words: hypothesis for hypothesis in reversed(shown)}
    words = tuple(dict.fromkeys(h.words for h in shown))[: diagnosis.NAMED_AT_MOST]
    apart: tuple[str, ...] = ()
    if len(words) > 1:
        traces = [diagnosis.reproduced(case, by_words[each]) for each in words]
        apart = telling_parts(traces, case, verdict.missing)
    return replace(verdict, causes=words, line=shown[0].line, tell_apart=apart)


def _first_step(judgement: Judgement, case: Case) -> int | None:
    failed = judgement.first_failure
    if failed is None:
        return None
    if failed.name in ("start", "outputs"):
        return 0
    if failed.name == "gradients":
        return 1
    step = first_wrong_step(case)
    return step if step and _is_right_before(step, case) else None


def _is_right_before(step: int, case: Case) -> bool:
    """Whether something that was handed back of the step before shows that it is right."""
    losses, unknown = case.trace.losses, case.trace.unknown_losses
    has_loss = losses is not None and (unknown is None or not unknown[step - 1])
    return step == 1 or step - 1 in case.trace.parameters or has_loss


def _are_one_object(case: Case) -> bool:
    """Whether parameters of several steps are equal, and the protocol's are not."""
    steps = sorted(set(case.trace.parameters) & set(case.expected.parameters))
    if len(steps) < 2:
        return False
    found, right = case.trace.parameters, case.expected.parameters
    return _equal(found[steps[0]], found[steps[-1]]) and (
        all(_equal(found[step], found[steps[0]]) for step in steps)
        and not _equal(right[steps[0]], right[steps[-1]])
        and not _equal(found[steps[0]], case.expected.parameters[0])
    )


def _equal(pairs: Parameters, others: Parameters) -> bool:
    return all(
        a is None or np.array_equal(a, b)
        for pair, other in zip(pairs, others, strict=True)
        for a, b in zip(pair, other, strict=True)
        if b is not None
    )


def _is_affordable(case: Case) -> bool:
    first = cut(case.trace, PARTS[0])
    steps = PARTS[0] if _has_training(first) or first.outputs is not None else case.experiment.steps
    return CAUSES_TRIED * (steps + 1) * case.experiment.step_flop <= FLOP_AT_MOST


def _shift(case: Case) -> str:
    """In words, that losses are those of the step before or after; "" if they are not."""
    found, right = case.trace.losses, case.expected.losses
    if found is None or right is None or case.trace.unknown_losses is not None:
        return ""
    if len(found) < 3:
        return ""
    if _are_close(found[:-1], right[1:], case):
        return "losses are shifted by one step: the first is that of step 2"
    if _are_close(found[1:], right[:-1], case):
        return "losses are shifted by one step: the second is that of step 1"
    return ""


def _are_close(found: Floats, right: Floats, case: Case) -> bool:
    scale = float(np.abs(right).max(initial=0)) or 1.0
    return bool(np.abs(found - right).max() <= max(case.digits.insignificant, 1e-9) * scale)


def _with_what_is_there(case: Case) -> Case:
    """The case for notes: of gradients that were not handed back nothing is noted."""
    if case.trace.gradients:
        return case
    return replace(case, expected=replace(case.expected, gradients=[]))
