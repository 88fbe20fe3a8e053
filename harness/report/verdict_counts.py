"""Summary of verdicts: how many of each, how many as registered, how many by chance."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.claims.judge import Judged
from harness.claims.loading import ledger
from harness.claims.model import Verdict
from harness.report.text import count_text

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

MOST_NAMED = 10
"""More claims than these are counted, not named."""


@dataclass(frozen=True)
class Summary:
    """A sentence on each subject; "" where there is nothing to say.

    Args:
        judged: how many claims, and how many of each verdict.
        not_run: how many claims have no rows.
        more: how many of the ledger's other claims can be run.
        registered: which verdicts are other than registered.
        by_chance: how many tests err.
        adjusted: which verdicts remain after adjustment for the number of tests.
    """

    judged: str = ""
    not_run: str = ""
    more: str = ""
    registered: str = ""
    by_chance: str = ""
    adjusted: str = ""

    @property
    def sentences(self) -> list[str]:
        return [sentence for sentence in self.by_subject.values() if sentence]

    @property
    def by_subject(self) -> dict[str, str]:
        return asdict(self)


def summarise(judged: Sequence[Judged]) -> Summary:
    run = [one for one in judged if one.verdict != Verdict.NOT_RUN]
    not_run = len(judged) - len(run)
    return Summary(
        judged=f"{count_text(len(run), 'claim')} judged: {_by_verdict(run)}." if run else "",
        not_run=f"{count_text(not_run, 'claim')} not run." if not_run else "",
        more=_more(judged) if len(judged) > 1 else "",
        registered=_registered(judged),
        by_chance=_by_chance(sum(one.test_count for one in run)),
        adjusted=_adjusted(run),
    )


def _by_verdict(judged: Sequence[Judged]) -> str:
    counts = Counter(one.verdict for one in judged)
    return ", ".join(f"{counts[v]} {IN_WORDS[v]}" for v in Verdict if counts[v])


def _registered(judged: Sequence[Judged]) -> str:
    others = [one.claim.id for one in judged if not one.claim.not_run and not one.as_registered]
    if others:
        return f"Other than registered: {', '.join(others)}."
    run = any(one.verdict != Verdict.NOT_RUN for one in judged)
    return "Every verdict is the registered one." if run else ""


def _by_chance(tests: int) -> str:
    if not tests:
        return ""
    return (
        f"{count_text(tests, 'number')} tested at 5 %: about {0.05 * tests:.1g} would be found off "
        "by chance alone."
    )


def _adjusted(judged: Sequence[Judged]) -> str:
    """Say which claims are better or worse by the adjusted p-values too, and which are not."""
    off = (Verdict.BETTER, Verdict.WORSE)
    tested = [one for one in judged if one.verdict in off and one.adjusted is not None]
    if not tested:
        return ""
    lost = [one.claim.id for one in tested if one.adjusted not in off]
    sentence = (
        f"Adjusted for the number of tests (Benjamini and Hochberg), {len(tested) - len(lost)} of "
        f"the {count_text(len(tested), 'claim')} that are better or worse remain so"
    )
    return f"{sentence}. Not shown to differ: {', '.join(lost)}." if lost else f"{sentence}."


def _more(judged: Sequence[Judged]) -> str:
    """Return what else the ledger has to run; "" where there is nothing, or for a user's claims."""
    names = {one.claim.id for one in judged}
    known = ledger()
    others = [claim for name, claim in known.items() if name not in names and not claim.not_run]
    if not others or not names & known.keys():
        return ""
    heavy = sum(claim.cost == "heavy" for claim in others)
    named = f" ({', '.join(claim.id for claim in others)})" if len(others) <= MOST_NAMED else ""
    how = "all heavy" if heavy == len(others) else f"{heavy} of them heavy"
    return f"{len(others)} more can be run, {how}{named}."
