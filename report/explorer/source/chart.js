// The frontier on a canvas: hover, zoom, keyboard. A second canvas above it holds what follows the pointer.

const MARGIN = { left: 62, right: 14, top: 12, bottom: 42 };
const NEAR = 18; // pixels from the pointer within which a point is meant

/** A scatter of plans with a line along the frontier. */
class Chart {
  /** @param options yLabel, yText(value), xText(value), describe(point), onPick(point). */
  constructor(box, options) {
    this.options = options;
    this.base = element("canvas");
    this.above = element("canvas", { class: "above" });
    this.tip = element("div", { class: "tip", hidden: true });
    box.append(this.base, this.above, this.tip);
    this.box = box;
    this.cloud = { x: [], y: [] };
    this.points = [];
    this.line = [];
    this.before = [];
    this.marked = null;
    this.bound = null;
    this.view = null;
    this.hovered = null;
    this.drag = null;
    this.size = { width: box.clientWidth, height: box.clientHeight };
    new ResizeObserver(() => this.draw()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    box.addEventListener("pointermove", (event) => this.#move(event));
    box.addEventListener("pointerdown", (event) => this.#press(event));
    box.addEventListener("pointerup", (event) => this.#release(event));
    box.addEventListener("pointerleave", () => this.#hover(null));
    box.addEventListener("pointercancel", () => { this.drag = null; });
    box.addEventListener("dblclick", () => this.reset());
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show points {x, y, kind, front}; `line` are those on the frontier, in order; `before` is the one of the files. */
  show({ points, line, before, cloud, marked, bound }) {
    Object.assign(this, { points, line, before, cloud, marked, bound });
    if (!this.view) this.view = this.#whole();
    this.hovered = null;
    this.tip.hidden = true;
    this.draw();
  }

  reset() {
    this.view = this.#whole();
    this.draw();
  }

  zoom(factor, around = null) {
    const { x0, x1, y0, y1 } = this.view;
    const [x, y] = around ?? [(x0 + x1) / 2, (y0 + y1) / 2];
    this.#look({ x0: x + (x0 - x) * factor, x1: x + (x1 - x) * factor, y0: y + (y0 - y) * factor, y1: y + (y1 - y) * factor });
  }

  /** Show a part, but for one so narrow that numbers in it can hardly be told apart. */
  #look(view) {
    const { x0, x1, y0, y1 } = this.view;
    const narrower = view.x1 - view.x0 < x1 - x0 || view.y1 - view.y0 < y1 - y0;
    if (narrower && !(isWide(view.x0, view.x1) && isWide(view.y0, view.y1))) return;
    this.view = view;
    this.draw();
  }

  /** All of the frontier, with a margin. */
  #whole() {
    const shown = this.line.length ? [...this.line, ...this.before] : this.points;
    const xs = shown.map((point) => point.x).filter(Number.isFinite);
    const ys = shown.map((point) => point.y);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
    const dx = (x1 - x0 || Math.abs(x1) || 1) * 0.06;
    const dy = (y1 - y0 || Math.abs(y1) || 1) * 0.06;
    return { x0: x0 - dx, x1: x1 + dx, y0: y0 - dy, y1: y1 + dy };
  }

  px(x) {
    const { width } = this.size;
    return MARGIN.left + ((x - this.view.x0) / (this.view.x1 - this.view.x0)) * (width - MARGIN.left - MARGIN.right);
  }

  py(y) {
    const { height } = this.size;
    return height - MARGIN.bottom - ((y - this.view.y0) / (this.view.y1 - this.view.y0)) * (height - MARGIN.top - MARGIN.bottom);
  }

  #at(px, py) {
    const { width, height } = this.size;
    const { x0, x1, y0, y1 } = this.view;
    const x = x0 + ((px - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (x1 - x0);
    return [x, y0 + ((height - MARGIN.bottom - py) / (height - MARGIN.top - MARGIN.bottom)) * (y1 - y0)];
  }

  #prepare(canvas) {
    const { width, height } = this.size;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  draw() {
    // Read once for each drawing: whoever asks a page for its sizes between changes has it laid out each time.
    this.size = { width: this.box.clientWidth, height: this.box.clientHeight };
    const { width, height } = this.size;
    if (!this.view || width < 50) return;
    const style = getComputedStyle(this.box);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.kinds = [1, 2, 3, 4, 5].map((kind) => colour(`kind-${kind}`));
    const pen = this.#prepare(this.base);
    pen.font = `12px ${style.fontFamily}`;
    this.#axes(pen, colour, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, MARGIN.top, width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom);
    pen.clip();
    this.#bound(pen, colour, width);
    pen.fillStyle = colour("faint");
    for (let index = 0; index < this.cloud.x.length; index += 1) {
      pen.fillRect(this.px(this.cloud.x[index]) - 1, this.py(this.cloud.y[index]) - 1, 2, 2);
    }
    this.#staircase(pen, this.before, colour("muted"), [4, 4]);
    this.#staircase(pen, this.line, colour("ink"), []);
    for (const point of this.points) if (!point.front) this.#dot(pen, point, 2.5);
    for (const point of this.points) if (point.front) this.#dot(pen, point, 4.5);
    pen.restore();
    this.#drawAbove();
  }

  #axes(pen, colour, width, height) {
    const { x0, x1, y0, y1 } = this.view;
    pen.strokeStyle = colour("rule");
    pen.fillStyle = colour("muted");
    pen.lineWidth = 1;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const x of ticks(x0, x1, Math.max(2, Math.floor(width / 110)))) {
      pen.beginPath();
      pen.moveTo(this.px(x), MARGIN.top);
      pen.lineTo(this.px(x), height - MARGIN.bottom);
      pen.stroke();
      pen.fillText(this.options.xText(x), this.px(x), height - MARGIN.bottom + 6);
    }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const y of ticks(y0, y1, Math.max(2, Math.floor(height / 60)))) {
      pen.beginPath();
      pen.moveTo(MARGIN.left, this.py(y));
      pen.lineTo(width - MARGIN.right, this.py(y));
      pen.stroke();
      pen.fillText(this.options.yText(y), MARGIN.left - 6, this.py(y));
    }
    pen.fillStyle = colour("ink");
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText("expected latency", (MARGIN.left + width - MARGIN.right) / 2, height - 2);
    pen.save();
    pen.translate(12, (MARGIN.top + height - MARGIN.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textBaseline = "middle";
    pen.fillText(this.options.yLabel, 0, 0);
    pen.restore();
  }

  #bound(pen, colour, width) {
    if (this.bound === null) return;
    pen.strokeStyle = colour("accent");
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(MARGIN.left, this.py(this.bound));
    pen.lineTo(width - MARGIN.right, this.py(this.bound));
    pen.stroke();
    pen.setLineDash([]);
  }

  #staircase(pen, line, stroke, dashes) {
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.4;
    pen.setLineDash(dashes);
    pen.beginPath();
    line.forEach((point, place) => {
      if (place) pen.lineTo(this.px(point.x), this.py(line[place - 1].y));
      pen.lineTo(this.px(point.x), this.py(point.y));
    });
    pen.stroke();
    pen.setLineDash([]);
  }

  /** A mark by the number of partitions: colour and shape, so that either is enough. */
  #dot(pen, point, size) {
    const [x, y] = [this.px(point.x), this.py(point.y)];
    const kind = Math.min(point.kind, 5);
    pen.fillStyle = this.kinds[kind - 1];
    pen.beginPath();
    if (kind === 1) pen.arc(x, y, size, 0, 2 * Math.PI);
    else if (kind === 2) pen.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
    else polygon(pen, x, y, size * 1.25, kind === 3 ? 3 : kind === 4 ? 4 : 5);
    pen.fill();
  }

  #drawAbove() {
    const pen = this.#prepare(this.above);
    const style = getComputedStyle(this.box);
    for (const [point, name, size] of [[this.marked, "accent", 9], [this.hovered, "ink", 8]]) {
      if (!point) continue;
      pen.strokeStyle = style.getPropertyValue(`--${name}`);
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(this.px(point.x), this.py(point.y), size, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (this.drag?.moved) {
      const { from, to } = this.drag;
      pen.strokeStyle = style.getPropertyValue("--accent");
      pen.strokeRect(Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    }
  }

  #place(event) {
    const box = this.box.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #nearest([x, y]) {
    let best = null;
    let least = NEAR ** 2;
    const [ax, bx] = [this.px(0), this.px(1) - this.px(0)];
    const [ay, by] = [this.py(0), this.py(1) - this.py(0)];
    for (const point of this.points) {
      const far = (ax + bx * point.x - x) ** 2 + (ay + by * point.y - y) ** 2 - (point.front ? 9 : 0);
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  #move(event) {
    if (this.drag) {
      this.drag.to = this.#place(event);
      this.drag.moved ||= Math.hypot(this.drag.to[0] - this.drag.from[0], this.drag.to[1] - this.drag.from[1]) > 6;
      this.#drawAbove();
      return;
    }
    this.#hover(this.#nearest(this.#place(event)));
  }

  #press(event) {
    if (event.button !== 0 || event.pointerType === "touch") return;
    this.drag = { from: this.#place(event), to: this.#place(event), moved: false };
    this.box.setPointerCapture(event.pointerId);
  }

  #release(event) {
    const { drag } = this;
    this.drag = null;
    if (drag?.moved) {
      const [xa, ya] = this.#at(...drag.from);
      const [xb, yb] = this.#at(...drag.to);
      this.#drawAbove();
      this.#look({ x0: Math.min(xa, xb), x1: Math.max(xa, xb), y0: Math.min(ya, yb), y1: Math.max(ya, yb) });
      return;
    }
    const point = this.#nearest(this.#place(event));
    if (point) this.options.onPick(point);
  }

  #wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.box) return;
    event.preventDefault();
    this.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, this.#at(...this.#place(event)));
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const along = step ? this.points.filter((point) => point.front) : [];
    if (along.length) {
      this.#hover(nextAlong(along, this.hovered ?? this.marked, step));
    } else if (event.key === "Enter" && this.hovered) this.options.onPick(this.hovered);
    else if (event.key === "+") this.zoom(1 / 1.4);
    else if (event.key === "-") this.zoom(1.4);
    else if (event.key === "0") this.reset();
    else if (event.key === "Escape") this.#hover(null);
    else return;
    event.preventDefault();
  }

  #hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.tip.hidden = !point;
    if (point) {
      this.tip.textContent = this.options.describe(point);
      byId("spoken").textContent = this.tip.textContent;
      const { width } = this.size;
      const x = this.px(point.x);
      this.tip.style.left = `${Math.max(4, Math.min(x + 12, width - this.tip.offsetWidth - 4))}px`;
      this.tip.style.top = `${Math.max(4, this.py(point.y) - this.tip.offsetHeight - 12)}px`;
    }
    this.#drawAbove();
  }
}

function polygon(pen, x, y, size, corners) {
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = (2 * Math.PI * corner) / corners - Math.PI / 2;
    pen.lineTo(x + size * Math.cos(angle), y + size * Math.sin(angle));
  }
  pen.closePath();
}

/** The point of a line that a step leads to from another; from one that is not on it, an end of it. */
function nextAlong(line, from, step) {
  const at = line.findIndex((point) => from && (point.plan === from.plan || (point.x === from.x && point.y === from.y)));
  const next = at < 0 ? (step > 0 ? 0 : line.length - 1) : at + step;
  return line[Math.max(0, Math.min(line.length - 1, next))];
}

/** Whether numbers between two ends can be told apart with ease. */
function isWide(low, high) {
  return high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high));
}

/** Round values between two ends, about so many; none where the ends can hardly be told apart. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  if (!(step > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) return []; // adding it might change nothing
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}
