"""What every solver of the registry must do; one that claims to be exact, against trying everything in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.made import grown_problem
from support.questions import Question, assert_answered, is_small, questions
from support.reference import within
from support.seeded.problems import Case, random_case

from tiercut.errors import QuestionError
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options, Outcome, Solver
from tiercut.solvers.registry import SOLVERS, choose, find, needs
from tiercut.solvers.task import make_task

CHUNKS = 10
PROBLEMS = {"exhaustive": 1500}
"""Random problems of each of two sorts, some large and left out; other solvers are given fewer of them."""

SHARE = {"cp-sat": 0.2, "nsga2": 0.3, "annealing": 0.5, "random": 0.3}
"""Part of the other questions that a solver is asked whose every answer takes tens of milliseconds."""

EXACT = [name for name, solver in SOLVERS.items() if solver.exact]


@pytest.fixture(params=list(SOLVERS))
def solver(request: pytest.FixtureRequest) -> Solver:
    return find(request.param)


@pytest.fixture(params=EXACT)
def exact(request: pytest.FixtureRequest) -> Solver:
    return find(request.param)


def small_cases(seeds: range, *, plain: bool) -> list[tuple[int, Case]]:
    cases = [(seed, random_case([plain, seed], plain=plain)) for seed in seeds]
    cases += [(seed, replace(case, codec="auto")) for seed, case in cases if "codecs" in case.profile and seed % 2]
    return [(seed, case) for seed, case in cases if is_small(case)]


def asked(seeds: range, objectives: tuple[str, ...], *, plain: bool) -> list[Question]:
    found: list[Question] = []
    for seed, case in small_cases(seeds, plain=plain):
        found += questions(case, np.random.default_rng([plain, seed]), objectives)
    return found


def seeds_of(chunk: int, solver: Solver) -> range:
    size = PROBLEMS.get(solver.name, 300) // CHUNKS
    return range(chunk * size, (chunk + 1) * size)


def some(seeds: int, solver: Solver) -> range:
    return range(round(seeds * SHARE.get(solver.name, 1)))


def answerable(solver: Solver, found: list[Question]) -> list[Question]:
    """Return the questions that a solver says it supports."""
    return [each for each in found if needs(make_task(each.case.space, each.query)) <= solver.features]


def solved(solver: Solver, question: Question) -> Outcome:
    return solver.solve(make_task(question.case.space, question.query), Options(workers=1))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_an_exact_solver_answers_as_trying_everything_does(exact: Solver, chunk: int) -> None:
    for question in answerable(exact, asked(seeds_of(chunk, exact), ("latency", "accuracy"), plain=False)):
        outcome = solved(exact, question)
        assert_answered(question, [question.case.choice(decision) for decision in outcome.decisions])
        assert outcome.status == ("optimal" if question.wanted else "infeasible")


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_among_equals_the_order_of_the_project_decides(exact: Solver, chunk: int) -> None:
    for question in answerable(exact, asked(seeds_of(chunk, exact), ("latency", "accuracy"), plain=True)):
        got = [question.case.choice(decision) for decision in solved(exact, question).decisions]
        assert got == [score.choice for score in question.wanted], question.query


def test_an_exact_solver_finds_the_fewest_bytes_under_bounds(exact: Solver) -> None:
    for question in answerable(exact, asked(some(500, exact), ("bytes",), plain=False)):
        outcome = solved(exact, question)
        assert_answered(question, [question.case.choice(decision) for decision in outcome.decisions])


def test_plans_that_are_equal_in_bytes_come_quickest_first(exact: Solver) -> None:
    for question in answerable(exact, asked(some(300, exact), ("bytes",), plain=True)):
        got = [question.case.choice(decision) for decision in solved(exact, question).decisions]
        assert got == [score.choice for score in question.wanted], question.query


def test_plans_are_admitted_differ_and_hold_the_bounds(solver: Solver) -> None:
    for question in answerable(solver, asked(some(120, solver), ("latency", "accuracy"), plain=False)):
        got = [question.case.choice(decision) for decision in solved(solver, question).decisions]
        known = {score.choice: score for score in question.scores}
        assert len(set(got)) == len(got)
        assert set(got) <= set(known)
        chosen = [known[choice] for choice in got]
        assert within(chosen, question.query.min_accuracy, question.query.max_latency_s) == chosen


def test_no_point_of_a_frontier_dominates_another(solver: Solver) -> None:
    for _, case in small_cases(some(200, solver), plain=True):
        if case.space.knows_accuracy and needs(make_task(case.space, Query(kind="frontier"))) <= solver.features:
            outcome = solver.solve(make_task(case.space, Query(kind="frontier")), Options())
            scores = [case.reference.score(case.choice(decision)) for decision in outcome.decisions]
            latencies, accuracies = [each.latency for each in scores], [each.accuracy for each in scores]
            assert latencies == sorted(set(latencies))
            assert accuracies == sorted(set(accuracies))  # type: ignore[type-var]


def test_the_same_seed_gives_the_same_plans(solver: Solver) -> None:
    for question in answerable(solver, asked(some(60, solver), ("latency", "accuracy"), plain=False)):
        once, again = (solver.solve(make_task(question.case.space, question.query), Options(seed=3)) for _ in range(2))
        assert once.decisions == again.decisions


def test_one_thread_and_two_give_the_same_plans(solver: Solver) -> None:
    for question in answerable(solver, asked(some(60, solver), ("latency", "accuracy"), plain=True)):
        one, two = (solver.solve(make_task(question.case.space, question.query), Options(workers=n)) for n in (1, 2))
        assert one.decisions == two.decisions


def test_a_question_that_nothing_meets_is_said_to_be_infeasible(exact: Solver) -> None:
    for _, case in small_cases(range(60), plain=False):
        quickest = min(score.latency for score in case.scores)
        query = Query(exits=case.exits, order=case.order, codec=case.codec, max_latency_s=quickest * 0.9)
        outcome = exact.solve(make_task(case.space, query), Options())
        if quickest * 0.1 > 2e-9:
            assert (outcome.status, outcome.decisions) == ("infeasible", ())


def test_a_solver_without_time_says_only_what_it_knows(solver: Solver) -> None:
    space = make_space(grown_problem(12, 5, 8))
    outcome = solver.solve(make_task(space, Query(kind="frontier")), Options(time_limit_s=0.0))
    assert outcome.status in ("optimal", "feasible", "infeasible" if not solver.exact else "feasible")
    if outcome.status == "optimal":
        assert outcome.decisions == find("labels").solve(make_task(space, Query(kind="frontier")), Options()).decisions


def test_what_a_solver_does_not_support_is_refused_with_those_that_do(solver: Solver) -> None:
    for question in asked(range(60), ("latency", "bytes", "accuracy"), plain=False):
        space, query = question.case.space, question.query
        task = make_task(space, query)
        if not needs(task) <= solver.features:
            with pytest.raises(QuestionError, match=f"solver '{solver.name}' does not answer .*; these do: ") as raised:
                solver.solve(task, Options())
            able = str(raised.value).split("these do: ")[1]
            assert all(name in able for name, other in SOLVERS.items() if needs(task) <= other.features)


def test_the_solver_that_is_picked_supports_what_is_asked() -> None:
    for question in asked(range(60), ("latency", "bytes", "accuracy"), plain=False):
        task = make_task(question.case.space, question.query)
        picked, why = choose(task)
        assert needs(task) <= picked.features
        assert picked.exact
        assert why


def test_an_outcome_names_its_solver_and_the_time_it_took(solver: Solver) -> None:
    outcome = solver.solve(make_task(random_case(5).space, Query()), Options())
    assert outcome.solver == solver.name
    assert outcome.exact == solver.exact
    assert outcome.seconds > 0


def test_a_ranking_is_as_long_as_there_are_plans(exact: Solver) -> None:
    for _, case in small_cases(some(150, exact), plain=True):
        rule = Query(kind="rank", top=10_000, exits=case.exits, order=case.order, codec=case.codec)
        outcome = exact.solve(make_task(case.space, rule), Options())
        assert len(outcome.decisions) == len(case.scores)
        first = exact.solve(make_task(case.space, replace(rule, top=3)), Options())
        assert first.decisions == outcome.decisions[:3]
