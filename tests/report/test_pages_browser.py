"""The pages of claims and of comparisons in a browser."""

import pytest
from browser import grave_barriers
from pages import charts_or_skip, compared, ledger

from harness.report.page import claims_page, compare_page

PHONE, DESK = (360, 740), (1280, 900)
HOSTILE = "</script><img src=x onerror=alert(1)>"
CHARTS = {"claims": 1, "compare": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory, page_cache):
    """Name to file of both pages, with hostile names in them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(page_cache))
        charts_or_skip()
        folder = tmp_path_factory.mktemp("pages")
        for name, text in (
            ("claims", claims_page.as_html(ledger(title=f"A claim {HOSTILE}"))),
            ("compare", compare_page.as_html(compared(failures=[HOSTILE]))),
        ):
            (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in CHARTS}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", CHARTS)
def test_it_draws_fits_and_asks_nobody(browser, files, name, size, dark):
    browser.open(files[name], *size, dark=dark)
    assert browser.errors == []
    requested = [url for url in browser.requests if not url.startswith("data:")]
    assert requested == [files[name].as_uri()]
    browser.value("openAll().then(() => true)")
    drawn = "[...document.querySelectorAll('.chart')].filter((c) => c.querySelector('svg path'))"
    assert browser.value(f"{drawn}.length") == CHARTS[name]
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    assert browser.value("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", CHARTS)
def test_no_barrier_that_axe_finds(browser, files, name, dark):
    browser.open(files[name], dark=dark)
    browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert grave_barriers(browser) == []


def first_cells(browser):
    rows = "[...document.querySelector('table.sortable').tBodies[0].rows]"
    cells = f"{rows}.filter((row) => !row.hidden).map((row) => row.cells[0].firstChild.data)"
    return [text.strip() for text in browser.value(cells)]


def test_claims_sort_filter_and_unfold(browser, files):
    browser.open(files["claims"])
    heading = "document.querySelector('table.sortable').tHead.rows[0].cells[{}]"
    assert browser.value(f"{heading.format(4)}.innerText").startswith("published")
    assert browser.value("document.querySelectorAll('details thead button').length") == 0
    browser.value(f"{heading.format(4)}.querySelector('button').click()")
    assert first_cells(browser) == ["better", "level", "exact", "worse", "range"]
    browser.value(f"{heading.format(6)}.querySelector('button').click()")
    assert first_cells(browser)[0] == "exact"  # one run
    typed = """(() => {
      const input = document.querySelector('input[type=search]');
      input.value = 'worse';
      input.dispatchEvent(new Event('input'));
    })()"""
    browser.value(typed)
    assert first_cells(browser) == ["worse"]
    words = browser.value("""(() => {
      document.querySelector('#claim-worse summary').click();
      return document.querySelector('#claim-worse').innerText;
    })()""")
    for expected in ("Why:", "samestep reproduce worse", "other: CONSISTENT", "primary source"):
        assert expected in words
    assert browser.value(
        "getComputedStyle(document.querySelector('.other-verdict th')).boxShadow"
    ) != ("none")
    assert browser.errors == []


@pytest.mark.parametrize("name", CHARTS)
def test_without_javascript_everything_is_there(browser, files, name):
    browser.open(files[name], scripts=False)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.querySelectorAll('details.twin[open]').length") == 1
    assert browser.value("document.querySelectorAll('table.sortable tbody tr').length") >= 4


def test_an_open_claim_fits_on_a_phone(browser, files):
    browser.open(files["claims"], *PHONE)
    browser.value("document.querySelector('#claim-worse summary').click()")
    right = browser.value(
        "document.querySelector('.claims details[open]').getBoundingClientRect().right"
    )
    assert right <= PHONE[0]


def test_the_printed_ledger_has_its_titles(browser, files):
    browser.open(files["claims"])
    browser.call("Emulation.setEmulatedMedia", media="print")
    height = "document.querySelector('{}').getBoundingClientRect().height"
    try:
        assert browser.value(height.format("#claim-worse summary")) > 0
        assert browser.value(height.format("details.twin")) == 0
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
