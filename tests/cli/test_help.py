"""What `--help` and `--version` print: nothing cut off, nothing heavy imported."""

import os
import subprocess
import sys

import pytest
import typer

import harness
from harness import cli

HEAVY = {"numpy", "pandas", "sklearn", "tensorflow", "keras", "torch", "jax", "pydantic", "rich"}


def commands(command=None, path=()):
    """(path, command) of the whole tree."""
    command = command or typer.main.get_command(cli.app)
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = dict(commands())
GROUPS = [path for path, command in ALL.items() if hasattr(command, "commands")]


def names(paths):
    return [" ".join(path) or "samestep" for path in paths]


@pytest.mark.parametrize("path", GROUPS, ids=names(GROUPS))
def test_no_summary_is_cut_off_at_80_columns(samestep, path):
    done = samestep(*path, "--help", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "..." not in done.stdout.partition("Commands:")[2]
    for name, command in ALL[path].commands.items():
        summary = command.help.partition("\n")[0]
        assert summary.endswith(".")
        assert [line.split() for line in lines].count([name, *summary.split()]) == 1, name


@pytest.mark.parametrize("path", ALL, ids=names(ALL))
def test_every_option_and_argument_has_a_sentence(path):
    for parameter in ALL[path].params:
        if parameter.name not in ("install_completion", "show_completion"):
            assert parameter.help.rstrip()[-1] == ".", parameter.name


def test_the_version(samestep):
    done = samestep("--version")
    assert (done.returncode, done.stdout) == (0, f"samestep {harness.__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    code = (
        f"import sys\nsys.argv = ['samestep', *{arguments!r}]\nfrom harness.cli import main\n"
        "try:\n    main()\nexcept SystemExit as error:\n    assert not error.code\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "samestep" in done.stdout


@pytest.mark.parametrize("module", ["harness", "harness.cli", "harness.registry"])
def test_imports_stay_light(module):
    code = f"import sys, {module}\nheavy = {HEAVY!r} & set(sys.modules)\nassert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
