"""A headless Chromium, driven by the DevTools protocol: just what the tests of the page need."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
PATIENCE_S = 60


class Browser:
    """One page of one browser; close it when done.

    Attributes:
        errors: what the console and uncaught exceptions said.
        requests: addresses that the page requested.
    """

    def __init__(self, folder: Path) -> None:
        from websockets.sync.client import connect

        self.errors: list[str] = []
        self.requests: list[str] = []
        self.number = 0
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--remote-debugging-port=0", f"--user-data-dir={folder}", "--hide-scrollbars"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [CHROMIUM, *flags, "about:blank"],
                stdout=log,
                stderr=log,
                env=os.environ | {"HOME": str(folder)},
            )
        self.ends = contextlib.ExitStack()
        self.ends.callback(self._end_process)
        with contextlib.ExitStack() as unless_it_starts:
            unless_it_starts.callback(self.ends.close)
            port, path = self._address(folder / "DevToolsActivePort")
            address = f"ws://127.0.0.1:{port}{path}"
            self.socket = self.ends.enter_context(connect(address, max_size=None))
            unless_it_starts.pop_all()
        targets = self._send("Target.getTargets", None)["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self._send("Target.attachToTarget", None, targetId=page, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    @staticmethod
    def _address(file: Path) -> tuple[str, str]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                port, path = file.read_text().split()
                return port, path
            time.sleep(0.05)
        raise TimeoutError("chromium did not start")

    def call(self, method, **parameters):
        """One command to the page, and its answer."""
        return self._send(method, self.session, **parameters)

    def _send(self, method, session, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            reply = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if reply.get("id") == self.number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]
            self._note(reply)

    def _note(self, reply):
        parameters = reply.get("params", {})
        match reply.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(parameters["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                self.errors.append(json.dumps(parameters["args"])[:500])
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.errors.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])

    def open(self, file: Path, width=1280, height=900, dark=False, scripts=True):
        """Show a file; returns when its charts are drawn."""
        self.errors.clear()
        self.requests.clear()
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Page.navigate", url=file.as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")
        if scripts:
            self.until("document.documentElement.dataset.charts")

    def until(self, condition):
        """Wait until JavaScript finds it true."""
        end = time.monotonic() + PATIENCE_S
        while not self.value(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"{condition}; the page said {self.errors}")
            time.sleep(0.05)

    def value(self, expression):
        """What JavaScript makes of an expression; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression[:200]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def close(self):
        """End the browser."""
        self.ends.close()

    def _end_process(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def press(browser, key, code, text=""):
    """A key down and up."""
    same = {"key": key, "code": key, "windowsVirtualKeyCode": code}
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", **same, **({"text": text} if text else {})
    )
    browser.call("Input.dispatchKeyEvent", type="keyUp", **same)


def grave_barriers(browser):
    """What axe finds serious or critical; skips where it is not installed."""
    axe = importlib.util.find_spec("axe_core_python")
    if axe is None:
        pytest.skip('no axe: python -m pip install -e ".[test]"')
    folder = Path(axe.submodule_search_locations[0])
    browser.value((folder / "axe.min.js").read_text(encoding="utf-8") + ";null")
    # charts are hidden from screen readers, whose table is beside them, and take axe long
    run = "axe.run({exclude: [['.chart']]}).then((result) => JSON.stringify(result.violations))"
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in json.loads(browser.value(run))
        if one["impact"] in ("serious", "critical")
    ]
