"""The verdict on somebody's own loop in words: line by line, for any screen."""

from collections.abc import Iterator

from harness.parity.partial import PartialVerdict


def lines_of(verdict: PartialVerdict) -> list[str]:
    """Return the verdict, what it rests on, and what was not handed back, a sentence each."""
    return [_verdict(verdict), *_details(verdict)]


def _verdict(verdict: PartialVerdict) -> str:
    """`different: the loss is summed over the batch, not averaged; seen first in ...`."""
    judgement = verdict.judgement
    if not verdict.different:
        reason = f": {judgement.reason}" if judgement.reason else ""
        return f"{judgement.verdict}{reason}"
    seen = f"seen first in {judgement.reason}"
    if verdict.causes:
        return f"{judgement.verdict}: {', or '.join(verdict.causes)}; {seen}"
    return "; ".join((f"{judgement.verdict}: {seen}", *verdict.notes, "no known cause is shown"))


def _details(verdict: PartialVerdict) -> Iterator[str]:
    yield f"compared: {', '.join(verdict.compared)}{_precision(verdict)}"
    if verdict.line:
        yield f"contract: {verdict.line}"
    if len(verdict.causes) > 1:
        yield _what_tells_them_apart(verdict)
    for missing in verdict.missing:
        yield f"not handed back: {missing.part}; it would show {missing.shows}"


def _precision(verdict: PartialVerdict) -> str:
    digits = verdict.digits
    if digits.written is not None:
        return f"; the numbers have {digits.written} digits, and are compared as far as these go"
    if digits.dtype == "float32":
        return "; the numbers are float32, and are compared as far as rounding to float32 allows"
    return ""


def _what_tells_them_apart(verdict: PartialVerdict) -> str:
    if verdict.tell_apart:
        return f"these would tell the causes apart: {', '.join(verdict.tell_apart)}"
    return "no number of this protocol tells the causes apart"
