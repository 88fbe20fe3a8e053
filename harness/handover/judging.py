"""Climbs the ladder on what a program handed back, and says what the answer could not show."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.experiment.model import Experiment
from harness.handover import answer, folder
from harness.handover.folder import Handover, HandoverError
from harness.handover.layout import ANSWER, place_of
from harness.parity.answer import AnswerError, PartialAnswer
from harness.parity.digits import Digits
from harness.parity.findings import Finding
from harness.parity.partial import PartialVerdict, judge_partial

LOOP = "answer"
"""What a finding about a folder has in place of a loop."""
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
        raise HandoverError(f"{ANSWER}/{place_of(error.part)}: {error}") from error
    reason = "; ".join(filter(None, [*_of_changed(changed, verdict), remark, _reason(verdict)]))
    finding = Finding(
        str(exported),
        LOOP,
        "ladder",
        handover.experiment.name,
        verdict.same,
        reason,
        verdict.judgement,
    )
    return finding, [*given.remarks, *_remarks(verdict, changed)]


def _judged(handover: Handover, parts: PartialAnswer) -> tuple[PartialVerdict, str]:
    """The verdict, and which reading of the protocol's constants it is about, if not the first.

    A program may contain the constants as they are written, or have a framework round them.
    """
    dtype = "float32" if handover.dtype == "float32" else None
    exact = judge_partial(handover.experiment, handover.seed, parts, dtype)
    if not exact.different or not exact.digits.exact:
        return exact, ""
    rounded = judge_partial(_rounded(handover.experiment), handover.seed, parts, dtype)
    if rounded.different and (exact.causes or not rounded.causes):
        return exact, ""
    return rounded, AS_ROUNDED


def _rounded(experiment: Experiment) -> Experiment:
    return experiment.model_copy(update={"constants": "float32"})


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
        return f"{_listed(verdict.tell_apart[:1])} would tell them apart; "
    return "no number tells them apart; "


def _line(line: str) -> str:
    """The place in the page of the folder, for a line of the contract of adapters."""
    return next((place for start, place in PLACES.items() if line.startswith(start)), line)


PLACES = {
    "Task.parameters": "README.md: `start`, W of shape (inputs, outputs)",
    "Task.loss": "README.md, a step: 2, the loss with its means and sums",
    "Task.optimizer": "README.md, a step: 4, the update as stated, constants included",
    "Batches.learning_rates": "README.md: `learning_rates`, of every step",
    "Batches.rows": "README.md: `batch_rows`, the rows of every step",
    "Batches.sizes": "README.md: `batch_sizes`, the rows that count, in means too",
    "Task.network": "README.md: the network",
    "Task.inputs": "README.md: `inputs`, as they are; they are scaled already",
    "Task.targets": "README.md: `targets`, one of every row",
    "predict": "README.md: `outputs_before`, raw outputs in the order of the classes",
    "Task.l2": "README.md, a step: 2, the penalty in the loss is the only one",
    "advance: every": "README.md, a step: 4, every weight and bias",
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
    for part in verdict.missing:
        yield f"not handed back: {place_of(part.part)}; it would show {part.shows}"


def _precision(digits: Digits) -> str:
    if digits.exact:
        return ""
    what = "the numbers are float32 numbers, and judged as such"
    if digits.written is not None:
        what = f"the numbers were rounded to {digits.written} digits when they were written"
    return f"{what}; computed in float64 and written with 17 digits, they would show more"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(map(place_of, parts))
