"""What the command takes over of what workers left."""

import dataclasses
import json

import numpy as np
import pytest

from harness import planning
from harness.cluster.publishing import Publisher
from harness.cluster.session import Session, end_all, left_attempts
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.results import RunFolder, write_arrays
from harness.trial.outcome import blank_row


@pytest.fixture
def run(tmp_path, monkeypatch):
    """(folder, plan, session) of a run that a cluster computes."""
    monkeypatch.setattr("harness.cluster.publishing.SEEN_AFTER_S", 0.0)
    plan = planning.make_plan(Request(experiments=("and",), frameworks=("numpy",), seeds=2))
    folder = RunFolder(tmp_path / "run")
    folder.trials.mkdir(parents=True)
    return folder, plan, Session.begin(folder, plan, 60.0, fresh=False)


def left(run, name, trial, status="ok", loss=0.5):
    """An attempt that a worker left whole."""
    _, plan, session = run
    attempt = session.attempt(name)
    row = blank_row(trial, plan.digest, "1", plan.experiments["and"], status, None)
    if status == "ok":
        write_arrays(attempt.trials / f"{trial.id}.npz", {"loss": np.array([loss])})
    attempt.write_row(dataclasses.replace(row, train_loss=loss))
    attempt.write_done([trial.id])
    return attempt


def test_the_first_whole_row_stays_with_its_arrays(run):
    folder, plan, _ = run
    publisher, trial = Publisher(folder, plan), plan.trials[0]
    failed, first, second = (
        left(run, name, trial, status, loss)
        for name, status, loss in (("0", "crashed", 0.0), ("1", "ok", 1.0), ("2", "ok", 2.0))
    )
    assert publisher.take_row(failed, trial).status == "crashed"
    assert publisher.take_row(first, trial).train_loss == 1.0
    assert publisher.take_row(second, trial).train_loss == 1.0
    assert publisher.twice == [trial.id]
    assert folder.rows()[0].train_loss == folder.arrays(trial.id)["loss"][0] == 1.0


def test_what_a_killed_command_did_not_take_is_taken_by_the_next(run):
    folder, plan, _ = run
    whole, broken = plan.trials[:2]
    left(run, "whole", whole)
    left(run, "broken", broken).done_file.unlink()
    (folder.cluster / "elsewhere").symlink_to(folder.path.parent)
    publisher = Publisher(folder, plan)
    for attempt in left_attempts(folder):
        publisher.take_whole(attempt)
    end_all(folder)
    assert [row.trial for row in folder.rows()] == [whole.id]
    assert not folder.cluster.exists()
    assert folder.path.parent.is_dir()


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 10_000, b'{"schema": 1}', b"\xff"])
def test_a_damaged_attempt_costs_itself_only(run, damage):
    folder, plan, _ = run
    trial = plan.trials[0]
    attempt = left(run, "damaged", trial)
    (attempt.trials / f"{trial.id}.json").write_bytes(damage)
    attempt.write_tail(trial.id, [])
    (attempt.tails / f"{trial.id}.json").write_bytes(damage)
    publisher = Publisher(folder, plan)
    assert publisher.take_row(attempt, trial) is None
    assert attempt.tail(trial.id) == []
    attempt.done_file.write_bytes(damage)
    assert attempt.done() == []
    assert folder.rows() == []


def test_of_two_machines_verdicts_the_worse_stays(run):
    folder, plan, _ = run
    publisher, proof = Publisher(folder, plan), plan.proofs[0]
    verdicts = [Verdict.SAME, Verdict.NOT_COMPARABLE, Verdict.DIFFERENT, Verdict.SAME]
    stands = [publisher.store_verdict(proof, Judgement(each, "", ())) for each in verdicts]
    assert [each.verdict for each in stands] == [*verdicts[:3], Verdict.DIFFERENT]
    stored = json.loads((folder.proofs / f"{proof.id}.json").read_text())
    assert stored["verdict"] == "different"


def test_a_session_says_what_workers_must_share(run):
    _, plan, session = run
    read = Session.read(session.path)
    assert read.plan.digest == plan.digest
    assert read.plan.trials == plan.trials
    assert read.environment == session.environment
    assert read.environment["adapter numpy"] == plan.frameworks[plan.trials[0].framework_key].digest
    assert not read.is_over
    end_all(run[0])
    assert read.is_over
