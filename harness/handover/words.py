"""The verdict on an answer in words, about the files and the page that a program was given."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.handover.layout import GRADIENTS, folder_of_step, place_of
from harness.parity.answer import PartialAnswer
from harness.parity.digits import Digits
from harness.parity.partial import PartialVerdict

SEEN_LATER = (folder_of_step(0), GRADIENTS)
"""Parts that a right update shows to be right."""
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
    "Task.l1": "README.md: the loss, with the sum of |w| and its derivative at 0",
    "Task.clipping": "README.md: the update, from the clipped gradient on",
    "Task.max_norm": "README.md: the update, with the bounded norms at its end",
    "advance: every": "README.md: every weight and bias is updated",
    "advance: returns": "README.md: `losses`, of every step before its update",
    "parameters": "README.md: what to hand back, weights of shape (inputs, outputs)",
    "Task.dtype": "README.md: the precision",
}
"""Where the page says what a line of the contract says, by how the line begins."""


def reason(verdict: PartialVerdict) -> str:
    """Return what is different, where the page says how it should be, and where it is seen."""
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


def of_changed(changed: Sequence[str], verdict: PartialVerdict) -> Iterator[str]:
    """Yield that files were changed since the export, where that may be the cause."""
    if changed and verdict.different:
        verb = "are" if len(changed) > 1 else "is"
        yield f"{_some(changed)} {verb} not as exported, so other numbers may have gone in"


def remarks(verdict: PartialVerdict, changed: Sequence[str]) -> Iterator[str]:
    """Yield what is worth knowing beside the verdict: precision, and what is missing."""
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


def not_finite(parts: PartialAnswer) -> Iterator[str]:
    """Yield the first loss, and the first parameters, that are not finite."""
    losses = parts.losses
    if not isinstance(losses, Mapping):
        losses = dict(enumerate(() if losses is None else losses, start=1))
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
