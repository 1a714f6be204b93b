// The past as pictures: the timeline of the last minutes, and a histogram of latencies.

const WINDOWS_S = [60, 120, 300, 600];
const LANES = { label: [0, 40], curve: [46, 40], alarm: [90, 12], axis: 108 }; // [top, height] in CSS pixels
const MARKS = ["swapped", "restarted", "swap-refused", "evidence"];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const time = (at) => new Date(1000 * at).toLocaleTimeString([], { hourCycle: "h23" });

export class Timeline {
  constructor(canvas, tip) {
    Object.assign(this, { canvas, tip, seconds: new Map(), events: [], labels: [], end: 0, window: 60, cursor: null });
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    canvas.addEventListener("pointerdown", (event) => this.#point(event));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#look(null));
    canvas.addEventListener("blur", () => this.#look(null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw(this.end)).observe(canvas);
  }

  get newest() { // the second from which more is to be asked for: the last one may have been unfinished
    return this.seconds.size ? Math.max(...this.seconds.keys()) : 0;
  }

  name(labels) {
    this.labels = labels;
  }

  said(seconds) {
    for (const second of seconds) this.seconds.set(second.at, second);
    for (const at of this.seconds.keys()) if (at < this.newest - 2 * WINDOWS_S.at(-1)) this.seconds.delete(at);
  }

  happened(event) {
    this.events.push(event);
    this.events.sort((one, other) => one.at - other.at);
    this.events = this.events.slice(-500);
  }

  draw(end) {
    const { canvas } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight, scale = devicePixelRatio || 1;
    if (!width || !end) return;
    this.end = end;
    const most = width < 600 ? 300 : 600;
    const first = Math.min(...this.seconds.keys(), end);
    this.window = WINDOWS_S.find((one) => one >= end - first || one === most);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    this.pen = pen;
    this.#outages();
    this.#bands();
    this.#curve();
    this.#alarms();
    this.#axis(height);
    this.#marks();
    if (this.cursor !== null) this.#line(this.#x(this.cursor), style("--ink"), 1);
    if (this.cursor !== null) this.#tell();
  }

  #x(at) {
    return this.canvas.clientWidth * (1 - (this.end - at) / this.window);
  }

  #colour(label) {
    const place = Math.max(0, this.labels.indexOf(label));
    return `hsl(${(place * 137.5 + 200) % 360} 50% ${style("--band-light")})`;
  }

  // Neighbouring seconds with the same value, as [begin, end, value] of those that are seen.
  #runs(value) {
    const runs = [];
    for (const second of [...this.seconds.values()].sort((one, other) => one.at - other.at)) {
      if (second.at + 1 < this.end - this.window) continue;
      const last = runs.at(-1), now = value(second);
      if (last && last[2] === now && second.at <= last[1] + 1) last[1] = second.at + 1;
      else runs.push([second.at, second.at + 1, now]);
    }
    return runs;
  }

  #bands() {
    const [top, height] = LANES.label;
    for (const [begin, end, label] of this.#runs((second) => second.label)) {
      if (label === null) continue;
      const left = Math.max(0, this.#x(begin)), wide = this.#x(Math.min(end, this.end)) - left;
      this.pen.fillStyle = this.#colour(label);
      this.pen.fillRect(left, top, Math.max(1, wide - 1), height);
      if (wide < 34) continue;
      this.pen.save();
      this.pen.beginPath();
      this.pen.rect(left, top, wide - 4, height);
      this.pen.clip();
      this.pen.fillStyle = style("--band-ink");
      this.pen.fillText(label, left + 6, top + height / 2 + 4);
      this.pen.restore();
    }
  }

  #curve() {
    const [top, height] = LANES.curve;
    this.pen.strokeStyle = style("--line");
    this.pen.strokeRect(0.5, top + 0.5, this.canvas.clientWidth - 1, height - 1);
    this.pen.strokeStyle = style("--link");
    this.pen.lineWidth = 2;
    this.pen.beginPath();
    let last = null;
    for (const second of [...this.seconds.values()].sort((one, other) => one.at - other.at)) {
      const x = this.#x(second.at + 0.5), y = top + 2 + (height - 4) * (1 - second.confidence);
      if (last === null || second.at > last + 3) this.pen.moveTo(x, y);
      else this.pen.lineTo(x, y);
      last = second.at;
    }
    this.pen.stroke();
  }

  #alarms() {
    const [top, height] = LANES.alarm;
    this.pen.fillStyle = style("--track");
    this.pen.fillRect(0, top, this.canvas.clientWidth, height);
    this.pen.fillStyle = style("--bad");
    for (const [begin, end, alarm] of this.#runs((second) => second.alarm)) {
      if (alarm) this.pen.fillRect(this.#x(begin), top, Math.max(2, this.#x(end) - this.#x(begin)), height);
    }
  }

  #outages() {
    const dead = style("--dead");
    let lost = null;
    const spans = [];
    for (const event of this.events) {
      if (event.kind === "no-signal") lost = event.at;
      if (event.kind === "signal" && lost !== null) {
        spans.push([lost, event.at]);
        lost = null;
      }
    }
    if (lost !== null) spans.push([lost, this.end]);
    for (const [begin, end] of spans) {
      const left = Math.max(0, this.#x(begin)), right = this.#x(end);
      if (right <= 0) continue;
      this.pen.save();
      this.pen.beginPath();
      this.pen.rect(left, 0, Math.max(2, right - left), LANES.alarm[0] - 4);
      this.pen.clip();
      this.pen.strokeStyle = dead;
      this.pen.lineWidth = 3;
      this.pen.globalAlpha = 0.45;
      for (let x = left - 100; x < right + 10; x += 9) {
        this.pen.beginPath();
        this.pen.moveTo(x, 100);
        this.pen.lineTo(x + 100, 0);
        this.pen.stroke();
      }
      this.pen.restore();
    }
  }

  #marks() {
    for (const { kind, at } of this.events) {
      if (!MARKS.includes(kind) || at < this.end - this.window) continue;
      this.#line(this.#x(at), style(kind === "evidence" ? "--bad" : "--warn"), 2);
    }
  }

  #axis(height) {
    const room = (84 * this.window) / this.canvas.clientWidth; // seconds that a time's text takes
    const step = [15, 30, 60, 120, 300].find((one) => one >= room) ?? 300;
    this.pen.fillStyle = style("--soft");
    this.pen.textAlign = "center";
    for (let at = Math.ceil((this.end - this.window) / step) * step; at < this.end; at += step) {
      const x = this.#x(at);
      this.pen.fillRect(x, LANES.axis - 4, 1, 4);
      if (x > 30 && x < this.canvas.clientWidth - 30) this.pen.fillText(time(at), x, Math.min(height - 2, LANES.axis + 12));
    }
    this.pen.textAlign = "start";
  }

  #line(x, colour, width) {
    this.pen.fillStyle = colour;
    this.pen.fillRect(x - width / 2, 0, width, LANES.axis - 4);
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.#look(this.end - this.window * (1 - (event.clientX - box.left) / box.width));
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") this.#look(null);
    if (step === undefined) return;
    event.preventDefault();
    const from = this.cursor ?? this.end;
    this.#look(Math.min(this.end, Math.max(this.end - this.window, from + step * (event.shiftKey ? 10 : 1))));
  }

  #look(at) {
    this.cursor = at;
    this.tip.hidden = at === null;
    this.draw(this.end);
  }

  #tell() {
    const second = this.seconds.get(Math.floor(this.cursor));
    const near = Math.max(1, (6 * this.window) / this.canvas.clientWidth);
    const lines = [time(this.cursor)];
    if (second) lines.push(`${second.label ?? "no steady label"}, ${(100 * second.confidence).toFixed(0)} %`);
    else lines.push("no prediction");
    if (second?.alarm) lines.push("alarm");
    for (const { kind, text, at } of this.events) {
      if (kind !== "label" && Math.abs(at - this.cursor) <= near) lines.push(`${kind}: ${text}`);
    }
    this.tip.textContent = lines.slice(0, 6).join("\n");
    const x = this.#x(this.cursor), wide = this.tip.offsetWidth;
    this.tip.style.left = `${x + 12 + wide > this.canvas.clientWidth ? Math.max(0, x - wide - 12) : x + 12}px`;
  }
}

export function drawHistogram(svg, { counts, edges_ms: edges, latency }) {
  const width = svg.clientWidth || 300, height = 150, base = height - 22;
  let begin = counts.findIndex(Boolean), end = counts.findLastIndex(Boolean) + 1;
  begin = Math.max(0, Math.min(begin - 1, end - 8));
  end = Math.min(counts.length, Math.max(end + 1, begin + 8));
  const most = Math.max(...counts, 1), step = width / (end - begin);
  const x = (ms) => width * (Math.log(ms / edges[begin]) / Math.log(edges[end] / edges[begin]));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const add = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    svg.append(made);
  };
  for (let place = begin; place < end; place += 1) {
    const tall = (base - 20) * (counts[place] / most);
    add("rect", { x: (place - begin) * step + 1, y: base - tall, width: Math.max(1, step - 2), height: tall, rx: 2 });
  }
  for (const [name, ms] of [["half", latency.p50_ms], ["99 %", latency.p99_ms]]) {
    const place = Math.min(width, Math.max(0, x(ms)));
    add("line", { x1: place, x2: place, y1: 14, y2: base });
    add("text", { x: place, y: 10, "text-anchor": place > width - 30 ? "end" : place < 30 ? "start" : "middle" }, name);
  }
  let free = -Infinity;
  for (let place = begin; place <= end; place += 1) {
    const left = (place - begin) * step;
    if (left - free < 52 || left > width - 20) continue;
    free = left;
    const ms = edges[place];
    add("text", { x: left, y: base + 16 }, `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`);
  }
}
