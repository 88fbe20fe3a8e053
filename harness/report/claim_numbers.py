"""One number of a claim as text: published, measured, difference, and what is allowed."""

import numpy as np

from harness.claims.judge_number import Finding
from harness.claims.model import Verdict
from harness.claims.ruling import DIGITS

UNITS = {"fraction": "", "percent": " %", "number": ""}
HEADINGS = ("number", "published", "measured", "difference", "verdict", "why")


def finding_cells(finding: Finding) -> tuple[str, ...]:
    """Return the cells of a number, in the order of `HEADINGS`."""
    return (
        name(finding),
        published(finding),
        measured(finding),
        difference(finding),
        verdict(finding.verdict, finding.adjusted),
        why(finding),
    )


def verdict(raw: Verdict, adjusted: Verdict | None) -> str:
    """`BETTER (adjusted: CONSISTENT)`; the verdict alone where both are the same."""
    return raw.value if adjusted in (None, raw) else f"{raw.value} (adjusted: {adjusted.value})"


def why(finding: Finding) -> str:
    """Return the reason, with the p-values of a number that differs."""
    if finding.verdict not in (Verdict.BETTER, Verdict.WORSE) or finding.p_adjusted is None:
        return finding.why
    return f"{finding.why}; {_p_text('p', finding.p)}, {_p_text('adjusted p', finding.p_adjusted)}"


def _p_text(name: str, p: float | None) -> str:
    """`p = 0.042`, two digits; `p below 0.0001`."""
    return f"{name} below 0.0001" if (p or 0.0) < 1e-4 else f"{name} = {p:.2g}"


def name(finding: Finding) -> str:
    """`test accuracy [xavier]`: which number, of which variant."""
    return f"{finding.number} [{finding.variant}]" if finding.variant else finding.number


def published(finding: Finding) -> str:
    """Return the number as printed, with its unit."""
    unit = UNITS[finding.unit] if finding.published[:1].isdigit() else ""
    return f"{finding.published}{unit}"


def mean(finding: Finding) -> str:
    """`0.8789 ± 0.0021`; as many digits as were printed, at most six."""
    if not finding.measured:
        return "-"
    unit = UNITS[finding.unit]
    if finding.seeds == 1 and len(finding.measured) > 1:
        return "[" + ", ".join(f"{value:.8f}" for value in finding.measured) + "]"
    digits = _digits(finding)
    middle = f"{np.mean(finding.measured):.{digits}f}"
    spread = "" if finding.spread is None else f" ± {finding.spread:.{digits}f}"
    return f"{middle}{spread}{unit}"


def _digits(finding: Finding) -> int:
    printed = finding.published.partition(".")[2]
    if not printed and all(value == round(value) for value in finding.measured):
        return 0
    return min(max(len(printed) if printed.isdigit() else 0, DIGITS[finding.unit]), 6)


def measured(finding: Finding) -> str:
    """`0.8789 ± 0.0021 (5 seeds)`."""
    several = finding.measured and finding.spread is not None
    return f"{mean(finding)} ({finding.seeds} seeds)" if several else mean(finding)


def signed_difference(finding: Finding) -> str:
    """`-0.0021`: measured minus published."""
    if finding.difference is None:
        return "-"
    if _exactly_as_printed(finding):
        return "0"
    return f"{finding.difference:+.{DIGITS[finding.unit]}f}"


def _exactly_as_printed(finding: Finding) -> bool:
    """Whether the verdict is exact and the difference too small for its digits."""
    least = 10.0 ** -DIGITS[finding.unit]
    return finding.verdict == Verdict.EXACT and abs(finding.difference or 0.0) < least


def allowed(finding: Finding) -> str:
    """`± 0.0093 allowed`; "" where there is no tolerance."""
    if finding.difference is None or finding.tolerance is None or _exactly_as_printed(finding):
        return ""
    return f"± {finding.tolerance:.{DIGITS[finding.unit]}f} allowed"


def difference(finding: Finding) -> str:
    """`-0.0021 (± 0.0093 allowed)`."""
    tolerance = allowed(finding)
    text = signed_difference(finding)
    return f"{text} ({tolerance})" if tolerance else text
