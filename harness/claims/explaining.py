"""Which ambiguous ingredient brings a number back, and which one loses it: one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.claims.finding import Finding
from harness.claims.judge import Judged, readings
from harness.claims.model import HOLDS, Variant, Verdict


@dataclass(frozen=True)
class Swap:
    """The claim's numbers with one ingredient swapped.

    Args:
        variant: what was swapped.
        before: the fields that it changes, as the protocol has them.
        findings: the numbers of the protocol, judged by the variant's trials.
    """

    variant: Variant
    before: str
    findings: tuple[Finding, ...]

    @property
    def ran(self) -> bool:
        """Whether there is anything to judge."""
        run = [finding.verdict != Verdict.NOT_RUN for finding in self.findings]
        return bool(run) and all(run)

    @property
    def gives_it(self) -> bool:
        """Whether all numbers come out with it."""
        return self.ran and all(finding.verdict in HOLDS for finding in self.findings)

    @property
    def unclear(self) -> bool:
        """Whether it comes out but for numbers whose spread is too wide to say."""
        verdicts = {finding.verdict for finding in self.findings}
        return Verdict.INCONCLUSIVE in verdicts and verdicts <= {*HOLDS, Verdict.INCONCLUSIVE}


def swappable(judged: Judged) -> tuple[Variant, ...]:
    """The variants that stand for another ingredient; `part`s belong to the claim itself."""
    return tuple(v for v in judged.claim.variants if v.role != "part")


def swaps(judged: Judged) -> list[Swap]:
    """Every ingredient that the claim lists, swapped alone."""
    return [
        Swap(
            variant,
            _before(judged, variant),
            readings(judged.claim, judged.samples, variant.name),
        )
        for variant in swappable(judged)
    ]


def _before(judged: Judged, variant: Variant) -> str:
    """`data.scale = divide_by_256`, for every field that the variant changes."""
    assert judged.claim.protocol is not None
    values = judged.claim.protocol.model_dump(mode="json", exclude_none=True)
    told = []
    for field in variant.changes:
        place = values
        for part in field.split("."):
            place = place.get(part, {}) if isinstance(place, dict) else {}
        told.append(f"{field} = {_short(place)}")
    return ", ".join(told)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_short(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)


def conclusion(judged: Judged, swapped: Sequence[Swap]) -> list[str]:
    """Which ingredients the number turns on, in sentences."""
    own = [finding.verdict for finding in judged.findings if not finding.variant]
    if not own or Verdict.NOT_RUN in own:
        return ["The protocol as registered has not run, so nothing can be said."]
    holds = all(verdict in HOLDS for verdict in own)
    ran = [swap for swap in swapped if swap.ran and not swap.unclear]
    turning = [swap for swap in ran if swap.gives_it != holds]
    keeping = [swap for swap in ran if swap.gives_it == holds]
    names = {id(swap): f"{swap.variant.name} (instead of {swap.before})" for swap in ran}
    told = []
    if turning:
        listed = "; ".join(names[id(swap)] for swap in turning)
        told.append(f"The number {'is lost' if holds else 'comes back'} with: {listed}.")
    elif ran:
        told.append(
            "No ingredient alone loses the number."
            if holds
            else "No ingredient alone brings the number back."
        )
    if keeping:
        what = "It comes out all the same with" if holds else "It stays away with"
        told.append(f"{what}: {', '.join(swap.variant.name for swap in keeping)}.")
    unclear = [swap.variant.name for swap in swapped if swap.unclear]
    if unclear:
        told.append(f"Spread too widely to say: {', '.join(unclear)}.")
    left_out = [swap.variant.name for swap in swapped if not swap.ran]
    if left_out:
        told.append(f"Not run: {', '.join(left_out)}.")
    return told
