"""The greatest rate on many machines lies between the plan that is found and the bound that is proved."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from support.made import both, one, problem_of, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.optimizer import Query, Space, evaluate, make_space
from tiercut.optimizer.measures.busy import busy_by_place
from tiercut.optimizer.memory import _within
from tiercut.report.tables import remarks
from tiercut.solvers.interface import Options
from tiercut.solvers.pipelines import greatest_rate
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

Data = dict[str, Any]


def machines_of(rng: np.random.Generator, nodes: int) -> list[Data]:
    """Return machines of many speeds, some of which work on several frames at once."""
    return [
        {"name": f"n{v}", "slowdown": float(rng.uniform(1, 6)), "workers": int(rng.integers(1, 3))}
        for v in range(nodes)
    ]


def links_of(rng: np.random.Generator, shape: str, nodes: int) -> list[Data]:
    """Return links between all pairs, from each to the next, or over one in the middle; some half duplex or one-way."""
    pairs = {
        "mesh": list(itertools.combinations(range(nodes), 2)),
        "chain": [(v, v + 1) for v in range(nodes - 1)],
        "star": [(0, v) for v in range(1, nodes)],
    }[shape]
    links = []
    for a, b in pairs:
        bandwidth, sort = float(10 ** rng.uniform(0, 2)), rng.random()
        if sort < 0.15 and shape == "mesh":
            links.append(one(f"n{a}", f"n{b}", 0.01, bandwidth))
        else:
            links.append(both(f"n{a}", f"n{b}", 0.01, bandwidth, **({"duplex": "half"} if sort > 0.7 else {})))
    return links


def made(seed: int, shape: str, blocks: int, nodes: int) -> tuple[Data, Data]:
    """Return a topology and a network without early exits, pieces of which may take less than their blocks."""
    rng = np.random.default_rng([64, seed])
    seconds = rng.uniform(0.0, 2, blocks) * (rng.random(blocks) < 0.9)
    more: Data = {"accuracy": 0.9, "result_bytes": float(rng.uniform(0, 4))}
    if seed % 2:
        spans = {
            f"{i + 1}-{j + 1}": float(seconds[i : j + 1].sum() * rng.uniform(0.6, 1.1))
            for i in range(blocks)
            for j in range(i + 1, blocks)
        }
        more["span_s"] = spans
    profile = profile_data(seconds.tolist(), [*rng.uniform(0.1, 4, blocks), 0.0], **more)
    topology = topology_data(machines_of(rng, nodes), links_of(rng, shape, nodes))
    if seed % 3 == 0:
        topology["destination"] = "n1"
    return topology, profile


def check(space: Space, query: Query) -> float:
    """Hold the plan and the bound against trying everything; return the gap."""
    task = make_task(space, query)
    found = find("exhaustive").solve(task, Options(workers=1)).decisions
    rows = greatest_rate._Rows(task)
    rows.run(np.zeros(1, np.int64))
    if not found:
        assert rows.best is None
        return 0.0
    least = evaluate(space.problem, found[0], "rate")
    assert rows.bound <= least * (1 + 1e-9)
    if rows.best is None:
        return 1.0
    assert rows.seconds >= least * (1 - 1e-9)
    assert max(busy_by_place(space.problem, rows.best).values()) == pytest.approx(rows.seconds, rel=1e-9)
    return 1.0 - rows.bound / rows.seconds if rows.seconds else 0.0


SHAPES = ("mesh", "chain", "star")


@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 160), marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_plan_beats_the_bound_and_the_plan_found_is_one(shape: str, seeds: range) -> None:
    for seed in seeds:
        space = make_space(problem_of(*made(seed, shape, 6, 4)), exits="final")
        check(space, Query(objective="rate", exits="final"))


@pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 400), marks=pytest.mark.slow)], ids=["few", "many"])
def test_so_it_is_with_every_option_of_problems(seeds: range) -> None:
    """Tiers, orders, measured spans, seconds of coding, and rules that forbid pieces."""
    for seed in seeds:
        case, rng = random_case([65, seed], plain=seed % 3 == 0, blocks=6, nodes=4), np.random.default_rng([66, seed])
        space = make_space(case.problem, exits="final", order=case.order)
        if seed % 2:
            space = _within(space, rng.random(space.allowed.shape) < 0.9)
        check(space, Query(objective="rate", exits="final", order=case.order))
