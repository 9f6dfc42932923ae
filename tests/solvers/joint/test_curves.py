"""Prices of streams that are alike, held to the cheapest of all plans for each."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tiercut.solvers.joint.curves import Curve, Priced, Wanted


def priced_all(seed: int, within: float) -> tuple[list[tuple[float, Priced]], int]:
    """Price random streams by a curve; return the true least cost of each with what was said, and how many searched."""
    rng = np.random.default_rng(seed)
    plans = np.column_stack([rng.uniform(0, 1, (12, 2)), rng.choice([0.5, 0.7, 0.9], 12)])  # latency, busy, accuracy
    wanted = [
        Wanted(place, float(rng.choice([0.0, *rng.uniform(0, 3, 3)])), float(rng.uniform(1, 5)), float(floor))
        for place, floor in enumerate(rng.choice([-inf, 0.7, 0.9, 0.95], 20, p=[0.4, 0.3, 0.25, 0.05]))
    ]
    known: set[int] = set()

    def cost(each: Wanted, at: int) -> float:
        latency, busy, right = plans[at]
        return float(each.rate * (each.ratio * latency + busy)) if right >= each.floor else inf

    def cheapest(each: Wanted, among: Any) -> tuple[float, Any]:
        return min(((cost(each, at), at) for at in among if cost(each, at) < inf), default=(inf, None))

    curve, searched = Curve(wanted, lambda place: cheapest(wanted[place], known), within), 0
    while jobs := curve.next():
        for each in jobs:
            value, at = cheapest(each, range(len(plans)))
            known |= set() if at is None else {at}
            curve.take(each, Priced(value * (1 - 1e-10), at, proved=True))  # as of a known plan that nothing beats
            searched += 1
    return [(cheapest(each, range(len(plans)))[0], curve.found[each.place]) for each in wanted], searched


@given(st.integers(0, 10**6))
def test_every_stream_gets_its_cheapest_plan_without_a_search_for_each(seed: int) -> None:
    found, searched = priced_all(seed, 0.0)
    for true, said in found:
        assert said.proved
        assert said.value == true or abs(said.value - true) <= 1e-9 * true
        assert (said.decision is None) == (true == inf)
    assert searched <= len(found)


@given(st.integers(0, 10**6))
def test_a_rough_price_is_never_above_the_true_one_and_no_further_below_than_it_may_be(seed: int) -> None:
    for true, said in priced_all(seed, 0.1)[0]:
        assert said.value == true or 0.9 * true * (1 - 1e-9) <= said.value <= true * (1 + 1e-9)


def test_what_is_not_proved_of_one_stream_is_not_proved_of_those_alike() -> None:
    curve = Curve([Wanted(place, 0.5, 1.0 + place, -inf) for place in range(50)], lambda _: (inf, None))
    (only,) = curve.next()
    curve.take(only, Priced(2.0, None, proved=False))
    assert not curve.next()
    assert [each.proved for each in curve.found.values()] == [False] * 50


@pytest.mark.parametrize("within", [0.0, 0.01])
def test_fifty_streams_of_few_plans_need_few_searches(within: float) -> None:
    assert priced_all(3, within)[1] <= 14
