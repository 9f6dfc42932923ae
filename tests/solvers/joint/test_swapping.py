"""Whole choices made better by exchanging plans: against all exchanges of one and of two plans."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from tiercut.clock import time_limit
from tiercut.optimizer import SLACK, Decision
from tiercut.solvers.joint.columns import Column
from tiercut.solvers.joint.swapping import exchanged

PENALTY = 3.0
DECISION = Decision((1,), (0,), (1,), None)


def drawn(seed: int) -> tuple[np.ndarray, list[list[Column]], list[int]]:
    rng = np.random.default_rng(seed)
    streams, limits = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    columns = [
        [Column(DECISION, float(rng.uniform(0.1, 1)), rng.uniform(0, 1.5 / streams, limits)) for _ in range(count)]
        for count in rng.integers(1, 6, streams).tolist()
    ]
    return rng.dirichlet(np.ones(streams)), columns, [int(rng.integers(len(own))) for own in columns]


def cost(weights: np.ndarray, columns: list[list[Column]], picked: list[int]) -> float:
    chosen = [own[at] for own, at in zip(columns, picked, strict=True)]
    total = sum((each.loads for each in chosen), np.zeros(len(chosen[0].loads)))
    late = sum(float(weight) * each.latency_s for weight, each in zip(weights, chosen, strict=True))
    return late + PENALTY * float(np.maximum(total - (1.0 + SLACK), 0.0).sum())


@pytest.mark.parametrize("seed", range(200))
def test_no_exchange_of_two_plans_makes_a_choice_better(seed: int) -> None:
    weights, columns, picked = drawn(seed)
    found = exchanged(weights, columns, picked, PENALTY)
    least = cost(weights, columns, found)
    assert least <= cost(weights, columns, picked) * (1 + 1e-12)
    places = range(len(columns))
    for pair in combinations(places, 2) if len(columns) > 1 else [(0,)]:
        for others in product(*(range(len(columns[place])) for place in pair)):
            tried = list(found)
            for place, other in zip(pair, others, strict=True):
                tried[place] = other
            assert cost(weights, columns, tried) >= least * (1 - 1e-8)


def test_exchanges_end_once_the_time_is_up() -> None:
    weights, columns, picked = drawn(3)
    with time_limit(0.0):
        assert exchanged(weights, columns, picked, PENALTY) == picked
