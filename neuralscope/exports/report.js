"use strict";
// Everything that comes from the run is shown as text (textContent), never as HTML.
const report = JSON.parse(document.getElementById("report").textContent);
const { run, frames, classes, colors } = report;
const at = (id) => document.getElementById(id);
// As neuralscope/words.py writes it: only all is 100 %, and only none is 0 %.
const percent = (share, digits = 2) => {
  if (share === null) return "–";
  const step = 10 ** -digits;
  if (share > 0 && 100 * share < step / 2) return `<${step.toFixed(digits)} %`;
  return `${(share < 1 ? Math.min(100 * share, 100 - step) : 100 * share).toFixed(digits)} %`;
};
const number = (value) => (value === null || value === undefined ? "–" : value.toPrecision(3));
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function svg(tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const moment = (seconds) => (seconds === null ? "–" : new Date(1000 * seconds).toLocaleString());

// Facts ------------------------------------------------------------------------------------------

function rows(table, pairs) {
  for (const [name, value] of pairs) {
    const row = table.appendChild(element("tr"));
    row.append(element("th", name, { scope: "row" }), element("td", value));
  }
}

at("name").textContent = run.name;
at("summary").textContent = `Run ${run.run_id}, ${run.status}. ${run.message}`;
for (const [name, value] of [
  ["Test accuracy", percent(run.test_accuracy)],
  ["Best validation accuracy", percent(run.best_validation_accuracy)],
  ["Epochs", `${run.epoch.toLocaleString("en")} of ${run.config.epochs.toLocaleString("en")}`],
  ["Training time", duration(run.seconds)],
]) {
  const group = at("figures").appendChild(element("div"));
  group.append(element("dt", name), element("dd", value));
}
rows(at("settings"), report.settings);
rows(at("facts"), [
  ["Started", moment(run.started)],
  ["Ended", moment(run.ended)],
  ["Steps", run.step.toLocaleString("en")],
  ["Best epoch", run.best_epoch === null ? "–" : String(run.best_epoch)],
  ["Test loss", number(run.test_loss)],
  ["Data digest", run.data_digest || "–"],
  ...Object.entries(run.versions).map(([name, version]) => [name, String(version)]),
  ["Processor", String(run.machine.processor ?? "–")],
]);
rows(at("happened"), report.events.map((event) => [`epoch ${event.epoch}`, event.text]));
at("events").hidden = report.events.length === 0;

// Curves -----------------------------------------------------------------------------------------

const WIDTH = 520, HEIGHT = 270, LEFT = 50, RIGHT = 14, TOP = 48, BOTTOM = 40;

function tickStep(low, high, about) {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= rough * 0.999);
}

function ticks(low, high, step) {
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step || 0);
  return found;
}

// An axis is its two ends, its ticks, and where between the ends a value lies, from 0 to 1.

function linearAxis(values) {
  let low = Math.min(...values), high = Math.max(...values);
  const step = tickStep(low, high, 5);
  low = Math.floor(low / step + 1e-9) * step;
  high = Math.max(Math.ceil(high / step - 1e-9) * step, low + step);
  return { ticks: ticks(low, high, step), share: (value) => (value - low) / (high - low) };
}

function logAxis(values) {
  const positive = values.map((value) => Math.max(value, 1e-6));
  const steps = [];
  for (let power = -6; power < 300; power++) for (const k of [1, 2, 5]) steps.push(k * 10 ** power);
  const low = steps.findLast((step) => step <= Math.min(...positive) * 1.0001) ?? steps[0];
  const high = steps.find((step) => step >= Math.max(...positive) * 0.9999 && step > low) ?? 1e300;
  let shown = steps.filter((step) => step >= low && step <= high);
  if (shown.length > 8) shown = shown.filter((step) => Math.abs(Math.log10(step) % 1) < 1e-6);
  return { ticks: shown, share: (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low) };
}

function chart(place, title, series, axis, format) {
  const epochs = report.epochs.epoch;
  const last = Math.max(epochs[epochs.length - 1], 1);
  const x = (epoch) => LEFT + (epoch / last) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - axis.share(value)) * (HEIGHT - TOP - BOTTOM);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const ends = series.map((s) => `${s.name} ${format(s.values[s.values.length - 1])}`).join(", ");
  drawn.append(svg("title", {}, `${title} over ${last} epochs; at the end: ${ends}.`));
  drawn.append(svg("text", { x: LEFT, y: 16, class: "title" }, title));
  for (const value of axis.ticks) {
    drawn.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }));
    drawn.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value, true)));
  }
  for (const epoch of ticks(0, last, Math.max(1, tickStep(0, last, 6)))) {
    drawn.append(svg("text", { x: x(epoch), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, epoch.toLocaleString("en")));
  }
  drawn.append(svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, "Epoch"));
  const clip = drawn.appendChild(svg("clipPath", { id: `${place}_area` }));
  clip.append(svg("rect", { x: LEFT, y: TOP - 2, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM + 4 }));
  series.forEach((each, i) => {
    const points = each.values.map((v, k) => (v === null ? null : `${x(epochs[k]).toFixed(1)},${y(v).toFixed(1)}`));
    const path = points.map((p, k) => (p === null ? "" : (k && points[k - 1] !== null ? "L" : "M") + p)).join("");
    drawn.append(svg("path", { d: path, class: `curve ${each.kind}`, stroke: colors[each.kind], "clip-path": `url(#${place}_area)` }));
    const left = LEFT + 120 * i;
    drawn.append(svg("line", { x1: left, x2: left + 22, y1: 32, y2: 32, class: `curve ${each.kind}`, stroke: colors[each.kind] }));
    drawn.append(svg("text", { x: left + 28, y: 36 }, each.name));
  });
  const now = svg("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "now" });
  drawn.append(now);
  at(place).append(drawn);
  return (epoch) => { now.setAttribute("x1", x(epoch)); now.setAttribute("x2", x(epoch)); };
}

const pair = (what) => [
  { name: "training", kind: "train", values: report.epochs[`train_${what}`] },
  { name: "validation", kind: "validation", values: report.epochs[`validation_${what}`] },
];
const marks = [];
at("curves").hidden = report.epochs.epoch.length === 0;
const rounded = (value, digits) => String(Number(value.toPrecision(digits)));
const asLoss = (v, short) => (v !== null && short ? rounded(v, 3) : number(v));
const asShare = (v, short) => (v !== null && short ? `${rounded(100 * v, 4)} %` : percent(v));
if (report.epochs.epoch.length) {
  // What a network guesses before training would squeeze all that it learns into one line.
  const begin = report.epochs.epoch.length > 3 ? 1 : 0;
  const known = (series) => series.flatMap((each) => each.values.slice(begin)).filter((v) => v !== null);
  const loss = pair("loss"), accuracy = pair("accuracy");
  if (known(loss).length) marks.push(chart("loss", "Loss (logarithmic)", loss, logAxis(known(loss)), asLoss));
  if (known(accuracy).length) marks.push(chart("accuracy", "Accuracy", accuracy, linearAxis(known(accuracy)), asShare));
}

function showMeasured(epoch) {
  const k = report.epochs.epoch.indexOf(epoch);
  const said = k < 0 ? "" : ["train", "validation"].map((part) =>
    `${part === "train" ? "training" : part}: loss ${number(report.epochs[`${part}_loss`][k])}, ` +
    `accuracy ${percent(report.epochs[`${part}_accuracy`][k])}`).join("; ");
  at("measured").textContent = k < 0 ? "" : `After epoch ${epoch}, ${said}.`;
}

// Confusion matrix -------------------------------------------------------------------------------

const MOST_LABELLED = 20;

function shade(hex, opacity) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${opacity.toFixed(3)})`;
}

function cellColor(counts, totals, most, i, j) {
  const count = counts[i * classes.length + j];
  if (count === 0) return "rgba(138, 144, 156, 0.08)";
  if (i === j) return shade(colors.right, 0.08 + 0.72 * (count / totals[i]) ** 1.5);
  return shade(colors.wrong, 0.1 + 0.8 * (count / most) ** 0.6);
}

function showMatrix(counts) {
  const k = classes.length;
  const totals = classes.map((_, i) => counts.slice(i * k, (i + 1) * k).reduce((a, b) => a + b, 0));
  const pairs = [];
  let right = 0;
  counts.forEach((count, c) => {
    const i = Math.floor(c / k), j = c % k;
    if (i === j) right += count;
    else if (count) pairs.push({ i, j, count });
  });
  pairs.sort((one, other) => other.count - one.count);
  const most = pairs.length ? pairs[0].count : 0;
  const worst = pairs.slice(0, 3).map((pair) => `${classes[pair.i]} for ${classes[pair.j]} (${pair.count.toLocaleString("en")} times)`);
  const total = totals.reduce((a, b) => a + b, 0);
  at("confused").textContent = `${right.toLocaleString("en")} of ${total.toLocaleString("en")} right (${percent(right / total)})` +
    (worst.length ? `; most often taken: ${worst.join(", ")}.` : ", without a mistake.");
  if (k <= MOST_LABELLED) drawTable(counts, totals, most);
  else drawMap(counts, totals, most);
}

function drawTable(counts, totals, most) {
  const k = classes.length;
  const table = element("table");
  const head = table.appendChild(element("thead")).appendChild(element("tr"));
  head.append(element("th", "true \\ taken for"), ...classes.map((name) => element("th", name, { scope: "col" })));
  const body = table.appendChild(element("tbody"));
  classes.forEach((name, i) => {
    const row = body.appendChild(element("tr"));
    row.append(element("th", name, { scope: "row" }));
    for (let j = 0; j < k; j++) {
      const count = counts[i * k + j];
      const cell = row.appendChild(element("td", count ? count.toLocaleString("en") : ""));
      cell.style.backgroundColor = cellColor(counts, totals, most, i, j);
    }
  });
  at("matrix").replaceChildren(table);
}

function drawMap(counts, totals, most) {
  const k = classes.length, side = 8;
  const canvas = element("canvas", undefined, { width: k * side, height: k * side, role: "img", "aria-label": at("confused").textContent });
  const pen = canvas.getContext("2d");
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) {
    pen.fillStyle = cellColor(counts, totals, most, i, j);
    pen.fillRect(j * side, i * side, side - 1, side - 1);
  }
  at("matrix").replaceChildren(canvas);
}

// Mistakes and weights ---------------------------------------------------------------------------

const [height, width] = report.shape ?? [1, 1];
const pictures = report.pictures ? bytes(report.pictures) : null;
const ramp = bytes(colors.diverging);
const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const paper = channels(colors.paper), ink = channels(colors.ink);

function showMistakes(mistakes) {
  const shown = mistakes.map((mistake) => {
    const item = element("li");
    const name = `${classes[mistake.true]}, taken for ${classes[mistake.predicted]}`;
    const canvas = element("canvas", undefined, { width, height, role: "img", "aria-label": `Picture ${mistake.index}: ${name}` });
    const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
    const start = mistake.picture * width * height;
    for (let p = 0; p < width * height; p++) {
      const share = pictures[start + p] / 255;
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = paper[c] + share * (ink[c] - paper[c]);
      image.data[4 * p + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    item.append(canvas, element("div", name), element("div", percent(mistake.confidence, 1), { class: "quiet" }));
    return item;
  });
  if (!shown.length) shown.push(element("li", "None."));
  at("gallery").replaceChildren(...shown);
}

const units = report.units_shown ?? 0;
const across = Math.max(1, Math.min(units, Math.round(Math.sqrt(units * 2.5 * (height / width)))));
const scale = Math.max(1, Math.round(84 / Math.max(height, width)));

function showWeights(text) {
  const canvas = at("units"), down = Math.ceil(units / across), gap = 1;
  canvas.width = across * (width + gap) - gap;
  canvas.height = down * (height + gap) - gap;
  canvas.style.width = `${canvas.width * scale}px`;
  const values = bytes(text), pen = canvas.getContext("2d");
  for (let u = 0; u < units; u++) {
    const image = pen.createImageData(width, height);
    for (let p = 0; p < width * height; p++) {
      const color = 3 * values[u * width * height + p];
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = ramp[color + c];
      image.data[4 * p + 3] = 255;
    }
    pen.putImageData(image, (u % across) * (width + gap), Math.floor(u / across) * (height + gap));
  }
}

if (frames.length) {
  const which = units < report.units ? `the first ${units} of ${report.units.toLocaleString("en")} units` : `all ${units} units`;
  const text = `What ${which} of the first layer look for: red pixels speak for a unit, blue ones against it, up to ${number(report.weight_limit)} in size.`;
  at("weights_explained").textContent = text;
  at("units").setAttribute("aria-label", text);
}

// The slider -------------------------------------------------------------------------------------

const slider = at("epoch");
let playing = null;

function show(k) {
  const frame = frames[k];
  slider.value = k;
  slider.setAttribute("aria-valuetext", frame.label);
  at("moment").textContent = frame.label;
  marks.forEach((move) => move(frame.epoch));
  showMeasured(frame.epoch);
  at("confusion").hidden = at("mistakes").hidden = !frame.counts;
  if (frame.counts) { showMatrix(frame.counts); showMistakes(frame.mistakes); }
  showWeights(frame.weights);
}

function stop() {
  clearInterval(playing);
  playing = null;
  at("play").textContent = "Play";
}

at("play").addEventListener("click", () => {
  if (playing !== null) { stop(); return; }
  if (Number(slider.value) >= frames.length - 1) show(0);
  at("play").textContent = "Pause";
  playing = setInterval(() => {
    if (Number(slider.value) >= frames.length - 1) stop();
    else show(Number(slider.value) + 1);
  }, 500);
});
slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });

if (frames.length) {
  slider.max = frames.length - 1;
  show(frames.length - 1);
  if (!frames[0].counts) {
    at("summary").append(` Its data set ${report.data} was not at hand when this report was written, so there are no matrix and no mistakes.`);
  }
} else {
  for (const id of ["control", "confusion", "mistakes", "weights"]) at(id).hidden = true;
}
at("control").hidden = frames.length < 2;
