// The sheet of paper: strokes of mouse, finger and pen, which are all pointers.
//
// What is drawn lives here, so that the pen never waits for the server. Sent are points, in whole
// thousandths of the sheet; the server draws them anew with its own pen.

const UNITS = 1000;
const STEP = 4; // units between two points of a stroke
const SEND_EVERY = 250; // ms between two looks at a stroke that goes on
const sheets = new WeakMap();
// The newest drawing, which outlives its sheet. Streamlit forgets what reaches a busy server just
// before the wish for another page, so the server may have an older one when the page is back.
let newest = { sheet: null, strokes: [] };

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let sheet = sheets.get(parentElement);
  if (!sheet || !parentElement.contains(sheet.canvas)) {
    sheet = new Sheet(parentElement);
    sheets.set(parentElement, sheet);
  }
  sheet.setStateValue = setStateValue;
  sheet.show(data);
}

class Sheet {
  constructor(root) {
    this.canvas = root.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.buttons = Object.fromEntries(
      ["undo", "clear", "eraser"].map((name) => [name, root.querySelector(`[name=${name}]`)]),
    );
    this.name = null;
    this.strokes = [];
    this.stroke = null; // the one under way
    this.pointer = null; // and whose it is: a second finger or a palm draws nothing
    this.sent = 0;

    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.go(event);
    this.canvas.onpointerup = (event) => this.end(event);
    this.canvas.onpointercancel = (event) => this.end(event);
    this.buttons.undo.onclick = () => this.change(() => this.strokes.pop());
    this.buttons.clear.onclick = () => this.change(() => (this.strokes = []));
    this.buttons.eraser.onclick = () => {
      const pressed = this.buttons.eraser.getAttribute("aria-pressed") !== "true";
      this.buttons.eraser.setAttribute("aria-pressed", String(pressed));
    };
    this.canvas.onkeydown = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") this.buttons.undo.click();
    };
  }

  // The server says which sheet lies here. Only another one takes away what has been drawn.
  show(data) {
    this.data = data;
    this.canvas.setAttribute("aria-label", data.label);
    if (this.name === data.sheet) return;
    this.name = data.sheet;
    const isBack = newest.sheet === data.sheet;
    const known = copied(data.strokes);
    this.strokes = isBack ? copied(newest.strokes) : known;
    newest = this.drawing();
    this.stroke = this.pointer = null;
    this.buttons.eraser.setAttribute("aria-pressed", "false");
    this.under = null;
    if (data.picture) {
      const picture = new Image();
      picture.onload = () => {
        if (this.name !== data.sheet) return;
        this.under = picture;
        this.draw();
      };
      picture.src = data.picture;
    }
    this.draw();
    if (JSON.stringify(this.strokes) !== JSON.stringify(known)) this.send();
  }

  begin(event) {
    if (this.pointer !== null || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    const erases = this.buttons.eraser.getAttribute("aria-pressed") === "true";
    this.stroke = { erases, points: this.place(event) };
    this.strokes.push(this.stroke);
    this.sent = performance.now();
    this.draw();
  }

  go(event) {
    if (event.pointerId !== this.pointer) return;
    const passed = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of passed.length ? passed : [event]) {
      const [x, y] = this.place(each);
      const [lastX, lastY] = this.stroke.points.slice(-2);
      if (Math.hypot(x - lastX, y - lastY) >= STEP) this.stroke.points.push(x, y);
    }
    this.draw();
    if (performance.now() - this.sent > SEND_EVERY) this.send();
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.stroke = this.pointer = null;
    this.draw();
    this.send();
  }

  change(act) {
    if (this.pointer !== null) return;
    act();
    this.draw();
    this.send();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(
      (share) => Math.round(UNITS * Math.min(Math.max(share, 0), 1)),
    );
  }

  send() {
    this.sent = performance.now();
    newest = this.drawing();
    this.setStateValue("drawing", newest);
  }

  drawing() {
    return { sheet: this.name, strokes: copied(this.strokes) };
  }

  draw() {
    const { width, height } = this.canvas;
    const { pen, data } = this;
    pen.fillStyle = data.paper;
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingEnabled = false; // a digit of a data set is shown pixel by pixel
    if (this.under) pen.drawImage(this.under, 0, 0, width, height);
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = data.pen * width;
    for (const { erases, points } of this.strokes) {
      pen.strokeStyle = erases ? data.paper : data.ink;
      pen.beginPath();
      pen.moveTo((points[0] * width) / UNITS, (points[1] * height) / UNITS);
      // A line of no length is not drawn, so a dot is a very short one.
      if (points.length === 2)
        pen.lineTo((points[0] * width) / UNITS + 0.1, (points[1] * height) / UNITS);
      for (let i = 2; i < points.length; i += 2)
        pen.lineTo((points[i] * width) / UNITS, (points[i + 1] * height) / UNITS);
      pen.stroke();
    }
    this.buttons.undo.disabled = this.buttons.clear.disabled = !this.strokes.length;
  }
}

const copied = (strokes) => strokes.map(({ erases, points }) => ({ erases, points: [...points] }));
