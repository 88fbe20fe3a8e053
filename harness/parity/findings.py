"""What a check of an adapter finds, protocol by protocol and rule by rule."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.parity.judgement import Judgement


@dataclass(frozen=True)
class Finding:
    """One line of a check.

    Args:
        framework, loop: what was checked.
        kind: whether it is about a protocol of the ladder or about a rule.
        name: of the protocol or the rule.
        holds: whether the adapter passes.
        remark: how it fails, or what is worth knowing.
        judgement: the rungs, for the ladder.
    """

    framework: str
    loop: str
    kind: Literal["ladder", "rule"]
    name: str
    holds: bool
    remark: str
    judgement: Judgement | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)
