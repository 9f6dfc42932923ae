"""More nodes than a word has bits: rules for the placement hold there as they do anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from support.made import both, problem_of, profile_data, topology_data

from tiercut.optimizer.placement import narrow
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

COUNT = 70
NAMES = [f"n{v}" for v in range(COUNT)]
ABLE = [solver.name for solver in SOLVERS.values() if "many-nodes" in solver.features]


def star(**more: str) -> Space:
    """Three blocks of 1 s at the source n0, of 2 s elsewhere; every other node is one link of 1 s away."""
    nodes = [{"name": name, "slowdown": 1.0 if name == "n0" else 2.0} for name in NAMES]
    links = [both("n0", name, 1, 1) for name in NAMES[1:]]
    return make_space(problem_of(topology_data(nodes, links, **more), profile_data([1.0] * 3, [0.0] * 4)))


def test_every_node_and_every_tier_can_be_required() -> None:
    space = narrow(star(), Query(include=tuple(NAMES), use_all_tiers=True))
    assert (space.required == np.vstack([np.eye(COUNT, dtype=bool)] * 2)).all()


@pytest.mark.parametrize("solver", ABLE)
def test_a_node_far_down_the_file_can_be_included(solver: str) -> None:
    """One block on the node, the others at home: 2 + 2 s, and 1 s each way."""
    query = Query(include=("n69",))
    space = narrow(star(), query)
    assert "many-nodes" in needs(make_task(space, query))
    found = find(solver)
    outcome = found.solve(make_task(space, query), Options(time_limit_s=None if found.exact else 2.0))
    assert set(outcome.decisions[0].placement) == {0, 69}
    assert price(space.problem, outcome.decisions[0]).latency_s == 6.0
