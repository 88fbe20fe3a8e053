"""Which rows were measured on a disturbed machine. Pure functions of rows."""

from collections.abc import Iterable, Mapping, Sequence

from harness.results import Row

WAIT_FRACTION = 0.05
STEAL_FRACTION = 0.02
IDLE_FRACTION, IDLE_AT_LEAST_S = 0.2, 0.2
"""A process on the CPU that is idle for less is reading a file, or its clock ticks coarsely."""
PROBE_RATIO = 1.3
"""A machine is slow where fixed work takes this many times as long as at the run's best."""
ATTEMPTS = 3
"""How often a trial is run at most before its row stays `noisy`."""


def disturbances(rows: Iterable[Row]) -> dict[str, str]:
    """Return what disturbed each trial, in words; undisturbed trials are left out."""
    disturbed = {}
    for trial, ratios in _ratios(list(rows)).items():
        words = [text for ratio, text in ratios if ratio > 1]
        if words:
            disturbed[trial] = ", ".join(words)
    return disturbed


def severity(rows: Iterable[Row]) -> dict[str, float]:
    """Return each trial's worst disturbance over what is tolerated: a trial above 1 is noisy."""
    return {
        trial: max((ratio for ratio, _ in ratios), default=0.0)
        for trial, ratios in _ratios(list(rows)).items()
    }


def _ratios(rows: Sequence[Row]) -> dict[str, list[tuple[float, str]]]:
    """Return each trial's disturbances: relative to what is tolerated, and in words."""
    best = _best_probes(rows)
    by_trial = {}
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
        idle_s = (row.idle_fraction or 0.0) * (row.train_s or 0.0)
        if row.device == "cpu" and idle_s > IDLE_AT_LEAST_S:
            idle = row.idle_fraction or 0.0
            text = f"neither computed nor waited for a CPU in {idle:.0%} of the time"
            ratios.append((idle / IDLE_FRACTION, text))
        if row.probe_us:
            slower = row.probe_us / best[row.machine, row.threads]
            ratios.append((slower / PROBE_RATIO, f"the same work took {slower:.1f} times as long"))
        by_trial[row.trial] = ratios
    return by_trial


def _best_probes(rows: Iterable[Row]) -> Mapping[tuple[str | None, int], float]:
    """Return the fastest probe of every (machine, threads)."""
    best: dict[tuple[str | None, int], float] = {}
    for row in rows:
        if row.probe_us:
            key = (row.machine, row.threads)
            best[key] = min(best.get(key, row.probe_us), row.probe_us)
    return best
