"""The page in a browser: it draws, sorts and slides, asks nobody for anything, and is readable."""

import pytest
from browser import grave_barriers, press
from pages import charts_or_skip, report_of

from harness.report.page import report_page
from tests import readme

PHONE, DESK = (360, 740), (1280, 900)


@pytest.fixture(scope="module")
def page(tmp_path_factory, page_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(page_cache))
        charts_or_skip()
        report = report_of(tmp_path_factory.mktemp("run"))
        file = tmp_path_factory.mktemp("page") / "report.html"
        file.write_text(report_page.as_html(report), encoding="utf-8")
    return file


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_draws_fits_and_asks_nobody(browser, page, size, dark):
    browser.open(page, *size, dark=dark)
    assert browser.errors == []
    requested = [url for url in browser.requests if not url.startswith("data:")]
    assert requested == [page.as_uri()]
    browser.value("openAll().then(() => true)")
    charts = "document.querySelectorAll('.chart').length"
    drawn = "[...document.querySelectorAll('.chart')].filter((c) => c.querySelector('svg path'))"
    assert browser.value(charts) == browser.value(f"{drawn}.length") > 10
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")
    text = browser.value("getComputedStyle(document.querySelector('.chart svg text')).fill")
    assert text == ("rgb(230, 233, 238)" if dark else "rgb(27, 31, 36)")
    assert browser.value("document.querySelectorAll('details.twin[open]').length") == 0


@pytest.fixture(scope="module")
def reference(tmp_path_factory, page_cache):
    """The page of the reference run, whose first chart has 18 rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(page_cache))
        file = tmp_path_factory.mktemp("reference") / "report.html"
        file.write_text(report_page.as_html(readme.report()), encoding="utf-8")
    return file


OVERLAPS = """(() => {
  const chart = document.querySelector('.overview .chart svg');
  const texts = [...chart.querySelectorAll('text')].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
  const hit = ([, a], [, b]) => a.left < b.right && b.left < a.right
    && a.top + 1 < b.bottom && b.top + 1 < a.bottom;
  const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).map((b) => [a, b]));
  return pairs.filter(([a, b]) => hit(a, b)).map(([a, b]) => [a[0], b[0]]);
})()"""


@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_first_chart_has_no_labels_that_overlap(browser, reference, width, dark):
    browser.open(reference, width, 1000, dark=dark)
    assert browser.errors == []
    first = "document.querySelector('div[data-charts]').dataset.charts"
    assert browser.value(first) == "all-overview"
    titles = "document.querySelectorAll('.overview .chart .role-axis-label text').length"
    assert browser.value(titles) >= 18 + 3
    assert browser.value(OVERLAPS) == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    symbols = "[...document.querySelectorAll('.overview .role-legend-symbol path')]"
    fills = browser.value(f"{symbols}.map((symbol) => getComputedStyle(symbol).fill)")
    assert len(fills) == 5 + 3
    assert "rgb(0, 0, 0)" not in fills


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
    visible = f"[...{TABLE}.tBodies[0].rows].filter((row) => !row.hidden).length"
    assert browser.value(visible) == len([name for name in column(browser, 0) if "jax" in name]) > 0
    assert "rows" in browser.value("document.querySelectorAll('[role=status]')[1].textContent")


def test_the_keyboard_sorts_opens_and_closes(browser, page):
    browser.open(page)
    browser.value(f"{TABLE}.tHead.querySelector('button').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value(f"{TABLE}.tHead.rows[0].cells[0].getAttribute('aria-sort')") == "ascending"
    browser.value("document.querySelector('.how').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value("document.querySelectorAll('.line-details:popover-open').length") == 1
    assert "samestep report xor-mlp" in browser.value(
        "document.querySelector('.line-details:popover-open').innerText"
    )
    press(browser, "Escape", 27)
    assert browser.value("document.querySelectorAll('.line-details:popover-open').length") == 0


def test_the_slider_goes_back_in_training(browser, page):
    browser.open(page)
    browser.value("openAll().then(() => true)")
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
    assert len(first) == len(last) == 2  # what is proven, and what is not
    assert all(a != b for a, b in zip(first, last, strict=True))
    assert len(set(first)) == 1  # the same start in every framework
    assert browser.errors == []


def test_without_javascript_everything_is_there(browser, page):
    browser.open(page, scripts=False)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.querySelectorAll('details.twin[open]').length") > 4
    pictures = "[...document.querySelectorAll('image')].every((i) => i.href.baseVal.length > 200)"
    assert browser.value(pictures)
    assert browser.value("document.querySelector('.slider input').hidden")
    assert browser.value("document.querySelectorAll('table').length") > 15


@pytest.mark.parametrize(
    "dark",
    [
        pytest.param(False, marks=pytest.mark.full_product, id="light"),
        pytest.param(True, id="dark"),
    ],
)
def test_no_barrier_that_axe_finds(browser, page, dark):
    browser.open(page, dark=dark)
    browser.value("openAll().then(() => true)")
    browser.value("document.querySelector('td[data-fact]').focus()")
    assert browser.value(TIP)
    assert grave_barriers(browser) == []


TIP = "document.querySelector('#tip:popover-open')?.innerText"
ACTIVE = "document.activeElement"


def test_the_keyboard_reaches_every_number_of_a_table(browser, page):
    """One stop of Tab for a table; the arrow keys go on, over what is no number."""
    browser.open(page)
    assert browser.value(f"{TABLE}.querySelectorAll('td[tabindex=\\'0\\']').length") == 1
    browser.value(f"{TABLE}.querySelector('td[tabindex=\\'0\\']').focus()")
    tip = browser.value(TIP)
    assert "training accuracy" in tip
    assert "network 2-2-1" in tip
    assert browser.value(f"{ACTIVE}.getAttribute('aria-describedby')") == "tip"
    press(browser, "ArrowRight", 39)
    assert "400 ms; one run: too few for an interval" in browser.value(TIP)
    assert browser.value("document.querySelectorAll('[aria-describedby]').length") == 1
    press(browser, "ArrowDown", 40)
    assert "sklearn stepwise" in browser.value(TIP)
    press(browser, "ArrowUp", 38)
    press(browser, "Escape", 27)
    assert not browser.value(TIP)
    assert browser.value("document.querySelectorAll('[aria-describedby]').length") == 0
    assert browser.value(f"{ACTIVE}.matches('td')")
    press(browser, "ArrowRight", 39)
    assert browser.value(TIP)
    assert browser.errors == []


def test_pointing_shows_and_leaving_hides(browser, page):
    browser.open(page)
    at = browser.value("""(() => {
      const cell = document.querySelector('td[data-details]');
      cell.scrollIntoView({ block: 'center' });
      const box = cell.getBoundingClientRect();
      return [box.left + 5, box.top + 5];
    })()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    browser.until(TIP)
    assert "numpy stepwise" in browser.value(TIP)
    assert "protocol" in browser.value(TIP)
    bottom = "document.getElementById('tip').getBoundingClientRect().bottom"
    assert browser.value(f"{bottom} < innerHeight")
    press(browser, "Escape", 27)
    assert not browser.value(TIP)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0] + 2, y=at[1])
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=3, y=3)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    browser.until(TIP)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=3, y=3)
    browser.until(f"!({TIP})")


def test_it_prints(browser, page):
    browser.open(page)
    printed = browser.call("Page.printToPDF", printBackground=True)
    assert len(printed["data"]) > 50_000
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.querySelector('.how')).display") == "none"
    assert browser.value("document.querySelector('.chart svg').checkVisibility()")
    browser.call("Emulation.setEmulatedMedia", media="")


FOLDS = "[...document.querySelectorAll('details.fold')].map((fold) => fold.open)"
LAST = "document.querySelector('nav.chapters li:nth-last-child(2) a')"
CHARTS_OF_LAST = f"document.getElementById({LAST}.hash.slice(1)).closest('section')"


def test_chapters_are_folded_and_their_charts_drawn_when_they_are_opened(browser, page):
    browser.open(page)
    opened = browser.value(FOLDS)
    assert opened[0]
    assert not any(opened[1:])
    last_drawn = f"{CHARTS_OF_LAST}.querySelectorAll('.chart svg').length"
    assert browser.value(last_drawn) == 0
    assert browser.value(f"{CHARTS_OF_LAST}.querySelector('.headline').checkVisibility()")
    browser.value(f"{LAST}.click()")
    browser.until(f"{CHARTS_OF_LAST}.querySelector('details').open")
    browser.until(f"{last_drawn} > 0")
    nav = "document.querySelector('nav.chapters').getBoundingClientRect()"
    assert browser.value(f"{nav}.top >= 0 && {nav}.top < innerHeight")
    assert not browser.value(f"{CHARTS_OF_LAST}.querySelector('.headline').checkVisibility()")
    assert browser.errors == []


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desk", "phone"])
def test_answer_and_first_chart_are_seen_first(browser, reference, size):
    browser.open(reference, *size)
    assert browser.value("document.querySelector('h1').getBoundingClientRect().bottom") < size[1]
    bottom = "document.querySelector('.overview .chart svg').getBoundingClientRect()"
    seen = 1.0 if size[0] > 1000 else 0.4  # on a phone its beginning
    assert browser.value(f"{bottom}.top + {seen} * {bottom}.height") <= size[1]


def test_the_places_of_charts_are_reserved(browser, page):
    """What is below does not move when the charts above are drawn, but for a legend's lines."""
    browser.open(page)
    browser.value(
        "document.querySelectorAll('details.fold').forEach((fold) => { fold.open = true; })"
    )
    before = browser.value("document.documentElement.scrollHeight")
    browser.value("openAll().then(() => true)")
    after = browser.value("document.documentElement.scrollHeight")
    charts = browser.value("document.querySelectorAll('.chart').length")
    assert abs(after - before) <= 15 * charts


def test_columns_hide_and_results_sort(browser, page):
    browser.open(page)
    glance = "document.querySelector('table.sortable')"
    tools = f"{glance}.closest('.scroll').previousElementSibling"
    browser.value(f"{tools}.querySelector('.columns input').click()")
    second = f"{glance}.rows[{{}}].cells[1].hidden"
    assert browser.value(second.format(0))
    assert browser.value(second.format(1))
    assert browser.value(f"{glance}.querySelector('td[tabindex=\\'0\\']').hidden") is False
    choose = f"""(() => {{
      const select = {tools}.querySelector('select');
      select.value = 'result';
      select.dispatchEvent(new Event('change'));
      {glance}.tHead.rows[0].cells[3].querySelector('button').click();
    }})()"""
    browser.value(choose)
    results = f"[...{glance}.tBodies[0].rows].map((row) => row.cells[3].dataset.result ?? '')"
    known = [float(text) for text in browser.value(results) if text]
    assert known == sorted(known)
    assert len(known) > 2


def test_charts_are_saved_as_files(browser, page):
    browser.open(page)
    names = "[...document.querySelectorAll('.overview .save button')].map((b) => b.textContent)"
    assert browser.value(names) == ["Save as SVG", "Save as PNG"]
    saved = """(async () => {
      const addresses = [];
      const click = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = function () {
        addresses.push([this.download, this.href]);
      };
      for (const button of document.querySelectorAll('.overview .save button')) button.click();
      while (addresses.length < 2) await new Promise((resume) => setTimeout(resume, 10));
      HTMLAnchorElement.prototype.click = click;
      return addresses;
    })()"""
    files = {name.rpartition(".")[2]: address for name, address in browser.value(saved)}
    assert files["svg"].startswith("data:image/svg+xml;charset=utf-8,%3Csvg")
    assert files["png"].startswith("data:image/png;base64,")
    assert browser.errors == []


def test_training_plays(browser, page):
    browser.open(page)
    browser.value("openAll().then(() => true)")
    figure = "document.querySelector('[data-boundaries]')"
    browser.value(f"{figure}.querySelector('.play').click()")
    assert browser.value(f"{figure}.querySelector('.play').textContent") == "Pause"
    assert browser.value(f"{figure}.querySelector('output').textContent") == "1"
    browser.until(f"Number({figure}.querySelector('input').value) > 0")
    browser.value(f"{figure}.querySelector('.play').click()")
    assert browser.value(f"{figure}.querySelector('.play').textContent") == "Play"
