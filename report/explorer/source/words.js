// Figures in words, as tiercut/units.py writes them, and elements of the page.

function digits(value, count = 4) {
  return String(Number(value.toPrecision(count)));
}

function secondsText(seconds) {
  if (!Number.isFinite(seconds)) return "no path";
  if (seconds === 0) return "0 s";
  if (Math.abs(seconds) >= 1) return `${digits(seconds)} s`;
  return Math.abs(seconds) >= 1e-3 ? `${digits(seconds / 1e-3)} ms` : `${digits(seconds / 1e-6)} us`;
}

function scaledText(value, units) {
  const [unit, factor] = units.find(([, by]) => Math.abs(value) >= by) ?? units[units.length - 1];
  return `${digits(value / factor)} ${unit}`;
}

function bytesText(bytes) {
  return scaledText(bytes, [["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]]);
}

function bandwidthText(bytesPerSecond) {
  return scaledText(bytesPerSecond * 8, [["Gb/s", 1e9], ["Mb/s", 1e6], ["kb/s", 1e3], ["b/s", 1]]);
}

function shareText(share) {
  return share === null ? "-" : `${(100 * share).toFixed(2)}%`;
}

function countText(count) {
  return count.toLocaleString("en-US");
}

/** A plan in one line, as the terminal shows it. */
function planText(tables, plan) {
  const parts = plan.partition.map((last, place) => {
    const first = place ? plan.partition[place - 1] + 1 : 1;
    return `${tables.nodes[plan.placement[place]]} ${first === last ? first : `${first}-${last}`}`;
  });
  const codec = (place) => (plan.codecs && plan.codecs[place] >= 0 ? ` → (${tables.codecs[plan.codecs[place]].name})` : "");
  const entry = plan.inputCodec >= 0 ? `(${tables.codecs[plan.inputCodec].name}) → ` : "";
  return entry + parts.map((part, place) => part + (place + 1 < parts.length ? codec(place) : "")).join(" → ");
}

/** The thresholds of a plan, - where none has an effect. */
function thresholdText(tables, plan) {
  if (plan.thresholds) return plan.thresholds.map((index) => digits(Number(tables.thresholds[index]), tables.digits)).join(", ");
  return plan.threshold < 0 ? "-" : digits(Number(tables.thresholds[plan.threshold]), tables.digits);
}

/** An element of the page; children are elements or text, which is never read as markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** An element of a drawing. */
function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}
