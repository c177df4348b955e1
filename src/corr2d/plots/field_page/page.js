"use strict";
// Fields are unions of products (rows times columns) or masks; see encoding.py. Nothing is loaded.
const known = JSON.parse(document.getElementById("known").textContent);
const [HEIGHT, WIDTH] = known.size;
const SEEN = "#d95f02", REACHED = "#0072b2", INK = "#1c2630", PAPER = "#f1f2f3", LINE = "#c9ccd0";
const imageCanvas = document.getElementById("image"), mapCanvas = document.getElementById("map");
const chooser = document.getElementById("layer"), told = document.getElementById("told");

function runs(text) {
  if (!text) return [];
  return text.split(",").map(run => run.split("+").map(number => parseInt(number, 36)));
}

const decodedTables = new Map();
function table(number) {
  if (!decodedTables.has(number)) decodedTables.set(number, known.tables[number].split(";").map(runs));
  return decodedTables.get(number);
}

function axisRuns(rows, position) { return rows[rows.length === 1 ? 0 : position]; }

// The field of a value as [top, left, height, width] rectangles; they may overlap.
function rectangles(layer, i, j) {
  const found = [];
  if (layer.terms) {
    for (const [y, x] of layer.terms)
      for (const [top, height] of axisRuns(table(y), i))
        for (const [left, width] of axisRuns(table(x), j)) found.push([top, left, height, width]);
    return found;
  }
  for (let [start, length] of runs(known.tables[layer.masks[i * layer.grid[1] + j]])) {
    while (length > 0) {
      const left = start % WIDTH, part = Math.min(length, WIDTH - left);
      found.push([Math.floor(start / WIDTH), left, 1, part]);
      start += part;
      length -= part;
    }
  }
  return found;
}

function holds(parts, at) { return parts.some(([start, length]) => at >= start && at < start + length); }

// Which values a pixel reaches, as a mask of the layer's grid.
function reached(layer, y, x) {
  const [rows, columns] = layer.grid, mask = new Uint8Array(rows * columns);
  if (layer.terms) {
    for (const [tableY, tableX] of layer.terms) {
      const inRow = [], inColumn = [];
      for (let i = 0; i < rows; i++) inRow.push(holds(axisRuns(table(tableY), i), y));
      for (let j = 0; j < columns; j++) inColumn.push(holds(axisRuns(table(tableX), j), x));
      for (let i = 0; i < rows; i++) if (inRow[i])
        for (let j = 0; j < columns; j++) if (inColumn[j]) mask[i * columns + j] = 1;
    }
    return mask;
  }
  const answers = new Map(), pixel = y * WIDTH + x;
  layer.masks.forEach((number, at) => {
    if (!answers.has(number)) answers.set(number, holds(runs(known.tables[number]), pixel) ? 1 : 0);
    mask[at] = answers.get(number);
  });
  return mask;
}

// A canvas that shows rows x columns cells with a margin of so many cells around them.
class Sheet {
  constructor(canvas) { this.canvas = canvas; }
  fit(rows, columns, margin) {
    Object.assign(this, {rows, columns, margin});
    const css = this.canvas.clientWidth || 480, scale = window.devicePixelRatio || 1;
    this.cell = css * scale / (columns + 2 * margin);
    // A tall map is not higher than it would be wide.
    this.cell = Math.min(this.cell, css * scale / (rows + 2 * margin));
    this.canvas.width = Math.round(css * scale);
    this.canvas.height = Math.round(this.cell * (rows + 2 * margin));
    this.left = (this.canvas.width - this.cell * columns) / 2;
    this.top = this.cell * margin;
    this.pen = this.canvas.getContext("2d");
  }
  // On whole device pixels: neighbours meet without a seam.
  rectangle(top, left, height, width) {
    const x = Math.round(this.left + left * this.cell), y = Math.round(this.top + top * this.cell);
    const right = Math.round(this.left + (left + width) * this.cell);
    const bottom = Math.round(this.top + (top + height) * this.cell);
    return [x, y, right - x, bottom - y];
  }
  fill(colour, ...where) { this.pen.fillStyle = colour; this.pen.fillRect(...this.rectangle(...where)); }
  frame(colour, dash, ...where) {
    this.pen.strokeStyle = colour;
    this.pen.lineWidth = 2 * (window.devicePixelRatio || 1);
    this.pen.setLineDash(dash.map(one => one * (window.devicePixelRatio || 1)));
    this.pen.strokeRect(...this.rectangle(...where));
    this.pen.setLineDash([]);
  }
  grid() {
    if (this.cell < 5) return;
    this.pen.strokeStyle = LINE;
    this.pen.lineWidth = 1;
    this.pen.beginPath();
    for (let i = 0; i <= this.rows; i++) {
      this.pen.moveTo(this.left, this.top + i * this.cell);
      this.pen.lineTo(this.left + this.columns * this.cell, this.top + i * this.cell);
    }
    for (let j = 0; j <= this.columns; j++) {
      this.pen.moveTo(this.left + j * this.cell, this.top);
      this.pen.lineTo(this.left + j * this.cell, this.top + this.rows * this.cell);
    }
    this.pen.stroke();
  }
  // The cell under a pointer, or nothing past the edges.
  under(event) {
    const box = this.canvas.getBoundingClientRect(), scale = this.canvas.width / box.width;
    const row = Math.floor(((event.clientY - box.top) * scale - this.top) / this.cell);
    const column = Math.floor(((event.clientX - box.left) * scale - this.left) / this.cell);
    const inside = row >= 0 && column >= 0 && row < this.rows && column < this.columns;
    return inside ? [row, column] : null;
  }
}

const imageSheet = new Sheet(imageCanvas), mapSheet = new Sheet(mapCanvas);
let picture = null;
let state = {layer: known.open[0], of: "value", at: known.open.slice(1), kept: false};

function layer() { return known.layers[state.layer]; }

// Room for boxes that pass the image's edges, as far as the image stays in sight.
function marginFor(law) {
  const longest = Math.max(HEIGHT, WIDTH);
  const past = law ? Math.max(-law[0][0], -law[0][1], law[2][0] + law[0][0], law[2][1] + law[0][1]) : 0;
  return Math.min(Math.max(past + 2, 0.06 * longest), 0.6 * longest);
}

function drawImage() {
  imageSheet.fit(HEIGHT, WIDTH, marginFor(layer().law));
  imageSheet.fill(PAPER, 0, 0, HEIGHT, WIDTH);
  if (picture) {
    imageSheet.pen.imageSmoothingEnabled = false;
    imageSheet.pen.drawImage(picture, ...imageSheet.rectangle(0, 0, HEIGHT, WIDTH));
  }
  if (state.of === "value") {
    const mask = new Uint8Array(HEIGHT * WIDTH);
    for (const [top, left, height, width] of rectangles(layer(), ...state.at))
      for (let y = top; y < top + height; y++) mask.fill(1, y * WIDTH + left, y * WIDTH + left + width);
    imageSheet.pen.globalAlpha = picture ? 0.6 : 1;
    paint(imageSheet, mask, SEEN);
    imageSheet.pen.globalAlpha = 1;
    imageSheet.grid();
    tellValue(mask);
  } else {
    imageSheet.grid();
    const [y, x] = state.at, least = Math.max(1, 4 / imageSheet.cell);
    imageSheet.fill(REACHED, y + 0.5 - least / 2, x + 0.5 - least / 2, least, least);
  }
  imageSheet.frame(LINE, [], 0, 0, HEIGHT, WIDTH);
  const law = layer().law;
  if (state.of === "value" && law) {
    const [start, stride, size] = law;
    imageSheet.frame(INK, [6, 4], start[0] + stride[0] * state.at[0], start[1] + stride[1] * state.at[1], ...size);
  }
}

// Fill a mask's cells, run by run.
function paint(sheet, mask, colour) {
  for (let i = 0; i < sheet.rows; i++) {
    let start = -1;
    for (let j = 0; j <= sheet.columns; j++) {
      const on = j < sheet.columns && mask[i * sheet.columns + j];
      if (on && start < 0) start = j;
      if (!on && start >= 0) {
        sheet.fill(colour, i, start, 1, j - start);
        start = -1;
      }
    }
  }
}

function drawMap() {
  const [rows, columns] = layer().grid;
  mapSheet.fit(rows, columns, Math.max(rows, columns) * 0.06);
  mapSheet.fill(PAPER, 0, 0, rows, columns);
  if (state.of === "pixel") {
    const mask = reached(layer(), ...state.at);
    paint(mapSheet, mask, REACHED);
    tellPixel(mask);
  }
  mapSheet.grid();
  mapSheet.frame(LINE, [], 0, 0, rows, columns);
  if (state.of === "value") {
    const [i, j] = state.at, least = Math.max(1, 4 / mapSheet.cell);
    mapSheet.fill(SEEN, i + 0.5 - least / 2, j + 0.5 - least / 2, least, least);
  }
}

function hullOf(mask, rows, columns) {
  let top = rows, bottom = -1, left = columns, right = -1, count = 0;
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) if (mask[i * columns + j]) {
    count++;
    top = Math.min(top, i); bottom = Math.max(bottom, i); left = Math.min(left, j); right = Math.max(right, j);
  }
  return {top, bottom, left, right, count};
}

function share(part, whole) {
  const percent = 100 * part / whole;
  return (percent === 100 || percent === 0 ? percent : percent.toFixed(1)) + " %";
}

function tellValue(mask) {
  const {top, bottom, left, right, count} = hullOf(mask, HEIGHT, WIDTH), one = layer();
  const words = ["Value (" + state.at.join(", ") + ") of " + (state.layer || "the model") + " "];
  if (!count) words.push("sees nothing but padding.");
  else {
    const height = bottom - top + 1, width = right - left + 1;
    words.push("sees " + count + " pixels, " + share(count, height * width) + " of a box of " + height + " x " +
      width + ": rows " + top + " to " + bottom + ", columns " + left + " to " + right + ".");
    if (one.law) {
      const whole = one.law[2][0] * one.law[2][1];
      if (height * width < whole) words.push(" In an image without end the box would be " + one.law[2].join(" x ") +
        ": " + share(whole - height * width, whole) + " of it is padding here.");
    }
  }
  words.push(" Field: size " + one.size + ", stride " + one.stride + "; " + one.status + ".");
  told.textContent = words.join("");
}

function tellPixel(mask) {
  const [rows, columns] = layer().grid, {top, bottom, left, right, count} = hullOf(mask, rows, columns);
  const start = "Pixel (" + state.at.join(", ") + ") ";
  told.textContent = count
    ? start + "reaches " + count + " of " + rows * columns + " positions of " + (state.layer || "the model") +
      ": rows " + top + " to " + bottom + ", columns " + left + " to " + right + "."
    : start + "reaches no position of " + (state.layer || "the model") + ": no value of it depends on this pixel.";
}

function draw() {
  drawImage();
  drawMap();
}

function point(of, at) {
  state = {...state, of, at};
  draw();
}

function choose(name) {
  state = {...state, layer: name, kept: false};
  if (state.of === "value") state.at = layer().grid.map(length => Math.floor(length / 2));
  chooser.value = name;
  for (const button of document.querySelectorAll("td button"))
    button.closest("tr").classList.toggle("chosen", button.dataset.layer === name);
  draw();
}

function listen(sheet, of) {
  const move = event => {
    const cell = sheet.under(event);
    if (cell && !state.kept) point(of, cell);
  };
  sheet.canvas.addEventListener("pointermove", move);
  sheet.canvas.addEventListener("pointerdown", event => {
    const cell = sheet.under(event);
    if (!cell) return;
    state.kept = !state.kept;
    if (state.kept) point(of, cell); else move(event);
  });
  sheet.canvas.addEventListener("keydown", event => {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!step) return;
    event.preventDefault();
    const lengths = [sheet.rows, sheet.columns];
    const from = state.of === of ? state.at : lengths.map(length => Math.floor(length / 2));
    point(of, from.map((one, axis) => Math.min(Math.max(one + step[axis], 0), lengths[axis] - 1)));
  });
}

for (const name of Object.keys(known.layers)) chooser.add(new Option(name || "the model", name));
chooser.addEventListener("change", () => choose(chooser.value));
for (const button of document.querySelectorAll("td button"))
  button.addEventListener("click", () => {
    choose(button.dataset.layer);
    window.scrollTo({top: 0});
  });
listen(imageSheet, "pixel");
listen(mapSheet, "value");
window.addEventListener("resize", draw);
if (imageCanvas.dataset.picture) {
  picture = new Image();
  picture.addEventListener("load", draw);
  picture.src = imageCanvas.dataset.picture;
}
chooser.value = state.layer;
for (const button of document.querySelectorAll("td button"))
  button.closest("tr").classList.toggle("chosen", button.dataset.layer === state.layer);
draw();
