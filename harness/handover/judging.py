"""Climbs the ladder on what a program handed back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.experiment.model import Experiment
from harness.handover import answer, folder, words
from harness.handover.folder import Handover, HandoverError
from harness.handover.layout import ANSWER, place_of
from harness.parameters import map_weights
from harness.parity.answer import AnswerError, PartialAnswer
from harness.parity.findings import Finding
from harness.parity.partial import PartialVerdict, judge_partial

LOOP = "answer"
"""What a finding about a folder has in place of a loop."""
TURNED = "square kernels are handed back as (outputs, inputs): write W.T"
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
    return judge(exported, folder.read(exported))


def judge(exported: Path, handover: Handover) -> tuple[Finding, list[str]]:
    """Judge the answer in a folder to what is known to be handed over, whatever the folder says.

    Returns and raises what `check` does.
    """
    given = answer.read(exported, handover.experiment)
    changed = folder.changed_files(exported, handover)
    try:
        verdict, remark = _judged(handover, given.parts)
    except AnswerError as error:
        raise HandoverError(f"{exported / ANSWER}/{place_of(error.part)}: {error}") from error
    reasons = [*words.of_changed(changed, verdict), *words.not_finite(given.parts), remark]
    finding = Finding(
        str(exported),
        LOOP,
        "ladder",
        handover.experiment.name,
        verdict.same,
        "; ".join(filter(None, [*reasons, words.reason(verdict)])),
        verdict.judgement,
    )
    return finding, [*given.remarks, *words.remarks(verdict, changed)]


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
    if not any(_is_square(layer) for layer in experiment.network.weight_shapes):
        return None

    def turn(parameters: Any) -> Any:
        return map_weights(lambda W: W.T if _is_square(W.shape) else W, parameters)

    return replace(
        parts,
        gradients=None if parts.gradients is None else turn(parts.gradients),
        parameters={step: turn(of_step) for step, of_step in (parts.parameters or {}).items()}
        or None,
    )


def _is_square(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] == shape[1] > 1
