"""`harness.check`, `compare`, `reproduce` and `explain`: what the commands print, as values."""

import html
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.analysis.gates import Gate
from harness.claims import claim_plan, explaining, loading, multiplicity, samples
from harness.claims.claim_plan import ClaimRun
from harness.claims.judge import Judged
from harness.claims.model import Claim
from harness.claims.samples import Sample
from harness.execute.checking import Check, known_names
from harness.experiment.names import unknown
from harness.experiment.vocabulary import Device
from harness.notebook import arguments, progress
from harness.notebook.cell_adapter import requested_framework
from harness.notebook.loaded_run import LoadedRun, loaded
from harness.notebook.protocols import ExperimentLike, experiment_of
from harness.parity.findings import Finding
from harness.registry import find
from harness.report import change_table, check_findings, claim_swaps
from harness.report import claims as claims_text
from harness.report.run_comparison import compare_runs
from harness.run import Run
from harness.running import claims as running
from harness.running.run_plan import NothingInstalledError, run_plan

CLAIM_TIMEOUT_S = 7200.0


class Answer:
    """What a command says. A notebook shows it as text.

    Args:
        text: what the command prints.
        data: what the command gives with `--json`.
        ok: whether it exits with 0.
    """

    def __init__(self, text: str, data: Mapping[str, Any], ok: bool) -> None:
        self.text, self.data, self.ok = text, data, ok

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


def _printed(show: Callable[[Console], None]) -> str:
    """What something prints, as text."""
    stream = io.StringIO()
    show(Console(file=stream, width=progress.WIDTH, force_jupyter=False, color_system=None))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


# ---------------------------------------------------------------- check


def check(
    adapter: Any,
    *,
    full: bool,
    loops: str | Sequence[str],
    only: str | Sequence[str],
    protocols: ExperimentLike | Sequence[ExperimentLike],
    device: str,
    timeout_s: float | None,
) -> Answer:
    """Do what `harness.check` promises."""
    framework = find(requested_framework(adapter))
    if framework.missing:
        raise NothingInstalledError(
            f"These frameworks are not installed: {framework.name}\n{framework.install_line}"
        )
    chosen = [str(loop) for loop in arguments.several(loops)]
    for loop in chosen:
        if loop not in framework.loops:
            raise ValueError(f"loops of {framework.name}: {unknown(loop, framework.loops)}")
    names = [str(name) for name in arguments.several(only)]
    for name in names:
        if name not in known_names():
            raise ValueError(f"only: {unknown(name, known_names())}")
    own = [experiment_of(each) for each in arguments.several(protocols)]
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
        place = arguments.word("device", device, Device)
        limit = arguments.timeout_s(timeout_s)
        checked = Check(framework, place, Path(scratch), full, chosen, names, limit, own)
        findings += checked.findings()
    remarks = {framework.name: checked.remarks}

    def show(console: Console) -> None:
        printer = check_findings.FindingsPrinter(console)
        for finding in findings:
            printer.add(finding)
        printer.remark(framework.name, checked.remarks)
        printer.print_summary()

    data = json.loads(check_findings.as_json(findings, remarks))
    return Answer(_printed(show), data, all(finding.holds for finding in findings))


# ---------------------------------------------------------------- compare

RunLike = LoadedRun | str | PathLike[str]


def compare(a: RunLike, b: RunLike, fail_on: str | Sequence[str]) -> Answer:
    """Do what `harness.compare` promises."""
    gates = [Gate.parse(text) for text in arguments.several(fail_on)]
    comparison = compare_runs((_run_of("a", a), _run_of("b", b)), gates)
    if comparison.refusal:
        raise ValueError(f"the runs cannot be compared:\n{comparison.refusal}")

    def show(console: Console) -> None:
        change_table.print_comparison(comparison, console)
        for failure in comparison.failures:
            console.print(failure, markup=False, highlight=False, soft_wrap=True)

    data = json.loads(change_table.as_json(comparison))
    return Answer(_printed(show), data, not comparison.failures)


def _run_of(name: str, given: RunLike) -> Run:
    if isinstance(given, LoadedRun):
        return given.stored
    return loaded(arguments.folder(name, given)).stored


# ---------------------------------------------------------------- claims


def reproduce(
    claims: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    frameworks: Any,
    threads: int | str,
    device: str,
    timeout_s: float | None,
    folder: str | PathLike[str] | None,
    fresh: bool,
    progress_shown: bool,
) -> Answer:
    """Do what `harness.reproduce` promises."""
    chosen = [loading.with_source_data(claim) for claim in _claims(claims)]
    runs = [run for claim in chosen for run in claim_plan.claim_runs(claim)]
    settings = _Settings(frameworks, threads, device, timeout_s, folder, fresh, progress_shown)
    collected = settings.run(runs) if runs else []
    judged = multiplicity.adjust([running.judge(claim, runs, collected) for claim in chosen])
    data = json.loads(claims_text.as_json(judged))
    text = _printed(lambda console: claims_text.print_judged(judged, console))
    return Answer(text, data, all(one.as_registered for one in judged if not one.claim.not_run))


def explain(
    claim: str | PathLike[str],
    *,
    frameworks: Any,
    threads: int | str,
    device: str,
    timeout_s: float | None,
    folder: str | PathLike[str] | None,
    fresh: bool,
    progress_shown: bool,
) -> Answer:
    """Do what `harness.explain` promises."""
    (registered,) = _claims(claim)
    chosen = loading.with_source_data(registered)
    if chosen.not_run:
        raise ValueError(f"{chosen.id}: cannot be run: {chosen.not_run}")
    if all(variant.role == "part" for variant in chosen.variants):
        raise ValueError(running.without_details(chosen))
    runs = claim_plan.claim_runs(chosen, every_variant=True)
    settings = _Settings(frameworks, threads, device, timeout_s, folder, fresh, progress_shown)
    judged: Judged = running.judge(chosen, runs, settings.run(runs, only_fastest=True))
    swaps = explaining.swaps(judged)
    data = json.loads(claim_swaps.as_json(judged, swaps))
    text = _printed(lambda console: claim_swaps.print_swaps(judged, swaps, console))
    return Answer(text, data, all(swap.ran for swap in swaps))


def _claims(given: Any) -> list[Claim]:
    names = [str(name) for name in arguments.several(given)]
    claims = [loading.load(name) for name in names]
    if not claims:
        return [claim for claim in loading.ledger().values() if claim.group == "posts"]
    ids = [claim.id.upper() for claim in claims]
    for claim in claims:
        if ids.count(claim.id.upper()) > 1:
            raise ValueError(f"claim: {claim.id!r} is named twice")
    return claims


class _Settings:
    """How claims are run."""

    def __init__(
        self,
        frameworks: Any,
        threads: int | str,
        device: str,
        timeout_s: float | None,
        folder: str | PathLike[str] | None,
        fresh: bool,
        progress_shown: bool,
    ) -> None:
        chosen = () if frameworks is None else arguments.one_or_more("frameworks", frameworks)
        self.frameworks = [requested_framework(each) for each in chosen]
        (self.threads,) = arguments.threads(threads)
        self.device = arguments.word("device", device, Device)
        self.timeout_s = arguments.timeout_s(timeout_s)
        self.folder = running.FOLDER if folder is None else arguments.folder("folder", folder)
        self.fresh, self.progress_shown = fresh, progress_shown

    def run(self, runs: Sequence[ClaimRun], only_fastest: bool = False) -> list[Sample]:
        """Run what has no row yet, and return all samples of the folder."""
        plan = running.plan_claims(runs, self.frameworks, self.threads, self.device, only_fastest)
        before = samples.read(self.folder)
        run_plan(
            plan,
            self.folder,
            self.timeout_s,
            self.fresh,
            progress.console(self.progress_shown),
            timed=False,
            announcer_type=progress.announcer_type(),
        )
        running.store_samples(plan, self.folder, runs, before)
        return samples.read(self.folder)
