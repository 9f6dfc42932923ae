"""Streams of frames side by side: the engines here, and SimPy and Ciw where they are installed, on one system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

import tiercut

__all__ = ["streams"]

Row = dict[str, Any]

GAP_S = 1 / 16
SERVICES_S = (10 / 256, 12 / 256, 14 / 256)
LATENCY_S = 2 / 256
"""A node, a link and a node, busy for so long by each frame; all numbers are exact in binary."""


def streams(frames: int, peers: int, repeat: int) -> list[Row]:
    """Time the same stream by each; the first row has the recursion on three servers without bounds.

    Parameters
    ----------
    frames, peers
        How many frames for the engines here, and for the others.
    repeat
        Of how many runs the median is taken, here.
    """
    rows = [_own("three servers", frames, repeat)]
    rows.append(_own("three servers, with quantiles", frames, repeat, quantiles=True))
    rows.append(
        _own("exits, queues of 3, drops", frames // 4, repeat, exits=True, rate=1.5 / GAP_S, queue=3, draw_exits=True)
    )
    rows.append(_own("one link for all, half duplex", frames // 10, repeat, duplex="half"))
    for name, peer in (("simpy", _by_simpy), ("ciw", _by_ciw)):
        if find_spec(name) is not None:
            began = time.perf_counter()
            latencies = np.array(list(peer(peers)))
            rows.append(_row(f"{name}, three servers", time.perf_counter() - began, peers))
            wanted = _stream(peers).latencies.seconds
            if not np.allclose(latencies, wanted, rtol=0, atol=1e-9):
                raise AssertionError(f"{name} gives other latencies")
    first = rows[0]["seconds"] / rows[0]["work"]
    return [row | {"ratio": row["seconds"] / row["work"] / first} for row in rows]


def _own(name: str, frames: int, repeat: int, *, quantiles: bool = False, **asked: Any) -> Row:
    """Time an engine by its own clock, kernels loaded."""
    _stream(100, **asked)
    seconds = []
    for _ in range(repeat):
        found = _stream(frames, **asked)
        spent = found.seconds
        if quantiles:
            began = time.perf_counter()
            np.partition(found.ended - found.frames.birth, [int(share * frames) for share in (0.5, 0.95, 0.99)])
            spent += time.perf_counter() - began
        seconds.append(spent)
    return _row(name, median(seconds), frames)


def _row(name: str, seconds: float, frames: int) -> Row:
    return {"solver": name, "seconds": seconds, "work": frames, "status": f"{frames / seconds:.2g} frames/s"}


def _stream(
    frames: int, *, exits: bool = False, rate: float = 1 / GAP_S, duplex: str = "full", **asked: Any
) -> tiercut.Stream:
    """Return a stream through a node, a link and a node; with exits, a share leaves at the first."""
    before, across, after = SERVICES_S
    nodes = [{"name": "near", "slowdown": 1.0}, {"name": "far", "slowdown": 1.0}]
    link = {
        "between": ["near", "far"],
        "bandwidth": f"{800 / across:.17g} b/s",
        "latency": f"{1e3 * LATENCY_S:.17g} ms",
        "duplex": duplex,
    }
    data = {"format": "tiercut.topology/1", "name": "two nodes", "nodes": nodes, "links": [link], "source": "near"}
    topology = tiercut.Topology.from_data(data | {"destination": "near" if duplex == "half" else "anywhere"})
    blocks = [{"name": "first", "output_bytes": 100}, {"name": "second", "output_bytes": 0}]
    times = {"block_s": [before, after], "branch_s": [0.0, 0.0]}
    profile = {"format": "tiercut.profile/1", "model": "two blocks", "input_bytes": 0, "blocks": blocks}
    profile |= {"devices": {"here": times}, "result_bytes": 10 if duplex == "half" else 0}
    if exits:
        profile["exits"] = {"thresholds": [0.5], "exit_rate": [[0.4, 0.6]], "accuracy": [0.8, 0.9]}
    made = tiercut.Profile.from_data(profile)
    threshold = 0.5 if exits else None
    plan = tiercut.plan(topology, made, partition=[1, 2], placement=["near", "far"], threshold=threshold)
    return tiercut.simulate(topology, made, plan, rate=rate, frames=frames, **asked)


def _by_simpy(frames: int) -> Iterator[float]:
    """Return latencies in seconds by SimPy: a process for each frame, a resource for each server."""
    import simpy

    environment = simpy.Environment()
    servers = [simpy.Resource(environment, capacity=1) for _ in SERVICES_S]
    spent = [0.0] * frames

    def frame(number: int) -> Any:
        born = environment.now
        for place, (server, service) in enumerate(zip(servers, SERVICES_S, strict=True)):
            with server.request() as turn:
                yield turn
                yield environment.timeout(service)
            if place == 1:
                yield environment.timeout(LATENCY_S)
        spent[number] = environment.now - born

    def births() -> Any:
        for number in range(frames):
            environment.process(frame(number))
            yield environment.timeout(GAP_S)

    environment.process(births())
    environment.run()
    yield from spent


def _by_ciw(frames: int) -> Iterator[float]:
    """Return latencies in seconds by Ciw: three nodes in a row, and the latency of the link added."""
    import ciw

    gaps = [1e-12, *[GAP_S] * (frames - 1), float("inf")]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps), None, None],
        service_distributions=[ciw.dists.Deterministic(value=each) for each in SERVICES_S],
        number_of_servers=[1, 1, 1],
        routing=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time((frames + 10) * GAP_S)
    ends: dict[int, list[float]] = {}
    for record in simulation.get_all_records():
        ends.setdefault(record.id_number, []).extend((record.arrival_date, record.exit_date))
    for number in sorted(ends):
        yield max(ends[number]) - min(ends[number]) + LATENCY_S
