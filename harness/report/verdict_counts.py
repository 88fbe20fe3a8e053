"""What verdicts say together: how many of each, how many as registered, how many by chance."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.claims.judge import Judged
from harness.claims.loading import ledger
from harness.claims.model import Verdict

IN_WORDS = {
    Verdict.EXACT: "exact",
    Verdict.NEAR_EXACT: "nearly exact",
    Verdict.CONSISTENT: "consistent",
    Verdict.RATE: "true for a share of the seeds",
    Verdict.BETTER: "better than published",
    Verdict.WORSE: "worse than published",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.CODE_OUTPUT_MISMATCH: "cannot come from the printed code",
    Verdict.UNDER_SPECIFIED: "under-specified",
    Verdict.NOT_RUN: "not run",
}

NAMED_AT_MOST = 10


@dataclass(frozen=True)
class Tally:
    """A sentence on each subject; "" where there is nothing to say.

    Args:
        judged: how many claims, and how many of each verdict.
        not_run: how many claims have no rows.
        more: how many of the ledger's other claims can be run.
        registered: which verdicts are other than registered.
        by_chance: how many tests err.
    """

    judged: str = ""
    not_run: str = ""
    more: str = ""
    registered: str = ""
    by_chance: str = ""

    @property
    def sentences(self) -> list[str]:
        """What there is to say."""
        return [sentence for sentence in self.by_subject.values() if sentence]

    @property
    def by_subject(self) -> dict[str, str]:
        """Subject to sentence, in the order they are said."""
        return asdict(self)


def tally(judged: Sequence[Judged]) -> Tally:
    """What they say together."""
    run = [one for one in judged if one.verdict != Verdict.NOT_RUN]
    counts = Counter(one.verdict for one in run)
    parts = [f"{counts[v]} {IN_WORDS[v]}" for v in Verdict if counts[v]]
    left_out = len(judged) - len(run)
    others = [one.claim.id for one in judged if not one.claim.not_run and not one.as_registered]
    registered = f"Other than registered: {', '.join(others)}." if others else ""
    if run and not others:
        registered = "Every verdict is the registered one."
    tests = sum(one.tested for one in run)
    return Tally(
        f"{_count(len(run), 'claim')} judged: {', '.join(parts)}." if run else "",
        f"{_count(left_out, 'claim')} not run." if left_out else "",
        _more(judged) if len(judged) > 1 else "",
        registered,
        f"{_count(tests, 'number')} tested at 5 %: about {0.05 * tests:.1g} would be found off "
        "by chance alone." if tests else "",
    )  # fmt: skip


def _more(judged: Sequence[Judged]) -> str:
    """What else the ledger has to run; "" where it has not, or for a user's claims alone."""
    told = {one.claim.id for one in judged}
    known = ledger()
    others = [claim for name, claim in known.items() if name not in told and not claim.not_run]
    if not others or not told & known.keys():
        return ""
    heavy = sum(claim.cost == "heavy" for claim in others)
    named = f" ({', '.join(claim.id for claim in others)})" if len(others) <= NAMED_AT_MOST else ""
    how = "all heavy" if heavy == len(others) else f"{heavy} of them heavy"
    return f"{len(others)} more can be run, {how}{named}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
