"""Topologies and profiles in a line or two, for instances that are worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.optimizer.build import build_problem
from tiercut.optimizer.measures.piece_table import PieceTable
from tiercut.optimizer.own_plan import decide
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.pricing import price
from tiercut.optimizer.problem import Problem
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology


def both(a: str, b: str, latency: float, bandwidth: float, **more: str) -> dict[str, Any]:
    """Return a link in both directions; seconds and bytes per second."""
    return {"between": [a, b], "latency": f"{latency} s", "bandwidth": f"{bandwidth} B/s", **more}


def one(a: str, b: str, latency: float, bandwidth: float, **more: str) -> dict[str, Any]:
    """Return a link in one direction."""
    return {"from": a, "to": b, "latency": f"{latency} s", "bandwidth": f"{bandwidth} B/s", **more}


def topology_data(nodes: str | list[dict[str, Any]], links: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a topology as its file holds it; nodes as names with spaces between, or in full. The source: the first."""
    named = [{"name": name} for name in nodes.split()] if isinstance(nodes, str) else nodes
    made = {"format": "tiercut.topology/1", "name": "made", "nodes": named, "links": links}
    return {**made, "source": named[0]["name"], **more}


def profile_data(block_s: list[float], sizes: list[float], **more: Any) -> dict[str, Any]:
    """Return a profile as its file holds it: seconds of each block on its one device, bytes of the input and outputs.

    `more` may hold ``branch_s``, ``span_s``, ``encode_s``, ``decode_s`` of that device, or any key of a profile.
    """
    device = {"block_s": block_s} | {key: more.pop(key) for key in _TIMES if key in more}
    blocks = [{"name": f"b{i}", "output_bytes": size} for i, size in enumerate(sizes[1:], 1)]
    made = {"format": "tiercut.profile/1", "model": "made", "input_bytes": sizes[0], "blocks": blocks}
    return {**made, "devices": {"d": device}, **more}


_TIMES = ("branch_s", "span_s", "encode_s", "decode_s")


def exits_data(accuracy: list[float | None], *rates: list[float], alone: bool = False) -> dict[str, Any]:
    """Return exits with thresholds 0.1, 0.2, ... and the rates that each row gives."""
    thresholds = [(row + 1) / 10 for row in range(len(rates))]
    return {
        "thresholds": thresholds,
        "accuracy": accuracy,
        "exit_rate_alone" if alone else "exit_rate": [list(row) for row in rates],
    }


def problem_of(topology: dict[str, Any], profile: dict[str, Any]) -> Problem:
    return build_problem(Topology.from_data(topology), Profile.from_data(profile))


def plan_of(problem: Problem, partition: list[int], placement: str, **more: Any) -> Plan:
    """Return the price of a plan; the placement as names with spaces between."""
    return price(problem, decide(problem, partition, placement.split(), **more))


def grown_problem(blocks: int, nodes: int, thresholds: int, seed: int = 0) -> Problem:
    """Return a random problem of a given size, every node joined to every other; nodes get slower by 2."""
    rng = np.random.default_rng(seed)
    names = [f"n{v}" for v in range(nodes)]
    links = [both(a, b, 0.01, 1e6) for place, a in enumerate(names) for b in names[place + 1 :]]
    rates = rng.random((thresholds, blocks))
    exits = exits_data(sorted(rng.random(blocks).tolist()), *(rates / rates.sum(axis=1, keepdims=True)).tolist())
    exits["thresholds"] = np.linspace(0, 0.9, thresholds).tolist()
    profile = profile_data(rng.random(blocks).tolist(), (rng.random(blocks + 1) * 1e6).tolist(), exits=exits)
    slow = [{"name": name, "slowdown": float(2**v)} for v, name in enumerate(names)]
    return problem_of(topology_data(slow, links), profile)


def with_times(problem: Problem, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Problem:
    """Return a problem whose times of pieces and transfers are changed, as arrays."""
    span, bare = (PieceTable.of(change(table.whole)) for table in (problem.span_s, problem.bare_s))
    return replace(problem, span_s=span, bare_s=bare, transfer_s=change(problem.transfer_s))
