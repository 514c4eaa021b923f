// Buttons that save a chart, a table or a picture where it is shown: PNG, SVG and CSV.
//
// They join the toolbar that Streamlit shows at a chart. What is drawn is taken from the page as it
// stands. What the file is called, and the data of a CSV, comes from the server, which is asked
// when a button is pressed and not before: so a chart that moves is no slower for it.

const CHART = "[data-testid=stVegaLiteChart]";
const TABLE = "[data-testid=stTable]";
const IMAGE = "[data-testid=stImage]";
const SHEET = "[class*=st-key-saving_sheet]"; // where the server draws what is to be saved
const LOOK_EVERY = 300; // ms between two looks for what has come onto the page
const WAIT_FOR = 5000; // ms for a chart to be drawn on the sheet
const MARGIN = 12; // around what is saved
const SCALE = 2; // pixels of a PNG for each on the screen, at least

const asked = new Map(); // ticket -> what to do with the answer
let tickets = 0;
let ask = () => {};

export default function (component) {
  ask = (wanted) => component.setTriggerValue("wanted", wanted);
  const answer = component.data;
  const use = answer && asked.get(answer.ticket);
  if (use) {
    asked.delete(answer.ticket);
    use(answer);
  }

  let timer = null;
  const look = () => {
    timer = null;
    equip();
  };
  const watch = new MutationObserver(() => (timer ??= setTimeout(look, LOOK_EVERY)));
  watch.observe(document.body, { childList: true, subtree: true });
  equip();
  return () => {
    watch.disconnect();
    clearTimeout(timer);
  };
}

// The buttons ------------------------------------------------------------------------------------

function equip() {
  for (const chart of document.querySelectorAll(CHART)) {
    const frame = chart.closest("[data-testid=stFullScreenFrame]");
    // One that scrolls can be scrolled with the keyboard too.
    if (chart.scrollWidth > chart.clientWidth) chart.tabIndex = 0;
    else chart.removeAttribute("tabindex");
    offer(frame, chart.getAttribute("aria-label"), {
      PNG: () => saveChart(chart, "png"),
      SVG: () => saveChart(chart, "svg"),
      CSV: () => saveData(chart.getAttribute("aria-label")),
    });
  }
  for (const picture of document.querySelectorAll(`${IMAGE} img`)) {
    const frame = picture.closest("[data-testid=stFullScreenFrame]");
    offer(frame, picture.alt, { PNG: () => savePicture(picture) });
  }
  for (const table of document.querySelectorAll(`${TABLE} table`)) {
    const frame = table.closest("[data-testid=stElementContainer]");
    const said = () => table.getAttribute("aria-label");
    offer(frame, said(), { CSV: () => saveData(said()) });
  }
}

function offer(frame, what, actions) {
  if (!frame || frame.closest(SHEET)) return;
  let group = frame.querySelector(".neuralscope-save");
  if (!group) {
    group = document.createElement("div");
    group.className = "neuralscope-save";
    for (const format of Object.keys(actions)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = format;
      button.title = `Save as ${format}`;
      group.append(button);
    }
    const toolbar = frame.querySelector("[data-testid=stElementToolbarButtonContainer]");
    if (toolbar) toolbar.append(group);
    else frame.append(group);
  }
  for (const button of group.children) {
    const name = `${button.title}: ${what ?? ""}`;
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
    // Streamlit may have put another chart into the same frame.
    button.onclick = (event) => {
      event.stopPropagation();
      actions[button.textContent]();
    };
  }
}

// What they do -----------------------------------------------------------------------------------

function request(what, more, use) {
  const ticket = ++tickets + Date.now() / 1e13; // not that of an earlier visit to the page
  asked.set(ticket, use);
  ask({ ticket, what: what ?? "", ...more });
}

function saveChart(chart, format) {
  const what = chart.getAttribute("aria-label");
  const drawing = chart.querySelector("svg.marks");
  if (drawing) {
    const text = standalone(drawing, what); // as it is now: it may move on before the answer
    request(what, { format }, (answer) => saveDrawing(text, format, answer.name));
    return;
  }
  // Thousands of marks are drawn on a canvas: the server draws them once more, as SVG.
  const width = Math.round(chart.getBoundingClientRect().width);
  request(what, { format, width }, async (answer) => {
    const drawn = answer.sheet && (await appearing(`.st-key-${answer.sheet} svg.marks`));
    if (!drawn) return;
    const text = standalone(drawn, what);
    ask({}); // the sheet can go
    saveDrawing(text, format, answer.name);
  });
}

function saveData(what) {
  request(what, { format: "csv" }, (answer) => {
    if (answer.csv !== null) save(csvBlob(answer.csv), `${answer.name}.csv`);
  });
}

function savePicture(picture) {
  const sheet = document.createElement("canvas");
  sheet.width = picture.naturalWidth;
  sheet.height = picture.naturalHeight;
  sheet.getContext("2d").drawImage(picture, 0, 0);
  request(picture.alt, { format: "png" }, (answer) => {
    sheet.toBlob((blob) => save(blob, `${answer.name}.png`));
  });
}

async function saveDrawing(text, format, name) {
  const blob = format === "svg" ? svgBlob(text) : await raster(text);
  save(blob, `${name}.${format}`);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A spreadsheet takes a file for UTF-8 only where it begins with this mark.
const csvBlob = (text) => new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" });
const svgBlob = (text) => new Blob([text], { type: "image/svg+xml;charset=utf-8" });

// Return a drawing of the page as a file that stands by itself, on the background it was made for.
function standalone(drawing, what) {
  const copy = drawing.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink");
  const { width, height } = drawing.viewBox.baseVal;
  const size = [width + 2 * MARGIN, height + 2 * MARGIN];
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const each of [copy, paper]) {
    each.setAttribute("width", size[0]);
    each.setAttribute("height", size[1]);
  }
  copy.setAttribute("viewBox", [-MARGIN, -MARGIN, ...size].join(" "));
  copy.removeAttribute("style");
  // Words for each mark, of use on the page only, would be most of the file.
  for (const each of copy.querySelectorAll("*")) {
    for (const name of ["aria-label", "aria-roledescription", "aria-hidden", "role"]) {
      each.removeAttribute(name);
    }
  }
  for (const side of ["x", "y"]) paper.setAttribute(side, -MARGIN);
  paper.setAttribute("fill", getComputedStyle(document.querySelector(".stApp")).backgroundColor);
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = what ?? "";
  copy.prepend(title, paper);
  return new XMLSerializer().serializeToString(copy);
}

async function raster(text) {
  const picture = new Image();
  picture.src = URL.createObjectURL(svgBlob(await withFonts(text)));
  await picture.decode();
  const scale = Math.max(SCALE, window.devicePixelRatio || 1);
  const sheet = document.createElement("canvas");
  sheet.width = Math.ceil(picture.naturalWidth * scale);
  sheet.height = Math.ceil(picture.naturalHeight * scale);
  sheet.getContext("2d").drawImage(picture, 0, 0, sheet.width, sheet.height);
  URL.revokeObjectURL(picture.src);
  return new Promise((done) => sheet.toBlob(done));
}

// An SVG that is drawn as a picture sees no font of the page: put those it uses into it. They are
// in the browser's memory already.
async function withFonts(text) {
  const rules = [...document.styleSheets].flatMap(rulesOf).filter((rule) => {
    const family = rule.style?.getPropertyValue("font-family").replace(/["']/g, "");
    return rule instanceof CSSFontFaceRule && !isItalic(rule) && text.includes(family);
  });
  const faces = await Promise.all(rules.map(inlined));
  return text.replace(/(<svg[^>]*>)/, `$1<style>${faces.join("\n")}</style>`);
}

const isItalic = (rule) => rule.style.getPropertyValue("font-style") === "italic";

function rulesOf(sheet) {
  try {
    return [...sheet.cssRules];
  } catch {
    return []; // of a browser extension: not ours to read
  }
}

async function inlined(rule) {
  const source = /url\(["']?([^"')]+)["']?\)/.exec(rule.cssText);
  if (!source) return "";
  try {
    const address = new URL(source[1], rule.parentStyleSheet.href ?? document.baseURI);
    const font = await (await fetch(address, { cache: "force-cache" })).blob();
    const data = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(font);
    });
    return rule.cssText.replace(source[0], `url(${data})`);
  } catch {
    return ""; // then in a font of the system
  }
}

async function appearing(selector) {
  let size = 0;
  for (const end = Date.now() + WAIT_FOR; Date.now() < end; ) {
    const found = document.querySelector(selector);
    const before = size;
    size = found?.querySelectorAll("*").length ?? 0;
    if (size && size === before) return found; // and complete
    await new Promise((done) => setTimeout(done, 50));
  }
  return null;
}
