"""Parts of a plan, run apart and merged, asked how far they are, and read as one run."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.merging import common_plan
from harness.results import RunFolder

pytestmark = pytest.mark.xdist_group("processes")
COMMAND = ("and", "or", "--frameworks", "numpy", "--seeds", "2", "--preset", "quick")
OTHER = "Other CPU, 8 CPUs, Linux x86_64"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where the parts are kept for all tests, once the first of them has run."""
    return tmp_path_factory.mktemp("parts")


@pytest.fixture
def shards(invoke, made, tmp_path):
    """Folders of the two parts of a small plan."""
    folders = [tmp_path / "part 1", tmp_path / "part 2"]
    for number, folder in enumerate(folders, 1):
        if not (made / folder.name).exists():
            result = invoke("report", *COMMAND, "--shard", f"{number}/2", "--out", folder)
            assert result.exit_code == 0, result.output
            assert f"part {number}/2" in result.stderr
            shutil.copytree(folder, made / folder.name)
        else:
            shutil.copytree(made / folder.name, folder)
    return folders


def change(files, **values):
    for file in files:
        file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_parts_make_the_run(shards, invoke, tmp_path):
    whole, plan = tmp_path / "whole", common_plan(shards)
    counts = [len(RunFolder(folder).rows()) for folder in shards]
    assert sum(counts) == len(plan.trials)
    assert min(counts) > 0
    said = invoke("merge", *shards, "-o", whole).stdout
    assert f"{sum(counts)} of {sum(counts)} trials and 4 of 4 proofs" in said
    assert "run twice," not in said
    report = invoke("report", "--from", whole)
    assert report.exit_code == 0
    assert f"All {sum(counts)} trials are proven" in " ".join(report.stdout.split())
    curves = [RunFolder(whole).arrays(trial.id) for trial in plan.trials]
    assert all("loss" in arrays for arrays in curves)


def test_a_merged_run_goes_on(shards, invoke, tmp_path):
    """The same command, in the merged folder, has nothing left to run."""
    whole = tmp_path / "whole"
    invoke("merge", *shards, "-o", whole)
    rows = {row.trial: row.started_at for row in RunFolder(whole).rows()}
    assert invoke("report", *COMMAND, "--out", whole).exit_code == 0
    assert {row.trial: row.started_at for row in RunFolder(whole).rows()} == rows


def test_machines_are_compared_apart(shards, invoke, tmp_path):
    whole = tmp_path / "whole"
    change((shards[1] / "trials").glob("*.json"), machine=OTHER)
    assert "on each machine apart" in invoke("merge", *shards, "-o", whole).stdout
    report = " ".join(invoke("report", "--from", whole, "-o", tmp_path / "r.md").stdout.split())
    assert f"on {OTHER}" in report
    assert "All 4 trials are proven" in report
    headings = [line for line in (tmp_path / "r.md").read_text().splitlines() if line[:3] == "## "]
    assert len(headings) == len(set(headings))
    assert sum("Other CPU" in heading for heading in headings) >= 1
    page = (whole / "report.html").read_text()
    assert OTHER in page


def test_of_a_trial_run_twice_the_first_whole_row_stays(shards, invoke, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(shards[0], again)
    change((again / "trials").glob("*.json"), started_at="2020-01-01T00:00:00+00:00")
    first = {row.trial: row.started_at for row in RunFolder(shards[0]).rows()}
    copied = invoke("merge", shards[0], shards[0], "-o", tmp_path / "copies").stdout
    assert "run twice," not in copied
    said = invoke("merge", *shards, again, "-o", tmp_path / "whole").stdout
    assert "run twice, the first whole row stays" in said
    rows = {row.trial: row.started_at for row in RunFolder(tmp_path / "whole").rows()}
    assert rows | first == rows
    # one that broke off gives way to a whole one, and so does one without its curves
    change((again / "trials").glob("*.json"), status="interrupted")
    invoke("merge", again, *shards, "-o", tmp_path / "mended")
    rows = {row.trial: row.started_at for row in RunFolder(tmp_path / "mended").rows()}
    assert rows | first == rows


def test_the_worse_of_two_verdicts_stays(shards, invoke, tmp_path):
    wrong = tmp_path / "wrong"
    shutil.copytree(shards[0], wrong)
    change((wrong / "proofs").glob("*.json"), verdict="different", reason="gradients differ")
    said = invoke("merge", *shards, wrong, "-o", tmp_path / "whole").stdout
    assert "judged differently on two machines" in said
    report = invoke("report", "--from", tmp_path / "whole")
    assert report.exit_code == 1
    assert "different" in report.stdout


def test_damaged_rows_cost_themselves_only(shards, invoke, tmp_path):
    first, *_ = sorted((shards[0] / "trials").glob("*.json"))
    first.write_text("{")
    said = invoke("merge", *shards, "-o", tmp_path / "whole").stdout
    assert "3 of 4 trials" in said
    assert "1 trial is in none" in said
    assert first.read_text() == "{"  # what is given is left as it is


def test_other_plans_and_folders_are_refused(shards, invoke, tmp_path):
    invoke("report", "and", "--frameworks", "numpy", "--out", tmp_path / "other")
    result = invoke("merge", *shards, tmp_path / "other", "-o", tmp_path / "whole")
    assert result.exit_code == 2
    assert "experiments (and,or and and)" in result.stderr
    assert "seeds (2 and None)" in result.stderr
    assert not (tmp_path / "whole").exists()
    (tmp_path / "empty").mkdir()
    for command in (
        ("merge", tmp_path / "empty", "-o", tmp_path / "x"),
        ("status", tmp_path / "no"),
    ):
        result = invoke(*command)
        assert result.exit_code == 2
        assert "holds no run" in result.stderr
    plan = shards[1] / "plan.json"
    plan.write_text(plan.read_text().replace('"schema": ', '"schema": 9'))
    result = invoke("merge", *shards, "-o", tmp_path / "whole")
    assert result.exit_code == 2
    assert "schema" in result.stderr
    assert "this version reads" in result.stderr


def test_status_counts_all_folders_together(shards, invoke):
    alone = invoke("status", shards[0]).stdout
    both = invoke("status", *shards).stdout
    assert "2 of 4 trials done, 2 left" in alone
    assert "nothing is running here" in alone
    assert "4 of 4 trials done, 0 left" in both
    with (shards[0] / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = invoke("status", shards[0]).stdout
    assert " running " in said
    assert "at the pace so far" in said


@pytest.mark.full_product
def test_claims_in_parts_are_judged_together(invoke, tmp_path):
    """By the same samples as without parts, and with the same verdicts."""
    command = ("reproduce", "C08", "C07", "--frameworks", "numpy")
    parts = [tmp_path / str(number) for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        done = invoke(*command, "--shard", f"{number}/2", "--out", part)
        assert done.exit_code == 0, done.output
        assert f"part {number}/2: 2 samples" in done.stdout
    merged = invoke("merge", *parts, "-o", tmp_path / "whole").stdout
    assert f"samestep reproduce --from {tmp_path / 'whole'}" in merged
    again = invoke("reproduce", "C08", "C07", "--from", tmp_path / "whole", "--json")
    direct = invoke(*command, "--out", tmp_path / "direct", "--json")
    assert again.exit_code == direct.exit_code == 0
    one, other = json.loads(again.stdout), json.loads(direct.stdout)
    assert one["summary"] == other["summary"]
    assert one["claims"] == other["claims"]
    assert [claim["verdict"] for claim in one["claims"]] == ["RATE", "EXACT"]
    samples = [(tmp_path / name / "samples.jsonl").read_text() for name in ("whole", "direct")]
    assert [len(text.splitlines()) for text in samples] == [4, 4]


def test_status_of_several_plans_is_said_plan_by_plan(shards, invoke, tmp_path):
    invoke("report", "and", "--frameworks", "numpy", "--out", tmp_path / "other")
    said = invoke("status", *shards, tmp_path / "other").stdout
    assert "4 of 4 trials done" in said
    assert "1 of 1 trials done" in said


def test_more_parts_than_blocks(invoke, tmp_path):
    """The last of them has nothing to run, and says so."""
    codes = [
        invoke("report", *COMMAND, "--shard", f"{i}/5", "--out", tmp_path / str(i)).exit_code
        for i in (1, 5)
    ]
    assert codes == [0, 2]


# ---------------------------------------------------------------- the documented ways

DOCUMENT = Path(__file__).parents[2] / "results" / "several-machines.md"
SMALL = "and --frameworks numpy --seeds 2 --no-timing"
PLACES = {
    "--preset standard --no-timing": SMALL,
    "--preset standard": SMALL,
    "/shared/": "",
    "${{ matrix.part }}": "1",
}


def documented(heading):
    """The commands of a chapter, for a plan that takes a second."""
    _, text = DOCUMENT.read_text(encoding="utf-8").split(f"{heading}\n", 1)
    chapter = text.split("\n## ")[0].replace("\\\n", "")
    commands = re.findall(r"^[- ]*(?:run: )?(samestep .*?)(?: +#.*)?$", chapter, re.MULTILINE)
    for place, value in PLACES.items():
        commands = [command.replace(place, value) for command in commands]
    return commands


@pytest.mark.full_product
@pytest.mark.parametrize(
    ("heading", "variables"),
    [
        ("# One run on several machines", {}),
        ("## Five laptops and a shared folder", {}),
        ("## Slurm", {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}),
        ("## A CI matrix", {}),
        ("## Kubernetes", {"JOB_COMPLETION_INDEX": "0"}),
    ],
)
def test_the_document_says_commands_that_run(cache, tmp_path, heading, variables):
    commands = [c.replace("/5 ", "/2 ").replace("3/2", "1/2") for c in documented(heading)]
    commands = [re.sub(r"/[48] ", "/2 ", command) for command in commands]
    assert commands
    samestep = f'samestep() {{ "{sys.executable}" -m harness "$@"; }}; set -e; '
    done = subprocess.run(
        ["bash", "-c", samestep + "\n".join(commands)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | variables,
    )
    assert done.returncode == 0, done.stderr
