"""`samestep check` and `samestep new-adapter`, as a user runs them."""

import json

import pytest

pytestmark = pytest.mark.xdist_group("processes")


def test_a_new_adapter_is_green_at_once(invoke, samestep):
    written = samestep("new-adapter", "demo", "--dir", "mine")
    assert written.returncode == 0, written.stderr
    done = invoke("check", "mine/demo.py", "--json")
    assert done.exit_code == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["schema"] == 1
    assert all(finding["holds"] for finding in value["findings"])
    kinds = [finding["kind"] for finding in value["findings"]]
    assert kinds.count("ladder") >= 4
    assert kinds.count("rule") == 16
    again = invoke("new-adapter", "demo", "--dir", "mine")
    assert again.exit_code == 2
    assert "is there already" in again.stderr


@pytest.fixture
def untimed(monkeypatch):
    """Leave out the rules that take time to be sure of times: these tests are about numbers."""
    monkeypatch.setattr("harness.execute.checking.TIMED_RULES", ())


MISTAKES = [
    ("w -= rate * g", "w += rate * g", "the sign of the update is flipped"),
    ("(W.copy(), None", "(W.reshape(W.shape[::-1]).T.copy(), None", "kernel is transposed"),
    ('factor = 1 / rows if loss.batch == "mean" else 1.0', "factor = 1.0", "summed over the batch"),
    ("c1, c2 = 1 - rule.beta1**self.steps_done, 1 - rule.beta2**self.steps_done",
     "c1, c2 = 1.0, 1.0", "Adam has no bias correction"),
    ("return losses  #", "return None  #", "a stepwise loop must return its losses"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "words"), MISTAKES, ids=lambda v: str(v)[:20])
def test_a_mistake_in_it_is_named(invoke, tmp_path, untimed, right, wrong, words):
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    done = invoke("check", "demo.py")
    assert done.exit_code == 1
    assert words in done.stdout
    assert "broken" in done.stdout.splitlines()[-2] + done.stdout.splitlines()[-3]


def test_a_framework_without_float64_is_judged_in_float32(invoke, tmp_path, untimed):
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    loops = 'loops = ("stepwise",)\n'
    file.write_text(file.read_text().replace(loops, loops + '    dtypes = ("float32",)\n'))
    done = invoke("check", "demo.py", "--json")
    assert done.exit_code == 0, done.stderr
    judged = [f["judgement"] for f in json.loads(done.stdout)["findings"] if f["judgement"]]
    assert {judgement["verdict"] for judgement in judged} == {"same to float32"}
    tolerances = [r["tolerance"] for j in judged for r in j["rungs"] if r["name"] == "24 steps"]
    assert all(32 * 1.1e-7 < tolerance < 1e-2 for tolerance in tolerances)


def test_a_check_that_judges_no_protocol_does_not_hold(invoke, tmp_path, untimed, monkeypatch):
    monkeypatch.setattr("harness.execute.checking.RULES", ())
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    refusal = "DemoTrainer.supports = staticmethod(lambda experiment: 'follows none of them')\n"
    file.write_text(f"{file.read_text()}\n\n{refusal}")
    done = invoke("check", "demo.py")
    assert done.exit_code == 1
    assert "no protocol" in done.stdout
    assert "follows none of them" in done.stdout


@pytest.mark.parametrize("name", ["Demo", "class", "../x", "1a", "numpy"])
def test_names_that_no_file_may_have(invoke, tmp_path, name):
    done = invoke("new-adapter", name)
    assert done.exit_code == 2
    assert "name:" in done.stderr
    assert not list(tmp_path.glob("*.py"))


def test_check_of_something_unknown(invoke):
    done = invoke("check", "tourch")
    assert done.exit_code == 2
    assert "Did you mean 'torch'?" in done.stderr
