"""The first chart, and how a gap between two frameworks is split into products and the rest."""

import dataclasses

import pytest
from pages import SAME, WRONG, charts_or_skip, report_of, request

from harness.experiment.vocabulary import Preset
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.planning import make_plan
from harness.report.page import drawing
from harness.report.page.report_page import overview
from harness.report.product_gaps import product_gaps
from harness.report.remarks import gap_text, library_name, remarks
from harness.report.sections import make_report
from harness.run import Run
from harness.trial.outcome import blank_row
from tests import readme

FRAMEWORKS = ("numpy", "torch", "jax")


def made(times_s, experiments=("mnist-mlp",), verdicts=None, **columns):
    """A report with the training time of each framework; other columns by framework."""
    plan = make_plan(Request(experiments, tuple(times_s), preset=Preset.STANDARD, seeds=1))
    rows = []
    for trial in plan.trials:
        blank = blank_row(trial, plan.digest, "1", plan.experiments[trial.experiment], "ok", None)
        of_trial = {name: values.get(trial.framework) for name, values in columns.items()}
        train_s = times_s[trial.framework]
        fixed = {"train_s": train_s, "step_us": train_s * 1e3, "device": "cpu"}
        rows.append(dataclasses.replace(blank, **(fixed | of_trial)))
    judged = {t: (verdicts or {}).get(t.framework, SAME) for t in plan.proofs}
    return make_report(
        Run(plan, rows, {(t.experiment, t.framework, t.loop): j for t, j in judged.items()})
    )


# ---------------------------------------------------------------- the chart


def test_rows_go_from_the_smallest_network_to_the_largest():
    times = dict.fromkeys(FRAMEWORKS, 1.0)
    report = made(times, ("mnist-mlp", "xor-mlp", "iris-softmax"))
    figure = overview(report)
    (spec,) = figure.specs.values()
    assert spec["encoding"]["y"]["scale"]["domain"] == [
        "XOR with one hidden layer of two",
        "Softmax regression on iris",
        "One hidden layer of 50 sigmoid units\non MNIST",
    ]
    assert figure.rows[0][0] == "XOR with one hidden layer of two"
    assert len(figure.rows) == len(figure.records) == sum(len(s.lines) for s in report.sections)


def test_what_a_mark_says():
    unproven = Judgement(Verdict.NOT_FLOAT32, "far off", ())
    steal = {"torch": 0.5}
    report = made(
        {"numpy": 2.0, "torch": 8.0, "jax": 0.5}, verdicts={"jax": unproven}, steal_fraction=steal
    )
    points = {(r["f"], r["l"]): r for r in overview(report).records}
    numpy, torch, jax = (
        points[key] for key in (("numpy", "stepwise"), ("torch", "fused"), ("jax", "fused"))
    )
    assert (numpy["r"], numpy["x"], numpy["b"], numpy["p"]) == (1.0, "1", "", "proven")
    assert (torch["r"], torch["x"], torch["t"], torch["b"]) == (4.0, "≤ 4.00", "≤ 8.00 s", "≤")
    assert torch["lo"] < torch["r"] == torch["hi"]
    assert (jax["r"], jax["p"]) == (0.25, f"not proven: {Verdict.NOT_FLOAT32}")
    caption = overview(report).caption
    assert "Hollow marks are not proven" in caption
    assert "upper bound" in caption
    quiet = overview(made({"numpy": 2.0, "jax": 0.5})).caption
    assert "Hollow" not in quiet
    assert "bound" not in quiet


def test_a_disturbed_baseline_makes_lower_bounds():
    report = made({"numpy": 2.0, "jax": 4.0}, steal_fraction={"numpy": 0.5})
    jax = next(r for r in overview(report).records if r["f"] == "jax")
    assert (jax["x"], jax["b"]) == ("≥ 2.00", "≥")
    assert jax["lo"] == jax["r"] < jax["hi"]
    assert "lower bound" in overview(report).caption


def test_without_a_proven_time_there_is_no_chart():
    assert (
        overview(made({"numpy": 1.0, "jax": 2.0}, verdicts=dict.fromkeys(FRAMEWORKS, WRONG)))
        is None
    )


def test_other_baselines_are_named():
    figure = overview(made({"torch": 1.0, "jax": 2.0}))
    assert "over torch's" in figure.headings
    mixed = made({"numpy": 1.0, "torch": 1.0, "jax": 2.0}, ("xor-mlp", "mnist-mlp"))
    xor, mnist = mixed.sections
    wrong = [
        dataclasses.replace(x, judgement=WRONG, ratio=None) if x.framework == "numpy" else x
        for x in mnist.lines
    ]
    torch = [dataclasses.replace(x, ratio=None) if x.framework == "torch" else x for x in wrong]
    figure = overview(
        dataclasses.replace(mixed, sections=[xor, dataclasses.replace(mnist, lines=tuple(torch))])
    )
    assert "over the baseline's" in figure.headings
    assert "The baseline is numpy, or else the first that is proven." in figure.caption


@pytest.mark.parametrize("titles", [("XOR", "XOR"), ("XOR", " XOR\n")])
def test_titles_that_are_alike_are_told_apart(titles):
    report = made({"numpy": 1.0, "jax": 2.0}, ("xor-mlp", "xor-wide"))
    alike = [
        dataclasses.replace(s, experiment=s.experiment.model_copy(update={"title": title}))
        for s, title in zip(report.sections, titles, strict=True)
    ]
    (spec,) = overview(dataclasses.replace(report, sections=alike)).specs.values()
    assert spec["encoding"]["y"]["scale"]["domain"] == ["XOR (xor-mlp)", "XOR (xor-wide)"]


def test_every_framework_has_a_colour_of_its_own():
    (spec,) = overview(readme.report()).specs.values()
    colours = spec["layer"][-1]["encoding"]["color"]["scale"]
    assert len(set(colours["range"])) == len(colours["domain"]) == 5
    assert overview(readme.report()).specs.keys() == {"overview"}


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_it_is_drawn(tmp_path, page_cache, monkeypatch, suffix):
    monkeypatch.setenv("SAMESTEP_CACHE", str(page_cache))
    charts_or_skip()
    report = report_of(tmp_path, request(("xor-mlp", "diabetes-linear")))
    drawings = drawing.of_report(report)
    content = drawing.image(drawings, "overview", suffix)
    assert content == drawing.image(drawings, "", suffix)
    assert len(content) > 5_000


# ---------------------------------------------------------------- the products' share


def gaps(step_us, gemm_us, **columns):
    """The gaps of three frameworks on a network with measurable products."""
    blas = {"numpy": "openblas 0.3.31 SkylakeX", "torch": "MKL", "jax": "Eigen (XLA)"}
    times = dict.fromkeys(step_us, 1.0)
    report = made(times, step_us=step_us, gemm_us=gemm_us, blas=blas, **columns)
    return report.sections[0], product_gaps(report.sections[0].lines)


def test_a_gap_is_split():
    section, (gap,) = gaps({"torch": 4600.0, "jax": 2000.0}, {"torch": 3200.0, "jax": 1484.0})
    text = gap_text(gap)
    assert text == (
        "of the 2.60 ms a step between torch fused and jax fused, 66 % is in the products "
        "themselves (MKL against Eigen), 34 % in everything else"
    )
    assert text in remarks(section)


def test_products_that_explain_more_than_the_gap_or_nothing():
    _, (more,) = gaps({"torch": 4000.0, "jax": 2000.0}, {"torch": 3900.0, "jax": 900.0})
    assert gap_text(more) == (
        "the products explain more than the 2.00 ms a step between torch fused and jax fused: "
        "alone they take 3.00 ms a step longer (MKL against Eigen), and everything else takes less"
    )
    _, (nothing,) = gaps({"torch": 4000.0, "jax": 2000.0}, {"torch": 500.0, "jax": 900.0})
    assert gap_text(nothing) == (
        "the products explain nothing of the 2.00 ms a step between torch fused and jax fused: "
        "alone they take 400 µs a step less (MKL against Eigen), and everything else takes longer"
    )
    _, (alike,) = gaps({"torch": 4000.0, "jax": 2000.0}, {"torch": 899.0, "jax": 900.0})
    assert "0 % is in the products" in gap_text(alike)


@pytest.mark.parametrize(
    ("step_us", "gemm_us", "columns"),
    [
        ({"torch": 2900.0, "jax": 2000.0}, {"torch": 1900.0, "jax": 1000.0}, {}),
        ({"torch": 4000.0, "jax": 2000.0}, {"jax": 1000.0}, {}),
        ({"torch": 4000.0, "jax": 2000.0}, {}, {}),
        (
            {"torch": 4000.0, "jax": 2000.0},
            {"torch": 1900.0, "jax": 1000.0},
            {"steal_fraction": {"torch": 0.5}},
        ),
        (
            {"torch": 4000.0, "jax": 2000.0},
            {"torch": 1900.0, "jax": 1000.0},
            {"verdicts": {"torch": WRONG}},
        ),
    ],
    ids=["small", "one", "none", "disturbed", "unproven"],
)
def test_gaps_that_are_not_split(step_us, gemm_us, columns):
    _, found = gaps(step_us, gemm_us, **columns)
    assert found == []


def test_every_framework_is_compared_with_the_fastest():
    step_us = {"numpy": 6000.0, "torch": 4600.0, "jax": 2000.0}
    _, found = gaps(step_us, dict.fromkeys(step_us, 1000.0))
    assert [(gap.slow.framework, gap.fast.framework) for gap in found] == [
        ("torch", "jax"),
        ("numpy", "jax"),
    ]


@pytest.mark.parametrize(
    ("blas", "name"),
    [
        ("MKL", "MKL"),
        ("Eigen (XLA)", "Eigen"),
        ("Eigen, oneDNN (TensorFlow)", "Eigen and oneDNN"),
        ("openblas 0.3.30 SkylakeX; openblas 0.3.31.188.0 SkylakeX", "OpenBLAS"),
        ("accelerate", "accelerate"),
        ("(odd)", "(odd)"),
        ("", "an unknown library"),
        (None, "an unknown library"),
    ],
)
def test_names_of_libraries(blas, name):
    assert library_name(blas) == name


def test_the_tooltip_says_why():
    records = overview(readme.report()).records
    why = [r["g"] for r in records if r["g"]]
    assert len(why) == sum(len(product_gaps(s.lines)) for s in readme.report().sections) > 5
    assert all("a step between" in text for text in why)
