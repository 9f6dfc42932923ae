"""How common the Joint model's four cases are (section 3.3), over many conditions and bounds.

I: cutting the last blocks off is best, without any early exit. II: several exits beat every single one. III: a later
partition runs on an earlier machine, and every other placement is slower. IV: where the result is wanted moves the
plan.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

import numpy as np
import pandas as pd

import tiercut
from tiercut import Plan, Profile, Query, Topology

__all__ = [
    "BANDWIDTHS",
    "CASES",
    "SPEEDS",
    "Condition",
    "Frontier",
    "conditions",
    "destinations",
    "examples",
    "questions",
    "shares",
    "third_and_fourth",
]

CASES = {"I": "trimmed alone", "II": "several exits", "III": "backward", "IV": "destination moves it"}

ENDS = {"mobile": ("watch", "phone", "cloud"), "iot": ("raspberry", "micro", "global")}
"""Of each topology: its device, the machine that the device is linked to, and the last one."""

SPEEDS, BANDWIDTHS = (1, 2, 5, 10, 25), (1, 3, 10, 30)
"""How many times as fast the device is, and as wide its link, as the paper says."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A topology of the paper with a better device or a better link, or both.

    Parameters
    ----------
    topology
        ``mobile`` or ``iot``.
    speed
        How many times as fast the device is.
    bandwidth
        How many times as wide the device's link is.
    reference
        How many times as fast as the machine that was recorded the reference is, of which all machines have a slowdown.
    """

    topology: str
    speed: float = 1.0
    bandwidth: float = 1.0
    reference: float = 1.0

    def load(self, destination: str | None = None) -> Topology:
        """Return the topology, with the result wanted at the device or at another node."""
        plain = _plain(self.topology)
        device, neighbour, _ = ENDS[self.topology]
        slowdown = {node.name: (node.slowdown or 1.0) / self.reference for node in plain.nodes}
        slowdown[device] /= self.speed
        width = next(link.bandwidth for link in plain.links if link.between == (device, neighbour))
        return plain.with_changes(
            slowdown=slowdown,
            bandwidth={f"{device}-{neighbour}": width * self.bandwidth},
            destination=destination or device,
        )

    def __str__(self) -> str:
        every = "" if self.reference == 1 else f"reference x{self.reference:g}, "
        return f"{self.topology}, {every}device x{self.speed:g}, link x{self.bandwidth:g}"


@cache
def _plain(topology: str) -> Topology:
    return tiercut.load_topology(topology)


def conditions(
    speeds: Sequence[float] = SPEEDS, bandwidths: Sequence[float] = BANDWIDTHS, topologies: Iterable[str] = tuple(ENDS)
) -> list[Condition]:
    """Return every combination of topology, speed of the device and bandwidth of its link."""
    return [Condition(*each) for each in product(topologies, speeds, bandwidths)]


class Frontier:
    """The plans that nothing else beats, quickest first, and so the best plan for every bound.

    Parameters
    ----------
    plans
        Those of an answer to a question for the frontier.
    """

    def __init__(self, plans: Iterable[Plan]) -> None:
        self.plans = sorted(plans, key=lambda plan: plan.latency_s)
        self._accuracies = [plan.accuracy or 0.0 for plan in self.plans]
        self._latencies = [plan.latency_s for plan in self.plans]

    def quickest(self, accuracy: float) -> Plan | None:
        """Return the plan of least latency with at least an accuracy, if there is one."""
        place = bisect_left(self._accuracies, accuracy - 1e-9)
        return self.plans[place] if place < len(self.plans) else None

    def most_accurate(self, latency_s: float) -> Plan | None:
        """Return the plan of greatest accuracy with at most a latency, if there is one."""
        place = bisect_left(self._latencies, latency_s + 1e-9)
        return self.plans[place - 1] if place else None

    def bounds(self, count: int) -> list[tuple[str, float]]:
        """Return bounds at even distances: least accuracies over all that there are, and greatest latencies."""
        accuracies = np.linspace(self._accuracies[0], self._accuracies[-1], count + 1)[1:]
        latencies = np.geomspace(self._latencies[0], self._latencies[-1], count + 1)[1:]
        return [("accuracy", float(each)) for each in accuracies] + [("latency", float(each)) for each in latencies]

    def best(self, kind: str, bound: float) -> Plan | None:
        """Return the best plan under a bound on ``accuracy`` or on ``latency``."""
        return self.quickest(bound) if kind == "accuracy" else self.most_accurate(bound)


def questions(profile: Profile, under: Iterable[Condition], count: int = 40, **query: object) -> pd.DataFrame:
    """Ask for the best plan under many conditions and bounds, and say which of the four cases it is.

    Parameters
    ----------
    profile
        The network.
    under
        The conditions.
    count
        Bounds of each kind: least accuracies, and greatest latencies.
    query
        More of the question, such as an estimator.

    Returns
    -------
    pandas.DataFrame
        One row for each condition and bound: ``condition``, ``topology``, ``speed``, ``bandwidth``; ``kind`` and
        ``bound``; ``plan``, ``other`` (the plan for a result wanted at the last machine), and of each of
        `CASES` whether it is one, and ``... gain``: what the best plan without that freedom takes longer (a share), or
        loses in accuracy where latency is bounded; for IV, what the plan takes longer than the best once the result
        is wanted at the last machine. ``same cuts``: whether that best plan differs in its placement alone.
    """
    found = [row for condition in under for row in _Asked.of(profile, condition, query).rows(count)]
    return pd.DataFrame(found)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One network under one condition: the frontier of all plans, and those without each freedom."""

    profile: Profile
    condition: Condition
    places: dict[str, int]
    here: Topology
    there: Topology
    every: Frontier
    whole: Frontier
    single: Frontier
    forward: Frontier
    elsewhere: Frontier

    @classmethod
    def of(cls, profile: Profile, condition: Condition, query: dict[str, object]) -> _Asked:
        here, there = condition.load(), condition.load(ENDS[condition.topology][2])

        def frontier(topology: Topology, **rule: object) -> Frontier:
            return Frontier(tiercut.ask(topology, profile, Query(kind="frontier", **query, **rule)))  # type: ignore[arg-type]

        return cls(
            profile,
            condition,
            {node.name: index for index, node in enumerate(here.nodes)},
            here,
            there,
            every=frontier(here),
            whole=frontier(here, exits="final"),
            single=frontier(here, most_partitions=1),
            forward=frontier(here, order="forward"),
            elsewhere=frontier(there),
        )

    def rows(self, count: int) -> Iterator[dict[str, object]]:
        """Yield a row of `questions` for each bound."""
        known: dict[Plan, dict[str, object]] = {}
        for kind, bound in self.every.bounds(count):
            best = self.every.best(kind, bound)
            if best is None:
                continue
            gains = {
                case: _gain(best, without.best(kind, bound), kind)
                for case, without in (("I", self.whole), ("II", self.single), ("III", self.forward))
            }
            if best not in known:
                known[best] = self.moved(best)
            yield {
                "condition": str(self.condition),
                "topology": self.condition.topology,
                "speed": self.condition.speed,
                "bandwidth": self.condition.bandwidth,
                "kind": kind,
                "bound": bound,
                "plan": best,
                "I": len(best.exits) == 1 and best.partition[-1] < self.profile.block_count,
                "II": len(best.exits) > 1 and gains["II"] > 0,
                "III": self.goes_back(best) and gains["III"] > 0,
                **{f"{case} gain": gain for case, gain in gains.items()},
                **known[best],
            }

    def goes_back(self, plan: Plan) -> bool:
        """Return whether a later partition runs on an earlier machine."""
        return any(self.places[after] < self.places[before] for before, after in pairwise(plan.placement))

    def moved(self, plan: Plan) -> dict[str, object]:
        """Return what becomes of a plan where its result is wanted at the last machine."""
        other = self.elsewhere.quickest(plan.accuracy or 0.0)
        if other is None or (other.partition, other.placement) == (plan.partition, plan.placement):
            return {"IV": False, "IV gain": 0.0, "same cuts": False, "other": other}
        gain = self.takes(plan, self.there) / other.latency_s - 1
        return {"IV": gain > 1e-9, "IV gain": gain, "same cuts": other.partition == plan.partition, "other": other}

    def takes(self, plan: Plan, topology: Topology) -> float:
        """Return the seconds that a plan takes on the topology with its result wanted at one end or the other."""
        return tiercut.plan(
            topology,
            self.profile,
            partition=plan.partition,
            placement=plan.placement,
            threshold=plan.threshold,
            estimator="marginal",  # its latency is wanted, which is the same by all
        ).latency_s


def destinations(profile: Profile, under: Iterable[Condition]) -> pd.DataFrame:
    """Ask for the quickest plan of a network without exits, with its result wanted at either end.

    Returns
    -------
    pandas.DataFrame
        One row for each condition: ``condition``, ``plan`` and ``other``, for the device and for the last machine,
        whether they differ (``IV``), and whether they do so in their placement alone (``same cuts``).
    """
    rows = []
    for condition in under:
        here, there = condition.load(), condition.load(ENDS[condition.topology][2])
        plan, other = tiercut.solve(here, profile).best, tiercut.solve(there, profile).best
        alike, moved = plan.partition == other.partition, plan.placement != other.placement
        rows.append(
            {"condition": str(condition), "topology": condition.topology, "plan": plan, "other": other}
            | {"IV": moved or not alike, "same cuts": alike and moved}
        )
    return pd.DataFrame(rows)


def third_and_fourth(profile: Profile, under: Iterable[Condition], least: float = 0.8, **query: object) -> pd.DataFrame:
    """Ask the paper's fourth question of a network with exits, and whether its third case comes up on the way.

    The question is for the least latency from some accuracy on, with the result wanted at either end.

    Parameters
    ----------
    profile
        The network.
    under
        The conditions.
    least
        The least accuracy.
    query
        More of the question, such as an estimator.

    Returns
    -------
    pandas.DataFrame
        One row for each condition and each plan of its frontier from `least` on: ``condition``; ``bound``, the accuracy
        that is asked for; ``plan`` and ``other``, for a result wanted at the device and at the last machine. ``IV``:
        whether they differ; ``same cuts``: in their placement alone; ``IV published``: as in the paper, from the second
        and third machine, A = [2, 3], to the second and the last, A = [2, 4]; ``IV gain``: what the plan takes longer
        than the other for the last machine (a share); ``IV loss``: what the other takes longer than the plan for the
        device. ``III``: whether the plan goes backward and the best that does not is slower; ``III published``: from
        the third to the second machine, A = [3, 2]; ``III gain``: by how much (a share).
    """
    rows = []
    for condition in under:
        asked = _Asked.of(profile, condition, query)
        _, second, third, *_, last = asked.places
        bounds = [least, *(plan.accuracy or 0.0 for plan in asked.every.plans)]
        plans: dict[Plan, float] = {}
        for bound in bounds:
            if bound >= least and (plan := asked.every.quickest(bound)) is not None:
                plans.setdefault(plan, bound)
        for plan, bound in plans.items():
            moved = asked.moved(plan)
            other, alike = moved["other"], moved["IV"] and moved["same cuts"]
            loss, published = 0.0, False
            if isinstance(other, Plan):
                loss = asked.takes(other, asked.here) / plan.latency_s - 1
                published = alike and plan.placement == (second, third) and other.placement == (second, last)
            gain = _gain(plan, asked.forward.quickest(bound), "accuracy") if asked.goes_back(plan) else 0.0
            rows.append(
                {
                    "condition": str(condition),
                    "bound": bound,
                    "plan": plan,
                    **moved,
                    "same cuts": alike,
                    "IV loss": loss,
                }
                | {"IV published": published, "III": gain > 0, "III gain": gain}
                | {"III published": gain > 0 and plan.placement == (third, second)}
            )
    return pd.DataFrame(rows)


def _gain(best: Plan, other: Plan | None, kind: str) -> float:
    """Return how much worse another plan is; infinite where there is none, and 0 where rounding alone differs."""
    if other is None:
        return float("inf")
    gain = other.latency_s / best.latency_s - 1 if kind == "accuracy" else (best.accuracy or 0) - (other.accuracy or 0)
    return gain if gain > 1e-9 else 0.0


def shares(rows: pd.DataFrame, by: str = "topology") -> pd.DataFrame:
    """Return the share of questions that are each of `CASES`, and how many questions there are, by a column."""
    found = rows.groupby(by, sort=False)[list(CASES)].mean()
    found["questions"] = rows.groupby(by, sort=False).size()
    return found


def examples(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return, for each of `CASES` that occurs under a bound on accuracy, the question in which it saves most.

    For IV only plans that are cut alike in both places are looked at, where there are any, as in the paper.
    """
    found = {}
    for case in CASES:
        some = rows[rows[case] & (rows["kind"] == "accuracy") & np.isfinite(rows[f"{case} gain"])]
        if case == "IV" and some["same cuts"].any():
            some = some[some["same cuts"]]
        if not some.empty:
            found[case] = some.loc[some[f"{case} gain"].idxmax()]
    return found
