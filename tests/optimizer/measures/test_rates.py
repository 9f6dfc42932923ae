"""Rates of frames: how busy they keep nodes and links, bounds that follow from a rate, and what a month costs."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, plan_of, problem_of, profile_data, topology_data
from support.questions import is_small
from support.reference import Score
from support.reference_measures import utilisations
from support.seeded.choices import drawn_choices
from support.seeded.problems import Case, random_case

import tiercut
from tiercut.errors import QuestionError, TiercutError
from tiercut.optimizer.measures.busy import busy_by_place, rate_bounds, servers
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Query
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task
from tiercut.units import MONTH_S

CODED = profile_data(
    [1.0, 2.0], [4.0, 8.0, 0.0], result_bytes=2.0, accuracy=0.9, encode_s=[0.5, 0.25, 0.0], decode_s=[1.0, 0.125, 0.0]
)
NODES: list[dict[str, Any]] = [{"name": "near"}, {"name": "far", "slowdown": 2.0, "workers": 4}]


def busy(partition: list[int], placement: str, *names: str, **link: str) -> list[float]:
    """Return how busy a plan keeps some places at one frame in five seconds."""
    problem = problem_of(topology_data(NODES, [both("near", "far", 1, 4, **link)]), CODED)
    decision = plan_of(problem, partition, placement).decision
    return [evaluate(problem, decision, f"utilisation:{name}", 0.2) for name in names]


def test_a_node_is_busy_while_it_computes_encodes_and_decodes() -> None:
    """Near computes 1 s and encodes 0.25 s; far, half as fast, decodes 0.25 s and computes 4 s, four frames at once."""
    assert busy([1, 2], "near far", "near", "far") == pytest.approx([0.2 * 1.25, 0.2 * 4.25 / 4], rel=1e-12)


def test_the_source_encodes_the_input_also_where_it_runs_no_part_or_a_later_one() -> None:
    assert busy([2], "far", "near", "far") == pytest.approx([0.2 * 0.5, 0.2 * (2 + 6) / 4], rel=1e-12)
    assert busy([1, 2], "far near", "near", "far") == pytest.approx(
        [0.2 * (0.5 + 0.125 + 2), 0.2 * (2 + 2 + 0.5) / 4], rel=1e-12
    )


def test_a_direction_is_busy_for_all_that_it_carries_and_half_duplex_for_both() -> None:
    up, down = 0.2 * 8 / 4, 0.2 * 2 / 4
    assert busy([1, 2], "near far", "near>far", "far>near", "near-far") == pytest.approx([up, down, up + down])
    both_ways = busy([1, 2], "near far", "near>far", "far>near", "near-far", duplex="half")
    assert both_ways == pytest.approx([up + down] * 3)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_plan_passes_through_keeps_busy_what_the_tables_say(seed: int) -> None:
    case = random_case([41, seed], blocks=6, nodes=4)
    for choice in drawn_choices(case, np.random.default_rng(seed)):
        decision = case.decision(choice)
        walked = busy_by_place(case.problem, decision)
        assert list(walked) == list(servers(case.problem))
        for place, seconds in walked.items():
            got = evaluate(case.problem, decision, f"utilisation:{place}", 7.0)
            assert isclose(got, 7.0 * seconds, rel_tol=1e-9, abs_tol=1e-9), place


# Bounds that follow from a rate


def asked_by_rate(seed: int) -> tuple[Case, Query, list[Score]] | None:
    """Return a random question with a rate that some plan just keeps up with, or does not, and the plans that do."""
    rng = np.random.default_rng([42, seed])
    case = random_case([43, seed], plain=seed % 2 == 1, blocks=5, nodes=4)
    if not is_small(case):
        return None
    scores = case.reference.scores(case.exits, case.order)
    if not scores:
        return None
    chosen = scores[int(rng.integers(len(scores)))]
    most = max(utilisations(case.reference, chosen, 1.0).values(), default=0.0)
    if most <= 0:
        return None
    rate = 1 / most * float(rng.choice([1.0, 0.9, 1.3]))
    kept = [each for each in scores if max(utilisations(case.reference, each, rate).values()) <= 1 + 1e-9]
    objective = str(rng.choice(["latency", "bytes"]))
    query = Query(kind="rank", top=5, objective=objective, exits=case.exits, order=case.order, rate_fps=rate)
    return case, query, kept


@pytest.mark.parametrize("seed", range(150))
def test_the_best_plans_at_a_rate_are_the_best_of_those_that_the_second_scorer_finds_to_keep_up(seed: int) -> None:
    made = asked_by_rate(seed)
    if made is None:
        return
    case, query, kept = made
    wanted = [
        score.latency if query.objective == "latency" else score.bytes_sent
        for score in case.reference.ranked(kept, query.objective)[:5]
    ]
    task = make_task(case.space, replace(query, max_utilisation=1.0))
    able = [name for name, solver in SOLVERS.items() if solver.exact and needs(task) <= solver.features]
    assert "exhaustive" in able
    for name in able if seed % 10 == 0 else ["exhaustive"]:
        found = find(name).solve(task, Options(workers=1)).decisions
        got = [evaluate(case.problem, decision, query.objective) for decision in found]
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("seed", range(60))
def test_a_bound_that_is_left_out_is_one_that_no_plan_exceeds(seed: int) -> None:
    made = asked_by_rate(seed)
    if made is None:
        return
    case, query, _ = made
    bounded = {bound.place for bound in rate_bounds(case.space, replace(query, max_utilisation=1.0))}
    for score in case.reference.scores(case.exits, case.order):
        over = {place for place, share in utilisations(case.reference, score, query.rate_fps or 0).items() if share > 1}
        shared = {place for place in over if place not in set(servers(case.problem))}
        assert over - shared <= bounded


TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
EXITS = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
PROFILE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=EXITS))


def test_a_rate_alone_keeps_every_node_and_link_below_its_limit() -> None:
    """Without early exits near takes 7 s, far 4 s for the input: at 0.2 a second near does not keep up, both do."""
    free = tiercut.solve(TOPOLOGY, PROFILE, exits="final")
    kept = tiercut.solve(TOPOLOGY, PROFILE, exits="final", rate="0.2 fps")
    assert (str(free.best), str(kept.best)) == ("near 1-3", "near 1-2 → far 3")
    assert "at 0.2 fps far is the busiest, 80.0% of the time; the plan keeps up with 0.25 fps" in kept.notes
    assert str(tiercut.solve(TOPOLOGY, PROFILE, exits="final", rate=0.1, max_utilisation=0.5).best) != "near 1-3"
    for loose in (2, "none"):
        asked: dict[str, Any] = {"rate": "0.2 fps", "max_utilisation": loose}
        assert str(tiercut.solve(TOPOLOGY, PROFILE, exits="final", **asked).best) == "near 1-3"


def test_a_rate_that_everything_keeps_up_with_asks_no_more_of_a_solver() -> None:
    assert tiercut.solve(TOPOLOGY, PROFILE, rate="0.001 fps").outcome.solver == "labels"


def test_a_bound_of_ones_own_on_a_place_is_kept_in_place_of_the_common_one() -> None:
    kept = tiercut.solve(TOPOLOGY, PROFILE, exits="final", rate="0.2 fps", bounds=["utilisation:near<=1.5"])
    assert str(kept.best) == "near 1-3"


def test_where_nothing_keeps_up_the_message_says_what_comes_nearest() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, exits="final", rate="10 fps", exclude=["far"])
    assert answer.outcome.status == "infeasible"
    assert "no plan keeps utilisation:near <= 1; the least utilisation:near is 70 (near 1-3)" in answer.message


def test_why_tells_what_the_rate_costs_and_that_its_bounds_move() -> None:
    why = tiercut.why(TOPOLOGY, PROFILE, exits="final", rate="0.2 fps")
    (effect,) = (each for each in why.effects if each.name == "utilisation")
    assert effect.binds
    assert {each.parameter.kind: bool(each.note) for each in why.sweeps} == {
        "bandwidth": True, "latency": False, "slowdown": True,
    }  # fmt: skip


def test_plans_chosen_by_replay_keep_up_too() -> None:
    asked: dict[str, Any] = {"min_accuracy": 0.7, "evaluate": "replay", "source": "phone"}
    free = tiercut.solve("mobile", "resnet20-clutter", **asked)
    fps = 1.2 / max(busy_by_place(free.space.problem, free.best.decision).values())
    kept = tiercut.solve("mobile", "resnet20-clutter", rate=fps, **asked)
    assert kept.replayed is not None
    assert kept.best.decision != free.best.decision
    assert fps * max(busy_by_place(kept.replayed.problem, kept.best.decision).values()) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_utilisation": 0.8}, ["max_utilisation needs rate"]),
        ({"rate": "5 fps", "max_utilisation": 0}, ["max_utilisation", "greater than 0"]),
        ({"rate": "5 fps", "max_utilisation": "much"}, ["max_utilisation", "0.8"]),
        ({"bounds": ["cost<=10 $/month"]}, ["a month", "rate 5 fps"]),
        ({"bounds": ["cost<=10 $/moon"], "rate": "5 fps"}, ["'$/moon'", "$/month"]),
    ],
)
def test_a_rate_that_is_missing_or_a_limit_that_is_none_is_refused(asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, PROFILE, **asked)
    assert all(word in str(raised.value) for word in words), str(raised.value)


# What a month costs

DEAR = tiercut.Topology.from_data(
    topology_data([{"name": "near", "slowdown": 4.0, "price": "0 $/h"}, {"name": "far", "price": "3600 $/h"}],
                  [both("near", "far", 1, 4)])
)  # fmt: skip


def test_a_month_costs_what_its_frames_do() -> None:
    """Far costs a dollar a second: the whole network 7 $ a frame, its last block 4 $."""
    per_month = 0.01 * MONTH_S
    asked: dict[str, Any] = {"exits": "final", "rate": "0.01 fps"}
    for limit, plan in ((7.1, "far 1-3"), (6.9, "near 1 → far 2-3"), (0.0, "near 1-3")):
        bound = f"cost<={limit * per_month} $/month"
        answer = tiercut.solve(DEAR, PROFILE, bounds=[bound], **asked)
        same = tiercut.solve(DEAR, PROFILE, bounds=[f"cost<={limit} $"], **asked)
        assert str(answer.best) == str(same.best) == plan
    assert "it costs 0 $/month" in "\n".join(answer.notes)
    assert f"cost ≤ {0.0:g} $/month" in str(answer)


def test_the_cheapest_month_is_named_where_none_is_cheap_enough() -> None:
    answer = tiercut.solve(DEAR, PROFILE, exits="final", rate="1 fps", max_utilisation="none", exclude=["near"],
                           bounds=["cost<=1000 $/month"])  # fmt: skip
    assert f"the least cost is {7 * MONTH_S:.4g} $/month" in answer.message


def test_a_query_file_may_say_rate_limit_and_month(tmp_path: Path) -> None:
    path = tmp_path / "query.yaml"
    path.write_text(
        "format: tiercut.query/1\nexits: final\nrate: 0.01 fps\nmax_utilisation: 0.9\n"
        "bounds: [{measure: cost, at_most: 0 $/month}]\n"
    )
    answer = tiercut.solve(DEAR, PROFILE, query=path)
    assert (str(answer.best), answer.query.max_utilisation, answer.query.bounds[0].monthly) == ("near 1-3", 0.9, True)
    path.write_text("format: tiercut.query/1\nrate: 5 fps\nmax_utilisation: none\n")
    assert tiercut.solve(DEAR, PROFILE, query=path).query.max_utilisation is None


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
@pytest.mark.parametrize("seed", range(60))
def test_where_the_answer_without_the_rate_keeps_up_it_is_the_answer(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = asked_by_rate(seed)
    if made is None:
        return
    case, query, _ = made
    topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
    answers = []
    for few in (0, 10**9):
        monkeypatch.setattr("tiercut.analysis.answering._FEW", few)
        for kind in ("solve", "rank", "frontier"):
            try:
                asked = replace(query, kind=kind, max_utilisation=1.0, distinct=kind == "rank")  # type: ignore[arg-type]
                answers.append([plan.decision for plan in tiercut.ask(topology, profile, asked)])
            except TiercutError as error:
                answers.append([type(error)])  # type: ignore[list-item]
    assert answers[:3] == answers[3:]
