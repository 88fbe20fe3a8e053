"""From claims to trials: which protocols, which seeds, in which frameworks.

The spread over seeds comes from one framework, the fastest; the others run the first seed, which
pairs them with it. All claims share one plan identity, so their rows share one folder.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.claims.loading import changed, on_own_data
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
BY_DEFAULT = 2


@dataclass(frozen=True)
class Part:
    """One protocol of a claim, under the name that its rows carry."""

    claim: Claim
    variant: str
    experiment: Experiment


def frameworks(names: Sequence[str]) -> list[Framework]:
    """The frameworks to run, fastest first: those named, or the two fastest installed.

    Raises:
        harness.registry.UnknownFrameworkError: no such framework.
    """
    found = [find(name) for name in names]
    if not found:
        found = [f for f in installed().values() if not f.missing]
    order = {name: place for place, name in enumerate(FASTEST_FIRST)}
    found.sort(key=lambda framework: order.get(framework.name, len(order)))
    return found if names else found[:BY_DEFAULT]


def parts(claim: Claim, every_variant: bool = False) -> list[Part]:
    """The protocol and those variants that belong to the verdict, or every one."""
    if claim.protocol is None:
        return []
    wanted = [v for v in claim.variants if every_variant or v.judged or v.role == "part"]
    return [_part(claim, None), *(_part(claim, variant) for variant in wanted)]


def as_sampled(claim: Claim, samples: Iterable[Sample]) -> Claim:
    """The claim on the user's own data, where there are samples of it on those; else as it is."""
    own = on_own_data(claim)
    if own.protocol is None or own is claim:
        return claim
    on_own = _part(own, None).experiment.digest
    ran = any(t.claim == claim.id and t.row.experiment_digest == on_own for t in samples)
    return own if ran else claim


def _part(claim: Claim, variant: Variant | None) -> Part:
    assert claim.protocol is not None
    experiment = changed(claim, variant) if variant else claim.protocol
    name = claim.id.lower() + (f"-{variant.name}" if variant else "")
    native = experiment.native if claim.track == "native" else ()
    experiment = experiment.model_copy(update={"name": name, "native": native, "quick": None})
    return Part(claim, variant.name if variant else "", experiment)


def make(
    wanted: Sequence[Part],
    chosen: Sequence[Framework],
    threads: int = 1,
    device: Device = Device.AUTO,
) -> Plan:
    """The plan of these protocols in these frameworks, fastest first.

    Raises:
        ValueError: two claims would share the names of their rows.
    """
    experiments = {part.experiment.name: part.experiment for part in wanted}
    if len(experiments) < len(wanted):
        names = [part.experiment.name for part in wanted]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"claims: two have rows named {', '.join(twice)}; change an id")
    request = Request(
        experiments=tuple(experiments),
        frameworks=tuple(framework.name for framework in chosen),
        threads=threads,
        device=device,
    )
    trials = [trial for part in wanted for trial in _trials(part, chosen, request)]
    proofs = proofs_of(trials, experiments, {framework.name: framework for framework in chosen})
    return Plan(
        digest=digest_of({"claims": PROTOCOL}),
        request=request,
        experiments=experiments,
        full_lengths={
            name: str(e.training.length) if e.training else "" for name, e in experiments.items()
        },
        trials=tuple(trials),
        proofs=tuple(proofs),
        frameworks=framework_table(chosen),
    )


def _trials(part: Part, chosen: Sequence[Framework], request: Request) -> Iterator[Trial]:
    claim, experiment = part.claim, part.experiment
    if claim.track == "native":
        solver = experiment.native[0]
        framework = find(solver.framework, Track.NATIVE)
        for seed in range(claim.seeds):
            yield _trial(part, framework, solver.label, seed, request)
        return
    for place, framework in enumerate(chosen):
        loop = framework.loops[-1]
        for seed in range(1 if place or claim.many_seeds else claim.seeds):
            yield _trial(part, framework, loop, seed, request)
        if claim.many_seeds:
            yield _trial(part, framework, loop, 0, request, starts=claim.many_seeds)


def _trial(
    part: Part, framework: Framework, loop: str, seed: int, request: Request, starts: int = 0
) -> Trial:
    purpose = Purpose.MANY_STARTS if starts else Purpose.MEASURE
    experiment = part.experiment
    return make_trial(purpose, experiment, framework, loop, request, seed=seed, starts=starts or 1)
