"""Random topologies and profiles, as the plain data of their files: every option of the model, the same by seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from support.reference import Choice, Reference, Score
from tiercut.optimizer.build import build_problem
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.space import Space, make_space
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

NAMES = ("watch", "phone", "tower", "edge", "cloud")
SIZES = (0.0, 1.0, 1500.0, 1501.0, 4000.0, 65536.0, 1e6)


@dataclass(frozen=True)
class Case:
    """One random problem in both forms, and the decisions that count in it."""

    topology: dict[str, Any]
    profile: dict[str, Any]
    exits: str | None
    order: str
    codec: str = "none"

    @cached_property
    def reference(self) -> Reference:
        return Reference(self.topology, self.profile)

    @cached_property
    def problem(self) -> Problem:
        return build_problem(Topology.from_data(self.topology), Profile.from_data(self.profile))

    @cached_property
    def space(self) -> Space:
        return make_space(self.problem, exits=self.exits, order=self.order, codec=self.codec)

    @cached_property
    def decisions(self) -> int:
        """How many there are, as the reference counts them."""
        return self.reference.decisions(self.exits, self.order, self.codec)

    @cached_property
    def scores(self) -> list[Score]:
        """The score of every plan, as the reference has it."""
        return self.reference.scores(self.exits, self.order, self.codec)

    def decision(self, choice: Choice) -> Decision:
        """Return a choice of the reference as a decision of the package."""
        placement = tuple(self.problem.nodes.index(node) for node in choice.placement)
        known = list(self.profile.get("codecs", {}))
        codecs = tuple(None if codec is None else known.index(codec) for codec in choice.codecs if any(choice.codecs))
        entry = None if choice.input_codec is None else known.index(choice.input_codec)
        each = choice.thresholds or None
        return Decision(choice.partition, placement, choice.exits, choice.threshold, each, codecs, entry)

    def choice(self, decision: Decision) -> Choice:
        """Return a decision of the package as a choice of the reference."""
        placement = tuple(self.problem.nodes[v] for v in decision.placement)
        each, known = decision.thresholds or (), self.problem.codecs
        codecs = tuple(None if codec is None else known[codec] for codec in decision.codecs)
        entry = None if decision.input_codec is None else known[decision.input_codec]
        decided = decision.partition, placement, decision.exits, decision.threshold
        return Choice(*decided, codecs or (None,) * (len(placement) - 1), each, entry)


class Draw:
    """Random numbers of the sizes that problems have; `plain` ones make every sum exact, and ties frequent."""

    def __init__(self, seed: int | list[int] | np.random.Generator, plain: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.plain = plain

    def often(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def seconds(self) -> float:
        if self.plain:
            return float(self.rng.integers(3))
        return 0.0 if self.often(0.05) else float(10 ** self.rng.uniform(-5, 0))

    def size(self) -> float:
        if self.plain:
            return float(self.rng.integers(3))
        return self.pick(SIZES) if self.often(0.3) else float(round(10 ** self.rng.uniform(1, 6.5)))

    def bandwidth(self) -> str:
        if self.plain:
            return f"{2 ** int(self.rng.integers(2))} B/s"
        return f"{float(10 ** self.rng.uniform(4, 8))!r} B/s"

    def share(self) -> float:
        return int(self.rng.integers(9)) / 8 if self.plain else float(self.rng.random())

    def drop(self) -> float:
        return self.share() / (16 if self.plain else 10)

    def slowdown(self) -> float:
        return float(2 ** self.rng.integers(2)) if self.plain else float(10 ** self.rng.uniform(-1, 3))


def random_case(seed: int | list[int], *, plain: bool = False, blocks: int = 8, nodes: int = 5) -> Case:
    """Return a random problem: 1..`blocks` blocks on 1..`nodes` nodes."""
    draw = Draw(seed, plain)
    names = [str(name) for name in draw.rng.permutation(NAMES)[: int(draw.rng.integers(1, nodes + 1))]]
    profile = _profile(draw, int(draw.rng.integers(1, blocks + 1)))
    topology = _topology(draw, names, list(profile["devices"]))
    exits = None if "exits" not in profile or draw.often(0.4) else draw.pick(["cuts", "final", "free"])
    return Case(topology, profile, exits, "forward" if draw.often(0.3) else "any")


# The network of nodes


def _topology(draw: Draw, names: list[str], devices: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"format": "tiercut.topology/1", "name": "made"}
    tiers = draw.pick([None, ["near"], ["near", "far"], ["near", "middle", "far"]])
    made["nodes"] = [_node(draw, name, tiers, devices) for name in names]
    if draw.often(0.2) and not draw.plain:
        for node in made["nodes"]:
            node.update(power=f"{draw.size()!r} W", price=f"{draw.size()!r} $/h")
    made["source"] = draw.pick(names)
    if draw.often(0.75):
        made["destination"] = draw.pick([*names, "anywhere"])
    if draw.often(0.5):
        made["forwarding"] = draw.pick(["store", "cut-through"])
    if draw.often(0.5):
        made["mtu"] = draw.pick(["1 B", "1500 B", "4 KB", "9000 B"])
    if draw.often(0.3):
        made["one_partition_per"] = draw.pick(["node", "tier"])
    made["links"] = _links(draw, names, made["source"], made.get("destination", made["source"]))
    _add_waiting_and_radios(draw, made)
    return made


def _add_waiting_and_radios(draw: Draw, made: dict[str, Any]) -> None:
    """Let some nodes wait at a power and have workers, and some links take energy or be half duplex."""
    # A stream of its own, so that the rest of a problem is what it is without.
    more = Draw(0, draw.plain)
    more.rng = draw.rng.spawn(1)[0]
    for node in made["nodes"]:
        if "power" in node and more.often(0.5):
            node["idle_power"] = f"{more.size()!r} W"
        if more.often(0.2):
            node["workers"] = int(more.rng.integers(1, 4))
    for link in made["links"]:
        if more.often(0.2):
            link["energy"] = f"{more.share()!r} J/B"
        if more.often(0.3):
            link["duplex"] = "half"


def _node(draw: Draw, name: str, tiers: list[str] | None, devices: list[str]) -> dict[str, Any]:
    node: dict[str, Any] = {"name": name}
    if tiers is not None and draw.often(0.9):
        node["tier"] = draw.pick(tiers)
    if draw.often(0.6):
        node["slowdown"] = draw.slowdown()
    if draw.often(0.6):
        node["device"] = draw.pick(devices)
    return node


def _links(draw: Draw, names: list[str], source: str, destination: str) -> list[dict[str, Any]]:
    """Draw links until every node can be reached and can answer; a chain of two-way links where none are found."""
    density = draw.pick([0.3, 0.6, 1.0])
    for _ in range(5):
        links = _some_links(draw, names, density)
        if _fits(links, names, source, destination):
            return links
    return [_link(draw, {"between": [a, b]}) for a, b in pairwise(names)]


def _some_links(draw: Draw, names: list[str], density: float) -> list[dict[str, Any]]:
    links = []
    for a in names:
        for b in names[names.index(a) + 1 :]:
            if draw.often(0.5):
                links += [_link(draw, {"between": [a, b]})] if draw.often(density) else []
                continue
            links += [_link(draw, {"from": a, "to": b})] if draw.often(density) else []
            links += [_link(draw, {"from": b, "to": a})] if draw.often(density) else []
    return links


def _link(draw: Draw, ends: dict[str, Any]) -> dict[str, Any]:
    price = {"price": f"{draw.size()!r} $/GB"} if draw.often(0.5) and not draw.plain else {}
    return {**ends, "bandwidth": draw.bandwidth(), "latency": f"{draw.seconds()!r} s", **price}


def _fits(links: list[dict[str, Any]], names: list[str], source: str, destination: str) -> bool:
    ways = {(link["from"], link["to"]) for link in links if "from" in link}
    ways |= {tuple(link["between"]) for link in links if "between" in link}
    ways |= {tuple(reversed(link["between"])) for link in links if "between" in link}
    back = {(b, a) for a, b in ways}
    wanted = set(names)
    return _seen(source, ways) == wanted and (destination == "anywhere" or _seen(destination, back) == wanted)


def _seen(start: str, ways: set[tuple[str, str]]) -> set[str]:
    seen = {start}
    while new := {b for a, b in ways if a in seen} - seen:
        seen |= new
    return seen


# What was measured


def _profile(draw: Draw, count: int) -> dict[str, Any]:
    made: dict[str, Any] = {"format": "tiercut.profile/1", "model": "made", "input_bytes": draw.size()}
    if draw.often(0.7):
        made["result_bytes"] = draw.size()
    made["blocks"] = [{"name": f"b{i}", "output_bytes": draw.size()} for i in range(1, count + 1)]
    if draw.often(0.5):
        made["blocks"][-1]["output_bytes"] = None
    branches = [True] * count
    if draw.often(0.75):
        if draw.often(0.4):
            branches = [draw.often(0.6) for _ in range(count - 1)] + [True]
        made["exits"] = _exits(draw, branches)
    else:
        branches = [False] * (count - 1) + [True]
        if draw.often(0.8):
            made["accuracy"] = draw.share()
    names = ["pi", "gpu", "tpu"][: int(draw.rng.integers(1, 4))]
    made["devices"] = {name: _device(draw, branches) for name in names}
    if draw.often(0.5):
        made["reference"] = draw.pick(names)
    if draw.often(0.4):
        made["codecs"] = {
            name: _codec(draw, count, names) for name in ("half", "quarter")[: int(draw.rng.integers(1, 3))]
        }
    return made


def _codec(draw: Draw, count: int, devices: list[str]) -> dict[str, Any]:
    """Draw another form of what crosses cuts, but for some of them; the last block's output is never sent."""
    sizes = [None if draw.often(0.2) else draw.size() for _ in range(1, count)]
    made: dict[str, Any] = {"bytes": sizes}
    for key in ("encode_s", "decode_s"):
        made[key] = {name: [None if size is None else draw.seconds() for size in sizes] for name in devices}
    if draw.often(0.7):
        made["accuracy_drop"] = [None if size is None else draw.drop() for size in sizes]
    return _with_input(Draw(draw.rng.spawn(1)[0], draw.plain), made)


def _with_input(draw: Draw, made: dict[str, Any]) -> dict[str, Any]:
    """Put what a codec makes of the input before what it makes of outputs, by random numbers of their own."""
    size = None if draw.often(0.3) else draw.size()

    def before(values: list[Any], value: Any) -> list[Any]:
        return [None if size is None else value, *values]

    codings = {
        key: {name: before(values, draw.seconds()) for name, values in made[key].items()}
        for key in ("encode_s", "decode_s")
    }
    drops = {"accuracy_drop": before(made["accuracy_drop"], draw.drop())} if "accuracy_drop" in made else {}
    return {"bytes": before(made["bytes"], size), **codings, **drops}


def _exits(draw: Draw, branches: list[bool]) -> dict[str, Any]:
    thresholds = int(draw.rng.integers(1, 4))
    made: dict[str, Any] = {
        "thresholds": sorted(float(each) for each in draw.rng.choice(np.arange(1, 20), thresholds, replace=False) / 20),
        "accuracy": [draw.share() if branch else None for branch in branches],
    }
    kind = draw.pick(["together", "alone", "both"])
    if kind != "alone":
        made["exit_rate"] = [_rates(draw, branches) for _ in range(thresholds)]
    if kind != "together":
        made["exit_rate_alone"] = [[draw.share() if branch else 0.0 for branch in branches] for _ in range(thresholds)]
    return made


def _rates(draw: Draw, branches: list[bool]) -> list[float]:
    """Return rates that sum to 1: no sample leaves at some branches, and sometimes all do before the end."""
    if draw.plain:
        shots = draw.rng.choice(np.flatnonzero(branches), 4)
        return [float(np.count_nonzero(shots == i)) / 4 for i in range(len(branches))]
    weights = draw.rng.random(len(branches)) * (draw.rng.random(len(branches)) < 0.7) * branches
    if weights.sum() == 0:
        weights[-1] = 1.0
    return [float(each) for each in weights / weights.sum()]


def _device(draw: Draw, branches: list[bool]) -> dict[str, Any]:
    count = len(branches)
    made: dict[str, Any] = {}
    blocks = [draw.seconds() for _ in range(count)]
    times = [draw.seconds() if branch else None for branch in branches]
    if draw.often(0.7):
        made["branch_s"] = times
        if draw.often(0.2):
            made["branch_s"] = [None if draw.often(0.4) else each for each in times]
    spans = draw.often(0.3)
    if not spans or draw.often(0.3):
        made["block_s"] = blocks
    if spans:
        over = 0.0 if draw.plain else draw.seconds()
        made["span_s"] = [
            [sum(blocks[i : j + 1]) + (times[j] or 0.0) + over for j in range(i, count)] for i in range(count)
        ]
    for key in ("encode_s", "decode_s"):
        if draw.often(0.4):
            made[key] = [None if draw.often(0.1) else draw.seconds() for _ in range(count + int(draw.often(0.5)))]
    return made
