"""One browser for all tests of pages in a file, where there is one."""

import importlib.util

import pytest
from browser import CHROMIUM, Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium; its tests are skipped without one."""
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium, such as by apt-get install chromium")
    if importlib.util.find_spec("websockets") is None:
        pytest.skip('no websockets: python -m pip install -e ".[test]"')
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()
