"""Run claims: from runs of claims to a plan, and from its rows to samples and verdicts."""

from collections.abc import Sequence
from pathlib import Path

from harness.claims import claim_plan, samples
from harness.claims import judge as rules
from harness.claims.claim_plan import ClaimRun
from harness.claims.collecting import collect
from harness.claims.judge import Judged
from harness.claims.model import Claim
from harness.claims.proposals import as_toml, proposed_variants
from harness.claims.samples import Sample
from harness.experiment.vocabulary import Device
from harness.plan import Plan
from harness.run import load_run
from harness.running.run_plan import RUNS
from harness.trial import batch_accuracies

FOLDER = RUNS / "claims"
"""Where samples are collected, unless another folder is named."""


def plan_claims(
    runs: Sequence[ClaimRun],
    frameworks: Sequence[str],
    threads: int,
    device: Device,
    only_fastest: bool = False,
) -> Plan:
    """Return the plan of claims.

    Args:
        runs: what to run.
        frameworks: names, files or module:Class; empty for the two fastest.
        threads: how many every trial may use.
        device: where to compute.
        only_fastest: whether one framework is enough, where none is named.

    Raises:
        ValueError: a framework is not known, or the combination cannot be planned.
    """
    chosen = claim_plan.choose_frameworks(tuple(frameworks))
    if only_fastest and not frameworks:
        chosen = chosen[:1]
    return claim_plan.make_claim_plan(runs, chosen, threads, device)


def store_samples(
    plan: Plan, folder: Path, runs: Sequence[ClaimRun], before: Sequence[Sample]
) -> None:
    """Collect the samples of a plan that was run, and store them beside those of before.

    Raises:
        OSError: the folder cannot be written.
    """
    now = list(collect(load_run(folder, plan), runs, before, batch_accuracies.batch_accuracies))
    samples.write(folder, samples.merge(before, now))


def judge(claim: Claim, runs: Sequence[ClaimRun], collected: Sequence[Sample]) -> Judged:
    """Return a claim's verdict by the samples of the protocols that it is run with."""
    mine = [claim_run for claim_run in runs if claim_run.claim.id == claim.id]
    digests = {claim_run.variant: claim_run.experiment.digest for claim_run in mine}
    return rules.judge(claim, collected, digests)


def without_details(claim: Claim) -> str:
    """Say that a claim lists no detail to change, and which its protocol has."""
    message = f"{claim.id}: lists no [[variants]], so there is no detail to change"
    proposed = [as_toml(variant) for variant in proposed_variants(claim)]
    if not proposed:
        return message
    return "\n\n".join([f"{message}. Add those that the source leaves open:", *proposed]).rstrip()
