"""The cp-sat solver: random bounds and rules against trying everything, hints, limits, its model as a file.

What it shares with every solver is tested under conformance.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from math import inf, isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, grown_problem, problem_of, profile_data, topology_data
from support.proof import assert_same
from support.seeded.questions import holds, priced, random_question

import tiercut
from tiercut.errors import QuestionError
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.cp_sat import search, solver as cp_sat
from tiercut.solvers.cp_sat.bounds import Relaxation
from tiercut.solvers.cp_sat.decision_graph import COST, LOSS
from tiercut.solvers.cp_sat.model import build_model, scaled
from tiercut.solvers.cp_sat.plans import holds as holds_caps
from tiercut.solvers.cp_sat.search import Search
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import choose, find, needs
from tiercut.solvers.task import make_task

SOLVER = find("cp-sat")
CHUNKS, PER_CHUNK = 8, 60
ALL = 20_000  # more than there are of anything
NONE = -1  # paths that are looked at one by one, so that CP-SAT has all the work


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_it_answers_as_trying_everything_does(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OR-tools' presolve every fourth time, which else finds now and then that a model with solutions has none.

    Every other time models are made of what few paths are left, too.
    """
    asked = 0
    for seed in range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK):
        question = random_question(seed)
        if question is None or needs(make_task(*question)) - SOLVER.features:
            continue
        space, query = question
        wanted = find("exhaustive").solve(make_task(space, query), Options())
        monkeypatch.setattr(search, "_FEW_PATHS", 50 if seed % 2 else NONE)
        got = SOLVER.solve(make_task(space, query), Options(presolve=seed % 4 == 3))
        assert got.status == wanted.status, (seed, query)
        assert_same(priced(space, got, query), priced(space, wanted, query), query, seed)
        assert all(holds(space, query, decision) for decision in got.decisions), (seed, query)
        asked += 1
    assert asked > PER_CHUNK // 3


# A model of the size that counts


def chain(blocks: int, nodes: int, seed: int = 0) -> Problem:
    """Return a random problem without exits, with memory, power and prices; nodes get quicker by 2."""
    rng = np.random.default_rng(seed)
    names = [f"n{v}" for v in range(nodes)]
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    links = [both(a, b, 0.001 * int(rng.integers(1, 20)), 1e6 * int(rng.integers(1, 30))) for a, b in pairs]
    profile = profile_data((rng.random(blocks) * 0.01).tolist(), (rng.random(blocks + 1) * 1e5).tolist(), accuracy=0.9)
    for block in profile["blocks"]:
        block["parameter_bytes"] = float(rng.integers(1, 100) * 1e4)
    slow = [{"name": name, "slowdown": 20 / 2**v, "power": "10 W", "price": "1 $/h"} for v, name in enumerate(names)]
    return problem_of(topology_data(slow, links), profile)


FIVE = (
    Bound("blocks", "n4", at_most=40),
    Bound("memory", "n3", at_most=1.2e7),
    Bound("share", "n4", at_most=0.5),
    Bound("energy", at_most=20.0),
    Bound("bytes", at_most=250e3),
)


def test_92_blocks_on_5_nodes_under_five_bounds_are_proved() -> None:
    space = make_space(chain(92, 5, seed=1), exits="final")
    query = Query(bounds=FIVE)
    outcome = SOLVER.solve(make_task(space, query), Options())
    assert outcome.status == "optimal"
    assert holds(space, query, outcome.decisions[0])
    in_turn = choose(make_task(space, query))[0].solve(make_task(space, query), Options())
    assert (in_turn.solver, in_turn.status) == ("cp-sat", "optimal"), "labels are too many here, and cp-sat goes on"
    assert in_turn.decisions == outcome.decisions


def test_with_no_bounds_it_proves_what_the_labels_solver_finds() -> None:
    space = make_space(grown_problem(30, 4, 3))
    for query in (Query(min_accuracy=0.6), Query(objective="accuracy", max_latency_s=0.6), Query(kind="rank", top=3)):
        assert (
            SOLVER.solve(make_task(space, query), Options()).decisions
            == find("labels").solve(make_task(space, query), Options()).decisions
        )


def test_several_workers_give_the_same_plan_as_one() -> None:
    space = make_space(chain(20, 4), exits="final")
    query = Query(bounds=(Bound("bytes", at_most=2e5), Bound("blocks", "n0", at_least=3)))
    one, three = (SOLVER.solve(make_task(space, query), Options(workers=workers)) for workers in (1, 3))
    assert one.decisions == three.decisions


def test_equal_nodes_are_used_in_the_order_of_the_project() -> None:
    """Every plan has equals by the dozen; of these the first in order counts, as in the solver that tries all."""
    names = [f"n{v}" for v in range(5)]
    links = [both(a, b, 1, 1) for place, a in enumerate(names) for b in names[place + 1 :]]
    space = make_space(problem_of(topology_data(" ".join(names), links), profile_data([1.0] * 5, [1.0] * 6)))
    for query in (
        Query(fewest_partitions=3, bounds=(Bound("blocks", "n0", at_most=2),)),
        Query(kind="rank", top=9, bounds=(Bound("blocks", "n0", at_most=2),)),
    ):
        asked = narrow(space, query)
        assert (
            SOLVER.solve(make_task(asked, query), Options()).decisions
            == find("exhaustive").solve(make_task(asked, query), Options()).decisions
        )


# What the proof rests on


def test_scaling_is_exact_for_dyadic_numbers_and_otherwise_wrong_by_half_a_unit_a_step_at_most() -> None:
    exact = scaled(np.array([0.5, 3.0, -0.25]), 10)
    assert exact.error == 0
    assert np.ldexp(exact.values.astype(float), -exact.power).tolist() == [0.5, 3.0, -0.25]
    rng = np.random.default_rng(0)
    row = rng.normal(size=1000) * 10.0 ** rng.integers(-5, 5, 1000)
    made = scaled(row, 10)
    assert 0 < made.error <= 5
    for _ in range(200):
        path = rng.integers(1000, size=10)
        total = float(row[path].sum())
        assert made.values[path].sum() <= made.cap(total)
        assert made.values[path].sum() > made.cap(total, loose=False) - 2 * made.error - 2
    assert abs(made.values).max() <= 2**44


def test_a_model_without_a_plan_that_is_known_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_space(chain(20, 4), exits="final")
    monkeypatch.setattr(Search, "path_of", staticmethod(lambda *_: None))
    monkeypatch.setattr(search, "_FEW_PATHS", NONE)
    outcome = SOLVER.solve(make_task(space, Query(bounds=(Bound("bytes", at_most=2e5),))), Options())
    assert outcome.status == "feasible"
    assert "known" in outcome.reason


def test_a_known_plan_that_misses_a_strict_cap_by_a_rounding_is_not_asked_of_the_model() -> None:
    space = make_space(grown_problem(8, 3, 2))
    work = Search(make_task(space, Query(kind="frontier")), Options())
    network = work.network(1)
    relaxed = Relaxation(space, network, COST, work.plans.caps)
    paths = relaxed.paths(ALL, ALL)
    assert paths
    plan = next(each for path in paths if (each := work.plans.offer(network, path)))
    _, path = work.plans.paths[plan.decision]
    for cap, known in ((np.nextafter(plan.values[LOSS], inf), []), (plan.values[LOSS] + 1e-9, [path])):
        caps = np.array([inf, cap])
        assert holds_caps(plan, caps, LOSS)
        model = build_model(
            space, network, relaxed.arcs, caps, objective=COST, strict=LOSS, known=work.plans.known(relaxed, None)
        )
        assert list(model.known) == known


@pytest.mark.slow
def test_the_frontier_of_a_recorded_network_is_that_of_labels_and_proved() -> None:
    query = Query(kind="frontier", estimator="marginal")
    mine, other = (tiercut.ask("iot", "resnet20-digits32", query, solver=name) for name in ("cp-sat", "labels"))
    assert mine.outcome.status == "optimal"
    assert [plan.decision for plan in mine.plans] == [plan.decision for plan in other.plans]


def test_what_nothing_meets_is_infeasible() -> None:
    space = make_space(chain(20, 4), exits="final")
    outcome = SOLVER.solve(make_task(space, Query(bounds=(Bound("energy", at_most=1e-6),))), Options())
    assert (outcome.status, outcome.decisions, outcome.reason) == ("infeasible", (), "")


def test_unknown_names_and_measures_are_refused() -> None:
    space = make_space(chain(5, 2), exits="final")
    with pytest.raises(QuestionError, match="heat"):
        SOLVER.solve(make_task(space, Query(bounds=(Bound("heat", at_most=1),))), Options())


# Limits


@pytest.fixture(scope="module")
def long() -> tuple[Space, Query]:
    """A question that takes cp-sat minutes."""
    space = make_space(grown_problem(60, 6, 20))
    return space, Query(kind="frontier", bounds=(Bound("blocks", "n0", at_most=5), Bound("share", "n3", at_least=0.1)))


def test_when_the_time_is_up_it_says_what_it_has(long: tuple[Space, Query]) -> None:
    began = time.perf_counter()
    outcome = SOLVER.solve(make_task(*long), Options(time_limit_s=1.5))
    assert time.perf_counter() - began < 30
    assert outcome.status == "feasible"
    assert outcome.reason
    assert all(holds(*long, decision) for decision in outcome.decisions)


def test_a_frontier_of_plans_that_are_known_ends_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Search(make_task(make_space(grown_problem(5, 3, 2)), Query(kind="frontier")), Options())
    network = work.network(0)
    work.frontier_at(network)
    sweeps: list[float] = []

    def sweep(relaxed: Relaxation, caps: np.ndarray[Any, Any], strict: int | None, _: int) -> float:
        sweeps.append(work.plans.best(COST, caps, strict).nth)
        work.stop[0] = 1
        return sweeps[-1]

    monkeypatch.setattr(work, "sweep", sweep)
    with pytest.raises(search.StoppedError):
        work.frontier_at(network)
    assert len(sweeps) == 1


def test_an_error_of_the_progress_callback_ends_the_work(long: tuple[Space, Query]) -> None:
    def fail(done: int, total: int) -> None:
        assert total == 20
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        SOLVER.solve(make_task(*long), Options(progress=fail))
    assert threading.active_count() < 50


def test_an_interrupt_ends_the_work_with_what_was_found(long: tuple[Space, Query]) -> None:
    ticks: list[int] = []

    def tick(done: int, total: int) -> None:
        ticks.append(done)
        if len(ticks) == 3:  # well within the work
            raise KeyboardInterrupt

    outcome = SOLVER.solve(make_task(*long), Options(progress=tick))
    assert outcome.status == "interrupted"
    assert all(holds(*long, decision) for decision in outcome.decisions)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# The model as a file, and a second opinion


def test_the_model_is_written_as_text_that_says_what_its_variables_are(tmp_path: Path) -> None:
    space = make_space(grown_problem(5, 3, 2))
    file = tmp_path / "model.txt"
    cp_sat.export_model(make_task(space, Query(bounds=(Bound("blocks", "n1", at_most=2),))), file, index=1)
    text = file.read_text("utf-8")
    assert 'name: "enter, n0, state 0, codec 0"' in text
    assert "piece, n1, state 0, block 2" in text
    assert "cross, n2, state" in text
    assert "objective" in text


SECOND = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix
sys.path.insert(0, sys.argv[1] + "/solvers")
from test_cp_sat import random_question
from tiercut.solvers.cp_sat.bounds import rules
from tiercut.solvers.cp_sat.decision_graph import CROSS, ENTER
from tiercut.solvers.cp_sat.search import Search
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import needs
from tiercut.solvers.task import make_task
from dataclasses import replace

found = {}
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    question = random_question(seed)
    if question is None or "once" in needs(make_task(*question)):
        continue
    space, query = question
    search = Search(make_task(space, replace(query, kind="solve")), Options())
    if space.inside and (search.space.furthest < space.problem.block_count - 1).any():
        continue  # the flow alone does not know where a partition began
    best, goal = float("inf"), search.plans.goal
    for index in range(len(space.threshold_indices)):
        net = search.network(index)
        arcs = len(net.tail)
        if not arcs:
            continue
        each = np.arange(arcs)
        flow = coo_matrix((np.r_[np.ones(arcs), -np.ones(arcs)], (np.r_[net.head, net.tail], np.r_[each, each])))
        flow.resize(net.vertices, arcs)
        ends = np.zeros(net.vertices)
        ends[0], ends[-1] = -1, 1
        arrives = (net.kind == ENTER) | (net.kind == CROSS)
        once = [(arrives & (space.group[net.node] == group)).astype(float) for group in set(space.group.tolist())]
        rows = [(np.array(row), 1.0) for row in once] + [(row.amounts, row.cap) for row in rules(space, net)]
        for amounts, cap in zip(net.values, search.plans.caps):
            size = np.abs(amounts).max() or 1.0
            rows += [(amounts / size, cap / size)] if np.isfinite(cap) else []
        size = np.abs(net.values[goal]).max() or 1.0
        result = milp(
            net.values[goal] / size,
            constraints=[
                LinearConstraint(flow.tocsr(), ends, ends),
                LinearConstraint(np.array([row for row, _ in rows]), -np.inf, np.array([cap for _, cap in rows])),
            ],
            integrality=np.ones(arcs), bounds=Bounds(0, 1), options={"mip_rel_gap": 0},
        )
        if result.status == 0:
            best = min(best, float(result.fun) * size)
    found[seed] = best if best < float("inf") else None
assert "ortools" not in sys.modules
print(json.dumps(found))
"""


def test_a_second_solver_of_integer_programs_agrees() -> None:
    """HiGHS in a process of its own, as it and OR-tools may not be loaded together."""
    first, last = 0, 60
    run = subprocess.run(
        [sys.executable, "-c", SECOND, str(Path(__file__).parents[1]), str(first), str(last)],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    found = json.loads(run.stdout.splitlines()[-1])
    assert len(found) > 20
    for seed, wanted in found.items():
        question = random_question(int(seed))
        assert question is not None
        space, query = question[0], replace(question[1], kind="solve")
        outcome = SOLVER.solve(make_task(space, query), Options())
        assert bool(outcome.decisions) == (wanted is not None), (seed, query)
        if wanted is not None:
            cost, accuracy = priced(space, outcome, query)[0]
            got = -accuracy if query.objective == "accuracy" else cost
            # HiGHS lets bounds be missed by a millionth.
            assert wanted <= got * (1 + 1e-9) + 1e-9 if got > 0 else wanted <= got + 1e-9, (seed, query)
            assert isclose(got, wanted, rel_tol=1e-4, abs_tol=1e-6), (seed, query)
