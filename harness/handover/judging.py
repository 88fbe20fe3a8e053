"""Climbs the ladder on what a program handed back, and says what the answer could not show."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment.model import Experiment
from harness.handover import answer, folder
from harness.handover.folder import Handover, HandoverError
from harness.handover.layout import ANSWER, GRADIENTS, folder_of_step, place_of
from harness.parity.answer import AnswerError, PartialAnswer
from harness.parity.digits import Digits
from harness.parity.findings import Finding
from harness.parity.partial import PartialVerdict, judge_partial

LOOP = "answer"
"""What a finding about a folder has in place of a loop."""
TURNED = "square kernels are handed back as (outputs, inputs): write W.T"
SEEN_LATER = (folder_of_step(0), GRADIENTS)
"""Parts that a right update shows to be right."""
ROUNDED_AT_MOST = 1e-3
"""Rounded constants differ by 1e-8, and 1 - beta2 by 1e-5; what is seen first is of that size."""
AS_ROUNDED = (
    "with the protocol's constants rounded to float32, as some frameworks round them; in the "
    "folder they are as written"
)


def check(exported: Path) -> tuple[Finding, list[str]]:
    """Judge the answer in an exported folder.

    Returns:
        What is found, and remarks: what was not read, and what more would show.

    Raises:
        HandoverError: the folder or its answer cannot be used.
        harness.data.fetching.DataMissingError: the data of the protocol is not here.
    """
    handover = folder.read(exported)
    given = answer.read(exported, handover.experiment)
    changed = folder.changed_files(exported, handover)
    try:
        verdict, remark = _judged(handover, given.parts)
    except AnswerError as error:
        raise HandoverError(f"{exported / ANSWER}/{place_of(error.part)}: {error}") from error
    reasons = [*_of_changed(changed, verdict), *_not_finite(given.parts), remark, _reason(verdict)]
    finding = Finding(
        str(exported),
        LOOP,
        "ladder",
        handover.experiment.name,
        verdict.same,
        "; ".join(filter(None, reasons)),
        verdict.judgement,
    )
    return finding, [*given.remarks, *_remarks(verdict, changed)]


def _judged(handover: Handover, parts: PartialAnswer) -> tuple[PartialVerdict, str]:
    """The verdict, and which reading of the protocol's constants it is about, if not the first.

    A program may contain the constants as they are written, or have a framework round them.
    """
    dtype = "float32" if handover.dtype == "float32" else None
    readings = {"": handover.experiment}
    readings[AS_ROUNDED] = handover.experiment.model_copy(update={"constants": "float32"})

    def judged(remark: str, name_causes: bool) -> PartialVerdict:
        return judge_partial(readings[remark], handover.seed, parts, dtype, name_causes)

    for remark in readings:
        verdict = judged(remark, name_causes=False)
        failed = verdict.first_failure
        if verdict.same or failed is None:
            return verdict, remark
    exact = judged("", name_causes=True)
    if exact.causes or not exact.different:
        return exact, ""
    if exact.digits.exact and failed is not None and failed.difference <= ROUNDED_AT_MOST:
        rounded = judged(AS_ROUNDED, name_causes=True)
        if rounded.causes:
            return rounded, AS_ROUNDED
    turned = _turned(handover.experiment, parts)
    if turned is not None:
        right = judge_partial(handover.experiment, handover.seed, turned, dtype, name_causes=False)
        if right.same:
            return replace(exact, causes=(TURNED,), line="parameters"), ""
    return exact, ""


def _turned(experiment: Experiment, parts: PartialAnswer) -> PartialAnswer | None:
    """The answer with its square kernels turned round; None without any.

    Other kernels show by their shape that they are transposed.
    """
    is_square = [inputs == outputs > 1 for inputs, outputs in experiment.network.shapes]
    if not any(is_square):
        return None

    def turn(pairs: Any) -> Any:
        return [(W.T if turns else W, b) for turns, (W, b) in zip(is_square, pairs, strict=True)]

    return replace(
        parts,
        gradients=None if parts.gradients is None else turn(parts.gradients),
        parameters={step: turn(pairs) for step, pairs in (parts.parameters or {}).items()} or None,
    )


# ---------------------------------------------------------------- words


def _reason(verdict: PartialVerdict) -> str:
    judgement = verdict.judgement
    if not verdict.different:
        return judgement.reason
    seen = f"seen first in {judgement.reason}"
    if verdict.causes:
        return f"{', or '.join(verdict.causes)} ({_equal(verdict)}{_line(verdict.line)}); {seen}"
    return "; ".join([seen, *verdict.notes, "no known mistake reproduces it"])


def _equal(verdict: PartialVerdict) -> str:
    """What tells causes apart, where there are several."""
    if len(verdict.causes) < 2:
        return ""
    if verdict.tell_apart:
        return f"{place_of(verdict.tell_apart[0])} would tell them apart; "
    return "no number tells them apart; "


def _line(line: str) -> str:
    """The place in the page of the folder, for a line of the contract of adapters."""
    return next((place for start, place in PLACES.items() if line.startswith(start)), line)


PLACES = {
    "Task.parameters": "README.md: `start`, W of shape (inputs, outputs)",
    "Task.loss": "README.md: the loss, with its means and sums",
    "Task.optimizer": "README.md: the update as stated, constants included",
    "Batches.learning_rates": "README.md: `learning_rates`, of every step",
    "Batches.rows": "README.md: `batch_rows`, the rows of every step",
    "Batches.sizes": "README.md: `batch_sizes`, the rows that count, in means too",
    "Task.network": "README.md: the network",
    "Task.inputs": "README.md: `inputs`, as they are; they are scaled already",
    "Task.targets": "README.md: `targets`, one of every row",
    "predict": "README.md: `outputs_before`, raw outputs in the order of the classes",
    "Task.l2": "README.md: no penalty or decay but what the loss has",
    "advance: every": "README.md: every weight and bias is updated",
    "advance: returns": "README.md: `losses`, of every step before its update",
    "parameters": "README.md: what to hand back, weights of shape (inputs, outputs)",
    "Task.dtype": "README.md: the precision",
}
"""Where the page says what a line of the contract says, by how the line begins."""


def _of_changed(changed: Sequence[str], verdict: PartialVerdict) -> Iterator[str]:
    if changed and verdict.different:
        verb = "are" if len(changed) > 1 else "is"
        yield f"{_some(changed)} {verb} not as exported, so other numbers may have gone in"


def _remarks(verdict: PartialVerdict, changed: Sequence[str]) -> Iterator[str]:
    if changed and not verdict.different:
        yield f"changed or removed since the export: {_some(changed)}"
    yield from filter(None, [_precision(verdict.digits)])
    missing = verdict.missing
    if _is_seen_later(verdict):
        missing = tuple(each for each in missing if place_of(each.part) not in SEEN_LATER)
    if verdict.different and len(verdict.causes) != 1:
        for each in missing:
            yield f"{place_of(each.part)} was not handed back; it would show {each.shows}"
    elif missing:
        names = ", ".join(place_of(each.part) for each in missing)
        yield f"not handed back, and so not compared: {names}"


def _is_seen_later(verdict: PartialVerdict) -> bool:
    """Whether what comes later is right, and could not be without the start."""
    return verdict.same and "1 update" in verdict.compared


def _not_finite(parts: PartialAnswer) -> Iterator[str]:
    """The first loss, and the first parameters, that are not finite."""
    losses = (
        parts.losses
        if isinstance(parts.losses, Mapping)
        else dict(
            enumerate(() if parts.losses is None else np.asarray(parts.losses).tolist(), start=1)
        )
    )
    for step, loss in losses.items():
        if not math.isfinite(loss):
            yield f"the loss of step {step} is {loss}"
            break
    for step, pairs in (parts.parameters or {}).items():
        if not all(np.isfinite(v).all() for pair in pairs for v in pair if v is not None):
            yield f"{folder_of_step(step)} has numbers that are not finite"
            break


def _precision(digits: Digits) -> str:
    if digits.exact:
        return ""
    what = "the numbers have the digits of float32, and are judged as such"
    if digits.written is not None:
        what = f"the numbers were rounded to {digits.written} digits when they were written"
    return f"{what}; computed in float64 and written with 17 digits, they would show more"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
