"""Processes of Dask for a test, and runs on them."""

import dataclasses

import pytest

from harness import planning
from harness.cluster.address import ClusterAddress
from harness.plan import Request
from harness.report.trial_durations import estimates_anywhere_s
from harness.results import RunFolder
from tests.cluster.processes import Dask
from tests.execute.test_faults import Recorder


class ClusterRecorder(Recorder):
    """Remembers what a run on a cluster reports, too."""

    def __init__(self):
        super().__init__()
        self.losses, self.refusals, self.twice, self.waited = [], [], [], False

    def lost(self, trials, worker, why):
        self.losses.append((trials, why))

    def refused(self, worker, why):
        self.refusals.append(why)

    def ran_twice(self, trials):
        self.twice = list(trials)

    def waiting_for_workers(self):
        self.waited = True


@pytest.fixture
def dask(tmp_path, short):
    pytest.importorskip("distributed")
    processes = Dask(tmp_path / "dask")
    yield processes
    processes.stop()


@pytest.fixture
def on_cluster(short, tmp_path):
    """Runs frameworks on the short protocol: `on_cluster(address, "numpy", timed=False)`."""
    from harness.cluster.runner import ClusterRunner

    def run(address, *frameworks, timed=True, prove=False, folder="run", recorder=None, **request):
        plan = planning.make_plan(Request(experiments=(short,), frameworks=frameworks, **request))
        plan = dataclasses.replace(plan, limits=())  # of frameworks that a test does not name
        if not prove:
            plan = dataclasses.replace(plan, proofs=())
        recorder = recorder or ClusterRecorder()
        ClusterRunner(
            plan,
            RunFolder(tmp_path / folder),
            60.0,
            recorder,
            ClusterAddress.parse(str(address)),
            estimates_anywhere_s(plan),
            timed,
        ).run()
        return recorder

    return run
