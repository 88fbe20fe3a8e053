import os
import shutil
import subprocess
import venv
from pathlib import Path

from harness.clock.environment import STATED, THREAD_VARIABLES, child_environment

ROOT = Path(__file__).parents[2]
PRINT = """
import os
from harness.clock.environment import child_environment
print(child_environment(os.environ, 1, "cpu").get("PYTHONPATH"))
"""


def test_workers_of_a_clone_find_it_and_what_the_user_added():
    assert child_environment({}, 1, "cpu")["PYTHONPATH"] == str(ROOT)
    added = child_environment({"PYTHONPATH": "lib"}, 1, "cpu")["PYTHONPATH"]
    assert added == os.pathsep.join([str(ROOT), "lib"])


def test_installed_packages_never_come_before_the_standard_library(tmp_path):
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv/bin/python"
    (site_packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    package = site_packages / "harness"
    shutil.copytree(ROOT / "harness/clock", package / "clock")
    for file in (ROOT / "harness").glob("*.py"):
        shutil.copy(file, package)
    for inherited, expected in (({}, "None"), ({"PYTHONPATH": "lib"}, "lib")):
        done = subprocess.run(
            [python, "-c", PRINT], env=inherited, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stdout.strip() == expected, done.stderr


def test_what_a_scheduler_or_shell_presets_does_not_reach_a_worker():
    """Dask's nanny exports these; they change times two- to threefold."""
    preset = dict.fromkeys(THREAD_VARIABLES, "7") | {
        "MALLOC_TRIM_THRESHOLD_": "65536", "XLA_FLAGS": "--x", "TF_ENABLE_ONEDNN_OPTS": "1",
        "OMP_PROC_BIND": "close", "OPENBLAS_CORETYPE": "Prescott", "LD_PRELOAD": "/x.so",
    }  # fmt: skip
    environment = child_environment(preset | {"PATH": "/bin"}, 2, "cpu")
    assert {environment[name] for name in THREAD_VARIABLES} == {"2"}
    assert environment["MALLOC_TRIM_THRESHOLD_"] == STATED["MALLOC_TRIM_THRESHOLD_"]
    stated = {*THREAD_VARIABLES, *STATED}
    assert not (set(preset) - stated) & set(environment)
