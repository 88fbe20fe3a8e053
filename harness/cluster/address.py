"""Where a cluster is: what `--cluster` says. Imports nothing of Dask."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
SCHEDULER = re.compile(r"(?:(?:tcp|tls)://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
LARGEST_PORT = 65_535


class ClusterError(RuntimeError):
    """A cluster cannot be used; the message says why, and what to do."""


class DaskMissingError(ClusterError):
    """Dask is not installed; the message has the command that installs it."""


@dataclass(frozen=True)
class ClusterAddress:
    """Where the scheduler is.

    Args:
        text: as it was typed.
        is_local: whether scheduler and workers are started here, and end with the command.
        workers: of a local cluster; 0 for as many as fit.
        file: what the scheduler wrote its address to; None where the address itself is given.
    """

    text: str
    is_local: bool = False
    workers: int = 0
    file: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "ClusterAddress":
        """Read `local`, `local:4`, `ada:8786`, `tls://ada:8786` or `scheduler.json`.

        Raises:
            ValueError: it is none of them, or there is no such file.
        """
        local = LOCAL.fullmatch(text)
        if local:
            return cls(text, is_local=True, workers=int(local[1] or 0))
        if text.endswith(".json"):
            if not Path(text).is_file():
                raise ValueError(
                    f"--cluster must name a file that a scheduler wrote. Got {text!r}, which is "
                    f"not there; start one with `dask scheduler --scheduler-file {text}`"
                )
            return cls(text, file=Path(text))
        scheduler = SCHEDULER.fullmatch(text)
        if not scheduler or not 1 <= int(scheduler[1]) <= LARGEST_PORT:
            raise ValueError(
                "--cluster must be local, local:N with N workers, the HOST:PORT of a scheduler, or "
                f"the FILE.json that it wrote. Got {text!r}"
            )
        return cls(text)


def need_dask() -> None:
    """Raise unless Dask can be imported.

    Raises:
        DaskMissingError: it cannot.
    """
    if importlib.util.find_spec("distributed") is None:
        raise DaskMissingError(
            '--cluster needs Dask, which is not installed: pip install "samestep[cluster]"'
        )
