// One plan: its pipeline, its latency as a waterfall, what crosses each link, and how to ask for it again.

/** Fill the section of a plan. */
function showPlan(page, tables, plan, heading) {
  const steps = stepsOf(tables, plan);
  const latency = latencyOf(tables, plan);
  const box = byId("plan-body");
  const figures = [secondsText(latency)];
  if (plan.accuracy !== null) figures.push(`accuracy ${shareText(plan.accuracy)}`);
  figures.push(`${bytesText(bytesOf(tables, plan))} sent`);
  if (thresholdText(tables.data, plan) !== "-") figures.push(`threshold ${thresholdText(tables.data, plan)}`);
  byId("plan-title").textContent = `${heading}: ${planText(tables.data, plan)}`;
  box.replaceChildren(
    element("p", { class: "figures" }, figures.join(" · ")),
    pipeline(tables, steps),
    element("h3", {}, "Where the time goes"),
    waterfall(tables, steps, latency),
    element("h3", {}, "What crosses each link, for each sample"),
    linkTable(tables, steps),
    element("h3", {}, "Ask for it"),
    copyable("command", commandOf(page, tables, plan)),
    copyable("the same question as a query file", queryOf(page, tables)),
  );
}

function pipeline(tables, steps) {
  const { nodes } = tables.data;
  const row = element("ol", { class: "pipeline", "aria-label": "The plan as a pipeline" });
  const arrow = (text) => row.append(element("li", { class: "arrow" }, element("span", {}, text)));
  const input = steps[0];
  const { source, destination } = tables.data;
  row.append(element("li", { class: "node end" }, element("b", {}, nodes[source]), element("span", {}, "input is born")));
  arrow(input.node === input.to ? "stays" : `${bytesText(input.bytes)}, ${secondsText(input.seconds)}`);
  const stages = new Map();
  for (const step of steps.slice(1)) stages.set(step.stage, [...(stages.get(step.stage) ?? []), step]);
  for (const here of stages.values()) {
    const compute = here.filter((step) => step.sort === "compute");
    const [first, last] = [compute[0], compute[compute.length - 1]];
    const seconds = compute.reduce((total, step) => total + (first.reach ? step.reach / first.reach : 1) * step.seconds, 0);
    const leave = first.reach - last.onward;
    row.append(
      element(
        "li",
        { class: first.reach > 1e-12 ? "node" : "node idle" },
        element("b", {}, nodes[first.node]),
        element("span", {}, first.first === last.last ? `block ${first.first}` : `blocks ${first.first} to ${last.last}`),
        element("span", {}, `${secondsText(seconds)} each`),
        element("span", {}, `${(100 * first.reach).toFixed(1)}% get here`),
        element("span", {}, `${(100 * leave).toFixed(1)}% leave`),
        meter(first.reach, leave),
      ),
    );
    const send = here.find((step) => step.sort === "send");
    if (send) arrow(`${bytesText(send.bytes)}, ${secondsText(send.seconds)}`);
  }
  const home = destination < 0 ? "results stay" : `results go to ${nodes[destination]}`;
  row.append(element("li", { class: "node end" }, element("span", {}, home)));
  return row;
}

/** A bar: who gets to a stage, and the part of them that leaves there. */
function meter(reach, leave) {
  const bar = shape("svg", { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(
    shape("rect", { class: "all", width: 100, height: 6 }),
    shape("rect", { class: "reach", width: 100 * reach, height: 6 }),
    shape("rect", { class: "leave", width: 100 * leave, height: 6 }),
  );
  return bar;
}

function stepText(tables, step) {
  const { nodes } = tables.data;
  if (step.sort === "compute") {
    const blocks = step.first === step.last ? `block ${step.first}` : `blocks ${step.first} to ${step.last}`;
    return `${blocks} on ${nodes[step.node]}`;
  }
  const what = { input: "input", result: `result of block ${step.last}`, send: `output of block ${step.last}` }[step.sort];
  return step.to < 0 ? `${what} stays` : `${what}, ${nodes[step.node]} to ${nodes[step.to]}`;
}

function waterfall(tables, steps, latency) {
  const body = element("tbody");
  let begins = 0;
  for (const step of steps) {
    const adds = step.reach * step.seconds;
    if (adds === 0) continue;
    const bar = shape("svg", { class: "bar", viewBox: "0 0 1000 12", preserveAspectRatio: "none", "aria-hidden": "true" });
    bar.append(shape("rect", { class: step.sort, x: (1000 * begins) / latency, width: Math.max(2, (1000 * adds) / latency), height: 12 }));
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, stepText(tables, step)),
        element("td", {}, `${(100 * step.reach).toFixed(1)}%`),
        element("td", {}, secondsText(step.seconds)),
        element("td", {}, secondsText(adds)),
        element("td", { class: "wide" }, bar),
      ),
    );
    begins += adds;
  }
  return tableOf(["<step", "samples", "each", "adds", ""], body);
}

function linkTable(tables, steps) {
  const { hops, nodes } = tables.data;
  const sent = new Map();
  for (const step of steps) {
    if (step.sort === "compute" || step.to < 0 || step.node === step.to || !step.reach) continue;
    for (const hop of tables.routes.hops(step.node, step.to, step.bytes) ?? []) {
      const entry = sent.get(hop) ?? { bytes: 0, what: [] };
      entry.bytes += step.reach * step.bytes;
      entry.what.push(stepText(tables, step).split(",")[0]);
      sent.set(hop, entry);
    }
  }
  if (!sent.size) return element("p", {}, "Nothing is sent.");
  const body = element("tbody");
  for (const [hop, { bytes, what }] of [...sent].sort(([a], [b]) => a - b)) {
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, `${nodes[hops[hop].from]} → ${nodes[hops[hop].to]}`),
        element("td", {}, bytesText(bytes)),
        element("td", {}, bandwidthText(tables.settings.bandwidth[hop])),
        element("td", {}, secondsText(tables.settings.latency[hop])),
        element("td", { class: "left" }, [...new Set(what)].join(", ")),
      ),
    );
  }
  return tableOf(["<link", "bytes", "bandwidth", "latency", "<what"], body);
}

/** A table; headings that begin with < are set to the left. */
function tableOf(headings, body) {
  const cells = headings.map((heading) => element("th", { scope: "col", class: heading.startsWith("<") ? "left" : null }, heading.replace("<", "")));
  const head = element("tr", {}, ...cells);
  return element("div", { class: "scroll", tabindex: 0 }, element("table", {}, element("thead", {}, head), body));
}

/** Links and nodes whose numbers are not those of the topology file, as pairs of name and value in SI. */
function changesOf(page, tables) {
  const { hops, nodes } = tables.data;
  const { said } = page.ask;
  const { bandwidth, latency, slowdown } = tables.settings;
  const changes = { bandwidth: [], latency: [], slowdown: [] };
  hops.forEach((hop, index) => {
    const name = `${nodes[hop.from]}>${nodes[hop.to]}`;
    if (!said.hops[index] || bandwidth[index] !== said.hops[index][0]) changes.bandwidth.push([name, `${bandwidth[index]} B/s`]);
    if (!said.hops[index] || latency[index] !== said.hops[index][1]) changes.latency.push([name, `${latency[index]} s`]);
  });
  nodes.forEach((name, node) => {
    if (slowdown[node] !== said.slowdown[node]) changes.slowdown.push([name, `${slowdown[node]}`]);
  });
  return changes;
}

/** The command that explains a plan under the present settings. */
function commandOf(page, tables, plan) {
  const { ask } = page;
  const { nodes, thresholds, codecs } = tables.data;
  const words = ["tiercut", "explain", ask.topology, ask.profile];
  words.push("--partition", plan.partition.join(","), "--placement", plan.placement.map((node) => nodes[node]).join(","));
  if (plan.thresholds?.length) words.push("--thresholds", plan.thresholds.map((index) => thresholds[index]).join(","));
  else if (plan.threshold >= 0) words.push("--threshold", thresholds[plan.threshold]);
  if (plan.exits.join() !== plan.partition.join()) words.push("--exits", plan.exits.join(","));
  if (plan.codecs?.some((codec) => codec >= 0)) {
    words.push("--codecs", plan.codecs.map((codec) => (codec < 0 ? "none" : codecs[codec].name)).join(","));
  }
  if (plan.inputCodec >= 0) words.push("--input-codec", codecs[plan.inputCodec].name);
  words.push("--estimator", ask.estimator, ...ask.flags);
  for (const [kind, pairs] of Object.entries(changesOf(page, tables))) {
    for (const [name, value] of pairs) words.push(`--${kind}`, `${name}=${value}`);
  }
  return words.map(quoted).join(" ");
}

function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The question for the best plan under the present settings, as a query file; JSON is YAML too, which keeps names safe. */
function queryOf(page, tables) {
  const { ask } = page;
  const lines = ["format: tiercut.query/1", `exits: ${ask.exits}`, `estimator: ${ask.estimator}`];
  if (page.measure === "accuracy" && page.current.bound !== null) lines.push(`min_accuracy: ${page.current.bound}`);
  for (const [key, value] of Object.entries(ask.keys)) lines.push(`${key}: ${JSON.stringify(value)}`);
  for (const [kind, pairs] of Object.entries(changesOf(page, tables))) {
    if (!pairs.length) continue;
    lines.push(`${kind}:`);
    for (const [name, value] of pairs) lines.push(`  ${JSON.stringify(name)}: ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

function copyable(label, text) {
  const code = element("code", { tabindex: 0 }, text);
  const button = element("button", { type: "button", "aria-label": `Copy ${label}`, onclick: () => copy(text, code, button) }, "Copy");
  return element("figure", { class: "copy" }, element("figcaption", {}, label, button), element("pre", {}, code));
}

async function copy(text, code, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(code); // where a page may not write to the clipboard
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  byId("spoken").textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
