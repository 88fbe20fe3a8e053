"""Find which unstated details a published number depends on, changing one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.claims.judge import Judged, readings
from harness.claims.judge_number import Finding
from harness.claims.model import HOLDS, Variant, Verdict


@dataclass(frozen=True)
class Swap:
    """The claim's numbers with one unstated detail changed.

    Args:
        variant: what was changed.
        before: the changed fields, as the protocol has them.
        findings: the numbers of the protocol, judged by the variant's trials.
    """

    variant: Variant
    before: str
    findings: tuple[Finding, ...]

    @property
    def ran(self) -> bool:
        """Whether every number was measured."""
        not_run = [finding.verdict == Verdict.NOT_RUN for finding in self.findings]
        return bool(not_run) and not any(not_run)

    @property
    def gives_it(self) -> bool:
        """Whether this variant gives all published numbers."""
        return self.ran and all(finding.verdict in HOLDS for finding in self.findings)

    @property
    def unclear(self) -> bool:
        """Whether this variant gives the numbers except those whose spread is too wide to judge."""
        verdicts = {finding.verdict for finding in self.findings}
        return Verdict.INCONCLUSIVE in verdicts and verdicts <= {*HOLDS, Verdict.INCONCLUSIVE}


def swappable(judged: Judged) -> tuple[Variant, ...]:
    """Return the variants that change a detail; a `part` belongs to the claim itself."""
    return tuple(v for v in judged.claim.variants if v.role != "part")


def swaps(judged: Judged) -> list[Swap]:
    """Return the claim with each detail changed alone."""
    return [
        Swap(
            variant,
            _before(judged, variant),
            readings(judged.claim, judged.samples, variant.name),
        )
        for variant in swappable(judged)
    ]


def _before(judged: Judged, variant: Variant) -> str:
    """Return such as `data.scale = divide_by_256`, of every field that the variant changes."""
    assert judged.claim.protocol is not None
    values = judged.claim.protocol.model_dump(mode="json", exclude_none=True)
    settings = []
    for field in variant.changes:
        value = values
        for name in field.split("."):
            value = value.get(name, {}) if isinstance(value, dict) else {}
        settings.append(f"{field} = {_short(value)}")
    return ", ".join(settings)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_short(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)


def conclusion(judged: Judged, swapped: Sequence[Swap]) -> list[str]:
    """Return in sentences which details the published number depends on."""
    registered = [finding.verdict for finding in judged.findings if not finding.variant]
    if not registered or Verdict.NOT_RUN in registered:
        return ["The protocol as registered has not run, so nothing can be concluded."]
    holds = all(verdict in HOLDS for verdict in registered)
    clear = [swap for swap in swapped if swap.ran and not swap.unclear]
    changing = [
        f"{swap.variant.name} (instead of {swap.before})"
        for swap in clear
        if swap.gives_it != holds
    ]
    unchanging = [swap.variant.name for swap in clear if swap.gives_it == holds]
    sentences = []
    if changing:
        sentences.append(
            f"The number {'is lost' if holds else 'comes back'} with: {'; '.join(changing)}."
        )
    elif clear:
        effect = "loses the number" if holds else "brings the number back"
        sentences.append(f"No unstated detail alone {effect}.")
    if unchanging:
        effect = "also holds with" if holds else "does not hold with these either"
        sentences.append(f"The number {effect}: {', '.join(unchanging)}.")
    unclear = [swap.variant.name for swap in swapped if swap.unclear]
    if unclear:
        sentences.append(f"The spread is too wide to judge: {', '.join(unclear)}.")
    not_run = [swap.variant.name for swap in swapped if not swap.ran]
    if not_run:
        sentences.append(f"Not run: {', '.join(not_run)}.")
    return sentences
