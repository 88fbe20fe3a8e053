"""From claims to a plan: which protocols, which seeds, in which frameworks.

The spread over seeds comes from one framework, the fastest. The others run the first seed only,
which is compared with the same seed of the fastest. All claims share one plan identity, so their
rows share one folder.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.claims.loading import changed_protocol, on_source_data
from harness.claims.model import Claim, Variant
from harness.claims.samples import Sample
from harness.experiment.digests import digest_of
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Device, Purpose, Track
from harness.plan import Plan, Request, Trial
from harness.planning import framework_table, make_trial, proofs_of
from harness.registry import Framework, find, installed
from harness.results import PROTOCOL

FASTEST_FIRST = ("jax", "numpy", "keras", "torch", "sklearn")
"""By seconds of a claim, compile included, as measured on two cores; others come after."""
FRAMEWORKS_BY_DEFAULT = 2


@dataclass(frozen=True)
class ClaimRun:
    """One protocol of a claim that is run.

    Args:
        claim: which claim.
        variant: name of the variant; "" for the protocol itself.
        experiment: the protocol, under the name that its rows have.
    """

    claim: Claim
    variant: str
    experiment: Experiment


def claim_runs(claim: Claim, every_variant: bool = False) -> list[ClaimRun]:
    """Return the protocol of a claim and the variants that its verdict needs, or every variant."""
    if claim.protocol is None:
        return []
    variants = [v for v in claim.variants if every_variant or v.judged or v.role == "part"]
    return [_claim_run(claim, None), *(_claim_run(claim, variant) for variant in variants)]


def on_sampled_data(claim: Claim, samples: Iterable[Sample]) -> Claim:
    """Return the claim on the source's data if there are samples of it, otherwise unchanged."""
    on_own = on_source_data(claim)
    if on_own.protocol is None or on_own is claim:
        return claim
    own_digest = _claim_run(on_own, None).experiment.digest
    has_samples = any(
        sample.claim == claim.id and sample.row.experiment_digest == own_digest
        for sample in samples
    )
    return on_own if has_samples else claim


def choose_frameworks(names: Sequence[str]) -> list[Framework]:
    """Return the named frameworks, fastest first; without names the two fastest installed.

    Raises:
        harness.registry.UnknownFrameworkError: no such framework.
    """
    frameworks = [find(name) for name in names]
    if not frameworks:
        frameworks = [framework for framework in installed().values() if not framework.missing]
    order = {name: place for place, name in enumerate(FASTEST_FIRST)}
    frameworks.sort(key=lambda framework: order.get(framework.name, len(order)))
    return frameworks if names else frameworks[:FRAMEWORKS_BY_DEFAULT]


def make_claim_plan(
    runs: Sequence[ClaimRun],
    frameworks: Sequence[Framework],
    threads: int = 1,
    device: Device = Device.AUTO,
) -> Plan:
    """Return the plan of these protocols in these frameworks, which are given fastest first.

    Raises:
        ValueError: two claims would share the names of their rows.
    """
    experiments = {run.experiment.name: run.experiment for run in runs}
    if len(experiments) < len(runs):
        names = [run.experiment.name for run in runs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"claims: two have rows named {', '.join(repeated)}; change an id")
    request = Request(
        experiments=tuple(experiments),
        frameworks=tuple(framework.name for framework in frameworks),
        threads=(threads,),
        device=device,
    )
    trials = [trial for run in runs for trial in _trials(run, frameworks, request)]
    by_name = {framework.name: framework for framework in frameworks}
    return Plan(
        digest=digest_of({"claims": PROTOCOL}),
        request=request,
        experiments=experiments,
        full_lengths={
            name: str(e.training.length) if e.training else "" for name, e in experiments.items()
        },
        trials=tuple(trials),
        proofs=tuple(proofs_of(trials, experiments, by_name)),
        frameworks=framework_table(frameworks),
    )


def _claim_run(claim: Claim, variant: Variant | None) -> ClaimRun:
    assert claim.protocol is not None
    experiment = changed_protocol(claim, variant) if variant else claim.protocol
    name = claim.id.lower() + (f"-{variant.name}" if variant else "")
    native = experiment.native if claim.track == Track.NATIVE else ()
    experiment = experiment.model_copy(update={"name": name, "native": native, "quick": None})
    return ClaimRun(claim, variant.name if variant else "", experiment)


def _trials(run: ClaimRun, frameworks: Sequence[Framework], request: Request) -> Iterator[Trial]:
    claim, experiment = run.claim, run.experiment
    if claim.track == Track.NATIVE:
        solver = experiment.native[0]
        framework = find(solver.framework, Track.NATIVE)
        for seed in range(claim.seeds):
            yield make_trial(
                Purpose.MEASURE, experiment, framework, solver.label, request, seed=seed
            )
        return
    for place, framework in enumerate(frameworks):
        loop = framework.loop_that_starts_fast
        seeds = 1 if place or claim.many_seeds else claim.seeds
        for seed in range(seeds):
            yield make_trial(Purpose.MEASURE, experiment, framework, loop, request, seed=seed)
        if claim.many_seeds:
            starts = claim.many_seeds
            yield make_trial(
                Purpose.MANY_STARTS, experiment, framework, loop, request, starts=starts
            )
