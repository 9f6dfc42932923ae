"""Batches: under random conditions every point has the very answer that a question of its own has."""

from __future__ import annotations

import warnings
from itertools import count
from typing import Any

import numpy as np
import pytest
from support.seeded.problems import random_case

import tiercut
from tiercut.analysis.sweeps.cases import Case, Prepared
from tiercut.analysis.sweeps.rows import _solve_point
from tiercut.errors import TiercutError, TiercutWarning
from tiercut.optimizer import Query, name_of
from tiercut.profiling import Profile
from tiercut.solvers import Options
from tiercut.topologies import Topology

QUESTIONS: list[dict[str, Any]] = [
    {},
    {"exits": "final"},
    {"min_accuracy": 0.4},
    {"max_latency_s": 1.0},
    {"objective": "accuracy", "max_latency_s": 0.8},
    {"codec": "auto", "most_partitions": 2},
    {"objective": "bytes"},
    {"bounds": (tiercut.Bound("p99", at_most=2.0),)},
]
"""Of which some are answered in batches, and the others point by point."""


def axes_of(topology: Topology, rng: np.random.Generator) -> tuple[Any, ...]:
    """Return two or three conditions that the topology has, with levels as far apart as a network's are."""
    links = list(topology.network.link_names)
    one_way = [f"{a}>{b}" for a, b in topology.network.hops]
    names = [
        f"bandwidth({rng.choice(links)})",
        f"bandwidth({rng.choice(one_way)})",
        f"latency({rng.choice(links)})",
        f"slowdown({rng.choice(topology.node_names)})",
    ]
    chosen = rng.choice(4, size=int(rng.integers(2, 4)), replace=False).tolist()
    scales = {"bandwidth": (1e3, 1e7), "latency": (1e-4, 1.0), "slowdown": (0.1, 50.0)}
    found = []
    for place in chosen:
        name = name_of(names[place])
        if name in dict(found):  # of a link that serves one direction
            continue
        low, high = scales[name.kind]
        levels = np.exp(rng.uniform(np.log(low), np.log(high), int(rng.integers(1, 5))))
        found.append((name, tuple(levels.tolist())))
    return tuple(found)


def case_of(seed: int) -> Case:
    rng, tries = np.random.default_rng(seed), count()
    while True:  # until there are links whose conditions may change
        made = random_case([seed, 14, next(tries)], blocks=6, nodes=4)
        topology, profile = Topology.from_data(made.topology), Profile.from_data(made.profile)
        if topology.links:
            break
    asked = dict(QUESTIONS[seed % len(QUESTIONS)])
    if "min_accuracy" in asked and profile.exits is None:
        asked = {}
    if asked.get("objective") == "accuracy" and profile.exits is None:
        asked = {"max_latency_s": 0.5}
    down = None
    if rng.random() < 0.3:
        others = [name for name in topology.node_names if name not in (topology.source, topology.destination)]
        down = str(rng.choice(others)) if others else None
    return Case(0, "m", "t", "q", down, axes_of(topology, rng), (topology, profile), Query(kind="solve", **asked))


def compared(seed: int, points: int) -> tuple[int, int]:
    """Compare some points of a seeded case with questions of their own; return how many were solved either way."""
    case = case_of(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TiercutWarning)
        prepared = case.prepared(Options(workers=1))
        rng = np.random.default_rng(seed)
        chosen = sorted(set(rng.integers(0, case.points, points).tolist()))
        for point in chosen:
            try:
                wanted = tiercut.ask(*case.inputs, case.query, condition=case.named(point))
            except TiercutError:
                assert prepared.reason, (seed, point)
                continue
            got = found_at(prepared, case, point)
            best = wanted.plans[0] if wanted.plans else None
            # One by one, slowdowns are a factor on those of before: the last bit may differ.
            near = best and (best.latency_s if prepared.batch else pytest.approx(best.latency_s, rel=1e-12))
            assert got == (best and (best.decision, near)), (seed, point)
    return (len(chosen), 0) if prepared.batch is not None else (0, len(chosen))


def found_at(prepared: Prepared, case: Case, point: int) -> Any:
    if prepared.batch is not None:
        (place,), (seconds,) = prepared.batch.solve(point, point + 1)
        (again,) = prepared.batch.solve(0, case.points)[0][point : point + 1]
        assert place == again  # whatever changed on the way there
        return None if place < 0 else (prepared.batch.plans[place].decision, seconds)
    assert prepared.asked is not None
    _, plan, _ = _solve_point(prepared.asked, case.named(point))
    return None if plan is None else (plan.decision, plan.latency_s)


def test_every_point_has_the_answer_of_a_question_of_its_own_on_random_problems() -> None:
    counts = np.array([compared(seed, 3) for seed in range(24)]).sum(axis=0)
    assert counts.min() >= 10, counts


@pytest.mark.slow
def test_many_points_have_the_answers_of_questions_of_their_own_on_random_problems() -> None:
    counts = np.array([compared(seed, 6) for seed in range(24, 324)]).sum(axis=0)
    assert counts.min() >= 300, counts
