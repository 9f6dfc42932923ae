"""What encodes the input on its way to the first node: a choice of its own, by every solver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.made import both, problem_of, profile_data, topology_data
from support.questions import is_small
from support.reference_measures import over
from support.seeded.problems import random_case

from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import price
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import NEVER, PLAIN, make_space
from tiercut.solvers.encoding import Layout, decision_of, key_of
from tiercut.solvers.first_plan import first_plan
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.registry import SOLVERS, find
from tiercut.solvers.task import make_task

TOPOLOGY = topology_data([{"name": "near", "slowdown": 1e3}, {"name": "far"}], [both("near", "far", 0, 1000)])
EXACT = [name for name, solver in SOLVERS.items() if solver.exact]


def made(*, drop: float = 0.0, sizes: tuple[float | None, float | None] = (1000.0, None), **more: Any) -> Problem:
    """Return a network of two blocks with an input of a megabyte, and a codec that makes a kilobyte of it.

    Near is a thousand times as slow as far, but coding takes it no time.
    """
    times = {"d": [None if size is None else 0.0 for size in sizes]}
    codec = {"bytes": list(sizes), "encode_s": times, "decode_s": times}
    codec["accuracy_drop"] = [None if size is None else drop for size in sizes]
    profile = profile_data([1.0, 1.0], [1e6, 1e6, 0.0], accuracy=0.9, codecs={"small": codec})
    return problem_of(TOPOLOGY | more, profile)


def solved(problem: Problem, query: Query, solver: str) -> Outcome:
    space = make_space(problem, exits=query.exits, order=query.order, codec=query.codec)
    return find(solver).solve(make_task(space, query), Options(workers=1))


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_an_input_is_sent_by_the_codec_that_makes_it_small(solver: str) -> None:
    """A kilobyte takes 1 s, a megabyte 1000 s; the blocks take 2 s, and a result of no bytes goes home at once."""
    plan = price(made(), solved(made(), Query(codec="auto"), solver).decisions[0])
    assert (str(plan), plan.latency_s, plan.input_s, plan.bytes_sent) == ("(small) → far 1-2", 3.0, 1.0, 1000.0)
    assert plan.input_codec == "small"
    plain = price(made(), solved(made(), Query(), solver).decisions[0])
    assert (str(plain), plain.latency_s, plain.input_codec) == ("far 1-2", 1002.0, None)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_what_the_codec_of_the_input_costs_in_accuracy_counts_for_bounds(solver: str) -> None:
    problem = made(drop=0.1)
    found = solved(problem, Query(codec="auto", min_accuracy=0.8), solver).decisions
    assert price(problem, found[0]).accuracy == pytest.approx(0.8, rel=1e-15)
    found = solved(problem, Query(codec="auto", min_accuracy=0.85), solver).decisions
    assert (found[0].input_codec, price(problem, found[0]).latency_s) == (None, 1002.0)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_frontier_trades_the_accuracy_that_the_codec_of_the_input_takes(solver: str) -> None:
    """With the codec 3 s and 0.8, without 1002 s and 0.9."""
    problem = made(drop=0.1)
    plans = [price(problem, each) for each in solved(problem, Query(kind="frontier", codec="auto"), solver).decisions]
    assert [(plan.latency_s, plan.accuracy) for plan in plans] == [(3.0, pytest.approx(0.8)), (1002.0, 0.9)]


@pytest.mark.parametrize("solver", EXACT)
def test_an_input_that_goes_nowhere_is_encoded_by_nothing_once(solver: str) -> None:
    """Near or far alone, near then far and far then near, by the codec and without where the input goes to far."""
    query = Query(kind="rank", codec="auto", top=100)
    found = solved(made(), query, solver).decisions
    assert sorted((each.placement, each.input_codec) for each in found if each.placement[0] == 0) == [
        ((0,), None),
        ((0, 1), None),
    ]
    assert len(found) == len(set(found)) == 6
    assert make_space(made(), codec="auto").decisions == 3 + 2 * 3  # what a cut may use is counted at every cut


@pytest.mark.parametrize("solver", EXACT)
def test_a_codec_that_every_cut_must_use_is_used_for_the_input_where_it_is_recorded(solver: str) -> None:
    query = Query(kind="rank", codec="small", top=100)
    assert {(each.placement, each.input_codec) for each in solved(made(), query, solver).decisions} == {
        ((0,), None),
        ((1,), 0),
    }
    other = made(sizes=(None, 1000.0))
    assert {(each.placement, each.input_codec) for each in solved(other, query, solver).decisions} == {
        ((0,), None),
        ((1,), None),
        ((0, 1), None),
        ((1, 0), None),
    }


def test_which_choices_there_are_for_the_input() -> None:
    assert make_space(made(), codec="auto").input_codecs.tolist() == [[PLAIN, PLAIN], [NEVER, 0]]
    assert make_space(made(sizes=(None, 1000.0)), codec="auto").input_codecs.tolist() == [[PLAIN, PLAIN], [NEVER] * 2]
    assert make_space(made(), codec="small").input_codecs.tolist() == [[PLAIN, 0]]
    assert make_space(made(sizes=(None, 1000.0)), codec="small").input_codecs.tolist() == [[PLAIN, PLAIN]]
    assert make_space(made()).input_codecs.tolist() == [[PLAIN, PLAIN]]


def test_a_device_without_times_for_the_codec_sends_the_input_as_it_is() -> None:
    problem = made()
    seconds = problem.codec_s.copy()
    seconds[0, 0, 0, 1] = np.inf
    problem = replace(problem, codec_s=seconds)
    assert price(problem, solved(problem, Query(codec="auto"), "labels").decisions[0]).latency_s == 1002.0
    assert solved(problem, Query(codec="small", max_latency_s=1500.0), "labels").status == "infeasible"


def test_the_first_plan_at_once_may_encode_the_input() -> None:
    problem = made(drop=0.1)

    def first(**asked: Any) -> tuple[Decision, ...]:
        return first_plan(make_task(make_space(problem, codec="auto"), Query(codec="auto", **asked)))

    assert first() == (Decision((2,), (1,), (2,), input_codec=0),)
    assert first(min_accuracy=0.85) == (Decision((2,), (1,), (2,)),)
    assert first(objective="accuracy") == (Decision((2,), (1,), (2,)),)
    assert first(objective="accuracy", max_latency_s=10.0) == (Decision((2,), (1,), (2,), input_codec=0),)


def drawn(seed: int, *, plain: bool = True) -> Any:
    """Return a random problem that has codecs, and is small with them; else None."""
    case = random_case([plain, seed], plain=plain, blocks=6, nodes=4)
    case = replace(case, codec="auto")
    return case if "codecs" in case.profile and is_small(case) else None


@pytest.mark.parametrize("solver", ["exhaustive", "labels"])
@pytest.mark.parametrize("names", [("latency", "accuracy", "bytes"), ("bytes", "latency"), ("accuracy", "bytes")])
def test_frontiers_over_any_measures_are_those_of_trying_every_codec(solver: str, names: tuple[str, ...]) -> None:
    """In plain problems all sums are exact, so that points and plans must be the very same."""
    coded = offered = 0
    for seed in range(500):
        case = drawn(seed)
        if case is None or ("accuracy" in names and not case.space.knows_accuracy):
            continue
        query = Query(kind="frontier", over=names, exits=case.exits, order=case.order, codec="auto")
        found = find(solver).solve(make_task(case.space, query), Options(workers=1)).decisions
        wanted = over(case.reference, case.scores, query.compared)
        assert [case.choice(each) for each in found] == [score.choice for score in wanted], (seed, names)
        coded += any(each.input_codec is not None for each in found)
        offered += any(score.choice.input_codec is not None for score in case.scores)
    assert coded
    assert offered > 20


def test_rankings_of_all_decisions_are_those_of_trying_every_codec_in_the_order_among_equals() -> None:
    coded = 0
    for seed in range(1000, 1300):
        case = drawn(seed)
        if case is None:
            continue
        query = Query(kind="rank", top=10_000, exits=case.exits, order=case.order, codec="auto")
        wanted = [score.choice for score in case.reference.ranked(case.scores, "latency")]
        for solver in ("exhaustive", "labels"):
            found = find(solver).solve(make_task(case.space, query), Options(workers=1)).decisions
            assert [case.choice(each) for each in found] == wanted, (seed, solver)
        coded += any(choice.input_codec is not None for choice in wanted)
    assert coded > 5


def test_a_key_says_what_encodes_the_input() -> None:
    for seed in range(300):
        case = drawn(seed)
        if case is None:
            continue
        layout = Layout.of(case.space)
        for score in case.scores:
            decision = case.decision(score.choice)
            again = decision_of(case.space, layout, key_of(case.space, layout, decision))
            assert case.choice(again) == score.choice
