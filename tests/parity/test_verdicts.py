"""Verdicts on disk: what is read back is what was stored, and a cached one is of this oracle."""

import json

import pytest

from harness.experiment.vocabulary import Status
from harness.parity import verdicts
from harness.parity.judgement import PROVEN, Judgement, Rung, Verdict
from harness.results import RunFolder
from tests.trials import trial_of

RUNGS = (Rung("start", 0.0, 0.0), Rung("1 update", 1e-3, 1e-12, "1 update: weights differ"))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_read_back(tmp_path, cache, verdict):
    judgement = Judgement(verdict, "a reason", RUNGS, Status.ERROR)
    proof, folder = trial_of(id="a-proof"), RunFolder(tmp_path)
    verdicts.store(folder, proof, judgement)
    assert verdicts.read(folder, [proof, trial_of(id="no-proof")]) == {
        ("test", "numpy", "stepwise"): judgement
    }
    (key,) = verdicts.read(folder, [proof])
    assert (key.experiment, key.framework, key.loop) == ("test", "numpy", "stepwise")
    is_cached = verdict != Verdict.NOT_COMPARABLE
    assert verdicts.cached(proof) == (judgement if is_cached else None)
    assert judgement.proven == (verdict in PROVEN)


def test_a_changed_oracle_makes_cached_verdicts_void(tmp_path, cache, monkeypatch):
    proof, judgement = trial_of(id="a-proof"), Judgement(Verdict.SAME, "", RUNGS)
    verdicts.store(RunFolder(tmp_path), proof, judgement)
    assert verdicts.cached(proof) == judgement
    monkeypatch.setattr(verdicts, "oracle_digest", lambda: "another")
    assert verdicts.cached(proof) is None
    assert list(verdicts.read(RunFolder(tmp_path), [proof]).values()) == [judgement]


def test_a_forgotten_verdict_is_neither_in_the_folder_nor_cached(tmp_path, cache):
    folder = RunFolder(tmp_path)
    proofs = [trial_of(id="one"), trial_of(id="other")]
    for proof in proofs:
        verdicts.store(folder, proof, Judgement(Verdict.SAME, "", RUNGS))
    verdicts.forget(folder, [proofs[0], trial_of(id="never-made")])
    assert [verdicts.cached(proof) is None for proof in proofs] == [True, False]
    assert not (folder.proofs / "one.json").exists()
    assert (folder.proofs / "other.json").exists()


def test_the_digest_is_of_every_source_file(tmp_path):
    digests = set()
    for name in ("one.py", "other.py"):
        for text in ("a = 1", "a = 2"):
            (tmp_path / name).write_text(text)
            verdicts.oracle_digest.cache_clear()
            digests.add(verdicts.oracle_digest(tmp_path))
    assert len(digests) == 4


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema": 1}', '{"schema": 2}', "verdict"])
def test_a_damaged_verdict_is_none(tmp_path, cache, damage):
    proof, folder = trial_of(id="a-proof"), RunFolder(tmp_path)
    verdicts.store(folder, proof, Judgement(Verdict.SAME, "", RUNGS))
    file = folder.proofs / "a-proof.json"
    if damage == "verdict":
        damage = json.dumps(json.loads(file.read_text()) | {"verdict": "unheard of"})
    file.write_text(damage)
    assert verdicts.read(folder, [proof]) == {}
