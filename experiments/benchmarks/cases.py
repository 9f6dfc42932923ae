"""The registry of benchmarks: what to build, in which sizes, and what to run on it side by side."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import isclose
from pathlib import Path
from statistics import median
from typing import Any

import hops
import instances
import pandas as pd
import peers
import replays
import streams

import tiercut
from tiercut import Answer, Bound, Options, Query

__all__ = ["CASES", "Case"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A benchmark: a name, what it asks, its full and its smallest arguments, and what gives its rows."""

    name: str
    about: str
    run: Callable[..., list[Row]]
    full: dict[str, Any]
    smoke: dict[str, Any]


def _answer(
    instance: instances.Instance | tuple[str, str], query: Query, solver: str, repeat: int = 1, **options: Any
) -> tuple[Answer, Row]:
    """Ask a few times and report the median; the solvers' own clock runs from the dense tables to the plans."""
    topology, profile = instance if isinstance(instance[0], str) else instances.load(instance)
    query = replace(query, estimator="marginal")  # the model that is written down, whatever a profile supports
    began = time.process_time()
    seconds = []
    answer: Any = None
    for _ in range(repeat):
        del answer  # it keeps its tables, which would count as memory that the next one takes
        answer = tiercut.ask(topology, profile, query, solver=solver, options=Options(**options))
        seconds.append(answer.outcome.seconds)
    cpu = (time.process_time() - began) / repeat
    row = {"solver": solver, "seconds": median(seconds), "decisions": answer.space.decisions, "plans": len(answer)}
    return answer, row | {"status": answer.outcome.status, "work": answer.outcome.scored, "cpu": cpu}


def _scorers(blocks: int, nodes: int, thresholds: int, numpy: int, python: int) -> list[Row]:
    """Score triplets four ways, all of them or as many as a peer can be given; each way's time for one triplet."""
    instance = instances.chain(blocks, nodes, thresholds)
    problem = tiercut.problem(*instances.load(instance))
    answer, row = _answer(instance, Query(min_accuracy=0.5), "exhaustive", repeat=5)
    rows = [row | {"ns_each": row["seconds"] / row["work"] * 1e9}]
    many, few = peers.draw(problem, numpy // thresholds), peers.draw(problem, python // thresholds)
    # Given all there are, NumPy must find the same best plan.
    whole = sum(len(cuts) for cuts, _ in many) * thresholds == answer.space.decisions
    calls = {
        "numpy": (peers.numpy_best, many, answer.best.latency_s if whole else None),
        "python, the formula": (peers.formula_best, few, peers.numpy_best(problem, few, 0.5)),
        "python, sums looked up": (peers.tuned_best, few, peers.numpy_best(problem, few, 0.5)),
    }
    for name, (run, given, best) in calls.items():
        times = []
        for _ in range(3):
            began = time.perf_counter()
            found = run(problem, given, 0.5)
            times.append(time.perf_counter() - began)
        scored = thresholds * sum(len(cuts) for cuts, _ in given)
        ns_each = median(times) / scored * 1e9
        row = {"solver": name, "seconds": median(times), "work": scored, "ns_each": ns_each}
        rows.append(row if best is None else row | {"same": isclose(found, best, rel_tol=1e-9)})
    return [each | {"ratio": each["ns_each"] / rows[0]["ns_each"]} for each in rows]


def _against(blocks: int, nodes: int, thresholds: int) -> list[Row]:
    """Find the same frontier by labels and by scoring everything."""
    instance = instances.chain(blocks, nodes, thresholds)
    fast, first = _answer(instance, Query(kind="frontier"), "labels", repeat=5)
    slow, second = _answer(instance, Query(kind="frontier"), "exhaustive")
    same = [(plan.latency_s, plan.accuracy) for plan in fast] == [(plan.latency_s, plan.accuracy) for plan in slow]
    return [first | {"ratio": 1.0}, second | {"ratio": second["seconds"] / first["seconds"], "same": same}]


def _labels(blocks: int, nodes: int, thresholds: int, make: str = "chain", limit: float | None = None) -> list[Row]:
    """Find a frontier by labels alone."""
    instance = getattr(instances, make)(blocks, nodes, thresholds)
    repeat = 1 if limit else 5
    _, row = _answer(instance, Query(kind="frontier"), "labels", repeat=repeat, time_limit_s=limit)
    return [row]


def _over(blocks: int, nodes: int, thresholds: int, whole: int, third: str = "out:n0") -> list[Row]:
    """Find frontiers over three measures by labels, and of a smaller network by scoring everything too."""
    query = Query(kind="frontier", over=("latency", "accuracy", third))
    large, small = (instances.powered(instances.chain(count, nodes, thresholds)) for count in (blocks, whole))
    rows = [_answer(large, query, "labels", repeat=3)[1]]
    fast, first = _answer(small, query, "labels", repeat=3)
    slow, second = _answer(small, query, "exhaustive")
    same = fast.plans == slow.plans
    return [*rows, first | {"ratio": 1.0}, second | {"ratio": second["seconds"] / first["seconds"], "same": same}]


def _rows(blocks: int, nodes: int) -> list[Row]:
    """Find the greatest rate on many machines; the proved gap stands by the status, the tables count in CPU seconds."""
    query = Query(objective="rate", exits="final")
    answer, row = _answer(instances.joined(blocks, nodes, growth=1.15), query, "labels")
    gap = answer.outcome.gap
    return [row if gap is None else row | {"status": f"{row['status']}, gap {gap:.2%}"}]


def _sources(sources: int, blocks: int, thresholds: int, rate: float, limit: float) -> list[Row]:
    """Find a plan for each of many sources that leave no machine short; the proved gap stands by the status."""
    return [_joint("column generation", instances.shared(sources, blocks, thresholds, rate), limit)]


def _close(
    sources: int, blocks: int, thresholds: int, rates: Sequence[float], rate: float,
    memory: Sequence[Mapping[str, int]], limit: float,
) -> list[Row]:  # fmt: skip
    """Find the same close to what machines carry: at greater rates, and where nodes have so few MB of memory."""
    made = {f"at {each:g} fps": instances.shared(sources, blocks, thresholds, each) for each in rates}
    for nodes in memory:
        least = instances.limited(instances.shared(sources, blocks, thresholds, rate), nodes)
        made[f"at {rate:g} fps, memory of {', '.join(nodes)}"] = least
    return [_joint(name, instance, limit) for name, instance in made.items()]


def _joint(name: str, instance: instances.Instance, limit: float) -> Row:
    topology, profile = instances.load(instance)
    began = time.process_time()
    answer = tiercut.solve_sources(topology, profile, estimator="marginal", time_limit=limit)
    cpu, found = time.process_time() - began, answer.outcome
    said = f"gap {found.gap:.2%}"
    if not answer.served and found.shortage is not None and found.shortage.enough is not None:
        said = f"limits x {found.shortage.enough:.3f} are enough, {found.shortage.served} go together"
    row = {"solver": name, "seconds": found.seconds, "cpu": cpu, "work": found.columns}
    return row | {"status": f"{found.status}, {said}", "plans": len(answer.served)}


def _per_exit(exits: str) -> list[Row]:
    """Find the best plan and the frontier of the recorded network with a threshold for each exit."""
    rule: Any = {"exits": exits, "per_exit": True}
    rows = []
    for query in (Query(**rule), Query(min_accuracy=0.98, **rule), Query(kind="frontier", **rule)):
        named = f"labels, {query.kind}" + (f" at {query.min_accuracy}" if query.min_accuracy else "")
        rows.append(_answer(("iot", "resnet20-digits32"), query, "labels", time_limit_s=120.0)[1] | {"solver": named})
    return rows


def _again(blocks: int, nodes: int, thresholds: int, changes: int) -> list[Row]:
    """Ask for the best plan under changed links and nodes, one after the other: solved each time, and by a resolver."""
    topology, profile = instances.load(instances.chain(blocks, nodes, thresholds))
    rng, question = random.Random(0), {"min_accuracy": 0.6, "estimator": "marginal", "solver": "labels"}
    resolver = tiercut.Resolver(topology, profile, **question)
    resolver.best()
    cold, proved, solved = [], [], []
    for _ in range(changes):
        factor = rng.lognormvariate(0.0, 0.3)
        link, node = rng.choice(topology.links), rng.choice(topology.nodes)
        changed: Any = {"bandwidth": {"-".join(link.between): link.bandwidth * factor}}
        if rng.random() < 0.5:
            changed = {"slowdown": {node.name: node.slowdown * factor}}
        before, began = resolver.solves, time.perf_counter()
        found = resolver.best(**changed)
        (proved if resolver.solves == before else solved).append(time.perf_counter() - began)
        began = time.perf_counter()
        wanted = tiercut.solve(topology, profile, **question, **changed).best
        cold.append(time.perf_counter() - began)
        assert found == wanted, changed
    named = {"a solve": cold, "resolver, proved": proved, "resolver, solved": solved}
    return [
        {"solver": name, "seconds": median(each), "work": len(each), "ratio": median(each) / median(cold)}
        for name, each in named.items()
        if each
    ]


def _limit(blocks: int, nodes: int, thresholds: int, wide: int, adds: int) -> list[Row]:
    """Compare the three multiply-adds of a triplet on one core with what it does of nothing else.

    With `wide` thresholds what is done once for each end and each partition, and not for each threshold, is spread out.
    """
    peers.multiply_adds(1)
    times = []
    for _ in range(5):
        began = time.process_time()
        done = peers.multiply_adds(adds)
        times.append((time.process_time() - began) / done * 1e9)
    ns_each = min(times)
    rows = [
        {"solver": "multiply-adds", "seconds": ns_each * done / 1e9, "work": done, "ns_each": ns_each, "ratio": 1.0}
    ]
    for count, repeat in ((thresholds, 3), (wide, 1)):
        instance = instances.chain(blocks, nodes, count)
        name = f"exhaustive, a third of a triplet of {count} thresholds"
        row = _answer(instance, Query(min_accuracy=0.5), "exhaustive", repeat=repeat, workers=1)[1]
        each = row["cpu"] / row["work"] * 1e9 / 3
        rows.append(row | {"solver": name, "ns_each": each, "ratio": each / ns_each})
    return rows


def _crowd(blocks: int, edges: int, clouds: int) -> list[Row]:
    """Find the five best plans of Scission's kind of question."""
    instance = instances.crowd(blocks, edges, clouds)
    rows = [
        _answer(instance, Query(kind="rank", order="forward"), name, repeat=5)[1] for name in ("labels", "exhaustive")
    ]
    return [row | {"ratio": row["seconds"] / rows[0]["seconds"]} for row in rows]


def _bounds(blocks: int, nodes: int, seeds: int) -> list[Row]:
    """Prove the best plan under five bounds that stand in each other's way, of three kinds, in two ways.

    ``fixed``: the same figures whatever the instance; ``near``: figures that the best plan without bounds nearly has;
    ``far``: about half of them.
    """
    rows = []
    for seed in range(seeds):
        instance = instances.joined(blocks, nodes, seed=seed)
        free = _answer(instance, Query(), "labels")[0].best
        last, first = free.placement[-1], "n0"
        for kind, factor in (("fixed", 0.0), ("near", 0.9), ("far", 0.5)):
            bounds = (
                Bound("blocks", last, at_most=round(blocks * 0.45 * (factor or 1))),
                Bound("memory", f"n{nodes - 2}", at_most=0.13e6 * blocks * (factor or 1)),
                Bound("share", last, at_most=0.5 * (factor or 1)),
                Bound("blocks", first, at_least=3),
                Bound("bytes", at_most=factor * free.bytes_sent + 5e4 if factor else 250e3),
            )
            fast, quick = _answer(instance, Query(bounds=bounds), "labels", repeat=3, time_limit_s=60.0)
            slow, second = _answer(instance, Query(bounds=bounds), "cp-sat", time_limit_s=60.0)
            same = fast.plans == slow.plans
            rows.append(quick | {"solver": f"labels, {kind} {seed}", "ratio": 1.0})
            ratio = second["seconds"] / quick["seconds"]
            rows.append(second | {"solver": f"cp-sat, {kind} {seed}", "ratio": ratio, "same": same})
    return rows


def _heuristics(blocks: int, nodes: int, thresholds: int, limit: float) -> list[Row]:
    """Compare the area under two heuristics' frontiers with that of the exact one."""
    instance = instances.chain(blocks, nodes, thresholds)
    exact, first = _answer(instance, Query(kind="frontier"), "labels")
    worst, rows = exact[-1].latency_s * 1.01, [first | {"hypervolume": 1.0}]
    for name in ("nsga2", "annealing"):
        _answer(instance, Query(kind="frontier"), name, time_limit_s=0.01)
        found, row = _answer(instance, Query(kind="frontier"), name, time_limit_s=limit)
        rows.append(row | {"hypervolume": _area(found, worst) / _area(exact, worst)})
    return rows


def _area(answer: Answer, worst: float) -> float:
    """Return the area of latency and accuracy that a frontier beats, up to the latency `worst`."""
    area, right = 0.0, 0.0
    for plan in answer:
        area += max(worst - plan.latency_s, 0.0) * ((plan.accuracy or 0.0) - right)
        right = plan.accuracy or 0.0
    return area


def _sweep(blocks: int, levels: int, singles: int) -> list[Row]:
    """Sweep two machines, one exit and every cut, and solve a few of its points one by one.

    The row of the sweep has the clock on the wall, reading and writing included.
    """
    if find_spec("pyarrow") is None or find_spec("joblib") is None:
        return []
    topology, profile = instances.joined(blocks, 2)
    question = {"exits": "final"}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("profile.json", "topology.json")]
        for file, data in zip(files, (profile, topology), strict=True):
            file.write_text(json.dumps(data), encoding="utf-8")
        ranges = {
            "slowdown(n0)": {"from": 5, "to": 80, "count": levels, "spacing": "ratio"},
            "slowdown(n1)": {"from": 1, "to": 20, "count": levels, "spacing": "ratio"},
            "bandwidth(n0-n1)": {"from": "1 Mb/s", "to": "1 Gb/s", "count": levels, "spacing": "ratio"},
        }
        named: dict[str, Any] = {"models": [str(files[0])], "topologies": [str(files[1])], "questions": [question]}
        swept = tiercut.sweep({"format": "tiercut.sweep/1", "conditions": ranges, **named}, Path(folder) / "out")
        each = swept.seconds / swept.points
        row = {"solver": "sweep", "seconds": swept.seconds, "work": swept.points, "ns_each": 1e9 * each, "ratio": 1.0}
        rows = [row | {"status": f"{swept.tasks} files, {1e6 * each:.3g} us a point"}]
        drawn = sorted(random.Random(0).sample(range(swept.points), singles))
        wanted = pd.read_parquet(Path(folder) / "out" / "points", filters=[("point", "in", drawn)])
    where, network = instances.load((topology, profile))
    seconds, same = [], True
    for point in wanted.itertuples():
        at = wanted.loc[point.Index]
        condition = {name: float(at[name]) for name in ranges}
        began = time.perf_counter()
        best = tiercut.solve(where, network, condition=condition, **question).best
        seconds.append(time.perf_counter() - began)
        same &= best.latency_s == at["latency_s"] and ",".join(map(str, best.partition)) == at["partition"]
    one = median(seconds)
    row = {"solver": "tiercut.solve, one by one", "seconds": one * swept.points, "work": singles, "ns_each": 1e9 * one}
    told = f"{1e3 * one:.3g} ms a point, of {singles}; seconds reckoned for all"
    return [*rows, row | {"ratio": one / each, "status": told, "same": same}]


def _process(repeat: int) -> list[Row]:
    """Time whole processes in turn: the imports that anybody pays, and a question."""
    command = str(Path(sys.executable).with_name("tiercut"))
    calls = {
        "python -c 'import numpy, numba, pandas'": [sys.executable, "-c", "import numpy, numba, pandas"],
        "tiercut --help": [command, "--help"],
        "tiercut solve mobile resnet20-digits32": [command, "solve", "mobile", "resnet20-digits32"],
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            subprocess.run(call, check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
    rows = [{"solver": name, "seconds": median(each[1:])} for name, each in times.items()]
    return [row | {"ratio": row["seconds"] / rows[0]["seconds"]} for row in rows]


_SMALL = {"blocks": 6, "nodes": 3, "thresholds": 2}

CASES = (
    Case("scorers-24x4x20", "triplets scored four ways", _scorers,
         {"blocks": 24, "nodes": 4, "thresholds": 20, "numpy": 10_000_000, "python": 200_000},
         _SMALL | {"numpy": 10**6, "python": 10**6}),
    Case("scorers-91x4x20", "triplets scored four ways", _scorers,
         {"blocks": 91, "nodes": 4, "thresholds": 20, "numpy": 4_000_000, "python": 200_000},
         _SMALL | {"numpy": 50, "python": 50}),
    Case("frontier-91x4x20", "one frontier, by labels and by scoring everything", _against,
         {"blocks": 91, "nodes": 4, "thresholds": 20}, _SMALL),
    Case("frontier-100x6x20", "a frontier by labels", _labels, {"blocks": 100, "nodes": 6, "thresholds": 20}, _SMALL),
    Case("frontier-100x8x20", "a frontier by labels", _labels, {"blocks": 100, "nodes": 8, "thresholds": 20}, _SMALL),
    Case("frontier-1000x8x20", "a frontier by labels", _labels, {"blocks": 1000, "nodes": 8, "thresholds": 20}, _SMALL),
    Case("spans-55x3x10", "a frontier by labels, with measured spans", _labels,
         {"blocks": 55, "nodes": 3, "thresholds": 10, "make": "spans"}, _SMALL | {"make": "spans"}),
    Case("again-91x4x20", "the best plan again and again, a link or a node changed", _again,
         {"blocks": 91, "nodes": 4, "thresholds": 20, "changes": 200}, _SMALL | {"changes": 4}),
    Case("limit-91x4x20", "triplets scored by one core, beside its multiply-adds", _limit,
         {"blocks": 91, "nodes": 4, "thresholds": 20, "wide": 128, "adds": 2_000_000},
         _SMALL | {"wide": 4, "adds": 100}),
    Case("per-exit", "the recorded network with exits anywhere, each with a threshold of its own", _per_exit,
         {"exits": "free"}, {"exits": "cuts"}),
    Case("loose-20x5x20", "a frontier where the bound is weak", _labels,
         {"blocks": 20, "nodes": 5, "thresholds": 20, "make": "loose", "limit": 60.0}, _SMALL | {"make": "loose"}),
    Case("loose-40x5x20", "a frontier where the bound is weak", _labels,
         {"blocks": 40, "nodes": 5, "thresholds": 20, "make": "loose", "limit": 60.0}, _SMALL | {"make": "loose"}),
    Case("loose-60x5x20", "a frontier where the bound is weak", _labels,
         {"blocks": 60, "nodes": 5, "thresholds": 20, "make": "loose", "limit": 120.0}, _SMALL | {"make": "loose"}),
    Case("loose-100x6x20", "a frontier where the bound is weak, two minutes at most", _labels,
         {"blocks": 100, "nodes": 6, "thresholds": 20, "make": "loose", "limit": 120.0}, _SMALL | {"make": "loose"}),
    Case("loose-100x8x20", "a frontier where the bound is weak, two minutes at most", _labels,
         {"blocks": 100, "nodes": 8, "thresholds": 20, "make": "loose", "limit": 120.0}, _SMALL | {"make": "loose"}),
    Case("loose-100x10x20", "a frontier where the bound is weak, two minutes at most", _labels,
         {"blocks": 100, "nodes": 10, "thresholds": 20, "make": "loose", "limit": 120.0}, _SMALL | {"make": "loose"}),
    Case("over-91x4x20", "a frontier over latency, accuracy and what the device sends", _over,
         {"blocks": 91, "nodes": 4, "thresholds": 20, "whole": 30}, _SMALL | {"whole": 5}),
    Case("rate-91x4x20", "a frontier over latency, accuracy and the sustainable rate", _over,
         {"blocks": 91, "nodes": 4, "thresholds": 20, "whole": 30, "third": "rate"},
         _SMALL | {"whole": 5, "third": "rate"}),
    Case("rate-80x24", "the greatest sustainable rate on machines that are all linked, with a proved gap", _rows,
         {"blocks": 80, "nodes": 24}, {"blocks": 13, "nodes": 9}),
    Case("over-100x6x20", "a frontier over latency, accuracy and energy", _over,
         {"blocks": 100, "nodes": 6, "thresholds": 20, "whole": 12, "third": "energy"},
         _SMALL | {"whole": 5, "third": "energy"}),
    Case("crowd-92", "the five best on one device, ten edges, ten clouds", _crowd,
         {"blocks": 92, "edges": 10, "clouds": 10}, {"blocks": 6, "edges": 2, "clouds": 2}),
    Case("bounds-92x5", "the best plan under five bounds in each other's way, proved", _bounds,
         {"blocks": 92, "nodes": 5, "seeds": 5}, {"blocks": 8, "nodes": 3, "seeds": 1}),
    Case("heuristics-100x6x20", "frontiers without proof, five seconds each", _heuristics,
         {"blocks": 100, "nodes": 6, "thresholds": 20, "limit": 5.0}, _SMALL | {"limit": 0.2}),
    Case("replays-10x1e6", "a million samples sent through plans with four exits", replays.replays,
         {"blocks": 10, "nodes": 4, "thresholds": 20, "samples": 1_000_000, "plans": 300},
         _SMALL | {"samples": 200, "plans": 5}),
    Case("streams", "streams of frames, by the engines here and by SimPy and Ciw", streams.streams,
         {"frames": 10_000_000, "peers": 20_000, "repeat": 5}, {"frames": 400, "peers": 50, "repeat": 1}),
    Case("hops-1MiB", "a message of 1 MiB from process to process, by each transport, beside bare gRPC and raw sockets",
         hops.hops, {"runs": 400, "mlserver": True}, {"runs": 2, "mlserver": False}),
    Case("sources-50x91x6x20", "a plan for each of fifty sources that share six nodes, 30 seconds at most", _sources,
         {"sources": 50, "blocks": 91, "thresholds": 20, "rate": 6.0, "limit": 30.0},
         {"sources": 3, "blocks": 5, "thresholds": 2, "rate": 1.0, "limit": 30.0}),
    Case("sources-close", "the same at greater rates, and where nodes lack memory", _close,
         {"sources": 50, "blocks": 91, "thresholds": 20, "rates": (6.6, 6.7, 6.8, 6.9, 7.0), "rate": 6.0,
          "memory": ({"n5": 846}, {"n5": 846, "n4": 155, "n3": 54, "n2": 54}), "limit": 30.0},
         {"sources": 3, "blocks": 5, "thresholds": 2, "rates": (2.0,), "rate": 1.0, "memory": ({"n5": 9},),
          "limit": 30.0}),
    Case("sweep-8e6", "eight million points on two machines, one exit and every cut, and a few of them one by one",
         _sweep, {"blocks": 40, "levels": 200, "singles": 200}, {"blocks": 6, "levels": 3, "singles": 3}),
    Case("process", "whole processes, caches warm", _process, {"repeat": 9}, {"repeat": 1}),
)  # fmt: skip
"""Every benchmark, in the order of the report."""
