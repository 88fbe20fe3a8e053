"""samestep: the same network, from the same weights, on the same batches, in every framework.

This package knows experiments, never a framework; `implementations` knows frameworks,
never an experiment's name. They meet in `harness.trainer`, the contract.

For notebooks and scripts: `run` trains and compares, `load_run` reads a run again, `task` and its
`check` prove a loop of your own; `check`, `compare`, `reproduce` and `explain` are the commands of
these names. Each imports what it needs when it is called.

Nothing is imported here on purpose: a worker sets threads and affinity before NumPy loads.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.__version__ import __version__

if TYPE_CHECKING:
    import pandas as pd

    from harness.experiment.model import Experiment
    from harness.notebook.commands import Answer
    from harness.notebook.loaded_run import LoadedRun
    from harness.notebook.own_loop import OwnTask

    ExperimentLike: TypeAlias = str | PathLike[str] | Mapping[str, Any] | Experiment
    FrameworkLike: TypeAlias = str | PathLike[str] | type
    RunLike: TypeAlias = LoadedRun | str | PathLike[str]

__all__ = [
    "__version__",
    "check",
    "compare",
    "experiment",
    "explain",
    "load_experiment",
    "load_results",
    "load_run",
    "reproduce",
    "run",
    "task",
]


def load_results(path: "str | PathLike[str]") -> "pd.DataFrame":
    """Read a run's rows as a table: one row per trial, the public columns of `results.csv`.

    Besides the stored columns (`harness.results.Row`: times in seconds `_s` or microseconds
    `_us`, memory in MiB) these are computed on reading: `parity` (the verdict: same, different,
    not comparable), `parity_detail` (why), `gemm_fraction` and `own_gemm_fraction` (the time of
    a step's matrix products alone, in the machine's fastest and in the framework's own library,
    over the step's time) and `noise` (why a row was measured on a disturbed machine).

    Whole numbers are `Int64`, others `Float64`, text is `string`; what a row does not have is
    `pd.NA`. `attrs` holds `plan`, the digest that names the run, and `machine`.

    Args:
        path: a run's folder such as `results/runs/<plan>`, or a file that `samestep report`
            wrote: its `results.csv`, or a `.csv` or `.json` from `-o`.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it is there and is none of these.

    Example:
        >>> import harness
        >>> table = harness.load_results("results/runs/0123456789abcdef")  # doctest: +SKIP
        >>> table.groupby(["experiment", "framework"]).train_s.median()  # doctest: +SKIP
    """
    from harness.report.read_exports import read

    return read(path)


def load_experiment(name_or_file: "str | PathLike[str]") -> "Experiment":
    """Return an experiment of the catalogue, or of a `.toml` file.

    Args:
        name_or_file: such as "xor-mlp" (`samestep list experiments` has all), or a path.

    Raises:
        ValueError: there is no such experiment, or its protocol is not valid. The message names
            the field, the value and the nearest valid one.

    Example:
        >>> import harness
        >>> xor = harness.load_experiment("xor-mlp")
        >>> str(xor.network), xor.training.optimizer.name, xor.steps
        ('2-2-1', 'sgd', 10001)
    """
    from harness.notebook.protocols import experiment_of

    return experiment_of(str(name_or_file) if isinstance(name_or_file, PathLike) else name_or_file)


def experiment(base: "ExperimentLike | None" = None, /, **fields: Any) -> "Experiment":
    """Return an experiment of your own: a whole protocol, or a known one with other fields.

    Args:
        base: the name or the `.toml` file of an experiment, an experiment, or a dictionary with
            all fields of one. May be left out where `fields` are a whole protocol.
        fields: what is different. A dictionary changes a table field by field; one with another
            `name`, such as another optimizer, takes the place of the table. None removes a field.
            Without a name of its own the experiment is called `<name of the base>-changed`.

    Raises:
        ValueError: the protocol is not valid. The message names the field, the value and the
            nearest valid one.

    Example:
        >>> import harness
        >>> slow = harness.experiment("xor-mlp", training={"optimizer": {"learning_rate": 0.01}})
        >>> slow.name, slow.training.optimizer.learning_rate, str(slow.network)
        ('xor-mlp-changed', 0.01, '2-2-1')
    """
    from harness.notebook.protocols import changed, experiment_of

    return experiment_of(fields) if base is None else changed(base, fields)


def run(
    experiments: "ExperimentLike | Sequence[ExperimentLike]",
    frameworks: "FrameworkLike | Sequence[FrameworkLike] | None" = None,
    *,
    seeds: int | None = None,
    repeats: int | None = None,
    loops: str | Sequence[str] = "best",
    preset: str = "quick",
    threads: int | str | Sequence[int | str] = 1,
    device: str = "auto",
    dtype: str = "float32",
    timed: bool = True,
    timeout_s: float | str | None = "auto",
    folder: "str | PathLike[str] | None" = None,
    fresh: bool = False,
    progress: bool = True,
) -> "LoadedRun":
    """Train the same networks in every framework, prove that they are the same, and compare.

    Does what `samestep report` does: the same plan, the same folder, and what is done already is
    not run again. Every framework has a process of its own, so a script needs no
    `if __name__ == "__main__"`.

    Args:
        experiments: one or several: names, `.toml` files, dictionaries or experiments.
        frameworks: one or several: names, adapter files, `module:Class`, commands such as
            "cmd:julia train.jl {folder}", or classes that derive from
            `harness.trainer.StepTrainer`, also those of a cell. By default all.
        seeds: how many; by default as the preset has it: 1, 3, 10.
        repeats: runs of every seed; by default 1, 1, 3.
        loops: "best", "all", or names of loops.
        preset: "quick", "standard" or "full".
        threads: how many every trial may use, or "all"; several are run side by side.
        device: "auto", "cpu" or "cuda".
        dtype: "float32" or "float64", of protocols that do not state one.
        timed: False where accuracy and proof are enough: several trials run at once.
        timeout_s: limit of one trial, seconds; "auto" is ten times the longest estimate, at least
            10 minutes; None for no limit.
        folder: of the run; by default `results/runs/<plan>`.
        fresh: whether to measure and prove again what is there.
        progress: whether to show what goes on.

    Returns:
        The run: `table` (a DataFrame, one row per trial), `curves`, `predictions`, `parameters`,
        `verdicts`, `chart`. A notebook shows the sentences and tables of the report.

    Raises:
        ValueError: an experiment, a framework or a setting is not known or not valid.
        TypeError: something is of no type that can stand there.
        RuntimeError: no framework is installed, or another process writes to the folder.

    Example:
        >>> import harness
        >>> xor = harness.run("and", "numpy", timed=False, progress=False)
        >>> xor.verdicts.verdict.tolist(), xor.table.test_accuracy.tolist()
        (['same'], [1.0])
        >>> xor.predictions().shape, sorted(xor.parameters())[-1]
        ((4, 1), 2001)
    """
    from harness.notebook.running import run as run_experiments

    return run_experiments(
        experiments,
        frameworks,
        seeds=seeds,
        repeats=repeats,
        loops=loops,
        preset=preset,
        threads=threads,
        device=device,
        dtype=dtype,
        timed=timed,
        timeout_s=timeout_s,
        folder=folder,
        fresh=fresh,
        progress=progress,
    )


def load_run(folder: "str | PathLike[str]") -> "LoadedRun":
    """Read a run again, without training.

    Args:
        folder: that `harness.run` or `samestep report` wrote rows to.

    Returns:
        As `harness.run`.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: its plan cannot be read by this version.

    Example:
        >>> import harness
        >>> again = harness.load_run("results/runs/0123456789abcdef")  # doctest: +SKIP
        >>> again.curves(framework="numpy")[["step", "train_loss"]]  # doctest: +SKIP
    """
    from harness.notebook import arguments
    from harness.notebook.loaded_run import loaded

    return loaded(arguments.folder("folder", folder))


def task(
    experiment: "ExperimentLike", seed: int = 0, *, steps: int | None = None, dtype: str = "float64"
) -> "OwnTask":
    """Return the neutral start for a loop of your own, and what proves the loop.

    Args:
        experiment: a name, a `.toml` file, a dictionary or an experiment.
        seed: of the start and the batches.
        steps: how many the loop is to make; by default as many as a proof has, at most 100.
        dtype: precision of the arrays, "float64" or "float32".

    Returns:
        `parameters` (a list of (W, b), W of shape (inputs, units)), `inputs` (rows, inputs),
        `targets`, `batches` (the rows and the learning rate of every step), `loss`, `optimizer`,
        `test_inputs`, and `check(losses=..., parameters=...)`.

    Raises:
        ValueError: there is no such experiment, or it does not have so many steps.

    Example:
        >>> import harness
        >>> import numpy as np
        >>> task = harness.task("and", steps=20)
        >>> (W, b), = task.parameters
        >>> losses = []
        >>> for rows, rate in task.batches:
        ...     x, y = task.inputs[rows], task.targets[rows]
        ...     z = x @ W + b
        ...     losses.append(np.mean(np.logaddexp(0, z) - y * z))
        ...     d = (1 / (1 + np.exp(-z)) - y)  # forgets to divide by the rows
        ...     W, b = W - rate * x.T @ d, b - rate * d.sum(axis=0)
        >>> verdict = task.check(losses=losses, parameters=[(W, b)])
        >>> verdict.verdict, verdict.step
        ('different', 1)
        >>> verdict.causes
        ('the gradient is that of a loss that is summed over the batch, not averaged', \
'the learning rate (or the gradient) is 4 times the given one')
    """
    from harness.notebook.own_loop import own_task

    return own_task(experiment, seed, steps, dtype)


def check(
    adapter: "FrameworkLike",
    *,
    full: bool = False,
    loops: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    protocols: "ExperimentLike | Sequence[ExperimentLike]" = (),
    device: str = "cpu",
    timeout_s: float | None = 120.0,
) -> "Answer":
    """Check that an adapter computes what the protocol says, as `samestep check` does.

    Args:
        adapter: its name, its file, `module:Class`, or a class, also that of a cell.
        full: every protocol, not only as few as cover them.
        loops: only these loops; by default all of the adapter.
        only: only these protocols or rules.
        protocols: also on these experiments.
        device: "cpu" or "cuda".
        timeout_s: limit of one protocol or rule, seconds; None for no limit.

    Returns:
        `ok` (whether all holds), `text` (what the command prints) and `data` (its JSON).

    Raises:
        ValueError: the adapter, a loop or a rule is not known.
        TypeError: `adapter` is no adapter.

    Example:
        >>> import harness
        >>> print(harness.check("numpy", only="relu-adam"))  # doctest: +SKIP
    """
    from harness.notebook import commands

    return commands.check(
        adapter,
        full=full,
        loops=loops,
        only=only,
        protocols=protocols,
        device=device,
        timeout_s=timeout_s,
    )


def compare(a: "RunLike", b: "RunLike", *, fail_on: str | Sequence[str] = ()) -> "Answer":
    """Compare the times and accuracies of two runs, as `samestep compare` does.

    Args:
        a: a run that `run` or `load_run` returned, or its folder.
        b: the other one.
        fail_on: limits such as "time>5%"; `ok` is False where B exceeds one.

    Returns:
        `ok`, `text` (what the command prints) and `data` (its JSON).

    Raises:
        ValueError: a limit is not valid, or the runs cannot be compared; the message says why.

    Example:
        >>> import harness
        >>> harness.compare("results/runs/a", "results/runs/b").ok  # doctest: +SKIP
        True
    """
    from harness.notebook import commands

    return commands.compare(a, b, fail_on)


def reproduce(
    claims: "str | PathLike[str] | Sequence[str | PathLike[str]]" = (),
    *,
    frameworks: "FrameworkLike | Sequence[FrameworkLike] | None" = None,
    threads: int | str = 1,
    device: str = "auto",
    timeout_s: float | None = 7200.0,
    folder: "str | PathLike[str] | None" = None,
    fresh: bool = False,
    progress: bool = True,
) -> "Answer":
    """Rerun published numbers and judge them, as `samestep reproduce` does.

    Args:
        claims: ids of the ledger, or `.toml` files; by default the claims of the five posts.
        frameworks: as in `run`; by default the two fastest.
        threads: how many every trial may use, or "all".
        device: "auto", "cpu" or "cuda".
        timeout_s: limit of one trial, seconds; None for no limit.
        folder: where samples are collected; by default `results/runs/claims`.
        fresh: whether to run again what is there.
        progress: whether to show what goes on.

    Returns:
        `ok` (whether every verdict is the registered one), `text` and `data`.

    Raises:
        ValueError: a claim or a framework is not known.

    Example:
        >>> import harness
        >>> print(harness.reproduce("C44"))  # doctest: +SKIP
    """
    from harness.notebook import commands

    return commands.reproduce(
        claims,
        frameworks=frameworks,
        threads=threads,
        device=device,
        timeout_s=timeout_s,
        folder=folder,
        fresh=fresh,
        progress_shown=progress,
    )


def explain(
    claim: "str | PathLike[str]",
    *,
    frameworks: "FrameworkLike | Sequence[FrameworkLike] | None" = None,
    threads: int | str = 1,
    device: str = "auto",
    timeout_s: float | None = 7200.0,
    folder: "str | PathLike[str] | None" = None,
    fresh: bool = False,
    progress: bool = True,
) -> "Answer":
    """Find which unstated detail a published number depends on, as `samestep explain` does.

    Args:
        claim: id of the ledger, or a `.toml` file.
        frameworks: as in `run`; by default the fastest.
        threads: how many every trial may use, or "all".
        device: "auto", "cpu" or "cuda".
        timeout_s: limit of one trial, seconds; None for no limit.
        folder: where samples are collected; by default `results/runs/claims`.
        fresh: whether to run again what is there.
        progress: whether to show what goes on.

    Returns:
        `ok` (whether every changed protocol ran), `text` and `data`.

    Raises:
        ValueError: the claim is not known, cannot be run, or lists no detail to change.

    Example:
        >>> import harness
        >>> print(harness.explain("C02"))  # doctest: +SKIP
    """
    from harness.notebook import commands

    return commands.explain(
        claim,
        frameworks=frameworks,
        threads=threads,
        device=device,
        timeout_s=timeout_s,
        folder=folder,
        fresh=fresh,
        progress_shown=progress,
    )


_FUNCTIONS: dict[str, Callable[..., Any]] = {"run": run, "experiment": experiment}
"""Functions with the name of a module of this package."""


class _CallableModule(ModuleType):
    """`harness.run` and `harness.experiment`, once imported: the module, which is called as well.

    To import a module sets it as an attribute of its package, in place of the function.
    """

    def __call__(self, *args: Any, **named: Any) -> Any:
        return _FUNCTIONS[self.__name__.rpartition(".")[2]](*args, **named)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(_FUNCTIONS[self.__name__.rpartition(".")[2]])


class _Package(ModuleType):
    """This package."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _FUNCTIONS and isinstance(value, ModuleType):
            value.__class__ = _CallableModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
