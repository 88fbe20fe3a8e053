"""What the READMEs say has to be true."""

import ast
import inspect
import re
import tomllib
import typing
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from harness import data, scaffold
from harness.claims.loading import from_values
from harness.claims.number import Metric
from harness.cli import app
from harness.experiment.loading import parse
from harness.experiment.model import Experiment
from harness.parity import diagnosis, ladder, rules
from harness.parity.protocols import every
from harness.parity.subject import Subject
from harness.parity.trace import FIRST_20_STEPS, record
from harness.registry import find
from tests import readme

ROOT = Path(__file__).parents[1]
NAMES = [
    "README.md",
    "harness/README.md",
    *(
        f"harness/{room}/README.md"
        for room in ("analysis", "claims", "data", "experiment", "handover", "lesson", "parity")
    ),
    "implementations/README.md",
    "results/README.md",
    ".github/CONTRIBUTING.md",
    "harness/CHANGELOG.md",
]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", text_of(name), re.DOTALL)


# ---------------------------------------------------------------- README.md


def test_it_is_short_and_begins_with_a_command():
    lines = text_of("README.md").splitlines()
    assert len(lines) <= 190
    assert next(n for n, line in enumerate(lines, 1) if line.startswith("samestep ")) <= 60


@pytest.mark.parametrize("name", readme.BLOCKS)
def test_tables_are_what_results_holds(name):
    assert readme.written(name) == text_of(name), "run: python -m tests.readme"


def test_the_chart_shows_what_results_holds():
    fields = ("framework", "loop", "experiment", "training time", "over numpy's", "proof")
    pattern = "; ".join(f"{field}: ([^;]*)" for field in fields)
    drawn = re.findall(pattern, readme.CHART.read_text("utf-8"))
    points = {(point[2], *point[:2], *point[3:]) for point in drawn}
    assert points == readme.points(), "run: python -m tests.readme"


def test_the_report_says_what_results_holds():
    text = readme.MARKDOWN.read_text(encoding="utf-8")
    assert text == readme.report_text(), "run: python -m tests.readme"


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_options_exist(name):
    import typer

    command = typer.main.get_command(app)
    known = {"samestep": command, **{f"samestep {n}": c for n, c in command.commands.items()}}
    parameters = [p for c in known.values() for p in c.params]
    options = {option for p in parameters for option in (*p.opts, *p.secondary_opts)} | {"--help"}
    code = "\n".join([*blocks(name, "sh"), *re.findall(r"`(samestep[^`]*)`", text_of(name))])
    for line in code.splitlines():
        for part in re.findall(r"samestep ([^#&|]*)", line):
            first, *rest = part.split()
            if first.startswith("-") or first == "COMMAND":
                continue
            assert f"samestep {first}" in known, part
            stated = {option for option in rest if re.match(r"--?[a-z]", option)}
            assert stated <= options, part


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_it_states(name):
    text = " ".join(text_of(name).split())
    count_of_rules = len(rules.BY_NAME)
    for words, count in ((r"all (\d+) protocols", len(every())), (r"(\d+) rules", count_of_rules)):
        assert set(re.findall(words, text)) <= {str(count)}


EPSILON = ("(np.sqrt(v / c2) + rule.epsilon)", "(np.sqrt(v / c2) + 1e-7)")
SIGN = ("w -= rate * g", "w += rate * g")


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [("README.md", *EPSILON), ("harness/parity/README.md", *EPSILON),
     ("implementations/README.md", *SIGN)],
)  # fmt: skip
def test_the_diagnosis_is_what_the_check_says(name, right, wrong, tmp_path):
    (shown,) = re.findall(r"^BROKEN .*?\)\n```", text_of(name), re.DOTALL | re.MULTILINE)
    file = scaffold.write("mine", tmp_path)
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    adapter, experiment = find(str(file)).load(), every()["relu-adam"]
    prepared = data.load(experiment.data, experiment.loss, "float64")
    build = Subject(adapter, "stepwise").build
    trace = record(build, experiment, prepared, 0, FIRST_20_STEPS)
    judgement = ladder.judge(record(build, experiment, prepared, 0), experiment, 0)
    reason = diagnosis.with_cause(judgement, trace, experiment, 0).reason
    said = f"BROKEN mine stepwise ladder: relu-adam ({reason})"
    assert " ".join(shown.removesuffix("```").split()) == said


# ---------------------------------------------------------------- the rooms'


def test_every_module_has_its_line():
    """A reader finds every file of the harness in its README, or in that of its room."""
    for file in (ROOT / "harness").rglob("*.py"):
        room = file.relative_to(ROOT / "harness").parts[0]
        own = f"harness/{room}/README.md"
        text = text_of("harness/README.md") + (text_of(own) if (ROOT / own).exists() else "")
        if not file.name.startswith("__"):
            assert f"`{file.name}`" in text or f"/{file.name}`" in text, file


def test_every_module_it_names_exists():
    text = text_of("harness/README.md")
    for path in re.findall(r"`(\w+/[\w/.]*)`", text):
        places = (ROOT, ROOT / "harness", ROOT / "harness/report", ROOT / "harness/report/page")
        assert any((place / path).exists() for place in places), path


def test_every_field_of_a_protocol_is_named():
    text = text_of("harness/experiment/README.md")

    def models(annotation):
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            yield annotation
            for field in annotation.model_fields.values():
                yield from models(field.annotation)
        for part in typing.get_args(annotation):
            yield from models(part)

    for model in set(models(Experiment)):
        for name, field in model.model_fields.items():
            assert f"`{name}`" in text or f"`[{name}]`" in text or f"`[[{name}]]`" in text, name
            for value in literals(field.annotation):
                assert re.search(rf"[`\"]{re.escape(value)}[`\"]", text), f"{name} = {value}"


def literals(annotation):
    if typing.get_origin(annotation) is typing.Literal:
        return [value for value in typing.get_args(annotation) if isinstance(value, str)]
    return [value for part in typing.get_args(annotation) for value in literals(part)]


def test_every_column_is_named():
    from harness.report.row_export import DERIVED
    from harness.results import COLUMNS

    names = re.findall(r"`([\w.]+)`", text_of("results/README.md"))
    patterns = [name.replace("...", r"\w*") for name in names]
    for column in (*COLUMNS, *DERIVED):
        assert any(re.fullmatch(pattern, column) for pattern in patterns), column


def test_the_example_protocol_is_valid():
    example, *_ = blocks("harness/experiment/README.md", "toml")
    experiment = parse(tomllib.loads(example), "README")
    assert experiment.data.rows == (1293, 144, 360)
    commented = re.sub(r"^# (l2|schedule) = ", r"\1 = ", example, flags=re.MULTILINE)
    commented = commented.replace(
        "momentum = 0.9 }", "momentum = 0.9, rate_inside_velocity = true }"
    )
    assert parse(tomllib.loads(commented), "README").training.l2 is not None


def test_the_example_of_own_data_is_valid(tmp_path):
    whole, *_, own = blocks("harness/experiment/README.md", "toml")
    rows = "".join(f"{i},{i * i % 7},{'red' if i % 2 else 'blue'},k{i % 10}\n" for i in range(50))
    (tmp_path / "flowers.csv").write_text(f"id,length,colour,species\n{rows}")
    values = tomllib.loads(whole) | tomllib.loads(own)
    values["network"] |= {"inputs": 3}
    experiment = parse(values, "README", tmp_path)
    assert experiment.data.found.inputs == ("length", "colour=blue", "colour=red")


def test_the_examples_of_a_start_are_valid(tmp_path):
    whole, one, by_layer, _ = blocks("harness/experiment/README.md", "toml")
    shapes = {"weights_1": (64, 32), "biases_1": (32,), "weights_2": (32, 10), "biases_2": (10,)}
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    np.savez(tmp_path / "start.npz", **arrays)
    np.savez(tmp_path / "torch.npz", **{"0.weight": np.zeros((32, 64))})
    for example in (one, by_layer):
        values = tomllib.loads(whole) | tomllib.loads(example)
        assert parse(values, "README", tmp_path).initializers.of("weights", 0).name == "file"


def test_the_example_claim_is_valid():
    (example,) = blocks("harness/claims/README.md", "toml")
    claim = from_values(tomllib.loads(example), "README")
    assert claim.protocol.data.rows == (1000, 0, 797)
    assert [variant.name for variant in claim.variants] == ["raw-pixels", "in-order"]


def test_the_example_claim_lists_every_field():
    from harness.claims.model import Claim, Number, Source, Variant

    (example,) = blocks("harness/claims/README.md", "toml")
    tables = {"variants", "numbers", "source", "protocol"}
    for model in (Claim, Number, Source, Variant):
        fields = set(model.model_fields) - tables
        assert [f for f in sorted(fields) if not re.search(rf"\b{f} = ", example)] == []
    text = (ROOT / "harness/claims/README.md").read_text(encoding="utf-8")
    for metric in typing.get_args(Metric):
        kind = metric if metric.split("_")[0] not in ("train", "validation", "test") else ""
        assert f"`{kind or 'test_accuracy'}`" in text, metric


def test_the_skeletons_have_the_methods_of_the_contract():
    from harness.trainer import StepTrainer

    for name in ("README.md", "implementations/README.md"):
        (skeleton,) = [b for b in blocks(name, "python") if "StepTrainer" in b]
        methods = {n.name for n in ast.walk(ast.parse(skeleton)) if isinstance(n, ast.FunctionDef)}
        assert StepTrainer.__abstractmethods__ <= methods
        assert all(hasattr(StepTrainer, method) for method in methods)


def test_every_test_of_the_faults_exists():
    text = (ROOT / "tests" / "README.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(named) > 40
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(), (file, test)


def test_the_table_of_faults_is_complete():
    text = (ROOT / "tests" / "README.md").read_text()
    numbers = set()
    for cell in re.findall(r"^\| ([\d, to]+) \|", text, re.MULTILINE):
        for part in cell.split(", "):
            first, _, last = part.partition(" to ")
            numbers |= set(range(int(first), int(last or first) + 1))
    assert numbers | {27, 28} == set(range(1, 59))
