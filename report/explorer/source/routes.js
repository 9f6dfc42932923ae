// The quickest routes between nodes: the rule of topologies/quickest_routes.py and the seconds of topologies/route.py.

/** Routes of one network under one setting of its links; routes are searched when they are first asked for. */
class Routes {
  /** @param network nodes (their number), hops {from, to}, forwarding, mtu; bandwidth (B/s) and latency (s) by hop. */
  constructor(network, bandwidth, latency) {
    this.network = network;
    this.bandwidth = bandwidth;
    this.latency = latency;
    this.leaving = Array.from({ length: network.nodes }, () => []);
    network.hops.forEach((hop, index) => this.leaving[hop.from].push(index));
    this.known = new Map();
  }

  /** The hops (indices) from one node to another for a payload in bytes; null where there is no path. */
  hops(from, to, bytes) {
    if (from === to) return [];
    const direct = this.leaving[from].find((index) => this.network.hops[index].to === to);
    if (direct !== undefined) return [direct];
    const key = `${from} ${bytes}`;
    if (!this.known.has(key)) this.known.set(key, this.#search(from, bytes));
    return this.known.get(key).get(to) ?? null;
  }

  /** The seconds of a payload along the route from one node to another; Infinity where there is no path. */
  seconds(from, to, bytes) {
    const hops = this.hops(from, to, bytes);
    if (hops === null) return Infinity;
    let latency = 0;
    let perByte = 0;
    let slowest = Infinity;
    for (const hop of hops) {
      latency += this.latency[hop];
      perByte += 1 / this.bandwidth[hop];
      slowest = Math.min(slowest, this.bandwidth[hop]);
    }
    if (this.network.forwarding === "store") return latency + bytes * perByte;
    const first = Math.min(bytes, this.network.mtu);
    return latency + first * perByte + (bytes - first) / slowest;
  }

  /** The quickest path to every node: `packet` bytes pay every hop, the rest only the slowest one. */
  #search(start, bytes) {
    const packet = this.network.forwarding === "store" ? bytes : Math.min(bytes, this.network.mtu);
    const rest = bytes - packet;
    const widest = new Map();
    const best = new Map();
    const waiting = [{ seconds: 0, path: [start], width: Infinity, hops: [] }];
    while (waiting.length) {
      const label = waiting.splice(leastOf(waiting), 1)[0];
      const here = label.path[label.path.length - 1];
      if (widest.has(here) && (rest <= 0 || label.width <= widest.get(here))) continue;
      widest.set(here, label.width);
      const rank = { seconds: label.seconds + rest / label.width, path: label.path, hops: label.hops };
      if (!best.has(here) || isBefore(rank, best.get(here))) best.set(here, rank);
      for (const index of this.leaving[here]) {
        const { to } = this.network.hops[index];
        const width = Math.min(label.width, this.bandwidth[index]);
        if (widest.has(to) && (rest <= 0 || width <= widest.get(to))) continue;
        const seconds = label.seconds + this.latency[index] + packet / this.bandwidth[index];
        waiting.push({ seconds, path: [...label.path, to], width, hops: [...label.hops, index] });
      }
    }
    return new Map([...best].map(([node, rank]) => [node, rank.hops]));
  }
}

function leastOf(labels) {
  let least = 0;
  for (let index = 1; index < labels.length; index += 1) if (isBefore(labels[index], labels[least])) least = index;
  return least;
}

/** Of several equally quick paths the one with the fewest hops comes first, then the one whose nodes do. */
function isBefore(one, other) {
  if (one.seconds !== other.seconds) return one.seconds < other.seconds;
  if (one.path.length !== other.path.length) return one.path.length < other.path.length;
  for (let index = 0; index < one.path.length; index += 1) {
    if (one.path[index] !== other.path[index]) return one.path[index] < other.path[index];
  }
  return false;
}
