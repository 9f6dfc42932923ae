"""How the exhaustive solver behaves: threads, limits, interrupts, memory. What it finds is tested under conformance."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from support.made import both, exits_data, grown_problem, problem_of, profile_data, topology_data

from tiercut.errors import QuestionError
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers import kept
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.registry import SOLVERS, find
from tiercut.solvers.task import make_task

SOLVER = find("exhaustive")


def solved(space: Space, query: Query | None = None, **options: object) -> Outcome:
    return SOLVER.solve(make_task(space, query or Query(kind="frontier")), Options(**options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def large() -> Space:
    """Eighteen blocks on six nodes: 200 million decisions, five seconds of work or more."""
    return make_space(grown_problem(18, 6, 10))


@pytest.fixture(scope="module")
def twins() -> Space:
    """Eleven blocks on six equal nodes: every plan has others of the same price; 8 million decisions."""
    names = [f"n{v}" for v in range(6)]
    links = [both(a, b, 1, 1) for place, a in enumerate(names) for b in names[place + 1 :]]
    rates = [[share / 16 for share in (0, 2, 1, 1, 2, 1, 3, 1, 1, 2, 2)] for _ in range(12)]
    exits = exits_data([i / 16 for i in range(1, 12)], *rates)
    exits["thresholds"] = [i / 16 for i in range(12)]
    profile = profile_data([1.0] * 11, [1.0] * 12, exits=exits, result_bytes=1)
    return make_space(problem_of(topology_data(" ".join(names), links), profile))


def test_it_scores_170_000_decisions_of_ten_blocks_four_nodes_and_twenty_thresholds() -> None:
    """Per threshold 10·4 + 45·12 + 120·24 + 210·24 = 8,500; a plan without a cut is scored once."""
    space = make_space(grown_problem(10, 4, 20))
    outcome = solved(space)
    assert space.decisions == 170_000
    assert outcome.scored == 170_000 - 19 * 40


def test_progress_is_reported_while_it_works(large: Space) -> None:
    calls: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)

    assert solved(large, progress=note).status == "interrupted"
    assert len(calls) >= 4
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {large.decisions}
    assert 0 < calls[-1][0] < large.decisions


def test_when_the_time_is_up_the_best_so_far_is_returned_and_said_to_be_only_feasible(large: Space) -> None:
    outcome = solved(large, Query(), time_limit_s=0.3)
    assert outcome.status == "feasible"
    assert outcome.reason
    assert outcome.scored is not None
    assert 0 < outcome.scored < large.decisions
    assert len(outcome.decisions) == 1


def test_work_that_ends_within_its_limit_is_optimal() -> None:
    space = make_space(grown_problem(6, 3, 2))
    limited, unlimited = solved(space, time_limit_s=60.0), solved(space)
    assert limited.decisions == unlimited.decisions
    assert (limited.status, limited.reason) == ("optimal", "")


@pytest.mark.parametrize("kind", ["solve", "rank", "frontier"])
def test_an_interrupt_ends_the_search_with_what_was_found(large: Space, kind: str) -> None:
    def interrupt(done: int, total: int) -> None:
        signal.raise_signal(signal.SIGINT)

    outcome = solved(large, Query(kind=kind), progress=interrupt)  # type: ignore[arg-type]
    assert outcome.status == "interrupted"
    assert outcome.decisions
    assert outcome.scored is not None
    assert outcome.scored < large.decisions


def test_a_progress_callback_that_fails_ends_the_search_with_its_error(large: Space) -> None:
    scored: list[int] = []

    def fail(done: int, total: int) -> None:
        scored.append(done)
        raise RuntimeError("the screen is gone")

    with pytest.raises(RuntimeError, match="the screen is gone"):
        solved(large, progress=fail)
    assert scored[0] < large.decisions  # the first time, on the way
    assert len(scored) == 1


@pytest.mark.parametrize("kind", ["solve", "rank", "frontier"])
@pytest.mark.parametrize("objective", ["latency", "accuracy"])
def test_one_two_and_three_threads_give_the_same_plans_among_equals(twins: Space, kind: str, objective: str) -> None:
    query = Query(kind=kind, objective=objective, top=40)  # type: ignore[arg-type]
    first, *others = (solved(twins, query, workers=count).decisions for count in (1, 2, 3))
    assert all(other == first for other in others)


def test_among_equals_fewer_partitions_then_the_order_of_the_file_then_the_threshold_decide(twins: Space) -> None:
    """Nobody leaves at branch 1, so that [11] and [1, 11] are the plans with the accuracy of branch 11.

    [11] at home takes 11 s. Elsewhere: input 2, 11, result 2. [1, 11] away from home: 1, 2, 10, result 2; towards home:
    input 2, 1, 2, 10: 15 s, all of them.
    """
    outcome = solved(twins, Query(kind="rank", top=1 + 5 + 10 * 12, min_accuracy=11 / 16))
    expected = [((11,), (v,), None) for v in range(6)]
    for placement in [(0, v) for v in range(1, 6)] + [(v, 0) for v in range(1, 6)]:
        expected += [((1, 11), placement, index) for index in range(12)]
    assert [(each.partition, each.placement, each.threshold) for each in outcome.decisions] == expected


SCRIPT = """
import json, sys
from support.made import grown_problem
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

outcome = find("exhaustive").solve(make_task(make_space(grown_problem(11, 5, 6)), Query(kind="frontier")), Options())
print(json.dumps([[d.partition, d.placement, d.exits, d.threshold] for d in outcome.decisions]))
"""


def in_another_process(script: str) -> str:
    """Return what a script prints in a fresh interpreter that finds what this one finds."""
    path = json.dumps(sys.path)
    start = f"import sys; sys.path[:] = {path}\n"
    return subprocess.run([sys.executable, "-c", start + script], capture_output=True, text=True, check=True).stdout


def test_another_process_gives_the_same_plans() -> None:
    outcome = solved(make_space(grown_problem(11, 5, 6)))
    here = [[d.partition, d.placement, d.exits, d.threshold] for d in outcome.decisions]
    assert json.loads(in_another_process(SCRIPT)) == json.loads(json.dumps(here))


MEMORY = """
import resource
from support.made import grown_problem
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

def peak(blocks):
    task = make_task(make_space(grown_problem(blocks, 6, 10)), Query(kind="frontier"))
    find("exhaustive").solve(task, Options(workers=2))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak(9)
print(peak(13) - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is given in KiB on Linux only")
def test_memory_does_not_grow_with_the_number_of_decisions() -> None:
    """From 1.6 to 25 million decisions: a byte for each of them would be 23 MB more."""
    assert int(in_another_process(MEMORY)) < 8 * 1024


def test_a_frontier_for_which_there_is_no_room_is_found_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_space(grown_problem(8, 4, 5))
    whole = solved(space)
    monkeypatch.setattr(kept, "ROOM", 1)
    tight = solved(space)
    assert len(whole.decisions) > 8
    assert (tight.decisions, tight.scored) == (whole.decisions, whole.scored)


def test_an_unknown_solver_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(QuestionError) as raised:
        find("exhaustiv")
    assert "did you mean 'exhaustive'?" in str(raised.value)
    assert all(name in str(raised.value) for name in ("auto", *SOLVERS))


def test_every_solver_of_the_registry_goes_by_its_own_name() -> None:
    for name, solver in SOLVERS.items():
        assert solver.name == name
        assert solver.about
