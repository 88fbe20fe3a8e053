"""`-o FILE` and `--chart NAME=FILE`: what they name, what is refused, how files are written."""

import pytest

from harness.cli import outputs
from harness.cli.outputs import Output
from harness.report.chart_names import NoChartError, NoChartLibraryError

REPORT = ("xor-mlp/training-loss-by-step", "xor-mlp/phases", "iris-softmax/phases")
CLAIM = ("differences",)
SUFFIXES = (".md", ".json")


@pytest.mark.parametrize(
    "file", ["x.md", "lr=0.1/ledger.md", "runs/lr=0.1.md", "differences=x.md", "a.svg/x.json"]
)
def test_a_file_is_taken_as_it_is_typed(file):
    (output,) = outputs.parse([file], None, SUFFIXES, CLAIM)
    assert (str(output.file), output.chart) == (file, "")
    assert output.option == f"-o {file}"


@pytest.mark.parametrize(
    ("text", "known", "name", "file"),
    [
        ("differences=x.svg", CLAIM, "differences", "x.svg"),
        ("differences=runs/lr=0.1/x.png", CLAIM, "differences", "runs/lr=0.1/x.png"),
        ("xor-mlp/phases=b=c.png", REPORT, "xor-mlp/phases", "b=c.png"),
        ("xor-mlp@cuda:0/phases=x.png", REPORT, "xor-mlp@cuda:0/phases", "x.png"),
    ],
)
def test_a_chart_has_a_name_and_a_file(text, known, name, file):
    (output,) = outputs.parse(None, [text], SUFFIXES, known)
    assert (str(output.file), output.chart) == (file, name)
    assert output.option == f"--chart {text}"


def test_both_may_be_repeated():
    several = outputs.parse(["a.md", "b.json"], ["differences=c.svg"] * 2, SUFFIXES, CLAIM)
    assert [output.chart for output in several] == ["", "", "differences", "differences"]
    assert outputs.parse(None, None, SUFFIXES, CLAIM) == []


def refusal(capsys, files, charts, known):
    with pytest.raises(SystemExit) as stop:
        outputs.parse(files, charts, SUFFIXES, known)
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "known", "new"),
    [
        ("xor-mlp/phases=x.svg", REPORT, "xor-mlp/phases=x.svg"),
        ("x.svg", REPORT, "xor-mlp/training-loss-by-step=x.svg"),
        ("differences=x.png", CLAIM, "differences=x.png"),
        ("x.png", CLAIM, "differences=x.png"),
    ],
)
def test_the_old_form_is_refused_with_the_new_one(capsys, text, known, new):
    message = refusal(capsys, [text], None, known)
    assert message == f"-o {text}: charts are written with --chart. Write --chart {new}\n"
    (output,) = outputs.parse(None, [new], SUFFIXES, known)
    assert output.chart


@pytest.mark.parametrize("text", ["x.csv", "x.SVG", "x.MD", "folder", ".md", ""])
def test_a_suffix_that_is_not_written_is_refused_with_those_that_are(capsys, text):
    message = refusal(capsys, [text], None, CLAIM)
    assert message.startswith(f"-o {text}: suffix must be .md or .json. Got ")


@pytest.mark.parametrize("text", ["x.svg", "=x.svg", "differences=", "differences", "=", ""])
def test_half_a_chart_is_refused_with_the_form(capsys, text):
    message = refusal(capsys, None, [text], CLAIM)
    assert message == f"--chart must be NAME=FILE, such as differences=x.svg. Got {text!r}\n"


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("difference=x.svg", CLAIM, "chart 'difference' is not known. Did you mean 'differences'?"),
        ("difference=x.md", CLAIM, "chart 'difference' is not known. Did you mean 'differences'?"),
        ("differences=x.md", CLAIM, "suffix must be .svg or .png. Got '.md'"),
        ("differences=x", CLAIM, "suffix must be .svg or .png. Got ''"),
        ("xor-mlp/phases=x.html", REPORT, "suffix must be .svg or .png. Got '.html'"),
        ("xor-mlp/fases=x.svg", REPORT, "Did you mean 'xor-mlp/phases'? Known: xor-mlp/training"),
        ("xor-mpl/phases=x.svg", REPORT, "experiment 'xor-mpl' is not known. Did you mean 'xor-m"),
        ("phases=x.svg", REPORT, "Did you mean 'xor-mlp/phases' or 'iris-softmax/phases'?"),
        ("lr=0.1/x.svg", CLAIM, "chart 'lr' is not known. Known: differences"),
    ],
)
def test_a_wrong_chart_is_refused_with_those_that_are_known(capsys, text, known, words):
    message = refusal(capsys, None, [text], known)
    assert message.startswith(f"--chart {text}: ")
    assert words in message


def test_only_the_charts_of_the_same_experiment_are_listed(capsys):
    message = refusal(capsys, None, ["xor-mlp/fases=x.svg"], REPORT)
    assert "iris-softmax" not in message


def test_a_file_that_fails_stops_no_other_and_hides_nothing(tmp_path, capsys):
    good = Output(tmp_path / "a.md")
    files = [*(Output(tmp_path / name, "differences") for name in ("x.svg", "y.svg")), good]
    written = []

    def write(file, chart):
        if file.name == "x.svg":
            raise NoChartLibraryError("no library")
        if file.name == "y.svg":
            raise NoChartError("no chart")
        written.append(file)

    assert outputs.write(files, write) == ([good.file], 3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["no library", "no chart"]
    assert lines[0].startswith(f"--chart differences={tmp_path / 'x.svg'}: ")
    for own, code in ((0, 3), (1, 1), (130, 130)):
        with pytest.raises(SystemExit) as stop:
            outputs.finish(lambda: print("the table"), own, files, write)
        assert stop.value.code == code
        printed = capsys.readouterr()
        assert printed.out == "the table\n"
        assert printed.err.endswith(f"wrote {good.file}\n")

    def closed():
        raise BrokenPipeError

    written.clear()
    with pytest.raises(BrokenPipeError):
        outputs.finish(closed, 0, files, write)
    assert written == [good.file]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyError])
def test_a_mistake_of_ours_is_not_taken_for_the_users(tmp_path, error):
    def write(file, chart):
        raise error("a bug")

    with pytest.raises(error, match="a bug"):
        outputs.write([Output(tmp_path / "a.html")], write)
