"use strict";
// The page says everything without this file; here tables sort, charts draw and sliders move.

const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);
const stored = (id) => JSON.parse(document.getElementById(id).textContent);

// ---------------------------------------------------------------- light and dark

function chooseTheme() {
  const button = document.getElementById("theme");
  const isDark = () =>
    (document.documentElement.dataset.theme ||
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
  button.hidden = false;
}

// ---------------------------------------------------------------- tables

const WORTH_FILTERING = 5; // rows

// Numbers by size, text by the alphabet, and what is empty always last.
function compared(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const numbers = Number(a) - Number(b);
  return direction * (Number.isNaN(numbers) ? a.localeCompare(b) : numbers);
}

function makeSortable(table) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th:not(.plain)").forEach((heading, column) => {
    const button = element("button", { type: "button", textContent: heading.textContent });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.sort;
      const rows = [...body.rows].sort((a, b) => compared(key(a), key(b), direction));
      body.append(...rows);
    });
  });
  if (body.rows.length >= WORTH_FILTERING) addFilter(table, body);
}

function addFilter(table, body) {
  const tools = element("p", { className: "tools" });
  const label = element("label", { textContent: "Filter rows " });
  const input = element("input", { type: "search", autocomplete: "off" });
  const count = element("span", { role: "status" });
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const text = [...row.cells].filter((cell) => !cell.matches(".plain"));
      row.hidden = !text.map((cell) => cell.textContent).join(" ").toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    count.textContent = wanted ? `${shown} of ${body.rows.length} rows` : "";
  });
  label.append(input);
  tools.append(label, count);
  table.parentElement.before(tools);
}

// ---------------------------------------------------------------- charts

const look = (width) => ({
  background: null,
  view: { stroke: null },
  font: "system-ui, 'DejaVu Sans', sans-serif",
  title: { anchor: "start", fontSize: 13 },
  axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal" },
  legend: { orient: "bottom", labelFontSize: 11, titleFontSize: 11, columns: width < 420 ? 3 : 6, labelLimit: 150 },
});

function recordsOf(columns) {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]])));
}

async function drawCharts() {
  for (const row of document.querySelectorAll("[data-charts]")) {
    const { specs, columns } = stored(row.dataset.charts);
    for (const [index, place] of [...row.children].entries()) {
      const spec = { ...specs[index], data: { values: recordsOf(columns) } };
      const config = look(place.clientWidth);
      // `ast`: expressions are interpreted, never made into code
      await vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", ast: true, actions: false, config });
      await new Promise((resume) => setTimeout(resume));
    }
  }
  document.documentElement.dataset.charts = "drawn";
}

// ---------------------------------------------------------------- decision boundaries

const FINER = 4; // pixels of the picture for each of the grid's points

function levels(text, alphabet) {
  return Uint8Array.from(text, (sign) => alphabet.indexOf(sign));
}

// The level between four points of the grid.
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

function painted(grid, side, colours) {
  const wide = (side - 1) * FINER + 1;
  const canvas = element("canvas", { width: wide, height: wide });
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, wide);
  const middle = (colours.length - 1) / 2;
  const level = (x, y) => between(grid, side, x / FINER, y / FINER);
  for (let y = 0; y < wide; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      const here = level(x, y), one = here > middle;
      const edge = one !== level(Math.min(x + 1, wide - 1), y) > middle
        || one !== level(x, Math.min(y + 1, wide - 1)) > middle;
      image.data.set(edge ? [20, 20, 20, 255] : [...colour(colours, here), 255], 4 * (y * wide + x));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function makeSlider(figure) {
  const { steps, frames, pictures, side, alphabet, colours } = stored(figure.dataset.boundaries);
  const made = new Map();
  const picture = (index) => {
    if (!made.has(index)) made.set(index, painted(levels(pictures[index], alphabet), side, colours));
    return made.get(index);
  };
  const input = figure.querySelector("input");
  const show = () => {
    const place = Number(input.value);
    const words = steps[place].toLocaleString("en");
    figure.querySelector("output").textContent = words;
    input.setAttribute("aria-valuetext", `after step ${words}`);
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
document.querySelectorAll("[data-boundaries]").forEach(makeSlider);
if (window.vegaEmbed) {
  document.querySelectorAll("details.twin").forEach((details) => { details.open = false; });
  drawCharts();
}
