"""The greatest rate on many machines lies between the plan that is found and the bound that is proved."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from support.made import both, problem_of, profile_data, topology_data

from tiercut.optimizer import Query, Space, evaluate, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.pipelines import greatest_rate
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task


def space_of(seed: int, blocks: int, nodes: int) -> Space:
    """Return a network without early exits on machines of many speeds that are all linked, some slowly."""
    rng = np.random.default_rng(seed)
    machines: list[dict[str, Any]] = [{"name": f"n{v}", "slowdown": float(rng.uniform(1, 6))} for v in range(nodes)]
    names = [each["name"] for each in machines]
    links = [both(a, b, 0.01, float(10 ** rng.uniform(0, 3))) for a, b in itertools.combinations(names, 2)]
    sizes = [*rng.uniform(0.1, 4, blocks), 0.0]
    profile = profile_data(rng.uniform(0.2, 2, blocks).tolist(), sizes, accuracy=0.9)
    return make_space(problem_of(topology_data(machines, links), profile), exits="final")


@pytest.mark.parametrize("seed", range(12))
def test_no_plan_beats_the_bound_and_the_plan_found_is_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space = space_of(seed, 6, 4)
    task = make_task(space, Query(objective="rate", exits="final"))
    (best,) = find("exhaustive").solve(task, Options(workers=1)).decisions
    least = evaluate(space.problem, best, "rate")
    monkeypatch.setattr(greatest_rate, "_LEAST_GROUPS", 1)
    assert greatest_rate.finds_row(task)
    rows = greatest_rate._Rows(task)
    rows.run(np.zeros(1, np.int64))
    assert rows.bound <= least * (1 + 1e-9)
    assert rows.best is not None
    assert rows.seconds >= least * (1 - 1e-9)
    assert evaluate(space.problem, rows.best, "rate") == rows.seconds
