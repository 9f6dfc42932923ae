"""The solvers that prove nothing: what they answer holds, comes back by seed, and is nearly as good as the best."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from support.made import grown_problem
from support.seeded.questions import holds, priced, random_question

import tiercut
from tiercut import Answer, Options, Query
from tiercut.analysis.answers.hypervolume import hypervolume as hypervolume_of
from tiercut.errors import QuestionError
from tiercut.optimizer.frontier import frontier_plans, values_of
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.pricing import evaluate_tables, price
from tiercut.optimizer.query import Bound
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.encoding import decision_of
from tiercut.solvers.heuristics.annealing import Annealing
from tiercut.solvers.heuristics.candidates import Candidates, random_states
from tiercut.solvers.heuristics.nsga2 import Nsga2
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

HEURISTICS = [solver.name for solver in SOLVERS.values() if not solver.exact and solver.name != "random"]
"""Those that search; what is drawn at random is only a baseline."""
RECORDED = ("iot", "resnet20-digits32")


pytestmark = pytest.mark.xdist_group("heuristics")  # so that what is found once serves several tests


@pytest.fixture(params=HEURISTICS)
def heuristic(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(query: Query, solver: str, **options: object) -> Answer:
    return tiercut.ask(*RECORDED, query, solver=solver, options=Options(**options))  # type: ignore[arg-type]


@cache
def frontier(heuristic: str) -> tuple[Answer, list[tuple[int, int]]]:
    """Return the frontier of the recorded network, and the calls of the progress callback."""
    calls: list[tuple[int, int]] = []
    return ask(Query(kind="frontier"), heuristic, progress=lambda done, total: calls.append((done, total))), calls


def hypervolume(answer: Answer, worst: float) -> float:
    """Return the area of latency and accuracy that a frontier dominates, up to the latency `worst`."""
    area, right = 0.0, 0.0
    for plan in answer:
        assert plan.accuracy is not None
        area += max(worst - plan.latency_s, 0.0) * (plan.accuracy - right)
        right = plan.accuracy
    return area


def test_a_heuristic_frontier_covers_nearly_what_the_exact_one_does(heuristic: str) -> None:
    exact = ask(Query(kind="frontier"), "labels")
    found, _ = frontier(heuristic)
    worst = exact[-1].latency_s * 1.01
    assert 0.99 <= hypervolume(found, worst) / hypervolume(exact, worst) <= 1 + 1e-9


def test_the_plans_of_a_heuristic_frontier_beat_each_other_nowhere_and_are_priced_right(heuristic: str) -> None:
    found, _ = frontier(heuristic)
    for before, after in pairwise(found):
        assert after.latency_s > before.latency_s
        assert (after.accuracy or 0) > (before.accuracy or 0)
    for plan in found:
        assert price(found.space.problem, plan.decision) == plan
    assert found.outcome.status == "feasible"


@pytest.mark.parametrize(
    "query",
    [
        Query(min_accuracy=0.95),
        Query(objective="accuracy", max_latency_s=0.04),
        Query(kind="rank", min_accuracy=0.9, exits="free"),
        Query(min_accuracy=0.95, per_exit=True),
        Query(min_accuracy=0.9, include=("local",), keep_first=0),
        Query(min_accuracy=0.9, bounds=(Bound("bytes", at_most=20000.0),)),
    ],
)
def test_every_bound_and_rule_of_a_question_is_held(heuristic: str, query: Query) -> None:
    found = ask(query, heuristic, time_limit_s=0.5)
    assert len(found) > 0
    assert len({plan.decision for plan in found}) == len(found)
    for plan in found:
        assert query.min_accuracy is None or (plan.accuracy or 0) >= query.min_accuracy - 1e-9
        assert query.max_latency_s is None or plan.latency_s <= query.max_latency_s + 1e-9
        assert set(query.include) <= set(plan.placement)
        assert not query.bounds or plan.bytes_sent <= 20000.0 * (1 + 1e-9)


SEEDED = """
import sys
import tiercut
for name in sys.argv[1:]:
    query, options = tiercut.Query(kind="frontier", most_partitions=2), tiercut.Options(seed=3, workers=1)
    print([str(plan) for plan in tiercut.ask("iot", "resnet20-digits32", query, solver=name, options=options)])
"""


def test_the_same_seed_gives_the_same_plans_in_another_process() -> None:
    call = [sys.executable, "-c", SEEDED, *HEURISTICS]
    there = subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()
    query = Query(kind="frontier", most_partitions=2)
    assert there == [str([str(plan) for plan in ask(query, name, seed=3, workers=1)]) for name in HEURISTICS]


def test_a_time_limit_ends_the_search_with_what_was_found(heuristic: str) -> None:
    ask(Query(), heuristic, time_limit_s=0.1)
    began = time.perf_counter()
    found = ask(Query(kind="frontier"), heuristic, time_limit_s=0.3)
    assert len(found) > 0
    assert time.perf_counter() - began < 20  # a loaded machine; without the limit it is a fixed amount of work
    assert found.outcome.reason


def test_progress_is_reported_while_it_works(heuristic: str) -> None:
    _, calls = frontier(heuristic)
    assert calls
    assert all(done <= total for done, total in calls)


# Random questions with everything that may be asked, against trying everything


def covered(points: list[tuple[float, float]], worst: float) -> float:
    """Return the area of cost and accuracy that some points beat, up to the cost `worst`."""
    area, right = 0.0, 0.0
    for cost, accuracy in sorted(points):
        area += max(worst - cost, 0.0) * max(accuracy - right, 0.0)
        right = max(right, accuracy)
    return area


def missed(got: list[tuple[float, float]], wanted: list[tuple[float, float]], query: Query) -> float:
    """Return the share of what can be had that an answer falls short of; it must never have more."""
    if query.kind == "frontier":
        worst = max((cost for cost, _ in wanted), default=0.0) * 1.01 + 1e-9
        best = covered(wanted, worst)
        return 1 - covered(got, worst) / best if best > 0 else 0.0
    sign, place = (-1.0, 1) if query.objective == "accuracy" else (1.0, 0)
    mine, theirs = [sign * each[place] for each in got], [sign * each[place] for each in wanted]
    assert len(mine) <= len(theirs)
    if len(mine) < len(theirs):
        return 1.0
    return max(((m - t) / max(abs(t), 1e-9) for m, t in zip(mine, theirs, strict=True)), default=0.0)


def test_random_questions_of_every_sort_are_answered_nearly_as_well_as_can_be(heuristic: str) -> None:
    short = []
    for seed in range(150):
        question = random_question(seed)
        if question is None:
            continue
        space, query = question
        task = make_task(space, query)
        wanted, got = (find(name).solve(task, Options(workers=1)) for name in ("exhaustive", heuristic))
        assert got.status == ("feasible" if got.decisions else "stopped")
        assert len(set(got.decisions)) == len(got.decisions)
        assert all(holds(space, query, decision) for decision in got.decisions)
        short.append(missed(priced(space, got, query), priced(space, wanted, query), query))
    assert len(short) > 90
    assert min(short) > -1e-9
    assert sum(each > 0.01 for each in short) <= 0.02 * len(short)


def test_a_candidate_violates_nothing_exactly_where_its_plan_is_admitted_and_is_priced_to_the_last_bit() -> None:
    admitted, refused = 0, 0
    for seed in range(80):
        question = random_question(seed)
        if question is None or question[0].decisions > 3000:
            continue
        space, query = question[0], replace(question[1], kind="rank", top=3000)
        known = set(find("exhaustive").solve(make_task(space, query), Options(workers=1)).decisions)
        candidates, tables = Candidates(make_task(space, query)), measure(space.problem, query.additive, query.rate_fps)
        rows = candidates.rows(300, random_states(seed, 1)[0])
        for key, cost, accuracy, violation in zip(candidates.keys(rows), *candidates.scores(rows), strict=True):
            decision = decision_of(space, candidates.layout, key)
            assert (violation == 0) == (decision in known), (seed, decision)
            if violation == 0:
                assert cost == evaluate_tables(space.problem, decision, tables)
                assert not space.knows_accuracy or accuracy == price(space.problem, decision).accuracy
            admitted, refused = admitted + (violation == 0), refused + (violation > 0)
    assert min(admitted, refused) > 1000


# Spaces too large to try


@pytest.fixture(scope="module")
def large() -> Space:
    return make_space(grown_problem(40, 5, 10))


def test_the_frontier_of_a_large_space_is_nearly_covered(heuristic: str, large: Space) -> None:
    query = Query(kind="frontier")
    found, exact = (find(name).solve(make_task(large, query), Options()) for name in (heuristic, "labels"))
    mine, theirs = priced(large, found, query), priced(large, exact, query)
    worst = max(cost for cost, _ in theirs)
    assert 0.99 <= covered(mine, worst) / covered(theirs, worst) <= 1 + 1e-9


def test_the_number_of_threads_changes_nothing(large: Space) -> None:
    query = Query(kind="frontier")
    one, two = (Annealing(400_000).solve(make_task(large, query), Options(workers=count)) for count in (1, 3))
    assert one.decisions == two.decisions
    assert one.decisions != Annealing(400_000).solve(make_task(large, query), Options(seed=1)).decisions


def test_nodes_may_be_more_than_bits_in_a_word(heuristic: str) -> None:
    space, few = make_space(grown_problem(6, 70, 2)), make_space(grown_problem(6, 2, 2))
    outcome = find(heuristic).solve(make_task(space, Query(min_accuracy=0.5)), Options(time_limit_s=1.0))
    assert outcome.decisions
    best = find("labels").solve(make_task(few, Query(min_accuracy=0.5)), Options())
    limit = price(few.problem, best.decisions[0]).latency_s
    assert price(space.problem, outcome.decisions[0]).latency_s <= limit * (1 + 1e-9)


def test_where_nothing_is_found_nothing_is_claimed(heuristic: str, large: Space) -> None:
    outcome = find(heuristic).solve(make_task(large, Query(max_latency_s=0.0)), Options(time_limit_s=1.0))
    assert outcome.status == "stopped"
    assert outcome.decisions == ()
    assert "found nothing" in outcome.reason


def test_an_error_of_the_progress_callback_ends_the_work(heuristic: str, large: Space) -> None:
    def fail(done: int, total: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        find(heuristic).solve(make_task(large, Query(kind="frontier")), Options(progress=fail))


def test_an_interrupt_leaves_what_was_found(heuristic: str, large: Space) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    outcome = find(heuristic).solve(make_task(large, Query(kind="frontier")), Options(progress=interrupt))
    assert outcome.decisions
    assert (outcome.status, outcome.reason) == ("interrupted", "interrupted before the end")


def test_without_pymoo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, large: Space) -> None:
    monkeypatch.setitem(sys.modules, "pymoo.config", None)
    with pytest.raises(QuestionError, match=r"pip install 'tiercut\[heuristics\]'"):
        Nsga2().solve(make_task(large, Query()), Options())


def test_nsga2_covers_nearly_what_the_exact_frontier_over_three_measures_does_and_comes_back_by_seed() -> None:
    query = Query(kind="frontier", over=("latency", "out:phone", "accuracy"), min_accuracy=0.6)
    exact = tiercut.ask("mobile", RECORDED[1], query, solver="labels")
    space = exact.space
    found = [Nsga2(generations=25).solve(make_task(space, query), Options(seed=2)) for _ in range(2)]
    assert found[0].decisions == found[1].decisions
    assert (found[0].status, found[0].exact) == ("feasible", False)
    plans = frontier_plans(space.problem, query, found[0].decisions)
    assert all((plan.accuracy or 0.0) >= 0.6 - 1e-9 for plan in plans)
    wanted = exact.hypervolume()
    assert wanted is not None
    values = values_of(space.problem, plans, query.compared)
    got = hypervolume_of(values, query.compared, wanted.reference)
    assert got is not None
    assert 0.99 <= got.value / wanted.value <= 1 + 1e-9


def test_nsga2_holds_bounds_on_frontiers_over_several_measures() -> None:
    asked = 0
    for seed in range(20):
        made = random_question(seed)
        if made is None:
            continue
        space, query = made
        query = replace(query, kind="frontier", objective="latency", over=("cost", "energy", "bytes"))
        if "once" in needs(make_task(space, query)):
            continue
        outcome = Nsga2(generations=4).solve(make_task(space, query), Options())
        exact = find("labels").solve(make_task(space, query), Options())
        assert all(holds(space, query, decision) for decision in outcome.decisions)
        assert exact.decisions or not outcome.decisions
        asked += len(outcome.decisions) > 0
    assert asked > 5
