"""A few plans that stand for a frontier, and its knee: laws, and by hand."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import tiercut
from tiercut.analysis.answers.thinning import knee_of, standing_for, within_share
from tiercut.errors import QuestionError

CASE = ("iot", "resnet20-digits32")
TWO, THREE = ("latency", "accuracy"), ("latency", "bytes", "accuracy")
AXIS = st.lists(st.integers(0, 200), min_size=1, max_size=9, unique=True)


@st.composite
def fronts(draw: Any) -> np.ndarray[Any, Any]:
    """Return costs that rise and accuracies that rise with them, the latter with their sign turned."""
    costs, shares = sorted(draw(AXIS)), sorted(draw(AXIS))
    count = min(len(costs), len(shares))
    return np.array([(cost / 10, -share / 200) for cost, share in zip(costs[:count], shares[:count], strict=True)])


def stands_for(values: Any, kept: Any, share: float, absolute: int) -> bool:
    """Return whether each plan is better than one that is kept by the share at most, in plain Python."""
    slack = [[share if d == absolute else share * abs(value) for d, value in enumerate(row)] for row in values.tolist()]
    return all(
        any(all(values[k][d] <= row[d] + slack[at][d] for d in range(len(row))) for k in kept)
        for at, row in enumerate(values.tolist())
    )


@given(fronts(), st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0]))
def test_what_is_left_out_is_no_better_by_more_than_the_share_and_no_fewer_would_do(values: Any, share: float) -> None:
    kept = within_share(values, share, TWO).tolist()
    assert stands_for(values, kept, share, 1)
    ends = {0, len(values) - 1}
    assert ends <= set(kept)
    others = [place for place in range(len(values)) if place not in ends]
    fewer = len(kept) - len(ends) - 1
    assert fewer < 0 or not any(stands_for(values, [*ends, *some], share, 1) for some in combinations(others, fewer))


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=12, unique=True), st.floats(0, 1))
def test_three_measures_are_stood_for_too(rows: Any, share: float) -> None:
    values = np.array(rows, float) * [1.0, 1.0, -1 / 30]
    kept = within_share(values, share, THREE).tolist()
    assert stands_for(values, kept, share, 2)
    assert kept == sorted(set(kept))
    best = values[kept].min(axis=0)
    assert (best == values.min(axis=0)).all()


@given(fronts(), st.integers(2, 6))
def test_no_more_points_are_kept_than_are_wanted(values: Any, points: int) -> None:
    kept = standing_for(values, points, TWO)
    assert len(kept) <= points
    assert {0, len(values) - 1} <= set(kept.tolist())


def test_the_knee_is_furthest_from_the_line_through_both_ends() -> None:
    """From (0, .5) to (10, 1): after 2 of 10 four fifths of the gain are had, after 5 nine tenths."""
    front = np.array([(0.0, -0.5), (2.0, -0.9), (5.0, -0.95), (10.0, -1.0)])
    assert knee_of(front) == 1
    assert knee_of(front[:2]) is None
    assert knee_of(np.array([(0.0, -0.5), (5.0, -0.6), (10.0, -1.0)])) is None  # it bends the other way
    assert knee_of(np.array([(1.0, -0.5), (1.0, -0.5), (1.0, -0.5)])) is None
    assert knee_of(np.zeros((4, 3))) is None


def test_a_frontier_is_thinned_to_its_ends_its_knee_and_what_stands_for_the_rest() -> None:
    whole = tiercut.frontier(*CASE)
    few = whole.thinned(8)
    assert len(few) <= 8 < len(whole)
    assert {whole[0], whole[len(whole) - 1]} <= set(few)
    assert whole.knee is not None
    assert few.knee is not None
    assert few[few.knee] == whole[whole.knee]
    assert few.to_data()["frontier"]["plans_in_all"] == len(whole)
    assert few.to_data()["frontier"]["knee"] == few.knee + 1
    assert "plans_in_all" not in whole.to_data()["frontier"]
    assert few.thinned(6).whole == whole.plans
    assert list(whole.thinned(1000)) == list(whole)
    within = whole.thinned(within="1 %")
    assert list(within) == list(whole.thinned(within=0.01))
    for plan in whole:
        assert any(
            each.latency_s <= 1.01 * plan.latency_s and (each.accuracy or 0) >= (plan.accuracy or 0) - 0.01
            for each in within
        )


def test_all_that_is_said_of_a_plan_stays_with_it() -> None:
    whole = tiercut.frontier(*CASE)
    few = whole.thinned(8)
    said = [[row[1:] for row in map(tuple, each.to_frame().astype(str).to_numpy())] for each in (whole, few)]
    assert said[1] == [row for row in said[0] if row in said[1]]
    assert len(said[1]) == len(few)


def test_plans_by_replay_are_thinned_with_what_the_samples_say() -> None:
    whole = tiercut.frontier(*CASE, evaluate="replay")
    few = whole.thinned(5)
    assert few.replayed is not None
    assert [each.replayed for each in few.replayed.plans] == list(few)
    assert len(few) <= 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 2}, "points is 3 or more"),
        ({"within": "1"}, "within: expected a share with its unit"),
        ({"within": -0.1}, "within is a share"),
    ],
)
def test_what_cannot_be_thinned_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        tiercut.frontier(*CASE).thinned(**options)
    with pytest.raises(QuestionError, match="about a frontier"):
        tiercut.solve(*CASE).thinned(**options)
