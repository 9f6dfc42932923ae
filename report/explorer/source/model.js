// The price of a plan under any setting of links and nodes: the sums of optimizer/itinerary.py, in the same order.
// Blocks are 1-based and block 0 is the input, as in plans; nodes, thresholds and codecs are 0-based indices.

/** What does not change with the settings: pieces of the network on each device, before a node's slowdown. */
class Pieces {
  constructor(tables) {
    this.count = tables.blocks.length;
    this.devices = tables.devices.map((device) => (device.span_s ? this.#spans(device) : this.#sums(device)));
  }

  /** Seconds of blocks first..last with the branch of the last, or without. */
  seconds(device, first, last, leaves) {
    const at = (first - 1) * this.count + last - 1;
    return leaves ? this.devices[device].span[at] : this.devices[device].bare[at];
  }

  #sums(device) {
    const bare = new Float64Array(this.count * this.count);
    const span = new Float64Array(this.count * this.count);
    for (let first = 0; first < this.count; first += 1) {
      let total = 0;
      for (let last = first; last < this.count; last += 1) {
        total += device.block_s[last];
        bare[first * this.count + last] = total;
        span[first * this.count + last] = total + device.branch_s[last];
      }
    }
    return { bare, span };
  }

  #spans(device) {
    const bare = new Float64Array(this.count * this.count);
    const span = new Float64Array(this.count * this.count);
    device.span_s.forEach((row, first) => {
      row.forEach((seconds, place) => {
        const last = first + place;
        span[first * this.count + last] = seconds;
        bare[first * this.count + last] = Math.max(seconds - device.branch_s[last], 0);
      });
    });
    return { bare, span };
  }
}

/** The settings that the files say: bandwidth (B/s) and latency (s) of each hop, slowdown of each node. */
function settingsNow(tables) {
  return {
    bandwidth: Float64Array.from(tables.hops, (hop) => hop.bandwidth),
    latency: Float64Array.from(tables.hops, (hop) => hop.latency),
    slowdown: Float64Array.from(tables.slowdown),
  };
}

/** Everything that takes time under one setting. */
class Tables {
  constructor(tables, pieces, settings) {
    this.data = tables;
    this.pieces = pieces;
    this.settings = settings;
    const network = { nodes: tables.nodes.length, hops: tables.hops, forwarding: tables.forwarding, mtu: tables.mtu };
    this.routes = new Routes(network, settings.bandwidth, settings.latency);
    this.sent = new Float64Array((tables.codecs.length + 1) * (tables.blocks.length + 1) * network.nodes ** 2).fill(NaN);
    this.home = new Float64Array(network.nodes).fill(NaN);
  }

  /** Seconds of a node for blocks first..last, with the branch of the last or without. */
  compute(node, first, last, leaves) {
    return this.pieces.seconds(this.data.device[node], first, last, leaves) * this.settings.slowdown[node];
  }

  /** Seconds to encode, send and decode a block's output, or the input; codec -1: sent as it is. */
  transfer(block, codec, from, to) {
    if (from === to) return codec < 0 ? 0 : this.#transfer(block, codec, from, to);
    const { nodes } = this.routes.network;
    const at = (((codec + 1) * (this.pieces.count + 1) + block) * nodes + from) * nodes + to;
    if (Number.isNaN(this.sent[at])) this.sent[at] = this.#transfer(block, codec, from, to);
    return this.sent[at];
  }

  #transfer(block, codec, from, to) {
    if (from === to) return 0;
    const coding = codec < 0 ? this.data.coding : this.data.codecs[codec].coding;
    const { slowdown } = this.settings;
    const encode = coding.encode_s ? coding.encode_s[this.data.device[from]][block] * slowdown[from] : 0;
    const decode = coding.decode_s ? coding.decode_s[this.data.device[to]][block] * slowdown[to] : 0;
    return encode + decode + this.routes.seconds(from, to, this.bytes(block, codec));
  }

  /** Bytes of a block's output, or of the input (0), as it is or by a codec. */
  bytes(block, codec) {
    return codec < 0 ? this.data.payload_bytes[block] : this.data.codecs[codec].bytes[block];
  }

  /** Seconds to send a prediction from a node to the destination. */
  result(node) {
    const { destination } = this.data;
    if (destination < 0) return 0;
    if (Number.isNaN(this.home[node])) {
      this.home[node] = node === destination ? 0 : this.routes.seconds(node, destination, this.data.result_bytes);
    }
    return this.home[node];
  }
}

/** Shares of the samples that go on after each exit of a plan. */
function onwardOf(tables, plan) {
  if (plan.onward) return plan.onward;
  let reach = 1;
  return plan.exits.map((block, place) => {
    if (place === plan.exits.length - 1) return 0;
    const level = plan.thresholds
      ? Math.min(reach, tables.stay_alone[plan.thresholds[place]][block])
      : tables.stay[plan.threshold < 0 ? 0 : plan.threshold][block];
    reach = level;
    return level;
  });
}

/**
 * Call `visit(sort, stage, node, to, first, last, seconds, bytes, reach, onward)` for what a sample passes through, in
 * the order of meeting it; sort is input, compute, result or send. `plan.onward` must be known.
 */
function walk(tables, plan, visit) {
  const { data } = tables;
  const { partition, placement, exits } = plan;
  const start = plan.inputCodec;
  const first = placement[0];
  const size = data.source === first ? 0 : tables.bytes(0, start);
  visit("input", 0, data.source, first, 0, 0, tables.transfer(0, start, data.source, first), size, 1, 1);
  let begin = 0;
  let reach = 1;
  let evaluated = 0;
  for (let stage = 0; stage < partition.length; stage += 1) {
    const node = placement[stage];
    const end = partition[stage];
    while (begin < end) {
      const leaves = evaluated < exits.length && exits[evaluated] <= end;
      const last = leaves ? exits[evaluated] : end;
      const onward = leaves ? plan.onward[evaluated] : reach;
      visit("compute", stage, node, -1, begin + 1, last, tables.compute(node, begin + 1, last, leaves), 0, reach, onward);
      if (leaves) {
        const back = data.destination < 0 || data.destination === node ? 0 : data.result_bytes;
        visit("result", stage, node, data.destination, last, last, tables.result(node), back, reach - onward, 0);
        evaluated += 1;
      }
      begin = last;
      reach = onward;
    }
    if (stage + 1 < partition.length) {
      const codec = plan.codecs ? plan.codecs[stage] : -1;
      const to = placement[stage + 1];
      visit("send", stage, node, to, end, end, tables.transfer(end, codec, node, to), tables.bytes(end, codec), reach, reach);
    }
  }
}

/** Expected seconds of one sample. */
function latencyOf(tables, plan) {
  let total = 0;
  walk(tables, plan, (sort, stage, node, to, first, last, seconds, bytes, reach) => {
    total += reach * seconds;
  });
  return total;
}

/** Expected bytes that one sample sends, each transfer once. */
function bytesOf(tables, plan) {
  let total = 0;
  walk(tables, plan, (sort, stage, node, to, first, last, seconds, bytes, reach) => {
    total += reach * bytes;
  });
  return total;
}

/** The steps of a plan as objects, for those who draw them. */
function stepsOf(tables, plan) {
  const steps = [];
  walk(tables, plan, (sort, stage, node, to, first, last, seconds, bytes, reach, onward) => {
    steps.push({ sort, stage, node, to, first, last, seconds, bytes, reach, onward });
  });
  return steps;
}

/** The plans on the page, from the columns in which they are stored. */
function plansOf(tables, columns) {
  return columns.partition.map((partition, index) => {
    const plan = {
      partition,
      placement: columns.placement[index],
      threshold: columns.threshold[index],
      exits: columns.exits?.[index] ?? (tables.exits === "final" ? partition.slice(-1) : partition),
      thresholds: columns.thresholds?.[index] ?? null,
      codecs: columns.codecs?.[index] ?? null,
      inputCodec: columns.input_codec?.[index] ?? -1,
      onward: columns.onward?.[index] ?? null,
      accuracy: columns.accuracy[index],
      origin: columns.origin[index],
    };
    plan.onward = onwardOf(tables, plan);
    return plan;
  });
}
