// Sliders: the bound, and every number of the topology, on a logarithmic scale from a tenth to ten times what it is.

const FACTOR = 10;
const STEPS = 200;

/** What a slider stands for: its name and kind, its value as the files say, and how a value is written. */
function parametersOf(tables) {
  const kinds = [];
  for (const link of tables.links) {
    const hop = tables.hops[link.hops[0]];
    kinds.push({ kind: "bandwidth", name: link.name, now: hop.bandwidth, hops: link.hops, text: bandwidthText });
    kinds.push({ kind: "latency", name: link.name, now: hop.latency, hops: link.hops, text: secondsText });
  }
  tables.nodes.forEach((name, node) => {
    kinds.push({ kind: "slowdown", name, now: tables.slowdown[node], node, text: (value) => digits(value) });
  });
  return kinds;
}

/** The settings with the values that sliders have; those that were not moved stay as the files say. */
function settingsOf(tables, parameters, values) {
  const settings = settingsNow(tables);
  parameters.forEach((parameter, index) => {
    if (values[index] === parameter.now) return;
    if (parameter.kind === "slowdown") settings.slowdown[parameter.node] = values[index];
    else for (const hop of parameter.hops) settings[parameter.kind][hop] = values[index];
  });
  return settings;
}

/** One labelled slider; `place` and `value` turn a value into a step and back, and keep what the files say exact. */
class Slider {
  constructor({ id, label, min, max, now, place, value, text, onInput }) {
    Object.assign(this, { now, value, text, place });
    this.input = element("input", { type: "range", id, min, max, step: 1, oninput: () => this.#say(onInput) });
    this.output = element("output", { for: id });
    this.row = element("div", { class: "slider" }, element("label", { for: id }, label), this.output, this.input);
    this.set(now);
  }

  get current() {
    return this.input.value === this.home ? this.now : this.value(Number(this.input.value));
  }

  set(value) {
    this.input.value = String(Math.round(this.place(value)));
    if (value === this.now) this.home = this.input.value;
    this.#write();
  }

  #say(onInput) {
    this.#write();
    onInput();
  }

  #write() {
    const said = this.text(this.current);
    this.output.textContent = said;
    this.input.setAttribute("aria-valuetext", said);
    this.row.classList.toggle("moved", this.current !== this.now);
  }
}

/** The slider of a parameter of the topology. A latency of 0 has a linear one, up to a tenth of a second. */
function parameterSlider(parameter, index, onInput) {
  const { now } = parameter;
  const linear = !(now > 0);
  return new Slider({
    id: `parameter-${index}`,
    label: parameter.kind === "slowdown" ? parameter.name : `${parameter.kind}`,
    min: linear ? 0 : -STEPS / 2,
    max: linear ? STEPS : STEPS / 2,
    now,
    place: (value) => (linear ? (value / 0.1) * STEPS : (Math.log(value / now) / Math.log(FACTOR)) * (STEPS / 2)),
    value: (step) => (linear ? (step / STEPS) * 0.1 : now * FACTOR ** (step / (STEPS / 2))),
    text: parameter.text,
    onInput,
  });
}

/** The slider of the least accuracy: its steps are the accuracies of the frontier. */
function boundSlider(levels, now, text, onInput) {
  const nearest = (value) => levels.findIndex((level) => level >= value - 1e-12);
  return new Slider({
    id: "bound",
    label: "at least",
    min: 0,
    max: levels.length - 1,
    now,
    place: (value) => Math.max(0, nearest(value)),
    value: (step) => levels[step],
    text,
    onInput,
  });
}
