"""Why a trace differs: the oracle is rerun with known mistakes to find those that reproduce it.

A mistake is named only if it is shown to be the cause. It must reproduce everything the trace
holds: outputs, gradients, parameters at every kept step and losses. And where the trace differs
from the oracle's, the oracle with the mistake must differ by as much: what has no effect on a
protocol explains nothing in it. Mistakes that this protocol cannot tell apart are named together.
Where no mistake is shown, what the trace shows by sight is said, and where to look.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from harness.experiment.model import Experiment
from harness.parameters import like, map_weights
from harness.parity import layout, sight
from harness.parity.dropout_hypotheses import MASKS, dropout_hypotheses
from harness.parity.estimates import Case, first_wrong_step
from harness.parity.hypotheses import PRECISION, RETURNED, ROWS, Hypothesis, hypotheses
from harness.parity.image_hypotheses import image_hypotheses
from harness.parity.judgement import Judgement, Rung, first_failure
from harness.parity.loss_hypotheses import loss_hypotheses
from harness.parity.precision import low_precision
from harness.parity.rate_hypotheses import rate_hypotheses
from harness.parity.row_weights import other_rows
from harness.parity.rungs import compare, equal_tolerances
from harness.parity.schedule_hypotheses import schedule_hypotheses
from harness.parity.simulation import cut, finite_part, growth, mistaken_trace, shortened
from harness.parity.trace import FIRST_20_STEPS, Trace, expected_trace, kept_steps
from harness.parity.update_hypotheses import update_hypotheses
from harness.parity.usual_hypotheses import usual_hypotheses
from harness.trainer import Array, Parameters

REPRODUCED = 1e-9
"""Largest difference of a trace from the mistake that explains it."""
CLEARLY = 20
"""A mistake must leave at most so small a part of the difference that it explains."""
SCREENED_STEPS = 2
NAMED_AT_MOST = 4
GROWS_AT_MOST = 1e-5
"""Where rounding grows further, the numbers of a rung say nothing."""
DROPS_IN_PREDICT = "dropout is on in predict: outputs of two runs of it differ"
RANDOM = "Task and Batches: all that is drawn is given"


@dataclass(frozen=True)
class Explanation:
    """What a diagnosis found.

    Args:
        causes: the mistakes that are shown, in words; several if nothing tells them apart.
        line: of the contract, that the first of them breaks.
        notes: what is seen of single tensors, where no mistake is shown.
    """

    causes: tuple[str, ...] = ()
    line: str = ""
    notes: tuple[str, ...] = ()


def with_cause(
    judgement: Judgement,
    trace: Trace,
    experiment: Experiment,
    seed: int,
    other: Trace | None = None,
    suspects: list[str] | None = None,
) -> Judgement:
    """Return the judgement with the cause in words, and where it is seen first.

    Args:
        judgement: that the trace differs.
        trace: of the adapter, with its first 20 steps where they could be kept.
        experiment: of a proof's length.
        seed: of the trace's start.
        other: of another run of the same adapter, if there is one.
        suspects: causes that were named of the same adapter before, which are tried first; what
            is named now is added.
    """
    suspects = [] if suspects is None else suspects
    if other is not None and other.gradient_rate != trace.gradient_rate:
        other = other.with_gradients_of(trace)
    trace = _that_differs(trace, other, experiment, seed)
    seen = first_difference(trace, experiment, seed) or judgement.reason
    with np.errstate(all="ignore"):  # the trace may have diverged
        found = explain(trace, experiment, seed, other, suspects)
    suspects += [cause for cause in found.causes if cause not in suspects]
    if found.causes:
        words = ", or ".join(found.causes)
        equal = "no number here tells them apart; " if len(found.causes) > 1 else ""
        reason = f"{words} ({equal}contract: {found.line}); {seen}"
    else:
        case = Case(
            trace, expected_trace(experiment, seed, kept_steps(trace, experiment)), experiment, seed
        )
        place = sight.where_to_look(judgement, case)
        reason = "; ".join((seen, *found.notes, "no known mistake reproduces it", place))
    return dataclasses.replace(judgement, reason=reason)


def explain(
    trace: Trace,
    experiment: Experiment,
    seed: int,
    other: Trace | None = None,
    suspects: Collection[str] = (),
) -> Explanation:
    """Return the mistakes that are shown to be the cause, or what is seen without one."""
    expected = expected_trace(experiment, seed, kept_steps(trace, experiment))
    problem, line = layout.layout_problem(trace, expected)
    if problem:
        return Explanation((problem,), line)
    if layout.is_view(trace, expected):
        return Explanation(
            ("parameters returns views, not copies: all are those of the end",), RETURNED
        )
    trace, other_layout = layout.put_right(trace, expected)
    other = None if other is None else layout.put_right(other, expected)[0]
    case = Case(trace, expected, experiment, seed)
    found = Explanation()
    if first_failure(compare(trace, expected)) is not None:
        found = _explained(case, other, suspects)
    if not other_layout:
        return found
    causes = tuple(" and ".join((*other_layout, cause)) for cause in found.causes)
    return dataclasses.replace(found, causes=causes or tuple(other_layout), line=RETURNED)


def _explained(case: Case, other: Trace | None, suspects: Collection[str]) -> Explanation:
    """The explanation of a trace in the contract's layout that differs."""
    where = sight.draws_random_numbers(case.trace, other)
    if where:
        if where == "outputs" and case.experiment.network.dropout_layers:
            return Explanation((DROPS_IN_PREDICT,), MASKS)
        first = "" if where == "start" else f", first in {where}"
        words = "initial weights" if where == "start" else "random numbers"
        return Explanation((f"it draws {words} of its own: two runs of it differ{first}",), RANDOM)
    if sight.float32_throughout(case.trace, case.expected):
        return Explanation(("it computes in float32 inside a float64 proof",), PRECISION)
    causes = diagnose(case, suspects)
    if causes:
        different = tuple(dict.fromkeys(cause.words for cause in causes))
        return Explanation(different[:NAMED_AT_MOST], causes[0].line)
    bits = low_precision(case)
    if bits:
        return Explanation((bits,), PRECISION)
    rows = other_rows(case)
    if rows:
        return Explanation((rows,), ROWS)
    return Explanation(notes=tuple(sight.notes(case)))


def diagnose(case: Case, suspects: Collection[str] = ()) -> list[Hypothesis]:
    """Return the hypotheses that reproduce a trace, the plainest first.

    Of several, those are returned that have the fewest numbers read off the trace itself. Where
    one of the suspects, named by its words, reproduces the trace, no other is tried.
    """
    known = case.to_propose_from
    makers = (
        hypotheses,
        dropout_hypotheses,
        image_hypotheses,
        loss_hypotheses,
        rate_hypotheses,
        schedule_hypotheses,
        update_hypotheses,
    )
    every = list(chain.from_iterable(make(known) for make in makers))
    if case.is_own_loop:
        every = [*every, *usual_hypotheses(known)]
        every = [hypothesis for hypothesis in every if not hypothesis.is_of_calls]
    suspected = [hypothesis for hypothesis in every if hypothesis.words in suspects]
    return _that_reproduce(suspected, case) or _that_reproduce(every, case)


def _that_reproduce(tried: Sequence[Hypothesis], case: Case) -> list[Hypothesis]:
    first_steps = _Part.of(case, SCREENED_STEPS)
    candidates = list(tried)
    if first_steps.rungs:
        candidates = [h for h in tried if _reproduces(h, first_steps)]
    shown = _shown(candidates, case, with_growth=False)
    if not shown and case.digits.exact:
        shown = _shown(candidates, case, with_growth=True)
    # that the start is the adapter's own is said only where no mistake explains the start
    shown = [h for h in shown if not h.own_start] or shown
    fewest = min((h.estimated for h in shown), default=0)
    return [h for h in shown if h.estimated == fewest]


def _shown(candidates: list[Hypothesis], case: Case, with_growth: bool) -> list[Hypothesis]:
    """Those that reproduce the trace: first a little beyond what is wrong first, then all of it.

    Args:
        candidates: that reproduce its first steps.
        case: the trace.
        with_growth: whether rounding may part a mistake's trace from its own repetition.
    """
    beyond = first_wrong_step(case) + 2
    if SCREENED_STEPS < beyond < case.experiment.steps:
        part = _Part.of(case, beyond)
        has_same_calls = case.kept == FIRST_20_STEPS and beyond in case.trace.parameters
        candidates = [
            hypothesis
            for hypothesis in candidates
            if (hypothesis.depends_on_calls and not has_same_calls)
            or _reproduces(hypothesis, part, with_growth)
        ]
    whole = _Part.of(case, case.experiment.steps)
    return [hypothesis for hypothesis in candidates if _reproduces(hypothesis, whole, with_growth)]


def first_difference(trace: Trace, experiment: Experiment, seed: int) -> str:
    """Return `seen first in 3 steps: weights of layer 1 differ by 1e-3`, or "" without any."""
    expected = expected_trace(experiment, seed, kept_steps(trace, experiment))
    failed = first_failure(compare(trace, expected))
    if failed is None:
        return ""
    by = f" by {failed.difference:.1e}" if np.isfinite(failed.difference) else ""
    return f"seen first in {failed.where}{by}"


def _that_differs(trace: Trace, other: Trace | None, experiment: Experiment, seed: int) -> Trace:
    """The trace, or the other run where that alone differs: its calls of `advance` are longer."""
    expected = expected_trace(experiment, seed, kept_steps(trace, experiment))
    right = first_failure(compare(trace, expected)) is None
    return other if right and other is not None else trace


# ---------------------------------------------------------------- what reproduces a trace


@dataclass(frozen=True)
class _Part:
    """The first steps of a trace that differs, to be reproduced.

    Args:
        experiment: of so many steps.
        seed: of the start.
        kept: steps whose parameters are kept, each the end of a call.
        trace: of the adapter, as far as it is finite.
        expected: of the oracle.
        rungs: the one compared with the other.
        exact: whether the trace's numbers are float64 numbers with all of their digits.
    """

    experiment: Experiment
    seed: int
    kept: tuple[int, ...]
    trace: Trace
    expected: Trace
    rungs: tuple[Rung, ...]
    exact: bool

    @classmethod
    def of(cls, case: Case, steps: int) -> "_Part":
        """Return the first steps of a case."""
        trace, expected = finite_part(cut(case.trace, steps)), cut(case.expected, steps)
        experiment = shortened(case.experiment, steps)
        tolerances, eps = case.digits.tolerances(experiment, case.seed)
        rungs = compare(trace, expected, tolerances, eps)
        exact = case.digits.exact
        return cls(experiment, case.seed, case.kept, trace, expected, rungs, exact)


def _reproduces(hypothesis: Hypothesis, part: _Part, with_growth: bool = False) -> bool:
    """Whether the oracle with this mistake leaves this part of the trace, but for rounding."""
    start = part.trace.parameters.get(0) if hypothesis.own_start else None
    run = (part.experiment, part.seed, hypothesis.switches, start, part.kept)
    simulated = mistaken_trace(*run)
    kept = {step: v for step, v in simulated.parameters.items() if step in part.trace.parameters}
    variants = _as_shown(dataclasses.replace(simulated, parameters=kept), hypothesis, part.trace)
    if not with_growth:
        return any(_explains(variant, part, {}) for variant in variants)
    variants = [variant for variant in variants if _begins_like(variant, part)]
    if not variants:
        return False
    grown = growth(*run)
    return any(_explains(variant, part, grown) for variant in variants)


def reproduced(case: Case, hypothesis: Hypothesis) -> Trace:
    """Return the whole trace that the oracle leaves with a mistake."""
    start = case.trace.parameters.get(0) if hypothesis.own_start else None
    return mistaken_trace(case.experiment, case.seed, hypothesis.switches, start, case.kept)


def _explains(simulated: Trace, part: _Part, grown: dict[str, float]) -> bool:
    """Whether the simulated trace leaves nothing of the difference, on any rung.

    The lowest rung that does not hold must be explained clearly.

    Args:
        simulated: of the oracle with a mistake.
        part: of the adapter's trace.
        grown: how far rounding parts the simulated trace from itself, per rung.
    """
    common = set(part.trace.parameters) & set(part.expected.parameters)
    if not set(simulated.parameters) >= common:
        return False
    remaining = {
        rung.name: rung.difference for rung in compare(part.trace, simulated, equal_tolerances(1.0))
    }
    failed = first_failure(part.rungs)
    if failed is not None and not _is_clear(failed, remaining, grown):
        return False
    if not part.exact:
        return all(remaining.get(rung.name, np.inf) <= rung.tolerance for rung in part.rungs)
    return all(
        remaining.get(rung.name, np.inf) <= _allowed(rung, grown.get(rung.name, 0.0))
        for rung in part.rungs
    )


def _begins_like(simulated: Trace, part: _Part) -> bool:
    """Whether the mistake has the effect that is seen first, and its losses go on like that.

    Only then it is worth to measure how far rounding parts the simulated trace from itself.
    """
    failed = first_failure(part.rungs)
    made = {r.name: r.difference for r in compare(simulated, part.expected, equal_tolerances(1.0))}
    if failed is None or made.get(failed.name, np.inf) < failed.difference / 2:
        return False
    losses, right, wrong = part.trace.losses, simulated.losses, part.expected.losses
    if losses is None or right is None or wrong is None or losses.shape != right.shape:
        return True
    first = int(np.argmax(np.abs(losses - wrong) > REPRODUCED * np.nanmax(np.abs(wrong))))
    gaps = np.abs(losses - right)[: first + 3]
    return not (gaps > REPRODUCED * np.nanmax(np.abs(losses[: first + 3]))).any()


def _is_clear(failed: Rung, remaining: dict[str, float], grown: dict[str, float]) -> bool:
    """Whether the first difference is explained, and is no rounding of the mistake's own."""
    rounding = max(remaining.get(failed.name, np.inf), grown.get(failed.name, 0.0))
    if not np.isfinite(failed.difference):
        return rounding <= REPRODUCED
    return rounding <= failed.difference / CLEARLY


def _allowed(rung: Rung, grown: float) -> float:
    """How far the simulated trace may be from the adapter's, on a rung."""
    if grown > GROWS_AT_MOST or np.isnan(grown):
        return np.inf
    plain = max(10 * rung.tolerance, 1e-11)
    if not rung.passed:
        plain = min(REPRODUCED, max(rung.difference / CLEARLY, 1e-12))
    return max(plain, 10 * grown)


def _as_shown(simulated: Trace, hypothesis: Hypothesis, trace: Trace) -> list[Trace]:
    """How an adapter with this mistake may show its parameters.

    One that reads a kernel the wrong way round may show it the same wrong way round, so that it
    looks right from outside; one without biases may show anything in their place.
    """
    layer = hypothesis.switches.transposed
    if layer is not None:
        return [simulated, _mapped(simulated, lambda pairs, _: _turned_back(pairs, layer), trace)]
    if hypothesis.switches.biases == "missing":
        return [_mapped(simulated, _with_biases_of, trace)]
    return [simulated]


def _mapped(
    simulated: Trace, function: Callable[[Parameters, Parameters], Parameters], trace: Trace
) -> Trace:
    parameters = {
        step: function(pairs, trace.parameters[step])
        for step, pairs in simulated.parameters.items()
        if step in trace.parameters
    }
    gradients = simulated.gradients
    if trace.gradients:
        gradients = function(simulated.gradients, trace.gradients)
    return dataclasses.replace(simulated, parameters=parameters, gradients=gradients)


def _misread(W: Array) -> Array:
    """Return weights in PyTorch's order, as numbers of the contract's shape."""
    return np.moveaxis(W, (-1, -2), (0, 1)).reshape(W.shape)


def _turned_back(pairs: Parameters, layer: int | str) -> Parameters:
    turned = map_weights(_misread, pairs)
    return [
        other if layer in (index, "all") else entry
        for index, (entry, other) in enumerate(zip(pairs, turned, strict=True))
    ]


def _with_biases_of(pairs: Parameters, others: Parameters) -> Parameters:
    return [
        like(entry, [entry[0], *other[1:]]) if entry else entry
        for entry, other in zip(pairs, others, strict=True)
    ]
