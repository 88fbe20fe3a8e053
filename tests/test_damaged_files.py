"""Whatever became of a file, a command says it in words or goes on, and touches no other file."""

import hashlib
import json
import shutil
import tomllib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import planning
from harness.claims import claim_plan
from harness.claims import loading as claims
from harness.experiment import loading
from harness.experiment.drafting import draft
from harness.experiment.loading import ProtocolError
from harness.parity import verdicts
from harness.parity.judgement import Judgement
from harness.plan import Request
from harness.results import RunFolder
from harness.tables import TableError, sources
from harness.tables.description import describe
from tests.damage import damaged_bytes, damaged_values
from tests.report.pages import SAME, report_of, request

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=25, suppress_health_check=QUIET)
MANY = settings(FEW, max_examples=2_000, derandomize=False, print_blob=True)
"""Other examples every night."""
HOW_MANY = [
    pytest.param(FEW, id="few"),
    pytest.param(MANY, id="many", marks=pytest.mark.nightly),
]
WRITTEN = {"report.md", "results.csv", "report.html"}
"""What `report --from` writes."""


def contents(folder):
    """Every file below a folder, with its digest."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name not in WRITTEN
    }


# ---------------------------------------------------------------- the folder of a run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run as `report` leaves one: its plan, rows, curves and verdicts."""
    path = tmp_path_factory.mktemp("whole") / "run"
    requested = request(("xor-mlp",), frameworks=("numpy", "torch"), seeds=2)
    report = report_of(path, requested)
    folder, plan = RunFolder(path), report.run.plan
    folder.plan_file.write_text(plan.to_json())
    for proof in plan.proofs:
        verdicts.store(folder, proof, SAME, in_cache=False)
    return path


COMMANDS = [
    ("report", "--from", "run"),
    ("status", "run", "whole"),
    ("compare", "run", "whole"),
    ("merge", "run", "whole", "-o", "merged"),
    ("report", "--from", "run", "-o", "x.json"),
]
PARTS = {
    "plan": "plan.json",
    "a row": "trials/*numpy*.json",
    "arrays": "trials/*numpy*.npz",
    "a proof": "proofs/*numpy*.json",
}


@pytest.mark.parametrize("how", HOW_MANY)
@pytest.mark.parametrize("part", PARTS)
def test_of_a_run(whole, invoke, tmp_path, part, how):
    original = min(whole.glob(PARTS[part])).relative_to(whole)
    content = (whole / original).read_bytes()
    shutil.copytree(whole, tmp_path / "whole")
    strategy = damaged_bytes(content)
    if original.suffix == ".json":
        values = damaged_values(json.loads(content))
        strategy |= values.map(lambda changed: json.dumps(changed).encode())

    @how
    @given(strategy, st.sampled_from(COMMANDS))
    def no_traceback(damaged, command):
        for name in ("run", "merged"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        shutil.copytree(whole, tmp_path / "run")
        (tmp_path / "run" / original).write_bytes(damaged)
        before = contents(tmp_path / "run"), contents(tmp_path / "whole")
        done = invoke(*command)
        assert done.exit_code in (0, 1, 2, 3)
        assert done.exit_code < 2 or done.stderr
        assert "Traceback" not in done.stderr + done.stdout
        assert (contents(tmp_path / "run"), contents(tmp_path / "whole")) == before
        assert {file.name for file in tmp_path.iterdir()} <= {
            "run", "whole", "merged", "cache", "home", "x.json",
        }  # fmt: skip

    no_traceback()


# ---------------------------------------------------------------- verdicts in the cache


@pytest.mark.parametrize("how", HOW_MANY)
def test_of_the_cache(cache, tmp_path, how):
    plan = planning.make_plan(Request(("xor-mlp",), frameworks=("numpy",)))
    proof = plan.proofs[0]
    verdicts.store(RunFolder(tmp_path / "run"), proof, SAME)
    (file,) = (cache / "proofs").iterdir()
    content = file.read_bytes()
    values = damaged_values(json.loads(content)).map(lambda changed: json.dumps(changed).encode())

    @how
    @given(damaged_bytes(content) | values)
    def a_verdict_or_none(damaged):
        file.write_bytes(damaged)
        judgement = verdicts.cached(proof)
        if judgement is not None:  # it can be stored, read again and shown
            assert isinstance(judgement, Judgement)
            verdicts.store(RunFolder(tmp_path / "again"), proof, judgement, in_cache=False)
            again = verdicts.read_one(RunFolder(tmp_path / "again"), proof)
            assert repr(again) == repr(judgement)  # a difference may be NaN

    a_verdict_or_none()


# ---------------------------------------------------------------- TOML


PROTOCOLS = ("xor-mlp", "mnist-mlp", "digits-mlp", "iris-softmax", "fixed-forward")
CLAIMS = ("C01", "C05", "C24", "C45", "C80")


@pytest.mark.parametrize("how", HOW_MANY)
def test_of_a_protocol(tmp_path, how):
    files = [loading.CATALOGUE / f"{name}.toml" for name in PROTOCOLS]
    damaged = st.sampled_from(files).flatmap(lambda file: damaged_bytes(file.read_bytes()))
    values = st.sampled_from(files).flatmap(
        lambda file: damaged_values(tomllib.loads(file.read_text()))
    )

    @how
    @given(damaged | values)
    def a_protocol_or_a_sentence(damaged):
        try:
            if isinstance(damaged, bytes):
                (tmp_path / "mine.toml").write_bytes(damaged)
                experiment = loading.read(tmp_path / "mine.toml")
            else:
                experiment = loading.parse(damaged, "mine.toml", tmp_path)
                loading.check_whole(experiment, "mine.toml")
        except ProtocolError:
            return
        again = loading.parse(experiment.model_dump(mode="json"), "stored")
        assert again.digest == experiment.digest

    a_protocol_or_a_sentence()


@pytest.mark.parametrize("how", HOW_MANY)
def test_of_a_claim(tmp_path, how):
    files = [claims.LEDGER / f"{name}.toml" for name in CLAIMS]
    damaged = st.sampled_from(files).flatmap(lambda file: damaged_bytes(file.read_bytes()))
    values = st.sampled_from(files).flatmap(
        lambda file: damaged_values(tomllib.loads(file.read_text()))
    )

    @how
    @given(damaged | values)
    def a_claim_or_a_sentence(damaged):
        try:
            if isinstance(damaged, bytes):
                (tmp_path / "mine.toml").write_bytes(damaged)
                claim = claims.read(tmp_path / "mine.toml")
            else:
                claim = claims.from_values(damaged, "mine.toml")
        except ProtocolError:
            return
        claim_plan.claim_runs(claim, every_variant=True)

    a_claim_or_a_sentence()


# ---------------------------------------------------------------- tables of the user's


def written(tmp_path):
    """One small table in every format that needs no package."""
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
    lines = [f"{a},{b},class {c}" for (a, b), c in zip(X, y, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    (tmp_path / "table.tsv").write_text("\n".join(["a\tb", *("1\t2" for _ in lines)]) + "\n")
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "table.npz", X=X, y=y)
    idx = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (3, 2, 2)) + bytes(range(12))
    (tmp_path / "images-idx3-ubyte").write_bytes(idx)
    return sorted(file for file in tmp_path.iterdir() if file.is_file())


@pytest.mark.parametrize("how", HOW_MANY)
def test_of_a_table(tmp_path, how):
    files = [(file.name, file.read_bytes()) for file in written(tmp_path)]
    damaged = st.sampled_from(files).flatmap(
        lambda file: st.tuples(st.just(file[0]), damaged_bytes(file[1]))
    )

    @how
    @given(damaged)
    def a_table_or_a_sentence(damaged):
        name, content = damaged
        file = tmp_path / name
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                table = sources.read(sources.Source(file))
                summaries = describe(table)
                for summary in summaries[-1:]:
                    draft(sources.Source(file), summary.name)
            except (TableError, ProtocolError):
                pass
        assert file.read_bytes() == content

    a_table_or_a_sentence()
