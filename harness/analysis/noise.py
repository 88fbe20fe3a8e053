"""Which rows were measured on a disturbed machine. Pure functions of rows."""

from collections.abc import Iterable, Mapping

from harness.results import Row

WAIT_FRACTION = 0.05
STEAL_FRACTION = 0.02
PROBE_RATIO = 1.3
"""Fixed work that takes so much longer than on the run's best moment means a slowed machine."""
ATTEMPTS = 3
"""A trial is run so often at most before its row stays `noisy`."""


def noise(rows: Iterable[Row]) -> dict[str, str]:
    """Trial to what disturbed it, in words; undisturbed rows are not in it."""
    rows = list(rows)
    found = {}
    for trial, ratios in _ratios(rows).items():
        words = [text for ratio, text in ratios if ratio > 1]
        if words:
            found[trial] = ", ".join(words)
    return found


def severity(rows: Iterable[Row]) -> dict[str, float]:
    """Trial to its worst disturbance, relative to what is tolerated: noisy above 1."""
    return {
        trial: max((ratio for ratio, _ in ratios), default=0.0)
        for trial, ratios in _ratios(list(rows)).items()
    }


def _ratios(rows: list[Row]) -> dict[str, list[tuple[float, str]]]:
    best = _best_probes(rows)
    found = {}
    for row in rows:
        ratios = []
        if row.wait_fraction is not None:
            # a framework's own threads make each other wait: others cannot take more than they used
            others = 1.0 if row.other_cpus is None else row.other_cpus
            waited = min(row.wait_fraction, others)
            text = f"waited {waited:.0%} of the time for a CPU that others used"
            ratios.append((waited / WAIT_FRACTION, text))
        if row.steal_fraction is not None:
            text = f"{row.steal_fraction:.0%} of the CPUs stolen by the hypervisor"
            ratios.append((row.steal_fraction / STEAL_FRACTION, text))
        if row.probe_us is not None:
            slower = row.probe_us / best[row.machine, row.threads]
            ratios.append((slower / PROBE_RATIO, f"the same work took {slower:.1f} times as long"))
        found[row.trial] = ratios
    return found


def _best_probes(rows: list[Row]) -> Mapping[tuple[str | None, int], float]:
    """The fastest probe of every (machine, threads)."""
    best: dict[tuple[str | None, int], float] = {}
    for row in rows:
        if row.probe_us is not None:
            key = (row.machine, row.threads)
            best[key] = min(best.get(key, row.probe_us), row.probe_us)
    return best
