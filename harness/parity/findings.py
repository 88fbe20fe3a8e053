"""What a check of an adapter finds, protocol by protocol and rule by rule."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.experiment.vocabulary import Status
from harness.parity.judgement import Judgement, Verdict

EXCEPTION = r"[^\s(]+:\d+(?: in \S+)?: [\w.]+(?=:|\)|;|$)"
"""How a described exception begins: its place in the adapter and its type."""


def exception_in(text: str) -> str:
    """Return place and type of the exception that a text tells of; empty where there is none."""
    match = re.search(EXCEPTION, text)
    return match[0] if match else ""


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
        traceback: the whole of what was raised, if something was.
    """

    framework: str
    loop: str
    kind: Literal["ladder", "rule"]
    name: str
    holds: bool
    remark: str
    judgement: Judgement | None = None
    traceback: str = ""

    @property
    def exception(self) -> str:
        """Place and type of the exception that broke it, such as `mine.py:41 in step: KeyError`.

        Empty where nothing was raised. Two findings with the same one have the same cause.
        """
        return "" if self.holds else exception_in(self.remark)

    @property
    def is_undecided(self) -> bool:
        """Whether there are numbers to judge, and they show neither that it is right nor wrong."""
        judgement = self.judgement
        return (
            judgement is not None
            and judgement.verdict == Verdict.NOT_COMPARABLE
            and judgement.status == Status.OK
        )

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)
