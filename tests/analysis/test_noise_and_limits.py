"""What marks a row as noisy, and how limits are shared."""

import dataclasses
import subprocess
import sys
import time

import pytest

from harness.analysis.limits import fractions_of_limits, machine_limits_us
from harness.analysis.noise import disturbances, severity
from harness.clock.conditions import record_conditions
from tests.analysis.rows import run_of

QUIET = {"wait_fraction": 0.001, "other_cpus": 0.01, "steal_fraction": 0.0, "probe_us": 100.0}


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("steal_fraction", 0.1, "stolen"),
        ("probe_us", 150.0, "1.5 times as long"),
    ],
)
def test_one_disturbed_row_is_named(column, value, word):
    _, rows = run_of({"numpy": 1.0}, **QUIET)
    rows[1] = dataclasses.replace(rows[1], **{column: value})
    disturbed = disturbances(rows)
    assert list(disturbed) == [rows[1].trial]
    assert word in disturbed[rows[1].trial]
    assert severity(rows)[rows[1].trial] > 1 > severity(rows)[rows[0].trial]


def test_waiting_counts_as_far_as_others_used_a_cpu():
    _, rows = run_of({"numpy": 1.0}, **QUIET)
    own_threads = dataclasses.replace(rows[0], wait_fraction=0.3, other_cpus=0.01)
    disturbed = dataclasses.replace(rows[1], wait_fraction=0.3, other_cpus=1.0)
    assert list(disturbances([own_threads, disturbed])) == [disturbed.trial]


def test_rows_without_readings_are_not_noisy():
    _, rows = run_of({"numpy": 1.0})
    assert disturbances(rows) == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.xdist_group("processes")
def test_a_process_on_the_same_cpu_is_seen():
    code = (
        "from harness.clock.environment import pin\n"
        "from harness.clock.conditions import record_conditions\n"
        "import time; pin(1)\n"
        "with record_conditions() as conditions:\n"
        "    end = time.perf_counter() + 1\n"
        "    while time.perf_counter() < end: pass\n"
        "print(conditions.wait_fraction, conditions.other_cpus)"
    )
    burn = "from harness.clock.environment import pin; pin(1)\nwhile True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(2)]
    try:
        time.sleep(1)
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    waited, others = map(float, out.stdout.split())
    assert waited > 0.2
    assert others > 0.2


def test_the_machines_limit_is_the_best_of_all_libraries():
    _, rows = run_of({"numpy": 1.0, "torch": 2.0}, seeds=1)
    numpy, torch = rows
    numpy = dataclasses.replace(numpy, step_us=200.0, gemm_us=100.0)
    torch = dataclasses.replace(torch, step_us=400.0, gemm_us=300.0)
    limits = machine_limits_us([numpy, torch])
    assert (
        fractions_of_limits(numpy, limits).of_own
        == fractions_of_limits(numpy, limits).of_machine
        == 0.5
    )
    assert fractions_of_limits(torch, limits).of_own == 0.75
    assert fractions_of_limits(torch, limits).of_machine == 0.25
    other = dataclasses.replace(torch, threads=2)  # another setting is another limit
    assert fractions_of_limits(other, limits).of_machine is None


def test_watching_needs_no_linux(monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_text", _absent)
    with record_conditions() as conditions:
        pass
    assert conditions.steal_fraction is None
    assert conditions.probe_us > 0


def _absent(*_args, **_kwargs):
    raise FileNotFoundError
