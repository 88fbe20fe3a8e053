"use strict";
// The page says everything without this file. It sorts tables, draws charts and moves sliders.

const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);
const embeddedJson = (id) => JSON.parse(document.getElementById(id).textContent);

// Return a promise of the text that a page contains compressed.
function unpacked(id) {
  const packed = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

const unpackedJson = (id) => unpacked(id).then(JSON.parse);

// ---------------------------------------------------------------- light and dark

function chooseTheme() {
  const button = document.getElementById("theme");
  const isDark = () =>
    (document.documentElement.dataset.theme ||
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
  button.hidden = false;
}

// ---------------------------------------------------------------- tables

const ROWS_TO_FILTER = 5; // a shorter table has no filter

// Compare numbers by size and text by the alphabet. Empty cells always come last.
function compareKeys(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const numbers = Number(a) - Number(b);
  return direction * (Number.isNaN(numbers) ? a.localeCompare(b) : numbers);
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const headings = table.tHead.querySelectorAll("th:not(.plain)");
  headings.forEach((heading, column) => {
    const button = element("button", { type: "button", textContent: heading.textContent });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset[table.dataset.sortBy || "sort"] ?? row.cells[column].dataset.sort;
      const rows = [...body.rows].sort((a, b) => compareKeys(key(a), key(b), direction));
      body.append(...rows);
    });
  });
  const tools = element("div", { className: "tools" });
  if (body.rows.length >= ROWS_TO_FILTER) addFilter(table, body, tools);
  if (table.querySelector("[data-result]")) addSortChoice(table, tools);
  addColumnChoice(table, [...headings], tools);
  table.parentElement.before(tools);
}

// Return the text of a row without its buttons and its closed details.
function textOf(row) {
  const cells = [...row.cells].filter((cell) => !cell.matches(".plain"));
  return cells.map((cell) => (cell.querySelector("summary") || cell).textContent).join(" ");
}

function addFilter(table, body, tools) {
  const label = element("label", { textContent: "Filter rows " });
  const input = element("input", { type: "search", autocomplete: "off" });
  const count = element("span", { role: "status" });
  input.addEventListener("input", () => {
    const text = input.value.trim().toLowerCase();
    let matches = 0;
    for (const row of body.rows) {
      row.hidden = !textOf(row).toLowerCase().includes(text);
      matches += !row.hidden;
    }
    enterAt(table, firstNumber(table));
    count.textContent = text ? `${matches} of ${body.rows.length} rows` : "";
  });
  label.append(input);
  tools.append(label, count);
}

// Cells with a result and a time sort by either.
function addSortChoice(table, tools) {
  const label = element("label", { textContent: "Sort by " });
  const select = element("select");
  for (const [value, text] of [["sort", "time"], ["result", "result"]]) {
    select.append(element("option", { value, textContent: text }));
  }
  select.addEventListener("change", () => { table.dataset.sortBy = select.value; });
  label.append(select);
  tools.append(label);
}

function addColumnChoice(table, headings, tools) {
  const choice = element("details", { className: "columns" });
  choice.append(element("summary", { textContent: "Columns" }));
  headings.forEach((heading, column) => {
    if (!column) return; // the first one says what a row is
    const label = element("label");
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      for (const row of table.rows) row.cells[column].hidden = !box.checked;
      enterAt(table, firstNumber(table));
    });
    label.append(box, ` ${heading.textContent}`);
    choice.append(label);
  });
  tools.append(choice);
}

// ---------------------------------------------------------------- tips: the facts behind a number

const SHOW_AFTER_MS = 150, HIDE_AFTER_MS = 250;
const NUMBER = "td[data-fact]";

// Tab enters a table's numbers at one cell. The arrow keys move on from there.
function enterAt(table, cell) {
  if (!cell) return;
  table.querySelectorAll(NUMBER).forEach((other) => { other.tabIndex = -1; });
  cell.tabIndex = 0;
}

const firstNumber = (table) =>
  table.querySelector(`tr:not([hidden]) > ${NUMBER}:not([hidden])`);

function neighbour(cell, key) {
  const along = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[key];
  if (along) {
    do { cell = cell[along]; } while (cell && (cell.hidden || !cell.matches(NUMBER)));
    return cell;
  }
  const rows = [...cell.closest("tbody").rows].filter((row) => !row.hidden);
  const after = { ArrowUp: rows.slice(0, rows.indexOf(cell.parentElement)).reverse(),
    ArrowDown: rows.slice(rows.indexOf(cell.parentElement) + 1) }[key] || [];
  return after.map((row) => row.cells[cell.cellIndex]).find((other) => other.matches(NUMBER));
}

function moveByArrowKeys(table) {
  enterAt(table, firstNumber(table));
  table.addEventListener("keydown", (event) => {
    const cell = event.target.matches(NUMBER) && neighbour(event.target, event.key);
    if (!cell) return;
    event.preventDefault();
    enterAt(table, cell);
    cell.focus();
  });
}

// Fill a tip with a cell's fact and what a reader needs beside it, from the details of its line.
function fill(tip, cell) {
  const details = cell.dataset.details
    ? document.getElementById(cell.dataset.details) : cell.parentElement.querySelector(".line-details");
  const facts = new Set([cell.dataset.fact, "parity", "disturbed"]);
  const list = element("dl");
  for (const name of facts) {
    const term = [...details.querySelectorAll("dt")].find((one) => one.textContent === name);
    if (term) list.append(term.cloneNode(true), term.nextElementSibling.cloneNode(true));
  }
  const protocol = details.closest("section").querySelector(".protocol");
  if (protocol) {
    list.append(element("dt", { textContent: "protocol" }));
    list.append(element("dd", { textContent: protocol.textContent.trim() }));
  }
  tip.replaceChildren(details.firstElementChild.cloneNode(true), list);
}

function makeTips() {
  const tip = document.getElementById("tip");
  if (!tip.showPopover) return; // an old browser: the buttons of the rows open the same facts
  let current = null, dismissed = null, timer = 0;
  const place = () => {
    if (!current) return;
    const cell = current.getBoundingClientRect();
    const above = cell.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, Math.min(cell.left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${above < 8 ? cell.bottom + 6 : above}px`;
  };
  const hide = () => {
    if (current) { tip.hidePopover(); current.removeAttribute("aria-describedby"); }
    current = null;
  };
  const show = (cell) => {
    if (cell === current || (cell && cell === dismissed)) return;
    hide();
    dismissed = null;
    if (!cell) return;
    fill(tip, cell);
    tip.showPopover();
    cell.setAttribute("aria-describedby", "tip");
    current = cell;
    place();
  };
  document.addEventListener("pointerover", (event) => {
    clearTimeout(timer);
    if (tip.contains(event.target)) return;
    const cell = event.target.closest(NUMBER) || (document.activeElement.matches(NUMBER) ? document.activeElement : null);
    if (cell !== dismissed) dismissed = null;
    timer = setTimeout(() => show(cell), cell ? SHOW_AFTER_MS : HIDE_AFTER_MS);
  });
  document.addEventListener("focusin", (event) => show(event.target.closest(NUMBER)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && current) { dismissed = current; hide(); }
  });
  document.addEventListener("scroll", place, { capture: true, passive: true });
  document.querySelectorAll("table.sortable").forEach(moveByArrowKeys);
  document.querySelectorAll(".needs-tips").forEach((hint) => { hint.hidden = false; });
}

// ---------------------------------------------------------------- charts

const NARROW = 420; // pixels

// Return the configuration of all charts, with what depends on the width.
function chartConfig(width) {
  const config = embeddedJson("chart-config");
  const narrow = width < NARROW;
  return {
    ...config,
    background: null,
    font: "system-ui, 'DejaVu Sans', sans-serif",
    legend: { ...config.legend, columns: narrow ? 2 : 6 },
    axisY: { labelLimit: (narrow ? 0.5 : 0.4) * width, ...(narrow && { labelFontSize: 9 }) },
  };
}

// Beside long names a narrow chart has room for one legend column only.
function fitted(spec, width) {
  if (width >= NARROW || spec.encoding.y?.type !== "nominal") return spec;
  const oneColumn = (name, value) => (name === "legend" ? { ...value, columns: 1 } : value);
  return JSON.parse(JSON.stringify(spec), oneColumn);
}

function recordsOf(columns) {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]])));
}

// The page's policy allows the library by its hash. A browser too old to unpack it shows the tables.
async function unpackLibrary() {
  if (!document.getElementById("library") || !window.DecompressionStream) return;
  document.head.append(element("script", { textContent: await unpacked("library") }));
}

// ---------------------------------------------------------------- charts as files

function download(name, address) {
  const link = element("a", { href: address, download: name });
  link.click();
}

function asSvg(view) {
  return view.toSVG().then((text) => {
    const opaque = text.replace(/(<svg[^>]*>)/, '$1<rect width="100%" height="100%" fill="white"/>');
    return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(opaque)}`;
  });
}

async function asPng(view) {
  const drawn = await view.toCanvas(2); // pixels for each of the chart's
  const canvas = element("canvas", { width: drawn.width, height: drawn.height });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawn, 0, 0);
  return canvas.toDataURL("image/png");
}

// Below a figure its charts are saved: on white, also from a dark page.
function addSaving(row) {
  const select = element("select", { ariaLabel: "chart to save", hidden: true });
  const views = []; // in the order of the options
  const button = (suffix, make) => {
    const one = element("button", { type: "button", textContent: `Save as ${suffix.toUpperCase()}`, disabled: true });
    one.addEventListener("click", async () => {
      const title = select.selectedOptions[0].textContent;
      const name = `${row.dataset.charts}-${title}`.replace(/[^\w.-]+/g, "-");
      download(`${name}.${suffix}`, await make(views[select.selectedIndex]));
    });
    return one;
  };
  const buttons = [button("svg", asSvg), button("png", asPng)];
  const tools = element("p", { className: "tools save" });
  tools.append(select, ...buttons);
  row.closest("figure").append(tools);
  row.addEventListener("chart", ({ detail: { view, title } }) => {
    views.push(view);
    select.append(element("option", { textContent: title }));
    select.hidden = views.length < 2;
    buttons.forEach((one) => { one.disabled = false; });
  });
}

async function drawRow(row) {
  const { specs, columns } = await unpackedJson(row.dataset.charts);
  for (const [index, place] of [...row.children].entries()) {
    const spec = { ...fitted(specs[index], place.clientWidth), data: { values: recordsOf(columns) } };
    const config = chartConfig(place.clientWidth);
    // `ast`: expressions are interpreted, never compiled to code
    const { view } = await vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", ast: true, actions: false, config });
    row.dispatchEvent(new CustomEvent("chart", { detail: { view, title: spec.title } }));
    await new Promise((resume) => setTimeout(resume));
  }
}

// Charts and boundaries are drawn one after the other, each when it comes near the screen.
const drawn = new Map(); // what is drawn to the promise of it
let last = Promise.resolve();

function draw(place) {
  if (!drawn.has(place)) {
    last = last.then(() => (place.matches(CHARTS) ? drawRow(place) : makeSlider(place)));
    drawn.set(place, last);
  }
  return drawn.get(place);
}

const CHARTS = "div[data-charts]", BOUNDARIES = "[data-boundaries]";
const chartRows = () => [...document.querySelectorAll(CHARTS)];

// Return what can be drawn: charts by their library, boundaries where the browser can unpack them.
function drawable() {
  const boundaries = window.DecompressionStream ? document.querySelectorAll(BOUNDARIES) : [];
  return [...(window.vegaEmbed ? chartRows() : []), ...boundaries];
}

function drawWhenSeen() {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "300px" });
  drawable().forEach((place) => seen.observe(place));
}

// ---------------------------------------------------------------- chapters

const folds = () => [...document.querySelectorAll("details.fold")];

function unfoldTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target?.closest("details.fold");
  if (!fold || fold.open) return;
  fold.open = true;
  target.scrollIntoView();
}

// Open all chapters and draw all charts: what a printed page needs.
async function openAll() {
  folds().forEach((fold) => { fold.open = true; });
  await Promise.all(drawable().map(draw));
}

function makeChapters() {
  addEventListener("hashchange", unfoldTarget);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) unfoldTarget(); // which is no change of the hash
  });
  unfoldTarget();
  const tools = document.querySelector(".needs-scripts");
  if (!tools) return;
  tools.hidden = false;
  document.getElementById("unfold").addEventListener("click", openAll);
  document.getElementById("print").addEventListener("click", async () => { await openAll(); print(); });
  // The browser's own print cannot wait: a chart that was not drawn yet is printed as its table.
  const opened = [];
  addEventListener("beforeprint", () => {
    const missing = chartRows().filter((row) => !row.querySelector("svg"));
    const twins = missing.map((row) => row.parentElement.querySelector("details.twin"));
    opened.push(...[...folds(), ...twins].filter((details) => !details.open));
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => {
    opened.splice(0).forEach((details) => { details.open = false; });
  });
  const links = new Map([...document.querySelectorAll("nav.chapters a")].map((a) => [a.hash.slice(1), a]));
  const current = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.getAttribute("aria-labelledby"))?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "0px 0px -85% 0px" });
  document.querySelectorAll("section[aria-labelledby]").forEach((section) => current.observe(section));
}

// ---------------------------------------------------------------- decision boundaries

const PIXELS = 4; // of the picture, for each point of the grid
const FRAME_MS = 500; // how long a played picture stands

function levels(text, alphabet) {
  return Uint8Array.from(text, (sign) => alphabet.indexOf(sign));
}

// Interpolate between four points of the grid.
function between(grid, side, x, y) {
  const left = Math.min(Math.floor(x), side - 2), top = Math.min(Math.floor(y), side - 2);
  const right = x - left, low = y - top, at = top * side + left;
  return (grid[at] * (1 - right) + grid[at + 1] * right) * (1 - low)
    + (grid[at + side] * (1 - right) + grid[at + side + 1] * right) * low;
}

function colour(colours, level) {
  const low = Math.min(Math.floor(level), colours.length - 2), share = level - low;
  return colours[low].map((channel, i) => channel * (1 - share) + colours[low + 1][i] * share);
}

function paint(grid, side, colours, shades) {
  const width = (side - 1) * PIXELS + 1;
  const canvas = element("canvas", { width, height: width });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, width);
  const middle = (colours.length - 1) / 2;
  // Between two of several classes there is nothing: the next point of the grid counts.
  const nearest = (x, y) => grid[Math.round(y / PIXELS) * side + Math.round(x / PIXELS)];
  const level = (x, y) => (shades ? nearest(x, y) : between(grid, side, x / PIXELS, y / PIXELS));
  const kind = (value) => (shades ? Math.floor(value / shades) : value > middle);
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const here = level(x, y), one = kind(here);
      const edge = one !== kind(level(Math.min(x + 1, width - 1), y))
        || one !== kind(level(x, Math.min(y + 1, width - 1)));
      image.data.set(edge ? [20, 20, 20, 255] : [...colour(colours, here), 255], 4 * (y * width + x));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

async function makeSlider(figure) {
  const { steps, frames, pictures, side, shades, alphabet, colours } = await unpackedJson(figure.dataset.boundaries);
  const painted = new Map();
  const picture = (index) => {
    if (!painted.has(index)) painted.set(index, paint(levels(pictures[index], alphabet), side, colours, shades));
    return painted.get(index);
  };
  const play = figure.querySelector(".play");
  const input = figure.querySelector("input");
  const show = () => {
    const place = Number(input.value);
    const step = steps[place].toLocaleString("en");
    figure.querySelector("output").textContent = step;
    input.setAttribute("aria-valuetext", `after step ${step}`);
    figure.querySelectorAll("image").forEach((image, plane) =>
      image.setAttribute("href", picture(frames[plane][place])));
  };
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
  const advance = () => {
    input.value = Number(input.value) + 1;
    show();
    if (Number(input.value) === steps.length - 1) stop();
  };
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    const isOver = Number(input.value) === steps.length - 1;
    if (isOver) { input.value = 0; show(); } else advance();
    play.textContent = "Pause";
    timer = setInterval(advance, FRAME_MS);
  });
  input.addEventListener("input", () => { stop(); show(); });
  input.hidden = play.hidden = false;
  show();
}

// ---------------------------------------------------------------- begin

chooseTheme();
document.querySelectorAll("table.sortable").forEach(makeSortable);
makeTips();
makeChapters();
unpackLibrary().then(async () => {
  if (window.vegaEmbed) {
    document.querySelectorAll("details.twin").forEach((details) => { details.open = false; });
    chartRows().forEach(addSaving);
    if (chartRows().length) await draw(chartRows()[0]);
  }
  drawWhenSeen();
  document.documentElement.dataset.charts = window.vegaEmbed ? "drawn" : "none";
});
