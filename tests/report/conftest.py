"""One browser for all tests of pages in a file, where there is one."""

import importlib.util

import pytest
from browser import CHROMIUM, Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium; its tests are skipped without one."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    if importlib.util.find_spec("websockets") is None:
        pytest.skip("websockets is not installed")
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()
