"""The page in a browser: it draws, sorts and slides, asks nobody for anything, and is readable."""

import importlib.util
import json
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from pages import made

from harness.report.page import document
from harness.report.page.bundle import chart_library

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(
        importlib.util.find_spec("websockets") is None, reason="websockets is not installed"
    ),
]
PHONE, DESK = (360, 740), (1280, 900)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        if chart_library() is None:
            pytest.skip("vl-convert is not installed")
        report = made(tmp_path_factory.mktemp("run"))
        file = tmp_path_factory.mktemp("page") / "report.html"
        file.write_text(document.html(report), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_draws_fits_and_asks_nobody(browser, page, size, dark):
    browser.open(page, *size, dark=dark)
    assert browser.errors == []
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert asked == [page.as_uri()]
    charts = "document.querySelectorAll('.chart').length"
    drawn = "[...document.querySelectorAll('.chart')].filter((c) => c.querySelector('svg path'))"
    assert browser.value(charts) == browser.value(f"{drawn}.length") > 10
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")
    text = browser.value("getComputedStyle(document.querySelector('.chart svg text')).fill")
    assert text == ("rgb(230, 233, 238)" if dark else "rgb(27, 31, 36)")
    assert browser.value("document.querySelectorAll('details.twin[open]').length") == 0


def test_the_theme_can_be_chosen(browser, page):
    browser.open(page)
    browser.value("document.getElementById('theme').click()")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert browser.value("document.getElementById('theme').textContent") == "Light"


TABLE = "document.querySelectorAll('table.sortable')[1]"  # of the first experiment


def column(browser, index):
    cells = f"[...{TABLE}.tBodies[0].rows].map((row) => row.cells[{index}].textContent.trim())"
    return browser.value(cells)


def test_tables_sort_by_number_with_what_is_missing_last(browser, page):
    browser.open(page)
    heading = f"{TABLE}.tHead.rows[0].cells[4]"
    unsorted = column(browser, 4)
    browser.value(f"{heading}.querySelector('button').click()")
    assert browser.value(f"{heading}.getAttribute('aria-sort')") == "ascending"
    rising = column(browser, 4)
    assert rising[0] == "20.0 ms"
    assert rising[-1] == "-"
    browser.value(f"{heading}.querySelector('button').click()")
    assert browser.value(f"{heading}.getAttribute('aria-sort')") == "descending"
    assert column(browser, 4)[0] == "19.0 s"
    assert column(browser, 4)[-1] == "-"
    assert sorted(unsorted) == sorted(rising)


def test_tables_filter(browser, page):
    browser.open(page)
    typed = """(() => {
      const input = document.querySelectorAll('input[type=search]')[1];
      input.value = 'JAX';
      input.dispatchEvent(new Event('input'));
    })()"""
    browser.value(typed)
    shown = f"[...{TABLE}.tBodies[0].rows].filter((row) => !row.hidden).length"
    assert browser.value(shown) == len([name for name in column(browser, 0) if "jax" in name]) > 0
    assert "rows" in browser.value("document.querySelectorAll('[role=status]')[1].textContent")


def test_the_keyboard_sorts_opens_and_closes(browser, page):
    browser.open(page)
    browser.value(f"{TABLE}.tHead.querySelector('button').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value(f"{TABLE}.tHead.rows[0].cells[0].getAttribute('aria-sort')") == "ascending"
    browser.value("document.querySelector('.how').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value("document.querySelectorAll('.told:popover-open').length") == 1
    assert "samestep report xor-mlp" in browser.value(
        "document.querySelector('.told:popover-open').innerText"
    )
    press(browser, "Escape", 27)
    assert browser.value("document.querySelectorAll('.told:popover-open').length") == 0


def press(browser, key, code, text=""):
    same = {"key": key, "code": key, "windowsVirtualKeyCode": code}
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", **same, **({"text": text} if text else {})
    )
    browser.call("Input.dispatchKeyEvent", type="keyUp", **same)


def test_the_slider_goes_back_in_training(browser, page):
    browser.open(page)
    hrefs = """[...document.querySelector('[data-boundaries]').querySelectorAll('image')]
      .map((image) => image.getAttribute('href'))"""
    last = browser.value(hrefs)
    move = """(() => {
      const input = document.querySelector('[data-boundaries] input');
      input.value = 0;
      input.dispatchEvent(new Event('input'));
      return document.querySelector('[data-boundaries] output').textContent;
    })()"""
    assert browser.value(move) == "1"
    first = browser.value(hrefs)
    assert len(first) == len(last) >= 3
    assert all(a != b for a, b in zip(first, last, strict=True))
    assert len(set(first)) == 1  # the same start in every framework
    assert browser.errors == []


def test_without_javascript_everything_is_there(browser, page):
    browser.open(page, scripts=False)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.querySelectorAll('details.twin[open]').length") > 4
    pictures = "[...document.querySelectorAll('image')].every((i) => i.href.baseVal.length > 200)"
    assert browser.value(pictures)
    assert browser.value("document.querySelector('.slider').hidden")
    assert browser.value("document.querySelectorAll('table').length") > 15


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_barrier_that_axe_finds(browser, page, dark):
    found = importlib.util.find_spec("axe_core_python")
    if found is None:
        pytest.skip("axe-core-python is not installed")
    folder = Path(found.submodule_search_locations[0])
    browser.open(page, dark=dark)
    browser.value((folder / "axe.min.js").read_text(encoding="utf-8") + ";null")
    # charts are hidden from screen readers, whose table is beside them, and take axe long
    run = "axe.run({exclude: [['.chart']]}).then((found) => JSON.stringify(found.violations))"
    told = json.loads(browser.value(run))
    grave = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in told
        if one["impact"] in ("serious", "critical")
    ]
    assert grave == []


def test_it_prints(browser, page):
    browser.open(page)
    printed = browser.call("Page.printToPDF", printBackground=True)
    assert len(printed["data"]) > 50_000
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.querySelector('.how')).display") == "none"
    assert browser.value("document.querySelector('.chart svg').checkVisibility()")
    browser.call("Emulation.setEmulatedMedia", media="")
