"""Where the best plan changes: worked out by hand, and against trying every plan at many places."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isclose
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from support.made import both, exits_data, one, profile_data, topology_data
from support.seeded.problems import Case, random_case

import tiercut
from tiercut.analysis.why.envelope import Line, Segment, clip, lower_envelope, settle
from tiercut.analysis.why.parameters import KINDS, Parameter, parameters_of
from tiercut.analysis.why.result import Sweep, Why, label, substance
from tiercut.errors import InfeasibleError, QuestionError
from tiercut.optimizer.build import build_problem, rebuild_problem
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.query import Bound, Query
from tiercut.profiling.profile.schema import Profile
from tiercut.solvers.interface import Options
from tiercut.topologies.schema import Topology

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known

laws = settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],  # which problems are drawn changes with any source of ours
)
ONE = Options(workers=1)
seeds = st.integers(0, 2**32 - 1)


# The envelope of lines


def through(slope: float, height: float) -> Line:
    return Line(0.0, height, slope)


def solver(lines: list[Line]):  # type: ignore[no-untyped-def]
    """Return what gives the lowest line at a place, through that place, and a list of the places asked."""
    asked: list[float] = []

    def solve_at(x: float) -> tuple[int, Line]:
        asked.append(x)
        best = min(range(len(lines)), key=lambda each: lines[each].at(x))
        return best, Line(x, lines[best].at(x), lines[best].slope)

    return solve_at, asked


def test_two_lines_cross_once() -> None:
    solve_at, asked = solver([through(3, 0), through(1, 4)])
    first, second = lower_envelope(solve_at, 0.0, 10.0)
    assert (first.begin, first.end, first.decision) == (0.0, 2.0, 0)
    assert (second.begin, second.end, second.decision) == (2.0, 10.0, 1)
    assert len(asked) == 3


def test_a_line_that_is_lowest_nowhere_in_the_range_is_not_found() -> None:
    solve_at, _ = solver([through(3, 0), through(1, 4), through(2, 2.5), through(0, 20)])
    assert [each.decision for each in lower_envelope(solve_at, 0.0, 10.0)] == [0, 1]


def test_three_lines_through_one_point_change_once() -> None:
    solve_at, _ = solver([through(3, 0), through(2, 2), through(1, 4)])
    assert [(each.end, each.decision) for each in lower_envelope(solve_at, 0.0, 10.0)] == [(2.0, 0), (10.0, 2)]


@pytest.mark.parametrize(("begin", "end"), [(2.0, 10.0), (0.0, 2.0)])
def test_a_crossing_at_the_end_of_the_range_is_no_change(begin: float, end: float) -> None:
    solve_at, _ = solver([through(3, 0), through(1, 4)])
    assert len(lower_envelope(solve_at, begin, end)) == 1


@laws
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100)), min_size=1, max_size=30))
def test_the_envelope_is_the_least_of_all_lines(data: list[tuple[int, int]]) -> None:
    lines = [through(slope, height) for slope, height in data]
    solve_at, asked = solver(lines)
    made = lower_envelope(solve_at, 0.0, 20.0)
    assert made[0].begin == 0.0
    assert made[-1].end == 20.0
    assert all(a.end == b.begin and a.line.slope > b.line.slope for a, b in pairwise(made))
    assert all(isclose(a.line.at(a.end), b.line.at(a.end), rel_tol=1e-9, abs_tol=1e-9) for a, b in pairwise(made))
    for each in made:
        for x in np.linspace(each.begin, each.end, 7):
            assert isclose(each.line.at(x), min(line.at(x) for line in lines), rel_tol=1e-9, abs_tol=1e-9)
    assert len(asked) <= 2 * len(made) + 1


def test_what_is_above_a_cap_is_cut_off() -> None:
    parts = (Segment(0.0, 2.0, "a", through(3, 0)), Segment(2.0, 10.0, "b", through(1, 4)))
    assert clip(parts, inf) == parts
    assert [(each.begin, each.end) for each in clip(parts, 9.0)] == [(0.0, 2.0), (2.0, 5.0)]
    assert [(each.begin, each.end) for each in clip(parts, 3.0)] == [(0.0, 1.0)]
    assert clip(parts, -1.0) == ()


def test_a_plan_is_kept_for_as_long_as_it_is_as_good() -> None:
    parts = tuple(Segment(x, x + 1.0, name, through(1, 0)) for x, name in ((0.0, "a"), (1.0, "b"), (2.0, "c")))

    def cost(name: str, x: float) -> float:
        """Before 1 only a is best, after it b and c are."""
        return x + (1.0 if name == "a" and x > 1 else 0.0) + (1.0 if name != "a" and x < 1 else 0.0)

    assert [each.decision for each in settle(parts, 1.5, "b", cost)] == ["a", "b", "b"]
    assert [each.decision for each in settle(parts, 1.5, "c", cost)] == ["a", "c", "c"]


# By hand: a block of 1 s (reference), a device that takes 8 times as long, and 100 bytes of input at 50 B/s and 1 s


def device_and_cloud(**more: str) -> Topology:
    nodes = [{"name": "device", "slowdown": 8.0}, {"name": "cloud", "slowdown": 1.0}]
    data = topology_data(nodes, [both("device", "cloud", 1.0, 50.0)], destination="anywhere", **more)
    return Topology.from_data(data)


ONE_BLOCK = Profile.from_data(profile_data([1.0], [100.0, 10.0], accuracy=0.5))


def sweep_of(why: Why, kind: str, name: str) -> Sweep:
    return next(each for each in why.sweeps if (each.parameter.kind, each.parameter.name) == (kind, name))


def test_one_crossing_worked_out_by_hand() -> None:
    """On the device 8 s; in the cloud 1 + 100/50 + 1 = 4 s."""
    why = tiercut.why(device_and_cloud(), ONE_BLOCK)
    assert (str(why.plan), why.value, str(why.runner_up), why.margin) == ("cloud 1", 4.0, "device 1", 4.0)
    wanted = {
        ("slowdown", "device"): (4.0, "device 1", "cloud 1"),
        ("slowdown", "cloud"): (5.0, "cloud 1", "device 1"),
        ("latency", "device-cloud"): (5.0, "cloud 1", "device 1"),
        ("latency", "device>cloud"): (5.0, "cloud 1", "device 1"),
        ("bandwidth", "device-cloud"): (100 / 6, "device 1", "cloud 1"),
        ("bandwidth", "device>cloud"): (100 / 6, "device 1", "cloud 1"),
        ("latency", "cloud>device"): None,
        ("bandwidth", "cloud>device"): None,
    }
    assert {(each.parameter.kind, each.parameter.name) for each in why.sweeps} == set(wanted)
    for key, change in wanted.items():
        changes = sweep_of(why, *key).changes
        if change is None:
            assert changes == ()
        else:
            (found,) = changes
            assert isclose(found.at, change[0], rel_tol=1e-12)
            assert (str(found.below), str(found.above)) == change[1:]
            assert isclose(found.value or 0.0, 4.0 if key == ("slowdown", "device") else 8.0)


def test_the_nearest_changes_are_on_both_sides_of_the_present() -> None:
    why = tiercut.why(device_and_cloud(), ONE_BLOCK)
    below, above = sweep_of(why, "slowdown", "device").nearest
    assert below is not None
    assert above is None
    below, above = sweep_of(why, "latency", "device-cloud").nearest
    assert below is None
    assert above is not None


def test_nothing_changes_within_a_narrow_range() -> None:
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, factor=1.5)
    assert why.to_frame().empty
    assert all(len(each.spans) == 1 and each.spans[0].plan == why.plan for each in why.sweeps)
    assert [sweep.low for sweep in why.sweeps if sweep.parameter.kind == "slowdown"] == [8 / 1.5, 1 / 1.5]


def test_a_bound_on_latency_ends_what_can_be_had() -> None:
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, max_latency="6 s")
    (change,) = sweep_of(why, "latency", "device>cloud").changes
    assert isclose(change.at, 3.0, rel_tol=1e-8)
    assert change.above is None
    first, second = sweep_of(why, "slowdown", "device").spans
    assert (first.high, str(first.plan), str(second.plan)) == (4.0, "device 1", "cloud 1")


def test_a_latency_of_nothing_is_looked_at_up_to_that_of_the_plan() -> None:
    data = topology_data(
        [{"name": "device", "slowdown": 8.0}, {"name": "cloud"}], [both("device", "cloud", 0.0, 50.0)],
        destination="anywhere",
    )  # fmt: skip
    sweep = sweep_of(tiercut.why(Topology.from_data(data), ONE_BLOCK), "latency", "device>cloud")
    assert (sweep.low, sweep.high, sweep.changes) == (0.0, 3.0, ())


def test_one_way_links_count_each_by_itself() -> None:
    """The result of 10 bytes comes home: 1 + 2 + 1 + (2 + 10/5) = 8 s against 8.5 s on the device."""
    nodes = [{"name": "device", "slowdown": 8.5}, {"name": "cloud"}]
    links = [one("device", "cloud", 1.0, 50.0), one("cloud", "device", 2.0, 5.0)]
    profile = Profile.from_data(profile_data([1.0], [100.0, 10.0], accuracy=0.5, result_bytes=10.0))
    why = tiercut.why(Topology.from_data(topology_data(nodes, links)), profile)
    assert {each.parameter.name for each in why.sweeps} == {"device>cloud", "cloud>device", "device", "cloud"}
    (change,) = sweep_of(why, "latency", "cloud>device").changes
    assert isclose(change.at, 2.5)
    (change,) = sweep_of(why, "bandwidth", "cloud>device").changes
    assert isclose(change.at, 10 / 2.5)
    (change,) = sweep_of(why, "bandwidth", "device>cloud").changes
    assert isclose(change.at, 100 / 2.5)


def test_cut_through_bends_where_the_slowest_link_becomes_another() -> None:
    """100 bytes in packets of 10 over two links: 10/b + 10/50 + 90/min(b, 50), against 4.5 s where they are born."""
    nodes = [{"name": "a", "slowdown": 4.5}, {"name": "m", "slowdown": 1e6}, {"name": "c", "slowdown": 1e-9}]
    links = [both("a", "m", 0.0, 100.0), both("m", "c", 0.0, 50.0)]
    more = {"destination": "anywhere", "forwarding": "cut-through", "mtu": "10 B"}
    why = tiercut.why(Topology.from_data(topology_data(nodes, links, **more)), ONE_BLOCK)
    sweep = sweep_of(why, "bandwidth", "a-m")
    (change,) = sweep.changes
    assert isclose(change.at, 100 / 4.3, rel_tol=1e-6)
    corners = dict(sweep.points)
    assert isclose(corners[50.0], 0.2 + 0.2 + 1.8, rel_tol=1e-6)
    assert isclose(sweep.spans[-1].high_value or 0.0, 10 / 1000 + 0.2 + 1.8, rel_tol=1e-6)


def test_the_route_may_change_where_the_plan_stays() -> None:
    """From a to c over b1 (latency x) or b2 (2 s): the plan is the same, its latency x until 2 and then constant."""
    nodes = [{"name": name, "slowdown": slow} for name, slow in (("a", 100.0), ("b1", 1e3), ("b2", 1e3), ("c", 1.0))]
    links = [one("a", "b1", 1.0, 1e9), one("a", "b2", 2.0, 1e9), one("b1", "c", 0.0, 1e9), one("b2", "c", 0.0, 1e9)]
    why = tiercut.why(Topology.from_data(topology_data(nodes, links, destination="anywhere")), ONE_BLOCK)
    sweep = sweep_of(why, "latency", "a>b1")
    assert len(sweep.spans) == 1
    assert [round(x, 6) for x, _ in sweep.points] == [0.1, 2.0, 10.0]
    assert isclose(sweep.spans[0].high_value or 0.0, 3.0, abs_tol=1e-6)


def test_where_the_input_is_no_longer_worth_encoding_is_told() -> None:
    """Over x B/s the 4 bytes take 4/x s, or as one byte 1/x s and 2 s of coding: the same at 1.5 B/s."""
    times = {"d": [1.0, None]}
    codec = {"bytes": [1.0, None], "encode_s": times, "decode_s": times}
    profile = Profile.from_data(profile_data([1.0], [4.0, 1.0], codecs={"small": codec}))
    topology = Topology.from_data(
        topology_data([{"name": "a", "slowdown": 1.0}, {"name": "b"}], [both("a", "b", 0.0, 1.0)])
    )
    why = tiercut.why(topology, profile, codec="auto", include=["b"], kinds=["bandwidth"])
    assert (str(why.plan), why.value) == ("(small) → b 1", 4.0)
    (change,) = sweep_of(why, "bandwidth", "a>b").changes
    assert (isclose(change.at, 1.5), str(change.below), str(change.above)) == (True, "(small) → b 1", "b 1")


# Bounds


EXITS = exits_data([0.5, 0.75, 1.0], [0.5, 0.25, 0.25])
THREE = Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 4.0], branch_s=[0.5] * 3, exits=EXITS))


def test_bounds_bind_or_not_and_loosening_them_gives_something_or_not() -> None:
    """All on the source: after block 1 it takes 1.5 s and is right in 0.5, after 2 3.5 s and 0.75, after 3 7.5 s."""
    alone = Topology.from_data(topology_data("a", []))
    (effect,) = tiercut.why(alone, THREE, min_accuracy=0.8).effects
    assert (effect.name, effect.sense, effect.binds) == ("accuracy", "at least", True)
    assert isclose(effect.loosened or 0.0, 0.72)
    assert (str(effect.plan), effect.value) == ("a 1-2", 3.5)
    (effect,) = tiercut.why(alone, THREE, min_accuracy=0.4).effects
    assert (effect.binds, effect.plan) == (False, None)
    why = tiercut.why(alone, THREE, objective="accuracy", max_latency="7 s", min_accuracy=0.5)
    assert [(each.name, each.binds, each.value) for each in why.effects] == [
        ("accuracy", False, None),
        ("latency", True, 1.0),
    ]


def test_rules_that_bind_are_named_with_the_plan_without_them() -> None:
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, exclude=["cloud"])
    (effect,) = why.effects
    assert (effect.name, effect.binds, str(effect.plan), effect.value) == ("exclude cloud", True, "cloud 1", 4.0)
    assert why.runner_up is None
    assert why.margin is None


def test_what_moves_with_a_parameter_is_said_not_guessed() -> None:
    bound = Bound("compute", "cloud", at_most=2.0)
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, Query(bounds=(bound,)))
    notes = {each.parameter.name: each.note for each in why.sweeps if each.note}
    assert notes == {"cloud": "the bound on compute:cloud moves with it"}
    assert sweep_of(why, "slowdown", "device").changes[0].at == 4.0
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, objective="bytes", max_latency="9 s")
    assert {each.note for each in why.sweeps} == {"the bound on latency moves with it"}


def test_bytes_do_not_change_with_speed() -> None:
    why = tiercut.why(device_and_cloud(), ONE_BLOCK, objective="bytes")
    assert why.to_frame().empty
    assert not any(each.note for each in why.sweeps)


def test_questions_that_have_no_answer() -> None:
    with pytest.raises(QuestionError, match="a frontier has no best plan"):
        tiercut.why(device_and_cloud(), ONE_BLOCK, Query(kind="frontier"))
    with pytest.raises(QuestionError, match="no keyword 'max_latencie'; did you mean 'max_latency'"):
        tiercut.why(device_and_cloud(), ONE_BLOCK, max_latencie="3 s")  # type: ignore[call-arg]
    with pytest.raises(QuestionError, match="greater than 1"):
        tiercut.why(device_and_cloud(), ONE_BLOCK, factor=1.0)
    with pytest.raises(InfeasibleError, match="the least latency is 4 s"):
        tiercut.why(device_and_cloud(), ONE_BLOCK, max_latency="3 s")


def test_plans_that_go_on_where_nobody_is_left_are_no_runner_up() -> None:
    """Everybody leaves at branch 1, so that 'a 1 → b 2' is the same for every sample."""
    exits = exits_data([0.5, 0.75], [1.0, 0.0])
    profile = Profile.from_data(profile_data([1.0, 1.0], [1.0, 1.0, 1.0], exits=exits))
    nodes = [{"name": "a"}, {"name": "b", "slowdown": 3.0}]
    why = tiercut.why(Topology.from_data(topology_data(nodes, [both("a", "b", 1.0, 1.0)])), profile)
    two = tiercut.rank("mobile", "resnet20-digits32", top=2, all_decisions=True)
    assert str(two[1]) == "watch 1 → phone 2"
    assert (str(why.plan), str(why.runner_up), why.margin) == ("a 1", "a 1-2", 1.0)


@pytest.mark.parametrize(
    "asked",
    [{"estimator": "replay"}, {"include": ("micro",)}, {"bounds": ("blocks:global>=1",)}],
    ids=["samples", "a rule", "a measure"],
)
def test_the_runner_up_is_the_next_of_a_long_ranking_where_idle_stages_count_or_are_not_idle(asked: Any) -> None:
    """Samples go on where rates say that none does, and rules and measures may want what none reaches."""
    case = ("iot", "resnet20-digits32")
    ranking = tiercut.rank(*case, min_accuracy=0.97, top=300, **asked)
    wanted = next(plan for plan in ranking if substance(plan) != substance(ranking.best))
    assert tiercut.why(*case, min_accuracy=0.97, kinds=(), **asked).runner_up == wanted


# Against trying everything


def small(seed: int) -> Case:
    return random_case(seed, blocks=3, nodes=3)


def changed(case: Case, parameter: Parameter, value: float) -> tiercut.Problem:
    topology = parameter.applied(Topology.from_data(case.topology), value)
    return build_problem(topology, Profile.from_data(case.profile))


@laws
@given(seeds, st.data())
def test_rebuilding_is_building(seed: int, data: st.DataObject) -> None:
    case = small(seed)
    before, profile = Topology.from_data(case.topology), Profile.from_data(case.profile)
    parameter = data.draw(st.sampled_from(list(parameters_of(before))))
    after = parameter.applied(before, (parameter.now or 1.0) * data.draw(st.floats(0.1, 10)))
    quick, slow = rebuild_problem(case.problem, before, after, profile), build_problem(after, profile)
    for name in ("span_s", "bare_s", "transfer_s", "result_s", "codec_s", "transfer_cost", "result_cost", "codec_cost"):
        np.testing.assert_allclose(getattr(quick, name), getattr(slow, name), rtol=1e-13, atol=0)


def why_of(case: Case, **query: object) -> Why:
    asked = Query(exits=case.exits, order=case.order, **query)  # type: ignore[arg-type]
    return tiercut.why(Topology.from_data(case.topology), Profile.from_data(case.profile), asked, options=ONE)


def least(case: Case, problem: tiercut.Problem, plans: list[tiercut.Plan], floor: float) -> float:
    admitted = [plan for plan in plans if (plan.accuracy or 0.0) >= floor - 1e-9]
    return min((evaluate(problem, plan.decision, "latency") for plan in admitted), default=inf)


def every_plan(case: Case) -> list[tiercut.Plan]:
    asked = Query(kind="rank", top=5000, exits=case.exits, order=case.order)
    return list(tiercut.ask(Topology.from_data(case.topology), Profile.from_data(case.profile), asked))


def places(sweep: Sweep) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.linspace(sweep.low, sweep.high, 12) if sweep.low == 0 else np.geomspace(sweep.low, sweep.high, 12)


def span_at(sweep: Sweep, value: float):  # type: ignore[no-untyped-def]
    return next(span for span in sweep.spans if value <= span.high)


@laws
@given(seeds)
def test_every_span_holds_what_trying_everything_finds(seed: int) -> None:
    case = small(seed)
    plans = every_plan(case)
    assume(len(plans) < 3000)
    accuracies = sorted(plan.accuracy or 0.0 for plan in plans)
    floor = accuracies[len(accuracies) // 2] if case.space.knows_accuracy else 0.0
    why = why_of(case, min_accuracy=min(floor, 1.0) if case.space.knows_accuracy else None)
    for sweep in why.sweeps:
        if sweep.note:
            assert sweep.parameter.now == why.value == 0.0
            continue
        assert sweep.spans[0].low == pytest.approx(sweep.low)
        assert sweep.spans[-1].high == pytest.approx(sweep.high)
        for value in places(sweep):
            problem = changed(case, sweep.parameter, float(value))
            best = least(case, problem, plans, floor)
            span = span_at(sweep, float(value) * (1 - 1e-12))
            assert isclose(evaluate(problem, span.plan.decision, "latency"), best, rel_tol=1e-9, abs_tol=1e-15)
            heights = sorted(sweep.points)
            assert isclose(_height(sweep, float(value)), best, rel_tol=1e-9, abs_tol=1e-15), (sweep.parameter, heights)


def _height(sweep: Sweep, value: float) -> float:
    """Return the best value between the corners, which are joined by lines over the place."""
    places_ = sorted((sweep.parameter.place(x), height) for x, height in sweep.points)
    return float(np.interp(sweep.parameter.place(value), *zip(*places_, strict=True)))


@laws
@given(seeds)
def test_at_every_change_both_plans_are_equal_and_best(seed: int) -> None:
    case = small(seed)
    for sweep in why_of(case).sweeps:
        for change in sweep.changes:
            problem = changed(case, sweep.parameter, change.at)
            assert change.below is not None
            assert change.above is not None
            below, above = (evaluate(problem, plan.decision, "latency") for plan in (change.below, change.above))
            assert isclose(below, above, rel_tol=1e-9)
            assert isclose(below, change.value or 0.0, rel_tol=1e-9)
            topology = sweep.parameter.applied(Topology.from_data(case.topology), change.at)
            asked = Query(exits=case.exits, order=case.order)
            best = tiercut.ask(topology, Profile.from_data(case.profile), asked).best
            assert isclose(best.latency_s, below, rel_tol=1e-9)
            assert label(change.below) != label(change.above)


@laws
@given(seeds)
def test_the_best_latency_rises_with_the_place_and_is_concave_but_for_cut_through(seed: int) -> None:
    case = small(seed)
    for sweep in why_of(case).sweeps:
        corners = sorted((sweep.parameter.place(x), height) for x, height in sweep.points)
        if sweep.parameter.kind == "bandwidth" and case.topology.get("forwarding") == "cut-through":
            corners = []
        slopes = [(d - b) / (c - a) for (a, b), (c, d) in pairwise(corners) if c - a > 1e-9 * c]
        assert all(slope >= -1e-9 for slope in slopes)
        assert all(after <= before * (1 + 1e-6) + 1e-12 for before, after in pairwise(slopes))
        heights = [height for _, height in sorted((sweep.parameter.place(x), y) for x, y in sweep.points)]
        assert all(b >= a * (1 - 1e-9) for a, b in pairwise(heights))


@laws
@given(seeds, st.floats(0.2, 1.5))
def test_the_greatest_accuracy_within_a_bound_falls_in_steps(seed: int, share: float) -> None:
    case = small(seed)
    assume(case.space.knows_accuracy)
    plans = every_plan(case)
    assume(len(plans) < 3000)
    cap = float(np.quantile([plan.latency_s for plan in plans], min(share, 1.0)) * max(share, 1.0))
    why = why_of(case, objective="accuracy", max_latency_s=cap)
    for sweep in why.sweeps:
        ends = {sweep.parameter.now / why.factor, *(change.at for change in sweep.changes)}
        for value in places(sweep) if not sweep.note else ():
            if any(isclose(float(value), end, rel_tol=1e-6) for end in ends):
                continue
            problem = changed(case, sweep.parameter, float(value))
            held = [each for each in plans if evaluate(problem, each.decision, "latency") <= cap + 1e-9]
            span = span_at(sweep, float(value))
            best = max((plan.accuracy or 0.0 for plan in held), default=None)
            assert (span.plan is None) == (best is None)
            if span.plan is not None:
                assert isclose(span.plan.accuracy or 0.0, best or 0.0, abs_tol=2e-9)
                assert isclose(span.low_value or 0.0, best or 0.0, abs_tol=2e-9) or span.low_value != span.high_value


def test_the_data_can_be_read_without_the_package() -> None:
    data = tiercut.why("mobile", "resnet20-digits32", min_accuracy=0.9).to_data()
    assert data["format"] == "tiercut.why/1"
    numbers = {plan["plan"] for plan in data["plans"]}
    named = {span["plan"] for each in data["parameters"] for span in each["spans"]} | {data["best"]["plan"]}
    assert named <= numbers
    assert [each["parameter"] in KINDS for each in data["parameters"]].count(False) == 0
