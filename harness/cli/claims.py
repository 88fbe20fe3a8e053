"""What `reproduce` and `explain` share: claims are loaded, run, read back and judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options, run_plan
from harness.cli.exits import ENVIRONMENT, USAGE, stop
from harness.experiment.vocabulary import Device

if TYPE_CHECKING:
    from harness.claims.claim_plan import ClaimRun
    from harness.claims.judge import Judged
    from harness.claims.model import Claim
    from harness.claims.samples import Sample
    from harness.cluster.address import ClusterAddress
    from harness.shards import Shard

FOLDER = Path("results") / "runs" / "claims"
"""Where samples are collected, unless `--out` names another folder."""

OutOption = Annotated[Path | None, options.out(str(FOLDER))]
FrameworksOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Names, adapter files or module:Class, by comma. Default: the two fastest.",
    ),
]


def folder_of(shard: "Shard | None") -> Path:
    """Return where the samples of a shard are collected, or of the whole without one."""
    return FOLDER.with_name(FOLDER.name + shard.suffix) if shard else FOLDER


def load(names: Sequence[str]) -> list["Claim"]:
    """Return the claims of these ids or files, as registered; without names the whole ledger."""
    from harness.claims import loading
    from harness.experiment.loading import ProtocolError

    try:
        claims = [loading.load(name) for name in names] or list(loading.ledger().values())
    except ProtocolError as error:
        stop(USAGE, str(error))
    ids = [claim.id.upper() for claim in claims]
    for claim in claims:
        if ids.count(claim.id.upper()) > 1:
            stop(USAGE, f"claim: {claim.id!r} is named twice")
    return claims


def run(
    runs: Sequence["ClaimRun"],
    frameworks: str,
    threads: str,
    device: Device,
    timeout: str,
    folder: Path,
    fresh: bool,
    only_fastest: bool = False,
    shard: "Shard | None" = None,
    retries: int = options.RETRIES,
    cluster: "ClusterAddress | None" = None,
) -> bool:
    """Run the trials that have no row yet, and store their samples.

    Return False if the user interrupted them.
    """
    from harness.running.claims import plan_claims, store_samples

    names = options.adapters(frameworks)
    try:
        whole = plan_claims(runs, names, options.threads(threads), device, only_fastest)
    except ValueError as error:
        stop(USAGE, str(error))
    plan = run_plan.part_of(whole, shard)
    before = read_samples(folder)
    timeout_s = options.timeout_s(timeout)
    finished = run_plan.run_plan(
        plan,
        folder,
        timeout_s,
        fresh,
        timed=False,
        whole=whole,
        retries=retries,
        cluster=cluster,
    )
    try:
        store_samples(plan, folder, runs, before)
    except OSError as error:
        stop(ENVIRONMENT, f"{folder}: cannot be written ({error.strerror or error})")
    return finished


def read_samples(folder: Path) -> list["Sample"]:
    """Return the samples that a folder holds, or exit where they cannot be read."""
    from harness.claims import samples

    try:
        return samples.read(folder)
    except (OSError, ValueError) as error:
        stop(USAGE, str(error))


def judge(claim: "Claim", runs: Sequence["ClaimRun"], samples: Sequence["Sample"]) -> "Judged":
    """Return a claim's verdict by the samples of the protocols that it is run with."""
    from harness.running.claims import judge as judge_claim

    return judge_claim(claim, runs, samples)
