"""A second scorer, in plain Python, written from the definition of the performance model and from nothing else.

It reads topologies and profiles as the plain data that stands in their files, so that the tables which the package
makes of them are checked as well, and it prefers being obvious to being quick: routes are found by trying every path,
decisions by trying every subset. Nothing here imports tiercut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise, permutations, product
from math import comb, inf
from typing import Any

from support.reference_leavers import accuracy_of_leavers

SLACK = 1e-9  # by which a bound may be missed
GAIN = 1e-12  # by which a point of the frontier must beat all quicker ones in accuracy

FACTORS = {
    "b/s": 1 / 8,
    "kb/s": 1e3 / 8,
    "Mb/s": 1e6 / 8,
    "Gb/s": 1e9 / 8,
    "B/s": 1.0,
    "MB/s": 1e6,
    "s": 1.0,
    "ms": 1e-3,
    "B": 1.0,
    "KB": 1e3,
    "W": 1.0,
    "J/B": 1.0,
    "$/h": 1 / 3600,
    "$/GB": 1e-9,
}


def number_of(quantity: str) -> float:
    """Return a quantity in seconds, bytes, watts, dollars or what these make over each other."""
    number, unit = quantity.split()
    return float(number) * FACTORS[unit]


@dataclass(frozen=True)
class Choice:
    """A decision: 1-based ends of partitions, names of nodes, 1-based exits, index of the threshold or None.

    Codecs are named cut by cut, None where the output is sent as it is; empty: none at all. Where each exit has a
    threshold of its own, `thresholds` has the index of each but the last. `input_codec` encodes the input.
    """

    partition: tuple[int, ...]
    placement: tuple[str, ...]
    exits: tuple[int, ...]
    threshold: int | None
    codecs: tuple[str | None, ...] = ()
    thresholds: tuple[int, ...] = ()
    input_codec: str | None = None

    def codec(self, cut: int) -> str | None:
        return self.codecs[cut] if self.codecs else None


@dataclass(frozen=True)
class Part:
    """One partition of a scored decision, told as an answer tells its stages."""

    node: str
    blocks: tuple[int, int]
    reach: float
    exit_rate: float
    compute_s: float
    result_s: float
    send_to: str | None
    send_bytes: float
    send_s: float
    input_bytes: float = 0.0  # that come to the first from the source


@dataclass(frozen=True)
class Score:
    """The values of a decision; accuracy, energy and cost are None where the files do not say what they need."""

    choice: Choice
    latency: float
    accuracy: float | None
    bytes_sent: float
    energy: float | None
    cost: float | None
    input_s: float
    parts: tuple[Part, ...]
    dropped: float = 0.0  # of the accuracy, by codecs, also where it is not known


class Reference:
    """One network on one topology, both as plain data.

    Accuracies are those of the formula, or of who really leaves: told by nested hits, or counted among recorded samples
    (a list of entropies and a list of hits for each).
    """

    def __init__(
        self,
        topology: dict[str, Any],
        profile: dict[str, Any],
        estimator: str = "marginal",
        samples: Sequence[tuple[list[float], list[bool]]] = (),
    ) -> None:
        self.estimator, self.samples = estimator, samples
        self.topology = topology
        self.profile = profile
        self.nodes = [node["name"] for node in topology["nodes"]]
        self.tier = {node["name"]: node.get("tier", node["name"]) for node in topology["nodes"]}
        self.slowdown = {node["name"]: node.get("slowdown", 1.0) for node in topology["nodes"]}
        self.source = topology["source"]
        self.destination = topology.get("destination", self.source)
        self.blocks = len(profile["blocks"])
        self.exits = profile.get("exits")
        self._ways: dict[tuple[str, str, float], tuple[tuple[str, ...], float] | None] = {}

    # What stands in the files

    @cached_property
    def hops(self) -> dict[tuple[str, str], tuple[float, float, float]]:
        """Latency, bandwidth and price of a byte in each direction that has a link."""
        found = {}
        for link in self.topology["links"]:
            ends = link.get("between") or [link["from"], link["to"]]
            price = number_of(link.get("price", "0 $/GB"))
            way = (number_of(link["latency"]), number_of(link["bandwidth"]), price)
            found[ends[0], ends[1]] = way
            if "between" in link:
                found[ends[1], ends[0]] = way
        return found

    @cached_property
    def watts(self) -> dict[str, float]:
        """What nodes draw while computing, of those that say so."""
        return {node["name"]: number_of(node["power"]) for node in self.topology["nodes"] if "power" in node}

    @cached_property
    def prices(self) -> dict[str, float]:
        """Dollars per second of computing, of the nodes that say so."""
        return {node["name"]: number_of(node["price"]) for node in self.topology["nodes"] if "price" in node}

    @cached_property
    def device_name(self) -> dict[str, str]:
        """The device whose times each node uses."""
        reference = self.profile.get("reference") or next(iter(self.profile["devices"]))
        return {node["name"]: node.get("device") or reference for node in self.topology["nodes"]}

    @cached_property
    def device(self) -> dict[str, dict[str, Any]]:
        """The record of times that each node uses."""
        return {node: self.profile["devices"][name] for node, name in self.device_name.items()}

    @cached_property
    def branches(self) -> list[int]:
        """Blocks (1-based) after which a branch hangs; the last one always has the backbone's own."""
        if self.exits is None:
            return [self.blocks]
        return [i for i, accuracy in enumerate(self.exits["accuracy"], 1) if accuracy is not None]

    def payload(self, block: int) -> float:
        """Return the bytes of a block's output, or of the input for block 0."""
        if block == 0:
            return self.profile["input_bytes"]
        return self.profile["blocks"][block - 1]["output_bytes"] or 0

    def accuracy_of(self, branch: int) -> float | None:
        """Return the accuracy of a branch over all samples, or None where it is not known."""
        if self.exits is not None:
            return self.exits["accuracy"][branch - 1]
        return self.profile.get("accuracy")

    # Seconds

    def path_seconds(self, path: Sequence[str], size: float) -> float:
        """Return the seconds that a payload takes along a path of nodes."""
        hops = [self.hops[pair] for pair in pairwise(path)]
        if not hops:
            return 0.0
        if self.topology.get("forwarding", "store") == "store":
            return sum(latency + size / bandwidth for latency, bandwidth, _ in hops)
        mtu = number_of(self.topology.get("mtu", "1500 B"))
        first = sum(min(mtu, size) / bandwidth for _, bandwidth, _ in hops)
        rest = max(0.0, size - mtu) / min(bandwidth for _, bandwidth, _ in hops)
        return sum(latency for latency, _, _ in hops) + first + rest

    def _paths(self, sender: str, receiver: str) -> Iterator[tuple[str, ...]]:
        between = [node for node in self.nodes if node not in (sender, receiver)]
        for count in range(len(between) + 1):
            for middle in permutations(between, count):
                path = (sender, *middle, receiver)
                if all(pair in self.hops for pair in pairwise(path)):
                    yield path

    def way(self, sender: str, receiver: str, size: float) -> tuple[tuple[str, ...], float] | None:
        """Return the direct link, else the quickest path, and its seconds; None where there is no route."""
        key = (sender, receiver, size)
        if key not in self._ways:
            self._ways[key] = self._way(*key)
        return self._ways[key]

    def _way(self, sender: str, receiver: str, size: float) -> tuple[tuple[str, ...], float] | None:
        if sender == receiver:
            return (sender,), 0.0
        if (sender, receiver) in self.hops:
            return (sender, receiver), self.path_seconds((sender, receiver), size)
        found = [(path, self.path_seconds(path, size)) for path in self._paths(sender, receiver)]
        return min(found, key=lambda each: each[1], default=None)

    def way_seconds(self, sender: str, receiver: str, size: float) -> float | None:
        """Return the seconds that a payload takes from one node to another; None where there is no route."""
        way = self.way(sender, receiver, size)
        return None if way is None else way[1]

    def way_dollars(self, sender: str, receiver: str, size: float) -> float:
        """Return what the same transfer costs."""
        way = self.way(sender, receiver, size)
        return 0.0 if way is None else size * sum(self.hops[pair][2] for pair in pairwise(way[0]))

    def coding(self, node: str, key: str, block: int) -> float:
        """Return the seconds that a node needs to encode or decode a block's output; nothing where not recorded."""
        values = self.device[node].get(key) or []
        seconds = values[block] if block < len(values) else None
        return 0.0 if seconds is None else seconds * self.slowdown[node]

    def send_seconds(self, block: int, sender: str, receiver: str) -> float:
        """Return the seconds to hand a block's output (the input: 0) from one node to another; inf: impossible."""
        if sender == receiver:
            return 0.0
        way = self.way_seconds(sender, receiver, self.payload(block))
        if way is None:
            return inf
        return self.coding(sender, "encode_s", block) + way + self.coding(receiver, "decode_s", block)

    def coded(self, codec: str | None, block: int, sender: str, receiver: str) -> tuple[float, float, float]:
        """Return bytes, seconds and fall in accuracy of what leaves a cut, as it is or through a codec."""
        if codec is None:
            return self.payload(block), self.send_seconds(block, sender, receiver), 0.0
        record, ends = self.profile["codecs"][codec], (("encode_s", sender), ("decode_s", receiver))
        size = record["bytes"][block]
        seconds = [record[key][self.device_name[node]][block] * self.slowdown[node] for key, node in ends]
        way = self.way_seconds(sender, receiver, size)
        drop = record.get("accuracy_drop", [0.0] * (block + 1))[block]
        return size, inf if way is None else seconds[0] + way + seconds[1], drop

    def result_seconds(self, node: str) -> float:
        """Return the seconds to send a prediction to the destination."""
        if self.destination in ("anywhere", node):
            return 0.0
        way = self.way_seconds(node, self.destination, self.profile.get("result_bytes", 0))
        return inf if way is None else way

    def branch_seconds(self, node: str, branch: int) -> float:
        """Return the seconds of a branch on a node; 0 where they are not recorded."""
        values = self.device[node].get("branch_s")
        seconds = values[branch - 1] if values is not None else None
        return 0.0 if seconds is None else seconds * self.slowdown[node]

    def piece_seconds(self, node: str, first: int, last: int, with_branch: bool) -> float:
        """Return the seconds to run blocks first..last on a node in one go, ending in the branch or not."""
        device, branch = self.device[node], self.branch_seconds(node, last)
        if device.get("span_s") is not None:
            whole = device["span_s"][first - 1][last - first] * self.slowdown[node]
            return whole if with_branch else whole - branch
        blocks = sum(device["block_s"][first - 1 : last]) * self.slowdown[node]
        return blocks + branch if with_branch else blocks

    def compute_seconds(self, node: str, first: int, last: int, choice: Choice) -> list[tuple[float, float]]:
        """Return (stay rate at its first block, seconds) of every span of a partition."""
        inside = [e for e in choice.exits if first <= e < last]
        ends = [*inside, last]
        begins = [first, *(e + 1 for e in inside)]
        return [
            (self.stay(choice, begin - 1), self.piece_seconds(node, begin, end, end in choice.exits))
            for begin, end in zip(begins, ends, strict=True)
        ]

    # Shares

    def gone(self, threshold: int, block: int) -> float:
        """Return the fraction of samples that have left by a branch of the full configuration."""
        assert self.exits is not None
        if "exit_rate" in self.exits:
            return sum(self.exits["exit_rate"][threshold][:block])
        return max((self.exits["exit_rate_alone"][threshold][i - 1] for i in self.branches if i <= block), default=0.0)

    def stay(self, choice: Choice, block: int) -> float:
        """Return the share of samples that go on after a block, the exits of a choice asked."""
        if block >= choice.exits[-1]:
            return 0.0
        asked = [e for e in choice.exits if e <= block]
        if not asked:
            return 1.0
        if choice.thresholds:
            return 1.0 - max(self.alone("exit_rate_alone", *each) for each in self.own_thresholds(choice, len(asked)))
        assert choice.threshold is not None
        return max(0.0, 1.0 - self.gone(choice.threshold, asked[-1]))  # rates may sum to 1 and a rounding

    def alone(self, key: str, branch: int, threshold: int) -> float:
        """Return the share of samples that leave at a branch asked by itself (and are right there)."""
        assert self.exits is not None
        return self.exits[key][threshold][branch - 1]

    def own_thresholds(self, choice: Choice, count: int) -> list[tuple[int, int]]:
        """Return the first exits of a choice, each with the index of its threshold."""
        exits = choice.exits[:count]
        if choice.thresholds:
            return list(zip(exits, choice.thresholds, strict=False))
        assert choice.threshold is not None or count == 0
        return [(branch, choice.threshold or 0) for branch in exits]

    # The score

    def possible(self, choice: Choice) -> bool:
        """Return whether there is a path from the source to the first node, and from each to the next."""
        nodes = (self.source, *choice.placement)
        return all(self.way_seconds(u, v, 0.0) is not None for u, v in pairwise(nodes))

    def score(self, choice: Choice) -> Score:
        """Return the values of a choice."""
        firsts = [1, *(last + 1 for last in choice.partition[:-1])]
        size, input_s, dropped = self.coded(choice.input_codec, 0, self.source, choice.placement[0])
        latency, parts = input_s, list[Part]()
        bytes_sent = size if choice.placement[0] != self.source else 0.0
        for k, (node, first, last) in enumerate(zip(choice.placement, firsts, choice.partition, strict=True)):
            spans = self.compute_seconds(node, first, last, choice)
            reach, onward = self.stay(choice, first - 1), self.stay(choice, last)
            exit_rate = reach - onward
            result_s = self.result_seconds(node) if any(first <= e <= last for e in choice.exits) else 0.0
            following = choice.placement[k + 1] if k + 1 < len(choice.placement) else None
            send_bytes = send_s = 0.0
            if following is not None:
                send_bytes, send_s, drop = self.coded(choice.codec(k), last, node, following)
                dropped += onward * drop
            latency += sum(share * seconds for share, seconds in spans)
            latency += exit_rate * result_s + onward * send_s
            bytes_sent += onward * send_bytes
            if self.destination not in ("anywhere", node):
                bytes_sent += exit_rate * self.profile.get("result_bytes", 0)
            compute_s = sum(share * seconds for share, seconds in spans) / reach if reach else spans[0][1]
            sent = following, send_bytes, send_s, 0.0 if parts else size
            parts.append(Part(node, (first, last), reach, exit_rate, compute_s, result_s, *sent))
        accuracy = self._accuracy(choice)
        accuracy = None if accuracy is None else accuracy - dropped
        from support.reference_measures import dollars, joules  # which takes scores from here

        energy = None if len(self.watts) < len(self.nodes) else sum(joules(self, parts, latency).values())
        return Score(
            choice, latency, accuracy, bytes_sent, energy, dollars(self, parts), input_s, tuple(parts), dropped
        )

    def _accuracy(self, choice: Choice) -> float | None:
        total = 0.0
        for place, (before, branch) in enumerate(zip((0, *choice.exits), choice.exits, strict=False)):
            accuracy = accuracy_of_leavers(self, choice, place)
            if accuracy is None:
                return None
            total += (self.stay(choice, before) - self.stay(choice, branch)) * accuracy
        return total

    # All decisions

    def rule(self, exits: str | None) -> str:
        """Return where exits may stand, the default filled in."""
        return exits or ("cuts" if self.exits is not None else "final")

    def partitions(self, exits: str | None) -> Iterator[tuple[int, ...]]:
        """Yield every way to cut: each partition ending in a branch; or anywhere, untrimmed; or anywhere and freely."""
        if self.rule(exits) == "cuts":
            for count in range(1, len(self.branches) + 1):
                yield from combinations(self.branches, count)
            return
        for last in self.branches if self.rule(exits) == "free" else [self.blocks]:
            for count in range(last):
                for cuts in combinations(range(1, last), count):
                    yield (*cuts, last)

    def exit_sets(self, exits: str | None, partition: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the sets of exits that may go with a partition; the last block that is used has one."""
        if self.rule(exits) == "cuts":
            yield partition
        elif self.rule(exits) == "final":
            yield partition[-1:]
        else:
            before = [branch for branch in self.branches if branch < partition[-1]]
            for count in range(len(before) + 1):
                for used in combinations(before, count):
                    yield (*used, partition[-1])

    def placements(self, count: int, order: str) -> Iterator[tuple[str, ...]]:
        """Yield every placement of so many partitions that the order and the rule for tiers admit."""
        tiers = list(dict.fromkeys(self.tier[node] for node in self.nodes))
        for placement in permutations(self.nodes, count):
            used = [self.tier[node] for node in placement]
            if self.topology.get("one_partition_per", "node") == "tier" and len(set(used)) < count:
                continue
            places = [tiers.index(tier) for tier in used]
            if order == "any" or places == sorted(places):
                yield placement

    def threshold_indices(self, exits: str | None) -> int:
        """Return by how many thresholds decisions are counted."""
        return len(self.exits["thresholds"]) if self.exits is not None and self.rule(exits) != "final" else 1

    def codecs_of(self, block: int, receiver: str | None = None) -> list[str | None]:
        """Return what may encode a block's output, or the input (0) on its way to a node; None among it."""
        known = {} if receiver == self.source else self.profile.get("codecs", {})
        return [None, *(name for name, codec in known.items() if codec["bytes"][block] is not None)]

    def decisions(self, exits: str | None, order: str, codec: str = "none") -> int:
        """Return how many decisions are admitted: every threshold, every codec at a cut, those of the input for it."""
        auto, total = codec == "auto", 0
        at_cut = 1 + len(self.profile.get("codecs", {})) if auto else 1
        for count in range(1, len(self.nodes) + 1):
            entries = sum(len(self.codecs_of(0, nodes[0])) if auto else 1 for nodes in self.placements(count, order))
            if self.rule(exits) == "cuts":
                cuts = comb(len(self.branches), count)
            elif self.rule(exits) == "final":
                cuts = comb(self.blocks - 1, count - 1)
            else:
                cuts = sum(comb(last - 1, count - 1) * 2**place for place, last in enumerate(self.branches))
            total += cuts * entries * at_cut ** (count - 1)
        return total * self.threshold_indices(exits)

    def choices(
        self, exits: str | None, order: str, codec: str = "none", *, per_exit: bool = False
    ) -> Iterator[Choice]:
        """Yield every plan once: thresholds without effect are None."""
        for choice in self._plain_choices(exits, order, per_exit):
            at = [self.codecs_of(0, choice.placement[0]), *(self.codecs_of(cut) for cut in choice.partition[:-1])]
            for entry, *codecs in product(*([[None]] * len(at) if codec == "none" else at)):
                yield replace(choice, codecs=tuple(codecs), input_codec=entry)

    def _plain_choices(self, exits: str | None, order: str, per_exit: bool) -> Iterator[Choice]:
        for partition in self.partitions(exits):
            for placement in self.placements(len(partition), order):
                for used in self.exit_sets(exits, partition):
                    if per_exit and len(used) > 1:
                        for each in product(range(self.threshold_indices(exits)), repeat=len(used) - 1):
                            yield Choice(partition, placement, used, None, thresholds=each)
                        continue
                    indices: Sequence[int | None] = range(self.threshold_indices(exits)) if len(used) > 1 else [None]
                    for threshold in indices:
                        yield Choice(partition, placement, used, threshold)

    def scores(self, exits: str | None, order: str, codec: str = "none") -> list[Score]:
        """Return the score of every plan that has a path."""
        return [self.score(choice) for choice in self.choices(exits, order, codec) if self.possible(choice)]

    def tie_key(self, score: Score) -> tuple[Any, ...]:
        """Return what decides among equals."""
        choice = score.choice
        placement = tuple(self.nodes.index(node) for node in choice.placement)
        threshold = -1 if choice.threshold is None else choice.threshold
        accuracy = -score.dropped if score.accuracy is None else score.accuracy
        known = [None, *self.profile.get("codecs", {})]
        codecs = tuple(known.index(each) for each in (choice.input_codec, *choice.codecs))
        decision = len(placement), choice.partition, placement, choice.exits, choice.thresholds, codecs, threshold
        return score.latency, -accuracy, *decision

    def ranked(self, scores: list[Score], objective: str) -> list[Score]:
        """Return scores best first, equals in the project's order."""
        return sorted(scores, key=lambda score: (goal(score, objective), *self.tie_key(score)))

    def frontier(self, scores: list[Score], objective: str) -> list[Score]:
        """Return the scores that beat all cheaper ones in accuracy, cheapest first."""
        traded = "latency" if objective == "accuracy" else objective
        ordered = sorted(scores, key=lambda each: (goal(each, traded), -(each.accuracy or 0.0), *self.tie_key(each)))
        kept, best = list[Score](), -inf
        for score in ordered:
            accuracy = score.accuracy or 0.0
            if accuracy > best + GAIN:
                kept.append(score)
            best = max(best, accuracy)
        return kept


def goal(score: Score, objective: str) -> float:
    if objective == "accuracy":
        return -(score.accuracy or 0.0)
    value = {"latency": score.latency, "bytes": score.bytes_sent, "energy": score.energy, "cost": score.cost}[objective]
    assert value is not None
    return value


def within(scores: list[Score], min_accuracy: float | None, max_latency: float | None) -> list[Score]:
    """Return the scores that hold both bounds, with the slack that a bound has."""
    return [
        score
        for score in scores
        if (max_latency is None or score.latency <= max_latency + SLACK)
        and (min_accuracy is None or (score.accuracy or 0.0) >= min_accuracy - SLACK)
    ]
