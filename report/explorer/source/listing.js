// Tables that can be sorted: the plans on the page, and the blocks of the network.

const PAGE_ROWS = 25;
const LEFT = ["plan", "found as"];

/** The plans on the page: sorted by any column, searched by text. */
class Ranking {
  constructor(box, { tables, known, amounts, onPick }) {
    Object.assign(this, { tables, onPick, shown: PAGE_ROWS, sorted: "latency", falling: false });
    this.columns = [
      ["latency", (row) => row.latency, (row) => secondsText(row.latency)],
      ...(known ? [["accuracy", (row) => row.plan.accuracy ?? -1, (row) => shareText(row.plan.accuracy)]] : []),
      ["sent", (row) => row.bytes, (row) => bytesText(row.bytes)],
      ...amounts.map(({ name, values, texts }) => [`${name}, as recorded`, (row) => values[row.at] ?? Infinity, (row) => texts[row.at]]),
      ["threshold", (row) => row.plan.threshold, (row) => thresholdText(tables, row.plan)],
      ["parts", (row) => row.plan.partition.length, (row) => String(row.plan.partition.length)],
      ["plan", (row) => row.text, (row) => row.text],
      ["found as", (row) => row.plan.origin, (row) => row.plan.origin],
    ];
    this.search = element("input", { type: "search", placeholder: "search plans", "aria-label": "Search plans", oninput: () => this.#again() });
    this.count = element("span", { class: "muted" });
    this.body = element("tbody");
    this.more = element("button", { type: "button", onclick: () => { this.shown += 4 * PAGE_ROWS; this.draw(); } }, "More");
    this.heads = this.columns.map(([name]) =>
      element("th", { scope: "col", class: LEFT.includes(name) ? "left" : null }, element("button", { type: "button", onclick: () => this.sort(name) }, name)),
    );
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...this.heads)), this.body);
    box.append(element("p", { class: "tools" }, this.search, this.count), element("div", { class: "scroll", tabindex: 0 }, table), this.more);
    this.rows = [];
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  sort(name) {
    this.falling = this.sorted === name ? !this.falling : name === "accuracy";
    this.sorted = name;
    this.#again();
  }

  #again() {
    this.shown = PAGE_ROWS;
    this.draw();
  }

  draw() {
    const wanted = this.search.value.trim().toLowerCase();
    const [, key] = this.columns.find(([name]) => name === this.sorted);
    const sign = this.falling ? -1 : 1;
    const kept = wanted ? this.rows.filter((row) => `${row.text} ${row.plan.origin}`.toLowerCase().includes(wanted)) : [...this.rows];
    kept.sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      return one < other ? -sign : one > other ? sign : a.latency - b.latency;
    });
    this.heads.forEach((head, place) => {
      const here = this.columns[place][0] === this.sorted;
      head.setAttribute("aria-sort", here ? (this.falling ? "descending" : "ascending") : "none");
    });
    this.body.replaceChildren(...kept.slice(0, this.shown).map((row) => this.#row(row)));
    this.count.textContent = `${countText(Math.min(this.shown, kept.length))} of ${countText(kept.length)} plans`;
    this.more.hidden = kept.length <= this.shown;
  }

  #row(row) {
    const cells = this.columns.map(([name, , text]) => {
      if (name !== "plan") return element("td", { class: LEFT.includes(name) ? "left" : null }, text(row));
      return element("td", { class: "left" }, element("button", { type: "button", class: "link", onclick: () => this.onPick(row.plan) }, row.text));
    });
    return element("tr", {}, ...cells);
  }
}

/** The blocks of the network: bytes and accuracy of each, and its seconds on every device. */
function showBlocks(box, data, pieces) {
  const devices = data.devices.map((device, index) => ({ name: device.name, index }));
  const seconds = devices.map(({ index }) => data.blocks.map((_, block) => pieces.seconds(index, block + 1, block + 1, false)));
  const accurate = data.accuracy.some((each) => each !== null);
  const most = { bytes: Math.max(...data.payload_bytes), seconds: seconds.map((each) => Math.max(...each)) };
  const body = element("tbody");
  const row = (name, number, bytes, times, accuracy) => {
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, number),
        element("td", { class: "left" }, name),
        element("td", {}, bytes === null ? "-" : bytesText(bytes), barOf(bytes ?? 0, most.bytes)),
        ...times.map((each, device) => element("td", {}, each === null ? "-" : secondsText(each), barOf(each ?? 0, most.seconds[device]))),
        ...(accurate ? [element("td", {}, shareText(accuracy))] : []),
      ),
    );
  };
  row("input", "0", data.payload_bytes[0], devices.map(() => null), null);
  data.blocks.forEach((name, block) => {
    const sent = block + 1 < data.blocks.length ? data.payload_bytes[block + 1] : null;
    row(name, String(block + 1), sent, seconds.map((each) => each[block]), data.accuracy[block]);
  });
  const heads = ["<#", "<block", "output", ...devices.map(({ name }) => `time on ${name}`), ...(accurate ? ["accuracy of its exit"] : [])];
  box.append(tableOf(heads, body));
}

function barOf(value, most) {
  const bar = shape("svg", { class: "bar small", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(shape("rect", { width: most > 0 ? (100 * value) / most : 0, height: 4 }));
  return bar;
}

/** Where the best plan changes over each number of the topology, on a logarithmic axis. */
function showChanges(box, page, plans, onPick) {
  const moving = page.sweeps.filter((sweep) => sweep.spans.length > 1);
  const still = page.sweeps.filter((sweep) => sweep.spans.length === 1);
  if (!page.sweeps.length) {
    box.append(element("p", {}, "This was not looked for."));
    return;
  }
  const letters = new Map();
  const letterOf = (index) => {
    if (index < 0) return "none";
    if (!letters.has(index)) letters.set(index, letterText(letters.size));
    return letters.get(index);
  };
  const parameters = parametersOf(page.tables);
  const body = element("tbody");
  for (const sweep of moving) {
    const text = (parameters.find((each) => each.kind === sweep.kind) ?? { text: digits }).text;
    const along = (value) => (sweep.low > 0 ? Math.log(value / sweep.low) / Math.log(sweep.high / sweep.low) : value / sweep.high);
    const strip = element("div", { class: "strip" });
    sweep.spans.forEach(([low, high, index]) => {
      const letter = letterOf(index);
      const said = index < 0 ? "no plan meets the bounds" : planText(page.tables, plans[index]);
      const label = `${letter}: ${said}, from ${text(low)} to ${text(high)}`;
      const part = element("button", { type: "button", title: label, "aria-label": label, class: index < 0 ? "none" : `tone-${(letters.size ? [...letters.keys()].indexOf(index) : 0) % 6}` }, letter);
      part.style.flexGrow = String(Math.max(along(high) - along(low), 0.004));
      if (index >= 0) part.addEventListener("click", () => onPick(plans[index]));
      strip.append(part);
    });
    const mark = element("span", { class: "now", "aria-hidden": "true" });
    mark.style.left = `${100 * along(sweep.now)}%`;
    strip.append(mark);
    const ends = sweep.spans.slice(1).map(([low]) => text(low)).join(", ");
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, `${sweep.kind} ${sweep.name}`),
        element("td", {}, text(sweep.now)),
        element("td", { class: "wide" }, strip),
        element("td", { class: "left" }, ends),
      ),
    );
  }
  if (moving.length) box.append(tableOf(["<", "now", "<from a tenth to ten times that", "<changes at"], body));
  const key = element("ul", { class: "key" });
  for (const [index, letter] of letters) {
    key.append(element("li", {}, element("b", {}, letter), " ", element("button", { type: "button", class: "link", onclick: () => onPick(plans[index]) }, planText(page.tables, plans[index]))));
  }
  box.append(key);
  if (still.length) {
    box.append(element("p", { class: "muted" }, `Within a factor of ten the best plan stays whatever becomes of: ${still.map((sweep) => `${sweep.kind} ${sweep.name}`).join(", ")}.`));
  }
}


function letterText(index) {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : `${letter}${Math.floor(index / 26)}`;
}
