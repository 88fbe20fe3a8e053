"""A run on several numbers of threads: tables apart, no order across, and what more threads do."""

import dataclasses
import json
import re

import pytest

from harness.analysis.compare import compare
from harness.plan import Plan, Request
from harness.planning import make_plan
from harness.report import terminal
from harness.report.answer import answer, statements
from harness.report.markdown import as_markdown
from harness.report.page import drawing, report_page
from harness.report.sections import make_report
from harness.report.text import seconds
from harness.report.thread_effects import NAMES_AT_MOST, effects
from harness.run import Run
from harness.trial.outcome import blank_row
from tests.report.pages import SAME, WRONG

FRAMEWORKS = ("numpy", "sklearn", "keras", "torch", "jax")
EXPERIMENTS = ("xor-mlp", "mnist-mlp", "mnist-deep")
TRAIN_S = {"numpy": 4.0, "sklearn": 9.0, "keras": 3.0, "torch": 6.0, "jax": 1.0}
ON_TWO = {
    ("mnist-mlp", "torch"): 1 / 1.5,
    ("mnist-deep", "torch"): 1 / 1.8,
    ("mnist-deep", "numpy"): 1 / 1.6,
    ("xor-mlp", "jax"): 1.7,
    ("mnist-mlp", "jax"): 1.2,
    ("mnist-deep", "keras"): 1 / 2,  # not proven, so it says nothing
}
"""By what a second thread multiplies a training time; 1 elsewhere."""


def plan_of(threads=(1, 2), seeds=4, experiments=EXPERIMENTS):
    return make_plan(Request(experiments, FRAMEWORKS, threads=threads, seeds=seeds))


def report_of(plan, factor=ON_TWO, noisy=()):
    rows = []
    for trial in plan.trials:
        if trial.track != "identical":
            continue
        blank = blank_row(trial, plan.digest, "1", plan.experiments[trial.experiment], "ok", None)
        jitter = 1.003 if (trial.seed + trial.threads) % 2 else 0.997
        train_s = TRAIN_S[trial.framework] * (1 + 0.01 * trial.seed) * jitter
        if trial.threads > 1:
            train_s *= factor.get((trial.experiment, trial.framework), 1)
        columns = {"train_s": train_s, "step_us": train_s * 10, "device": "cpu", "machine": "m"}
        if (trial.framework, trial.threads) in noisy:
            columns["steal_fraction"] = 0.5
        rows.append(dataclasses.replace(blank, **columns))
    verdicts = {(t.experiment, t.framework, t.loop): SAME for t in plan.proofs}
    verdicts |= {cell: WRONG for cell in verdicts if cell[1] == "keras"}
    return make_report(Run(plan, rows, verdicts, (), lambda trial: {}, None))


def statement_on_threads(report):
    (text,) = [text for text in statements(report.sections) if text.startswith("2 threads")]
    return text


def test_every_number_of_threads_has_its_own_table_and_order():
    report = report_of(plan_of())
    places = [(section.experiment.name, section.place) for section in report.sections]
    counts = ("cpu, 1 thread", "cpu, 2 threads")
    assert places == [(name, place) for name in EXPERIMENTS for place in counts]
    for section in report.sections:
        assert {line.threads for line in section.lines} == {section.threads}
        assert len({line.name for line in section.lines}) == len(section.lines)
        assert section.baseline.framework == "numpy"
        assert section.ranking.first.name == "jax fused"
        assert f"{section.threads} thread" in section.caption
    torch = {
        section.threads: line.ratio.value
        for section in report.sections
        for line in section.lines
        if (section.experiment.name, line.name) == ("mnist-mlp", "torch fused")
    }
    assert torch[1] == pytest.approx(6 / 4)
    assert torch[2] == pytest.approx(6 / 4 / 1.5)  # over NumPy's time on two threads, too


def test_every_output_shows_the_threads():
    report = report_of(plan_of())
    text = as_markdown(report)
    assert "## mnist-deep: " in text
    assert "| mnist-deep (cpu, 2 threads) |" in text
    context = report_page.context(report)
    names = [name.partition(" (")[0] for name, *_ in context["statements"]]
    assert names == [
        *(
            f"{size} networks, {n}"
            for size in ("Small", "Large")
            for n in ("1 thread", "2 threads")
        ),
        "2 threads instead of 1",
    ]
    labels = {record["e"].replace("\n", " ") for record in context["picture"].records}
    assert len(labels) == 2 * len(EXPERIMENTS)
    assert all(label.endswith(("(cpu, 1 thread)", "(cpu, 2 threads)")) for label in labels)
    assert context["command"].endswith("--threads 1,2")
    commands = [row.details.command for c in context["chapters"] for row in c.table.rows]
    assert {re.search(r"--threads (\S+)|$", command)[1] for command in commands} == {None, "2"}
    names = [name for name in drawing.of_report(report) if name.startswith("mnist-mlp@")]
    assert names
    assert all("@cpu, " in name for name in names)


def test_one_number_of_threads_is_said_in_the_caption_alone(capsys):
    for threads in (1, 2):
        report = report_of(plan_of((threads,)))
        assert [section.place for section in report.sections] == ["cpu"] * 3
        said = statements(report.sections)
        assert [text.partition(" (")[0] for text in said] == ["Small networks", "Large networks"]
        assert "instead of" not in " ".join(statements(report.sections))
    from rich.console import Console

    terminal.print_sections(report.sections, Console(width=200))
    assert "(cpu)" in capsys.readouterr().out


def test_the_statement_on_threads_says_what_the_tables_say():
    report = report_of(plan_of())
    text = statement_on_threads(report)
    check_statement(report, text)
    assert "faster for torch (mnist-mlp, mnist-deep), numpy (mnist-deep); most, 1.8" in text
    assert "slower for jax (xor-mlp, mnist-mlp); most, 1.7" in text
    assert "no difference is shown in 7 of 12 cases" in text
    mistakes = [
        ("1.7", "1.4"),
        ("torch (mnist-mlp, ", "torch ("),
        ("7 of 12", "8 of 12"),
        ("then 3", "then 4"),
    ]
    for right, wrong in mistakes:
        changed = text.replace(right, wrong)
        assert changed != text
        with pytest.raises(AssertionError):
            check_statement(report, changed)


def check_statement(report, text):
    """Every part of the statement, worked out again from the samples of both tables."""
    lines = {
        (section.experiment.name, section.threads, line.framework): (section, line)
        for section in report.sections
        for line in section.lines
        if line.best and line.proven
    }
    pairs = {
        (name, framework): (lines[name, 1, framework][1], line)
        for (name, threads, framework), (_, line) in lines.items()
        if threads == 2
    }
    ratios = {
        key: [many.samples[at] / few.samples[at] for at in few.samples]
        for key, (few, many) in pairs.items()
    }
    faster = {key for key, values in ratios.items() if max(values) < 0.95}
    slower = {key for key, values in ratios.items() if min(values) > 1.05}
    for word, expected in (("faster", faster), ("slower", slower)):
        found = re.search(
            rf"{word} for (.*?); most, ([\d.]+) \(.*? times as (?:fast|long), “(.*?)” in (\S+) \S+ "
            r"\((.*?), then (.*?)\)",
            text,
        )
        assert bool(found) == bool(expected)
        if not found:
            continue
        named = {
            (name, framework)
            for framework, names in re.findall(r"(\S+) \((.*?)\)", found[1])
            for name in names.split(", ")
        }
        assert named == expected
        size = {key: max(v := sum(ratios[key]) / 4, 1 / v) for key in expected}
        key = max(size, key=size.get)
        few, many = pairs[key]
        assert (found[3], found[4]) == (lines[key[0], 2, key[1]][0].experiment.title, key[1])
        assert float(found[2]) == pytest.approx(size[key], rel=0.05)
        assert (found[5], found[6]) == (seconds(few.train.value), seconds(many.train.value))
    open_cases = len(pairs) - len(faster) - len(slower)
    assert f"no difference is shown in {open_cases} of {len(pairs)} cases" in text


def test_one_seed_says_that_more_would_show_more():
    text = statement_on_threads(report_of(plan_of(seeds=1)))
    assert "no difference is shown in 12 of 12 cases" in text
    assert text.endswith("three or more undisturbed seeds would show smaller ones.")


def test_disturbed_trials_are_never_called_slower():
    report = report_of(plan_of(), noisy={("jax", 2), ("torch", 1)})
    text = statement_on_threads(report)
    assert "slower for" not in text
    assert "torch (" not in text  # its time on one thread is an upper bound
    assert "faster for numpy (mnist-deep)" in text


def test_of_many_experiments_some_are_counted():
    names = ("and", "or", "xor-flip", "xor-poly", "xor-wide", "xor-mlp")
    report = report_of(plan_of(experiments=names), {(name, "jax"): 2 for name in names})
    shown = ", ".join(names[:NAMES_AT_MOST])
    assert f"slower for jax ({shown}, 2 more); most" in statement_on_threads(report)


def test_three_numbers_are_compared_with_the_fewest():
    report = report_of(plan_of((2, 1, 4)))
    assert list(effects(report.sections)) == [(1, 2), (1, 4)]
    assert "All" in answer(report.run, report.sections) or "trials" in answer(
        report.run, report.sections
    )


def test_a_plan_with_one_number_is_the_plan_it_was():
    one, two = plan_of((1,)), plan_of()
    assert make_plan(Request(EXPERIMENTS, FRAMEWORKS, seeds=4)).digest == one.digest != two.digest
    stored = json.loads(one.to_json())
    assert stored["request"]["threads"] == 1
    assert Plan.from_json(one.to_json()).request == one.request
    assert Plan.from_json(two.to_json()).request.threads == (1, 2)
    del stored["request"]["timed"]  # as earlier versions stored it
    assert Plan.from_json(json.dumps(stored)).request == one.request
    assert {t.id for t in one.trials} < {t.id for t in two.trials}
    assert {t.id for t in one.proofs} == {t.id for t in two.proofs}


def test_runs_are_compared_thread_by_thread():
    both, one = report_of(plan_of()).run, report_of(plan_of((2,))).run
    comparisons = [c for c in compare(both.rows, one.rows, ()) if c.ratio]
    assert {c.cell.threads for c in comparisons} == {2}
    assert all(c.ratio.value == pytest.approx(1) and c.pairs == 4 for c in comparisons)
