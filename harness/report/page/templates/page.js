"use strict";
// The page says everything without this file. It sorts tables, draws charts and moves sliders.

const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);
const embeddedJson = (id) => JSON.parse(document.getElementById(id).textContent);

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
      const key = (row) => row.cells[column].dataset.sort;
      const rows = [...body.rows].sort((a, b) => compareKeys(key(a), key(b), direction));
      body.append(...rows);
    });
  });
  if (body.rows.length >= ROWS_TO_FILTER) addFilter(table, body);
}

// Return the text of a row without its buttons and its closed details.
function textOf(row) {
  const cells = [...row.cells].filter((cell) => !cell.matches(".plain"));
  return cells.map((cell) => (cell.querySelector("summary") || cell).textContent).join(" ");
}

function addFilter(table, body) {
  const tools = element("p", { className: "tools" });
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
    enterAt(table, [...table.querySelectorAll("tr:not([hidden]) > [data-fact]")][0]);
    count.textContent = text ? `${matches} of ${body.rows.length} rows` : "";
  });
  label.append(input);
  tools.append(label, count);
  table.parentElement.before(tools);
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

function neighbour(cell, key) {
  const along = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[key];
  if (along) {
    do { cell = cell[along]; } while (cell && !cell.matches(NUMBER));
    return cell;
  }
  const rows = [...cell.closest("tbody").rows].filter((row) => !row.hidden);
  const after = { ArrowUp: rows.slice(0, rows.indexOf(cell.parentElement)).reverse(),
    ArrowDown: rows.slice(rows.indexOf(cell.parentElement) + 1) }[key] || [];
  return after.map((row) => row.cells[cell.cellIndex]).find((other) => other.matches(NUMBER));
}

function moveByArrowKeys(table) {
  enterAt(table, table.querySelector(NUMBER));
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
  const facts = new Set([cell.dataset.fact, "parity", "disturbed", "protocol"]);
  const list = element("dl");
  for (const name of facts) {
    const term = [...details.querySelectorAll("dt")].find((one) => one.textContent === name);
    if (term) list.append(term.cloneNode(true), term.nextElementSibling.cloneNode(true));
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
  const packed = document.getElementById("library");
  if (!packed || !window.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (sign) => sign.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  document.head.append(element("script", { textContent: await new Response(unpacked).text() }));
}

async function drawCharts() {
  for (const row of document.querySelectorAll("[data-charts]")) {
    const { specs, columns } = embeddedJson(row.dataset.charts);
    for (const [index, place] of [...row.children].entries()) {
      const spec = { ...fitted(specs[index], place.clientWidth), data: { values: recordsOf(columns) } };
      const config = chartConfig(place.clientWidth);
      // `ast`: expressions are interpreted, never compiled to code
      await vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", ast: true, actions: false, config });
      await new Promise((resume) => setTimeout(resume));
    }
  }
}

// ---------------------------------------------------------------- decision boundaries

const PIXELS = 4; // of the picture, for each point of the grid

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

function makeSlider(figure) {
  const { steps, frames, pictures, side, shades, alphabet, colours } = embeddedJson(figure.dataset.boundaries);
  const painted = new Map();
  const picture = (index) => {
    if (!painted.has(index)) painted.set(index, paint(levels(pictures[index], alphabet), side, colours, shades));
    return painted.get(index);
  };
  const input = figure.querySelector("input");
  const show = () => {
    const place = Number(input.value);
    const step = steps[place].toLocaleString("en");
    figure.querySelector("output").textContent = step;
    input.setAttribute("aria-valuetext", `after step ${step}`);
    figure.querySelectorAll("image").forEach((image, plane) =>
      image.setAttribute("href", picture(frames[plane][place])));
  };
  input.addEventListener("input", show);
  figure.querySelector(".slider").hidden = false;
  show();
}

// ---------------------------------------------------------------- begin

chooseTheme();
document.querySelectorAll("table.sortable").forEach(makeSortable);
makeTips();
document.querySelectorAll("[data-boundaries]").forEach(makeSlider);
unpackLibrary().then(async () => {
  if (window.vegaEmbed) {
    document.querySelectorAll("details.twin").forEach((details) => { details.open = false; });
    await drawCharts();
  }
  document.documentElement.dataset.charts = window.vegaEmbed ? "drawn" : "none";
});
