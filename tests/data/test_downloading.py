"""Downloads are bounded, and nothing of the user's folder runs while one is made."""

import hashlib
import http.server
import io
import tarfile
import threading
import time
import zipfile
from urllib.parse import urlsplit

import pytest

from harness.data import downloading
from harness.data.downloading import DownloadError, download, download_wheel


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        kind, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, kind)(rest)

    def to(self, address):
        self.send_response(302)
        self.send_header("Location", address)
        self.end_headers()

    def bytes(self, count):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(int(count)))

    def endless(self, _):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(2**16))
        except OSError:
            pass

    def drip(self, _):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloading, "SCHEMES", ("http",))
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_what_fits_is_returned_and_redirects_are_followed(server):
    assert download(f"{server}/bytes/1000", at_most=1000) == bytes(1000)
    assert download(f"{server}/to//bytes/10", at_most=1000) == bytes(10)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("bytes/1001", "larger than 1,000 bytes"),
        ("endless/", "larger than 1,000 bytes"),
        ("drip/", "took longer than 1 s"),
        ("to//to//to//to//to//to//to//bytes/1", "redirects more than 5 times"),
        ("to/ftp://127.0.0.1/mnist.gz", "leads to ftp://"),
        ("to/https://127.0.0.1:9/mnist.gz", "leads to https://"),
        ("to/file:///etc/passwd", "leads to file://"),
    ],
)
def test_what_does_not_end_or_leads_elsewhere_is_stopped(server, monkeypatch, path, reason):
    monkeypatch.setattr(downloading, "TOTAL_TIMEOUT_S", 1.0)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=reason):
        download(f"{server}/{path}", at_most=1000)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/", "ftp://127.0.0.1/", "file:///etc/passwd"]
)
def test_only_https_is_asked(address):
    assert downloading.SCHEMES == ("https",)
    with pytest.raises(DownloadError, match=f"leads to {urlsplit(address).scheme}://; only https"):
        download(address, at_most=1000)


CODE = "from pathlib import Path; Path({mark!r}).touch()"


def source_distribution(mark):
    """Of a package whose setup.py leaves a mark."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in (
            ("setup.py", f"{CODE.format(mark=mark)}\nfrom setuptools import setup; setup()"),
            ("PKG-INFO", "Metadata-Version: 1.0\nName: harmless\nVersion: 1.0\n"),
        ):
            member = tarfile.TarInfo(f"harmless-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def wheel():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        folder = "harmless-1.0.dist-info"
        archive.writestr(
            f"{folder}/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n"
        )
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", "")
    return buffer.getvalue()


WHEEL = "harmless-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes packages from, and a user's folder with modules that leave a mark."""
    packages, scratch, mine = tmp_path / "packages", tmp_path / "scratch", tmp_path / "mine"
    for folder in (packages, scratch, mine):
        folder.mkdir()
    for name in ("re.py", "json.py", "pip.py", "os.py"):
        (mine / name).write_text(CODE.format(mark=str(tmp_path / "ran")))
    monkeypatch.chdir(mine)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    return packages, scratch


def test_a_wheel_is_downloaded_and_nothing_of_the_users_folder_runs(index, tmp_path):
    packages, scratch = index
    (packages / WHEEL).write_bytes(wheel())
    sha256 = hashlib.sha256((packages / WHEEL).read_bytes()).hexdigest()
    file = download_wheel("harmless==1.0", sha256, scratch, 2**20)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    assert not (tmp_path / "ran").exists()


def test_a_source_distribution_is_not_taken_even_with_the_right_digest(index, tmp_path):
    packages, scratch = index
    content = source_distribution(str(tmp_path / "ran"))
    (packages / "harmless-1.0.tar.gz").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    with pytest.raises(DownloadError, match="pip download failed: ERROR: No matching"):
        download_wheel("harmless==1.0", sha256, scratch, 2**20)
    assert not (tmp_path / "ran").exists()


def test_another_wheel_is_refused_by_its_digest(index):
    packages, scratch = index
    (packages / WHEEL).write_bytes(wheel())
    with pytest.raises(DownloadError, match="pip download failed"):
        download_wheel("harmless==1.0", "0" * 64, scratch, 2**20)
    assert not list(scratch.glob("*.whl"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: open('more', 'ab').write(bytes(2**20))", "stored more than 4,194,304 bytes"),
        ("import time; time.sleep(60)", "took longer than 1 s"),
    ],
)
def test_a_pip_that_does_not_end_is_stopped(index, monkeypatch, tmp_path, code, reason):
    _, scratch = index
    package = tmp_path / "another" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(downloading, "TOTAL_TIMEOUT_S", 1.0 if "sleep" in code else 60.0)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=reason):
        download_wheel("harmless==1.0", "0" * 64, scratch, 4 * 2**20)
    assert time.monotonic() - began < 30
