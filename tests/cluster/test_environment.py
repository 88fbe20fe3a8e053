"""Which machines may share a run, and what is said of those that may not."""

import dataclasses

from harness import planning
from harness.cluster import environment
from harness.cluster.environment import differences, environment_of
from harness.cluster.session import Session
from harness.cluster.task import greet
from harness.plan import Request
from harness.registry import find
from harness.results import RunFolder


def test_the_same_machine_differs_in_nothing():
    numpy = find("numpy")
    assert differences(environment_of([numpy]), environment_of([numpy])) == []


def test_what_differs_is_named(monkeypatch):
    numpy = find("numpy")
    here = environment_of([numpy])
    monkeypatch.setattr(environment, "__version__", "0.0.1")
    monkeypatch.setenv("SAMESTEP_OPENBLAS_CORETYPE", "Haswell")
    said = differences(here, environment_of([numpy]) | {"numpy": "1.26.4"})
    assert len(said) == 3
    assert said[0] == f"samestep {here['samestep']} here, 0.0.1 there"
    assert said[1] == f"numpy {here['numpy']} here, 1.26.4 there"
    assert "Haswell there" in said[2]


def test_an_adapter_that_only_one_machine_has(tmp_path):
    absent = dataclasses.replace(find("numpy"), module=str(tmp_path / "mine.py"))
    assert environment_of([absent])["adapter numpy"] == environment.ABSENT


def test_a_worker_that_does_not_see_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.cluster.task.SEEN_AFTER_S", 0.0)
    said = greet(str(tmp_path / "run" / "cluster" / "abc"), "digest").problems
    assert len(said) == 1
    assert said[0].startswith(f"it does not see the run's folder {tmp_path / 'run'}")
    assert "--out" in said[0]


def test_a_worker_with_too_few_cpus(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.cluster.task.available_cpus", lambda: 2)
    plan = planning.make_plan(Request(experiments=("and",), frameworks=("numpy",), threads=(4,)))
    session = Session.begin(RunFolder(tmp_path), plan, None, fresh=False)
    assert greet(str(session.path), plan.digest).problems == (
        "trials use 4 threads, and it has 2 CPUs",
    )
