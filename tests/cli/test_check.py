"""`samestep check` and `samestep new-adapter`, as a user runs them."""

import json

import pytest

from harness.execute import checking
from harness.experiment.loading import CATALOGUE
from harness.parity.rules import BY_NAME
from harness.parity.timed_rules import (
    its_limit_is_all_the_products,
    the_device_is_done_on_return,
    training_is_done_on_the_clock,
)

TIMED = (
    the_device_is_done_on_return,
    training_is_done_on_the_clock,
    its_limit_is_all_the_products,
)
pytestmark = pytest.mark.xdist_group("more processes")


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
    assert kinds.count("rule") == len(BY_NAME)
    assert "refused by supports" in value["remarks"]["demo"][0]
    again = invoke("new-adapter", "demo", "--dir", "mine")
    assert again.exit_code == 2
    assert "is there already" in again.stderr


@pytest.fixture
def untimed(monkeypatch):
    """Leave out the rules that take time to be sure of times: these tests are about numbers."""
    rules = {name: rule for name, rule in BY_NAME.items() if rule not in TIMED}
    monkeypatch.setattr(checking, "BY_NAME", rules)


LOSSES = "losses_are_one_per_step_and_the_oracles"
MISTAKES = [  # the first two by default
    ("w -= rate * g", "w += rate * g", "the sign of the update is flipped"),
    ("(W.copy(), None", "(W.reshape(W.shape[::-1]).T.copy(), None", "kernel is transposed"),
    ('factor = 1 / rows if loss.batch == "mean" else 1.0', "factor = 1.0", "summed over the batch"),
    ("c1, c2 = 1 - rule.beta1**self.steps_done, 1 - rule.beta2**self.steps_done",
     "c1, c2 = 1.0, 1.0", "Adam has no bias correction"),
    ("return losses  #", "return None  #", "a stepwise loop must return its losses"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        pytest.param(*mistake, marks=[pytest.mark.full_product] if number >= 2 else [])
        for number, mistake in enumerate(MISTAKES)
    ],
    ids=lambda v: str(v)[:20],
)
def test_a_mistake_in_it_is_named(invoke, tmp_path, untimed, right, wrong, words):
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    # only a square kernel keeps its shape when it is transposed, and is named for sure
    names = ("xor-sigmoid-full",) if "kernel" in words else ("relu-adam", "regression", LOSSES)
    done = invoke("check", "demo.py", *(part for name in names for part in ("--only", name)))
    assert done.exit_code == 1
    assert words in done.stdout
    (summary,) = [line for line in done.stdout.splitlines() if line.startswith("demo stepwise: ")]
    assert summary.endswith(" broken")


@pytest.mark.full_product
def test_a_framework_without_float64_is_judged_in_float32(invoke, tmp_path, untimed):
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    loops = 'loops = ("stepwise",)\n'
    file.write_text(file.read_text().replace(loops, loops + '    dtypes = ("float32",)\n'))
    done = invoke("check", "demo.py", "--json")
    assert done.exit_code == 0, done.stderr
    findings = [f for f in json.loads(done.stdout)["findings"] if f["judgement"]]
    assert {finding["judgement"]["verdict"] for finding in findings} == {"same to float32"}
    # saturated outputs leave gradients that are rounding alone, which Adam divides by themselves
    rungs = [f["judgement"]["rungs"] for f in findings if "far-" not in f["name"]]
    tolerances = [r["tolerance"] for each in rungs for r in each if r["name"] == "24 steps"]
    assert all(32 * 1.1e-7 < tolerance < 1e-2 for tolerance in tolerances)


def with_line(tmp_path, place, line, name="demo.py"):
    """The new adapter with a line before the one that contains `place`."""
    text = (tmp_path / "demo.py").read_text()
    first, _, rest = text.partition(place)
    head, _, begun = first.rpartition("\n")
    indent = begun[: len(begun) - len(begun.lstrip())]
    (tmp_path / name).write_text(f"{head}\n{indent}{line}\n{begun}{place}{rest}")
    return 1 + head.count("\n") + 1


def test_a_check_that_judges_no_protocol_does_not_hold(invoke, tmp_path):
    invoke("new-adapter", "demo")
    file = tmp_path / "demo.py"
    refusal = (
        "DemoTrainer.supports = staticmethod(\n"
        "    lambda e: f'follows no {e.loss.name}' if e.loss else 'predicts nothing'\n)\n"
    )
    file.write_text(f"{file.read_text()}\n\n{refusal}")
    done = invoke("check", "demo.py")
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    assert "no protocol" in line
    assert "follows no binary_cross_entropy (xor-sigmoid-full, " in line
    assert "predicts nothing (step-forward, sigmoid-forward, fixed-forward)" in line
    assert "The least that a check needs" in line
    assert "--protocol FILE.toml names one" in line


@pytest.mark.full_product
def test_an_exception_is_one_line_with_its_place(invoke, tmp_path, untimed):
    invoke("new-adapter", "demo")
    number = with_line(tmp_path, "losses = np.empty", "np.ones(2) @ np.ones(3 + len(batches))")
    names = ("regression", "relu-adam", "stage_trains_nothing")
    done = invoke("check", "demo.py", *(part for name in names for part in ("--only", name)))
    assert done.exit_code == 1
    broken = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    assert len(broken) == 1
    assert f"demo.py:{number} in advance: ValueError: " in broken[0]
    (repeated,) = [line for line in done.stdout.splitlines() if "also breaks" in line]
    assert f"demo.py:{number} in advance: ValueError also breaks" in repeated
    assert "stage_trains_nothing" in repeated
    assert "Traceback" not in done.stdout
    done = invoke("check", "demo.py", "--only", "regression", "--traceback")
    assert "Traceback (most recent call last)" in done.stdout
    assert "np.ones(2) @ np.ones(3 + len(batches))" in done.stdout


@pytest.mark.parametrize(
    ("place", "line", "words"),
    [
        ("import numpy", "import absent_helper", "No module named 'absent_helper'; it is not"),
        ("# REPLACE 2", "return experiment.weather", " in supports: AttributeError: "),
    ],
)
def test_what_prevents_every_test_is_said_once(invoke, tmp_path, place, line, words):
    invoke("new-adapter", "demo")
    number = with_line(tmp_path, place, line)
    done = invoke("check", "demo.py")
    assert done.exit_code == 1
    (broken,) = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    assert f"demo.py:{number}" in broken
    assert words in broken
    assert "pip install" not in broken


@pytest.mark.full_product
def test_after_two_timeouts_a_loop_is_left_alone(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "TIMEOUTS_AT_MOST", 1)
    invoke("new-adapter", "demo")
    with_line(tmp_path, "losses = np.empty", "while True: pass")
    done = invoke("check", "demo.py", "--timeout", "4s")
    assert done.exit_code == 1
    assert done.stdout.count("killed after 4 s") == 1
    assert "of the stepwise loop, after 1 timeouts of 4 s" in done.stdout


def test_one_loop_one_protocol_or_one_rule(invoke, tmp_path):
    invoke("new-adapter", "demo")
    done = invoke(
        "check", "demo.py", "--loop", "stepwise", "--only", "relu-adam",
        "--only", "stage trains nothing", "--only", "gelu-adagrad", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    value = json.loads(done.stdout)
    names = [finding["name"] for finding in value["findings"]]
    assert names == ["relu-adam", "stage_trains_nothing"]
    assert value["remarks"]["demo"] == [
        "refused by supports: demo has no gelu activation yet (gelu-adagrad)"
    ]


def test_a_protocol_of_the_users_is_checked_and_rules_run_on_it(invoke, tmp_path):
    """An adapter that follows one protocol alone, which is in no list of ours."""
    invoke("new-adapter", "demo")
    with_line(
        tmp_path,
        "# REPLACE 2",
        "if experiment.name != 'mine': return 'it follows nothing but mine'",
    )
    text = (CATALOGUE / "or.toml").read_text().replace('name = "or"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(text)
    rule = "inputs_are_not_modified"
    done = invoke("check", "demo.py", "--protocol", "mine.toml", "--only", rule, "--json")
    assert done.exit_code == 0, done.stderr
    assert [f["name"] for f in json.loads(done.stdout)["findings"]] == ["mine", rule]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--protocol", "xor"), "--protocol: experiment: 'xor' is not known. Did you mean"),
        (("--loop", "fused"), "--loop of numpy: 'fused' is not known. Known: stepwise"),
        (("--only", "relu-adm"), "Did you mean 'relu-adam'? The nearest of "),
        (("--timeout", "soon"), "--timeout must be none, or a time such as 90s"),
    ],
)
def test_what_is_not_known_is_said_to_be_so(invoke, options, words):
    done = invoke("check", "numpy", *options)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.full_product
def test_what_small_adapters_got_wrong_and_nothing_looked_at(invoke, tmp_path):
    """Labels off by one, in an adapter that has nothing but softmax cross-entropy and SGD."""
    invoke("new-adapter", "demo")
    with_line(tmp_path, "loss, rows = self.loss, len(z)", "y = (y + 1) % z.shape[1]")
    (tmp_path / "demo.py").write_text(
        (tmp_path / "demo.py").read_text().replace("SGD | Adam):", "SGD):")
    )
    with_line(
        tmp_path,
        "if not isinstance(training.optimizer, SGD):",
        "if not isinstance(training.loss, SoftmaxCrossEntropy): return 'softmax is all there is'",
    )
    done = invoke("check", "demo.py", "--only", "iris")
    assert done.exit_code == 1
    done = invoke("check", "demo.py")
    assert done.exit_code == 1
    broken = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    assert any("ladder: " in line for line in broken)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Demo", "lower-case letters"),
        ("class", "a word of Python's own, which no module may have; take another, such as"),
        ("../x", "lower-case letters"),
        ("1a", "beginning with a letter"),
        ("내-망", "lower-case letters"),
        ("numpy", "the name of an installed adapter"),
    ],
)
def test_names_that_no_file_may_have(invoke, tmp_path, name, words):
    done = invoke("new-adapter", name)
    assert done.exit_code == 2
    assert "name:" in done.stderr
    assert words in done.stderr
    assert not list(tmp_path.glob("*.py"))


@pytest.mark.full_product
def test_an_adapter_may_have_a_korean_name(invoke):
    done = invoke("new-adapter", "내망")
    assert done.exit_code == 0, done.stderr
    assert invoke("check", "내망.py", "--only", "relu-adam").exit_code == 0


def test_check_of_something_unknown(invoke):
    done = invoke("check", "tourch")
    assert done.exit_code == 2
    assert "Did you mean 'torch'?" in done.stderr
