// The page: what was chosen, and what follows from it.

class Page {
  constructor(data) {
    this.data = data;
    this.pieces = new Pieces(data.tables);
    this.plans = plansOf(data.tables, data.plans);
    this.known = data.measure === "accuracy";
    this.everything = data.space ? new Everything(data.tables, data.space) : null;
    this.parameters = parametersOf(data.tables);
    const now = this.tablesOf(settingsNow(data.tables));
    this.goals = Float64Array.from(this.plans, (plan) => (this.known ? plan.accuracy : -bytesOf(now, plan)));
    this.bytes = Float64Array.from(this.plans, (plan) => bytesOf(now, plan));
    this.texts = this.plans.map((plan) => planText(data.tables, plan));
    if (this.everything && !this.known) this.everything.countBytes(now);
    this.pool = this.everything ?? { cost: new Float64Array(this.plans.length), goal: this.goals };
    this.order = orderBy(this.pool.goal);
    this.chosen = null;
    this.made = new Map();
    this.filters = { parts: "", node: "", threshold: "" };
    this.#score(now);
    this.before = this.#frontier().map((index) => ({ x: this.pool.cost[index], y: this.#shown(this.pool.goal[index]) }));
  }

  tablesOf(settings) {
    return new Tables(this.data.tables, this.pieces, settings);
  }

  /** The latency of a plan of the page under settings; for tests, and for whoever has a console. */
  latency(index, settings) {
    return latencyOf(this.tablesOf(settings), this.plans[index]);
  }

  get bound() {
    return this.boundSlider ? this.boundSlider.current : null;
  }

  #score(tables) {
    this.tables = tables;
    this.costs = Float64Array.from(this.plans, (plan) => latencyOf(tables, plan));
    if (this.everything) this.everything.score(tables);
    else this.pool.cost.set(this.costs);
  }

  #frontier() {
    return frontierOf(this.pool.cost, this.pool.goal, this.order);
  }

  /** A goal as the chart's axis shows it. */
  #shown(goal) {
    return this.known ? goal : -goal;
  }

  planAt(index) {
    if (!this.everything) return this.plans[index];
    if (!this.made.has(index)) this.made.set(index, this.everything.plan(index));
    return this.made.get(index);
  }

  start() {
    const { data } = this;
    document.title = data.title;
    this.chart = new Chart(byId("chart"), {
      yLabel: this.known ? "accuracy" : "bytes sent",
      yText: (value) => (this.known ? `${digits(100 * value)}%` : bytesText(value)),
      xText: secondsText,
      describe: (point) => this.#describe(point),
      onPick: (point) => this.choose(point.plan),
    });
    this.#makeSliders();
    this.#makeFilters();
    this.ranking = new Ranking(byId("ranking"), { tables: data.tables, known: this.known, amounts: data.plans.amounts ?? [], onPick: (plan) => this.choose(plan) });
    showBlocks(byId("blocks"), data.tables, this.pieces);
    showChanges(byId("changes"), data, this.plans, (plan) => this.choose(plan));
    byId("zoom-in").addEventListener("click", () => this.chart.zoom(1 / 1.5));
    byId("zoom-out").addEventListener("click", () => this.chart.zoom(1.5));
    byId("zoom-all").addEventListener("click", () => this.chart.reset());
    byId("follow").addEventListener("click", () => this.choose(null));
    this.update();
  }

  #makeSliders() {
    const box = byId("sliders");
    const later = () => this.#later();
    const group = (into, title, ...rows) => into.append(element("fieldset", {}, element("legend", {}, title), ...rows));
    const conditions = element("details", { open: !matchMedia("(max-width: 52rem)").matches }, element("summary", {}, "Links and nodes"));
    if (this.known && this.data.bound !== null) {
      const levels = [...new Set([...this.before.map((point) => point.y), this.data.bound])].sort((a, b) => a - b);
      this.boundSlider = boundSlider(levels, this.data.bound, shareText, later);
      group(box, "accuracy", this.boundSlider.row);
    }
    this.sliders = this.parameters.map((parameter, index) => parameterSlider(parameter, index, later));
    const rowsOf = (test) => this.sliders.filter((_, index) => test(this.parameters[index])).map((slider) => slider.row);
    for (const link of this.data.tables.links) group(conditions, link.name, ...rowsOf((each) => each.kind !== "slowdown" && each.name === link.name));
    group(conditions, "slowdown of nodes", ...rowsOf((each) => each.kind === "slowdown"));
    box.append(conditions);
    byId("as-recorded").addEventListener("click", () => {
      [this.boundSlider, ...this.sliders].forEach((slider) => slider?.set(slider.now));
      this.update();
    });
  }

  #makeFilters() {
    const { tables } = this.data;
    const used = [...new Set(this.plans.map((plan) => plan.partition.length))].sort((a, b) => a - b);
    const thresholds = [...new Set(this.plans.map((plan) => plan.threshold))].filter((each) => each >= 0).sort((a, b) => a - b);
    const choices = {
      parts: used.map((count) => [count, `${count} partition${count > 1 ? "s" : ""}`]),
      node: tables.nodes.flatMap((name, node) => [[node, `uses ${name}`], [-node - 1, `without ${name}`]]),
      threshold: thresholds.map((index) => [index, `threshold ${digits(Number(tables.thresholds[index]), tables.digits)}`]),
    };
    const names = { parts: "any number of partitions", node: "any nodes", threshold: "any threshold" };
    for (const [key, options] of Object.entries(choices)) {
      if (options.length < 2) continue;
      const select = element("select", { id: `filter-${key}`, "aria-label": `Show plans with ${names[key]}` });
      select.append(element("option", { value: "" }, names[key]), ...options.map(([value, text]) => element("option", { value }, text)));
      select.addEventListener("change", () => { this.filters[key] = select.value; this.#draw(); });
      byId("filters").append(select);
    }
  }

  #passes(plan) {
    const { parts, node, threshold } = this.filters;
    if (parts !== "" && plan.partition.length !== Number(parts)) return false;
    if (threshold !== "" && plan.threshold !== Number(threshold)) return false;
    if (node === "") return true;
    const wanted = Number(node);
    return wanted >= 0 ? plan.placement.includes(wanted) : !plan.placement.includes(-wanted - 1);
  }

  #later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.update();
    });
  }

  /** Score again under the present sliders, and show what follows. */
  update() {
    const values = this.sliders.map((slider) => slider.current);
    this.#score(this.tablesOf(settingsOf(this.data.tables, this.parameters, values)));
    this.data.current = { bound: this.bound };
    const [plan, proof] = this.#best();
    this.best = plan;
    byId("best").textContent = plan
      ? `${secondsText(latencyOf(this.tables, plan))}${plan.accuracy === null ? "" : `, ${shareText(plan.accuracy)}`}: ${planText(this.data.tables, plan)}`
      : "No plan meets the bound.";
    byId("proof").textContent = proof;
    this.#draw();
  }

  /** The best plan under the bound, and in words how sure that is. */
  #best() {
    const least = this.known && this.bound !== null ? this.bound : -Infinity;
    const index = bestOf(this.pool.cost, this.pool.goal, least);
    const plan = index < 0 ? null : this.planAt(index);
    if (this.everything) return [plan, `Exact: all ${countText(this.data.decisions)} decisions are scored.`];
    const moved = this.sliders.flatMap((slider, place) => (slider.current === slider.now ? [] : [place]));
    const bounded = this.boundSlider && this.boundSlider.current !== this.boundSlider.now;
    if (!moved.length && this.data.proved) return [plan, "Exact: the whole frontier is on this page."];
    if (moved.length === 1 && !bounded) {
      const { kind, name } = this.parameters[moved[0]];
      const value = this.sliders[moved[0]].current;
      const sweep = this.data.sweeps.find((each) => each.kind === kind && each.name === name);
      const span = sweep?.spans.find(([low, high]) => low <= value * (1 + 1e-12) && value * (1 - 1e-12) <= high);
      if (span) return [span[2] < 0 ? null : this.plans[span[2]], "Exact: where the best plan changes with this number was computed beforehand."];
    }
    const unchecked = this.data.bounded ? " Bounds other than that on accuracy are not checked here." : "";
    return [plan, `Best of the ${countText(this.plans.length)} plans on this page, of ${countText(this.data.decisions)} decisions.${unchecked}`];
  }

  /** Show a plan; null: whichever is the best. */
  choose(plan) {
    this.chosen = plan;
    this.#draw();
    if (plan) byId("plan-title").scrollIntoView({ block: "nearest" });
  }

  #draw() {
    const kept = [];
    this.plans.forEach((plan, index) => {
      if (this.#passes(plan)) kept.push(index);
    });
    const points = kept.map((index) => this.#point(this.plans[index], this.costs[index], this.goals[index], false));
    const line = this.#frontier().map((index) => this.#point(this.planAt(index), this.pool.cost[index], this.pool.goal[index], true));
    points.push(...line.filter((point) => this.#passes(point.plan)));
    const shown = this.chosen ?? this.best;
    const marked = shown && this.#point(shown, latencyOf(this.tables, shown), this.known ? shown.accuracy : -bytesOf(this.tables, shown), true);
    this.chart.show({ points, line, before: this.before, cloud: this.#cloud(), marked, bound: this.known ? this.bound : null });
    this.ranking.show(kept.map((index) => ({ at: index, plan: this.plans[index], latency: this.costs[index], bytes: this.bytes[index], text: this.texts[index] })));
    byId("follow").hidden = !this.chosen;
    if (shown) {
      showPlan(this.data, this.tables, shown, this.chosen ? "Chosen" : "Best");
      this.#light(shown);
    }
  }

  #point(plan, cost, goal, front) {
    return { x: cost, y: this.#shown(goal), kind: plan.partition.length, front, plan };
  }

  /** A sample of all decisions, for the background. */
  #cloud() {
    const cloud = { x: [], y: [] };
    if (!this.everything) return cloud;
    const step = Math.max(1, Math.floor(this.everything.count / 3001));
    for (let index = 0; index < this.everything.count; index += step) {
      if (!Number.isFinite(this.pool.cost[index])) continue;
      cloud.x.push(this.pool.cost[index]);
      cloud.y.push(this.#shown(this.pool.goal[index]));
    }
    return cloud;
  }

  #describe(point) {
    const right = point.plan.accuracy === null ? bytesText(point.y) : shareText(point.plan.accuracy);
    const limit = thresholdText(this.data.tables, point.plan);
    return `${secondsText(point.x)}, ${right}${limit === "-" ? "" : `, threshold ${limit}`}\n${planText(this.data.tables, point.plan)}`;
  }

  /** Light up the nodes of a plan in the drawing of the topology. */
  #light(plan) {
    const used = new Set(plan.placement.map((node) => this.data.tables.nodes[node]));
    for (const node of document.querySelectorAll("#topology [data-node]")) node.classList.toggle("used", used.has(node.dataset.node));
  }
}

/** The columns of plans that are packed: base64 of what deflate made of their JSON. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).json();
}

/** Say in the page, which stays empty without its plans, that the browser is too old for them. */
function sayThatItIsTooOld(error) {
  const said = document.createElement("p");
  said.className = "warning";
  said.textContent = "This browser cannot unpack the plans of this page: open it in one of 2023 or later.";
  document.querySelector("main").before(said);
  throw error;
}

const data = JSON.parse(byId("data").textContent);
if (typeof data.plans === "string") data.plans = await unpacked(data.plans).catch(sayThatItIsTooOld);
window.tiercut = new Page(data);
window.tiercut.start();
