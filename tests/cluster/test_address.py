"""What `--cluster` takes, and what it says otherwise."""

import pytest

from harness.cluster import address
from harness.cluster.address import ClusterAddress


@pytest.mark.parametrize(("text", "workers"), [("local", 0), ("local:1", 1), ("local:16", 16)])
def test_a_cluster_on_this_machine(text, workers):
    assert ClusterAddress.parse(text) == ClusterAddress(text, is_local=True, workers=workers)


@pytest.mark.parametrize(
    "text", ["ada:8786", "10.0.0.1:8786", "tcp://ada.example.org:8786", "tls://[::1]:8786"]
)
def test_a_scheduler(text):
    assert ClusterAddress.parse(text) == ClusterAddress(text)


def test_the_file_of_a_scheduler(tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text("{}")
    assert ClusterAddress.parse(str(file)).file == file


@pytest.mark.parametrize(
    "text", ["", "local:0", "local:x", "ada", "ada:0", "ada:65536", "http://ada:80", "a b:1"]
)
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"local:N .* HOST:PORT .* Got '"):
        ClusterAddress.parse(text)


def test_a_file_that_is_not_there():
    with pytest.raises(ValueError, match=r"dask scheduler --scheduler-file no\.json"):
        ClusterAddress.parse("no.json")


def test_a_mistake_ends_the_command_before_anything_is_planned(invoke, monkeypatch):
    done = invoke("report", "and", "--cluster", "ada")
    assert done.exit_code == 2
    assert "Got 'ada'" in done.stderr
    monkeypatch.setattr(address.importlib.util, "find_spec", lambda name: None)
    done = invoke("report", "and", "--cluster", "local")
    assert done.exit_code == 3
    assert 'pip install "samestep[cluster]"' in done.stderr


def test_a_command_is_run_here_alone(invoke):
    pytest.importorskip("distributed")
    done = invoke("report", "and", "--frameworks", "cmd:true {folder}", "--cluster", "local")
    assert done.exit_code == 2
    assert "Leave out --cluster or the command" in done.stderr
