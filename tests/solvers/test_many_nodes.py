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
from tiercut.solvers.registry import SOLVERS, choose, find
from tiercut.solvers.task import make_task

COUNT = 70
NAMES = [f"n{v}" for v in range(COUNT)]


def star(**more: str) -> Space:
    """Three blocks of 1 s at the source n0, of 2 s elsewhere; every other node is one link of 1 s away."""
    nodes = [{"name": name, "slowdown": 1.0 if name == "n0" else 2.0} for name in NAMES]
    links = [both("n0", name, 1, 1) for name in NAMES[1:]]
    return make_space(problem_of(topology_data(nodes, links, **more), profile_data([1.0] * 3, [0.0] * 4)))


def test_every_node_and_every_tier_can_be_required() -> None:
    space = narrow(star(), Query(include=tuple(NAMES), use_all_tiers=True))
    assert (space.required == np.vstack([np.eye(COUNT, dtype=bool)] * 2)).all()


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_node_far_down_the_file_can_be_included(solver: str) -> None:
    """One block on the node, the others at home: 2 + 2 s, and 1 s each way."""
    query = Query(include=("n69",))
    space = narrow(star(), query)
    found = find(solver)
    outcome = found.solve(make_task(space, query), Options(time_limit_s=None if found.exact else 2.0))
    assert set(outcome.decisions[0].placement) == {0, 69}
    assert price(space.problem, outcome.decisions[0]).latency_s == 6.0


QUESTIONS = {
    "best": Query(),
    "included": Query(include=("n3", "n68")),
    "ranked": Query(kind="rank", top=3, include=("n65",)),
    "frontier": Query(kind="frontier"),
    "over three": Query(kind="frontier", over=("latency", "accuracy", "bytes"), include=("n66",), most_partitions=2),
}


def drawn_star(*, tiers: int | None = None) -> Space:
    """A star of drawn slowdowns and links around n0, in tiers of its own nodes' or of that many names."""
    rng = np.random.default_rng(7)
    nodes = [
        {"name": name, "slowdown": float(rng.uniform(0.5, 3))} | ({} if tiers is None else {"tier": f"t{v % tiers}"})
        for v, name in enumerate(NAMES)
    ]
    links = [both("n0", name, float(rng.uniform(1, 3)), float(rng.uniform(0.1, 0.4))) for name in NAMES[1:]]
    more = {} if tiers is None else {"one_partition_per": "tier"}
    exits = {"thresholds": [0.3, 0.6], "exit_rate": [[0.2, 0.2, 0.6], [0.4, 0.3, 0.3]], "accuracy": [0.5, 0.7, 0.9]}
    return make_space(problem_of(topology_data(nodes, links, **more), profile_data([1.0] * 3, [1.0] * 4, exits=exits)))


@pytest.mark.parametrize("tiers", [None, 3])
@pytest.mark.parametrize("question", list(QUESTIONS))
def test_labels_answer_as_trying_everything_does_beyond_the_bits_of_a_word(question: str, tiers: int | None) -> None:
    query = QUESTIONS[question]
    space = narrow(drawn_star(tiers=tiers), query)
    task = make_task(space, query)
    found = find("labels").solve(task, Options())
    assert found.decisions == find("exhaustive").solve(task, Options()).decisions
    assert found.scored is not None
    assert found.scored < 50_000  # of 686,280 plans: which nodes came before the last partition does not count any more


def test_what_one_more_node_than_a_word_has_bits_asks_is_answered_by_labels() -> None:
    space = star()
    assert choose(make_task(space, Query()))[0].name == "labels"
