"""What the doctor judges and prints, from invented facts: no process is asked."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from harness.doctor.facts import (
    BusyProcess,
    Cache,
    Contention,
    Dataset,
    Facts,
    Inspected,
    Kernel,
    Machine,
    Pool,
    shares_of_best,
)
from harness.doctor.problems import notes, problems
from harness.doctor.shell_variables import ignored_variables
from harness.report import doctor

NUMPY = Inspected(
    "numpy",
    "ok",
    version="2.4.6",
    loops=("stepwise",),
    import_s=0.1,
    device="cpu",
    precision="float32",
    blas="openblas",
    affinity=(1,),
    os_threads=2,
    cpus_used=1.0,
    gflops=200.0,
    pools=(Pool("openblas", "0.3.31", "SkylakeX", 1),),
)
MACHINE = Machine(
    cpu="Some CPU",
    cpus_usable=2,
    cpus=2,
    flags=frozenset({"avx2", "fma"}),
    mhz=2600.0,
    governor=None,
    memory_gib=8.0,
    memory_free_gib=6.0,
    load=(0.1, 0.2, 0.3),
    system="Linux",
    python="3.12",
    cpu_limit=None,
    memory_limit_gib=None,
    gpu_driver=None,
    gpus=(),
)
HEALTHY = Facts(
    machine=MACHINE,
    contention=Contention(0.05, 0.0, ()),
    frameworks=(NUMPY,),
    kernels=(Kernel("automatic", "SkylakeX", 200.0, True), Kernel("Haswell", "Haswell", 90, False)),
    kernel_note="",
    datasets=(Dataset("mnist", "verified"),),
    cache=Cache("/somewhere", 50.0, True),
    ignored_variables=(),
)


def having(**changes):
    return dataclasses.replace(HEALTHY, **changes)


def framework(**changes):
    return dataclasses.replace(NUMPY, **changes)


def kernels(used="automatic", **gflops):
    return tuple(
        Kernel(choice, "Haswell" if choice == "automatic" else choice, speed, choice == used)
        for choice, speed in gflops.items()
    )


def on(**changes):
    return dataclasses.replace(MACHINE, **changes)


def test_a_healthy_machine_has_no_problem():
    assert problems(HEALTHY) == []
    assert notes(HEALTHY) == []
    assert doctor.exit_code(HEALTHY) == 0


PROBLEMS = [
    (
        {"kernels": kernels(automatic=60, Haswell=59, SkylakeX=120)},
        "uses Haswell kernels on this CPU; with SkylakeX kernels it is 2.0 times as fast",
        "export SAMESTEP_OPENBLAS_CORETYPE=SkylakeX",
    ),
    (
        {
            "kernels": (
                Kernel("automatic", "SkylakeX", 120, False),
                Kernel("Haswell", "Haswell", 60, True),
            )
        },
        "uses, because of SAMESTEP_OPENBLAS_CORETYPE, Haswell kernels",
        "unset SAMESTEP_OPENBLAS_CORETYPE",
    ),
    (
        {
            "kernels": (
                Kernel("automatic", "SkylakeX", 120, False),
                Kernel("Skylake", "SkylakeX", 90, True),
            )
        },
        "SAMESTEP_OPENBLAS_CORETYPE=Skylake changes nothing: OpenBLAS uses SkylakeX kernels",
        "unset SAMESTEP_OPENBLAS_CORETYPE",
    ),
    (
        {
            "kernels": (
                Kernel("automatic", "SkylakeX", 120, False),
                Kernel("Zen", "", None, True, "its process crashed (SIGILL)"),
            )
        },
        "NumPy does not run with SAMESTEP_OPENBLAS_CORETYPE=Zen: its process crashed (SIGILL)",
        "unset SAMESTEP_OPENBLAS_CORETYPE",
    ),
    (
        {
            "contention": Contention(
                0.9, 0.0, (BusyProcess("compiler", 42, 0.7), BusyProcess("cat", 7, 0.2))
            )
        },
        "other processes use 0.9 of 2 CPUs: compiler (0.7, pid 42), cat (0.2, pid 7)",
        "see what they are with `ps -fp 42,7`; stop them, or wait until they are done",
    ),
    ({"contention": Contention(0.0, 0.5, ())}, "0.5 of this virtual machine's CPUs", "quieter"),
    ({"frameworks": (framework(cpus_used=0.5),)}, "another process ran", "samestep doctor"),
    (
        {"frameworks": (framework(cpus_used=1.9),)},
        "numpy uses 1.9 CPUs instead of 1",
        "task.threads",
    ),
    (
        {"frameworks": (framework(pools=(Pool("openmp", "", "", 8),)),)},
        "numpy: openmp has 8 threads instead of 1",
        "task.threads",
    ),
    (
        {"frameworks": (NUMPY, Inspected("mine", "broken", detail="no luck", fix="mend it"))},
        "mine is broken: no luck",
        "mend it",
    ),
    (
        {"frameworks": (NUMPY, Inspected("jax", "missing", fix="pip install jax", named=True))},
        "jax is not installed",
        "pip install jax",
    ),
    (
        {"datasets": (Dataset("mnist", "damaged", "a file is not the published one"),)},
        "mnist is damaged: a file",
        "samestep data fetch mnist",
    ),
    ({"cache": Cache("/x", 50.0, False)}, "/x, cannot be written", "export SAMESTEP_CACHE="),
    ({"cache": Cache("/x", 0.1, True)}, "0.1 GiB are free in /x", "SAMESTEP_CACHE"),
    ({"machine": on(cpu_limit=0.5)}, "may use only 0.5 CPU", "--cpus 1"),
    ({"machine": on(memory_free_gib=0.3)}, "0.3 GiB of memory", "end programs"),
]


@pytest.mark.parametrize(("changes", "what", "fix"), PROBLEMS, ids=[p[1][:30] for p in PROBLEMS])
def test_a_problem_and_its_fix(changes, what, fix):
    facts = having(**changes)
    (problem,) = problems(facts)
    assert what in problem.what
    assert fix in problem.fix
    assert doctor.exit_code(facts) == 1


def test_kernels_as_good_as_the_automatic_ones_are_no_problem():
    assert not problems(having(kernels=kernels(automatic=100, SkylakeX=114)))
    assert not problems(having(kernels=()))
    noisy = (Kernel("automatic", "Zen", 100, False), Kernel("Zen", "Zen", 60, True))
    assert not problems(having(kernels=noisy)), "the same kernels"


def test_contention_that_the_system_does_not_report_is_no_problem():
    assert not problems(having(contention=Contention(None, None, ())))


NOTES = [
    (
        {"frameworks": (NUMPY, Inspected("jax", "missing", fix="pip install jax"))},
        "jax is not installed; to install it: pip install jax",
    ),
    ({"datasets": (Dataset("mnist", "absent"),)}, "samestep data fetch mnist"),
    ({"frameworks": (NUMPY, framework(name="slow", gflops=80.0))}, "slow reaches 40%"),
    ({"machine": on(gpu_driver="NVRM 1")}, "compute on the CPU: numpy"),
    ({"machine": on(cpu_limit=1.5)}, "--threads at most 1"),
    ({"frameworks": (framework(affinity=(0, 1)),)}, "could not be bound"),
    ({"ignored_variables": ("OMP_NUM_THREADS",)}, "workers ignore these"),
]


@pytest.mark.parametrize(("changes", "text"), NOTES, ids=[n[1][:30] for n in NOTES])
def test_what_is_worth_knowing(changes, text):
    facts = having(**changes)
    (note,) = notes(facts)
    assert text in note
    assert doctor.exit_code(facts) == 0


def test_speeds_are_compared_on_one_kind_of_device():
    gpu = framework(name="torch", device="cuda:0 NVIDIA", gflops=20_000.0)
    assert shares_of_best((NUMPY, gpu, framework(name="slow", gflops=50.0))) == {
        "numpy": 1.0,
        "torch": 1.0,
        "slow": 0.25,
    }


def test_variables_that_workers_ignore():
    environment = {"OMP_NUM_THREADS": "1", "PATH": "", "CUDA_HOME": "", "XLA_FLAGS": "", "OMP": ""}
    assert ignored_variables(environment) == ("OMP_NUM_THREADS", "XLA_FLAGS")


def test_nothing_installed():
    facts = having(frameworks=(Inspected("jax", "missing", fix="pip install jax", named=True),))
    assert doctor.exit_code(facts) == 3
    assert "fix: pip install jax" in printed(facts)


def printed(facts):
    console = Console(file=io.StringIO(), width=140)
    doctor.print_facts(facts, console)
    return console.file.getvalue()


def test_problems_come_last_and_numbered():
    text = printed(
        having(
            cache=Cache("/x", 0.1, True), kernels=kernels(automatic=60, Haswell=59, SkylakeX=120)
        )
    )
    tail = text[text.index("2 problems") :]
    assert "  1. NumPy multiplies at 60 GFLOP/s" in tail
    assert "     fix: export SAMESTEP_OPENBLAS_CORETYPE=SkylakeX" in tail
    assert "  2. 0.1 GiB are free in /x" in tail
    assert "numpy" in text
    assert "no problems" in printed(HEALTHY)


def test_a_speed_on_a_shared_cpu_is_unsure():
    assert "unsure" in printed(having(frameworks=(framework(cpus_used=0.5),)))


def test_what_a_system_does_not_say_is_not_available():
    machine = on(mhz=None, load=None, flags=frozenset())
    text = printed(
        having(
            machine=machine,
            contention=Contention(None, None, ()),
            kernels=(),
            kernel_note="no BLAS",
            cache=Cache("/x", None, True),
            frameworks=(framework(affinity=None, gflops=None, cpus_used=None),),
        )
    )
    assert "frequency n/a" in text
    assert "n/a now; the host steals n/a" in text
    assert "no BLAS" in text
    assert "no problems" in text


def test_no_control_character_reaches_the_terminal():
    bad = Inspected("m\x1b[31m", "broken", detail="a\x07b [red]c[/red]", fix="x\x1b]0;y")
    text = printed(
        having(frameworks=(bad,), kernel_note="\x1b[2J", cache=Cache("/\x1b", 1.5, True))
    )
    assert not set(text) & {"\x1b", "\x07"}
    assert "[red]c[/red]" in text


def test_json_has_everything_and_a_schema():
    value = json.loads(doctor.as_json(having(cache=Cache("/x", 0.1, True))))
    assert value["schema"] == 1
    assert set(value) == {
        "schema",
        "machine",
        "contention",
        "frameworks",
        "kernels",
        "kernel_note",
        "datasets",
        "cache",
        "ignored_variables",
        "notes",
        "problems",
    }
    assert value["machine"]["flags"] == ["avx2", "fma"]
    assert value["frameworks"][0]["share_of_best"] == 1.0
    assert value["frameworks"][0]["pools"][0]["kernel"] == "SkylakeX"
    assert set(value["problems"][0]) == {"what", "mend"}
    assert "mend" in value["frameworks"][0]
    assert set(value["contention"]) == {"others_cpus", "steal_cpus", "takers"}
