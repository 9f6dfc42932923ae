// Every decision of a space that is small enough: what it is, its accuracy, and its latency under any setting.

/** All decisions of `space`: partitions x placements x thresholds, in a fixed order. */
class Everything {
  constructor(tables, space) {
    this.tables = tables;
    this.early = tables.exits === "cuts";
    this.groups = [];
    this.count = 0;
    for (let parts = space.fewest; parts <= space.most; parts += 1) {
      const partitions = this.early ? subsets(space.ends, parts) : subsets(space.cuts, parts - 1).map((cuts) => [...cuts, space.last]);
      const placements = placementsOf(tables, space, parts);
      const thresholds = this.early && parts > 1 ? tables.stay.length : 1;
      if (!partitions.length || !placements.length) continue;
      this.groups.push({ parts, partitions, placements, thresholds, begin: this.count });
      this.count += partitions.length * placements.length * thresholds;
    }
    this.cost = new Float64Array(this.count);
    this.goal = new Float64Array(this.count);
    this.known = tables.accuracy.some((each) => each !== null);
    if (this.known) this.#accuracies();
  }

  /** Take the bytes that are sent as what the latency is traded against, where no accuracies are known. */
  countBytes(tables) {
    for (let index = 0; index < this.count; index += 1) this.goal[index] = -bytesOf(tables, this.plan(index));
  }

  /** Fill `cost` with the latency of every decision. */
  score(tables) {
    const { stay } = this.tables;
    for (const group of this.groups) {
      const { parts, partitions, placements, thresholds } = group;
      const compute = new Float64Array(parts);
      const send = new Float64Array(parts);
      const home = new Float64Array(parts);
      let at = group.begin;
      for (const partition of partitions) {
        for (const placement of placements) {
          const input = tables.transfer(0, -1, this.tables.source, placement[0]);
          for (let k = 0; k < parts; k += 1) {
            const last = k === parts - 1;
            compute[k] = tables.compute(placement[k], k ? partition[k - 1] + 1 : 1, partition[k], this.early || last);
            send[k] = last ? 0 : tables.transfer(partition[k], -1, placement[k], placement[k + 1]);
            home[k] = tables.result(placement[k]);
          }
          for (let t = 0; t < thresholds; t += 1) {
            let total = input;
            let reach = 1;
            for (let k = 0; k < parts; k += 1) {
              const last = k === parts - 1;
              const onward = last ? 0 : this.early ? stay[t][partition[k]] : 1;
              total += reach * compute[k];
              if (this.early || last) total += (reach - onward) * home[k];
              if (!last) total += onward * send[k];
              reach = onward;
            }
            this.cost[at] = total;
            at += 1;
          }
        }
      }
    }
  }

  /** The plan of a decision. */
  plan(index) {
    const group = this.groups.findLast((each) => each.begin <= index);
    const place = index - group.begin;
    const threshold = place % group.thresholds;
    const rest = Math.floor(place / group.thresholds);
    const partition = group.partitions[Math.floor(rest / group.placements.length)];
    const plan = {
      partition,
      placement: group.placements[rest % group.placements.length],
      threshold: group.thresholds > 1 ? threshold : -1,
      exits: this.early ? partition : partition.slice(-1),
      thresholds: null,
      codecs: null,
      inputCodec: -1,
      onward: null,
      accuracy: this.known ? this.goal[index] : null,
      origin: "all",
    };
    plan.onward = onwardOf(this.tables, plan);
    return plan;
  }

  #accuracies() {
    const { stay, accuracy, leavers, blocks } = this.tables;
    const count = blocks.length;
    for (const group of this.groups) {
      let at = group.begin;
      for (const partition of group.partitions) {
        const right = new Float64Array(group.thresholds);
        for (let t = 0; t < group.thresholds; t += 1) {
          let reach = 1;
          let before = 0;
          for (let k = 0; k < group.parts; k += 1) {
            const last = k === group.parts - 1;
            if (!this.early && !last) continue;
            const block = partition[k];
            const onward = last ? 0 : stay[t][block];
            const share = leavers ? leavers[t][(before * count + block - 1) * 2 + (last ? 1 : 0)] : accuracy[block - 1];
            right[t] += (reach - onward) * (share ?? 0);
            before = block;
            reach = onward;
          }
        }
        for (let p = 0; p < group.placements.length; p += 1) {
          for (let t = 0; t < group.thresholds; t += 1) {
            this.goal[at] = right[t];
            at += 1;
          }
        }
      }
    }
  }
}

/** All subsets of so many of `items`, in the order of the items. */
function subsets(items, size) {
  if (size === 0) return [[]];
  const found = [];
  const chosen = [];
  const grow = (from) => {
    if (chosen.length === size) {
      found.push([...chosen]);
      return;
    }
    for (let index = from; index <= items.length - (size - chosen.length); index += 1) {
      chosen.push(items[index]);
      grow(index + 1);
      chosen.pop();
    }
  };
  grow(0);
  return found;
}

/** All orders of so many nodes that the space admits: one of each group, ranks that never fall, a path between them. */
function placementsOf(tables, space, size) {
  const found = [];
  const grow = (chosen) => {
    if (chosen.length === size) {
      found.push(chosen);
      return;
    }
    const before = chosen.length ? chosen[chosen.length - 1] : tables.source;
    for (let node = 0; node < tables.nodes.length; node += 1) {
      const taken = chosen.some((each) => space.group[each] === space.group[node]);
      const falls = chosen.length && space.rank[node] < space.rank[before];
      if (!taken && !falls && space.linked[before][node]) grow([...chosen, node]);
    }
  };
  grow([]);
  return found;
}

/**
 * Indices on the Pareto frontier, quickest first: `goal` is greatest accuracy. `order` lists the indices by falling
 * goal, which does not change with the settings.
 */
function frontierOf(cost, goal, order) {
  const kept = [];
  let least = Infinity;
  for (let place = 0; place < order.length; place += 1) {
    const index = order[place];
    if (!(cost[index] < least)) continue;
    if (kept.length && goal[kept[kept.length - 1]] - goal[index] <= 1e-12) kept.pop();
    least = cost[index];
    kept.push(index);
  }
  return kept.reverse();
}

/** Indices by falling goal, the first of equal ones first. */
function orderBy(goal) {
  return Uint32Array.from(goal.keys()).sort((a, b) => goal[b] - goal[a] || a - b);
}

/** The index with the least cost among those with at least `least` of the goal; -1 where there is none. */
function bestOf(cost, goal, least) {
  let best = -1;
  for (let index = 0; index < cost.length; index += 1) {
    if (goal[index] < least - 1e-9 || !(cost[index] < Infinity)) continue;
    if (best < 0 || cost[index] < cost[best] || (cost[index] === cost[best] && goal[index] > goal[best])) best = index;
  }
  return best;
}
