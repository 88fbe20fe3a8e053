import pytest
from typer.testing import CliRunner

from harness import cli


@pytest.fixture
def invoke(cache):
    """Run the command in this process, in a folder of its own. It may only end by exiting."""

    def run(*arguments):
        done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return run
