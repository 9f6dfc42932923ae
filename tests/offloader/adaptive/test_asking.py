"""A solver that is asked again as conditions move, plans that must keep up with a rate, and runs that foresee."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.cli.commands.run.adapting import solver_of
from tiercut.errors import QuestionError
from tiercut.offloader import RunOptions, load_disturbances, moments_of
from tiercut.offloader.adaptive import foresight as foresight_module
from tiercut.offloader.adaptive.asking import Asking
from tiercut.offloader.adaptive.fleet import same_plan
from tiercut.offloader.adaptive.foresight import Foresight, Turn, foreseen
from tiercut.offloader.adaptive.guides import Cast, guide_of
from tiercut.offloader.adaptive.mover import Mover
from tiercut.offloader.adaptive.priced import Priced
from tiercut.optimizer import Plan, build_problem, busy_by_place, decide_again, price
from tiercut.profiling import Profile
from tiercut.topologies import Topology

NAMES = (
    "bandwidth(camera-gateway)",
    "bandwidth(gateway-cloud)",
    "slowdown(camera)",
    "slowdown(gateway)",
    "slowdown(cloud)",
)


@pytest.fixture(scope="module")
def plans(topology: Topology, profile: Profile) -> list[Plan]:
    places: list[dict[str, Any]] = [
        {"partition": [12], "placement": ["camera"], "exits": [12]},
        {"partition": [12], "placement": ["gateway"], "exits": [12]},
        {"partition": [4, 6, 12], "placement": ["camera", "gateway", "cloud"], "exits": [3, 6, 12], "threshold": 0.5},
        {"partition": [6, 12], "placement": ["camera", "gateway"], "exits": [12]},
    ]
    return [tiercut.plan(topology, profile, **each) for each in places]


def now(topology: Topology) -> dict[str, float]:
    links = {f"bandwidth({'-'.join(each.between or ())})": each.bandwidth for each in topology.links}
    return links | {f"slowdown({each.name})": each.slowdown for each in topology.nodes}


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_prices_under_conditions_are_those_of_a_topology_with_these_conditions(
    forwarding: Any, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    topology = topology.with_changes(forwarding=forwarding)
    problem, rng = build_problem(topology, profile), np.random.default_rng(3)
    priced, start = Priced(topology, problem, NAMES), now(topology)
    for trial in range(6):
        share = rng.uniform(0.2, 5)  # of both links at once: the slowest of a way stays the slowest
        values = {
            name: start[name] * (share if name.startswith("bandwidth") else rng.uniform(0.2, 5))
            for name in NAMES[trial % 2 :]
            if forwarding == "store" or not name.startswith("bandwidth") or trial % 2 == 0
        }
        kinds: dict[str, dict[str, float]] = {"bandwidth": {}, "slowdown": {}}
        for name, value in values.items():
            kinds[name[: name.index("(")]][name[name.index("(") + 1 : -1]] = value
        changed = build_problem(topology.with_changes(**kinds), profile)
        for plan in plans:
            decision = decide_again(changed, plan)
            assert priced.seconds(plan, values) == pytest.approx(price(changed, decision).latency_s, rel=1e-9)
            assert 1 / priced.rate(plan, values) == pytest.approx(max(busy_by_place(changed, decision).values()))


class Known:
    """A solver that knows an answer for every bandwidth of the first link, and says what it was asked."""

    def __init__(self, near: Plan, far: Plan) -> None:
        self.near, self.far = near, far
        self.asked: list[tuple[dict[str, float], frozenset[str], float | None]] = []

    def __call__(
        self, values: Mapping[str, float], down: Collection[str], rate: float | None
    ) -> tuple[Plan | None, bool]:
        self.asked.append((dict(values), frozenset(down), rate))
        poor = values[NAMES[0]] < 0.3e6 or bool(down) or rate is not None
        return (self.near if poor else self.far), False


@pytest.fixture
def known(plans: list[Plan]) -> Known:
    return Known(plans[0], plans[1])


def asking_of(known: Any, topology: Topology, profile: Profile, **changed: Any) -> Asking:
    priced = Priced(topology, build_problem(topology, profile), NAMES)
    return Asking(known, now(topology), priced, **changed)


def test_plans_of_neighbouring_conditions_are_asked_for_beforehand(
    known: Known, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    asking = asking_of(known, topology, profile, down=["gateway"])
    assert len(known.asked) == 4 + len(NAMES)
    assert [each.placement for each in asking.plans] == [plans[1].placement, plans[0].placement]
    assert [each for each, _ in asking.choices({}, ["gateway"])] == [plans[0]]
    asking.choices({NAMES[0]: 1e6}, ["cloud"])  # nobody had thought of that
    assert known.asked[-1][1] == {"cloud"}


def test_the_solver_is_asked_beside_the_frames_and_only_where_conditions_moved(
    known: Known, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    known.near = known.far  # nothing else is known beforehand
    asking = asking_of(known, topology, profile)
    known.near, before, prepared = plans[0], len(known.asked), list[Plan]()

    def prepare(plan: Plan) -> None:
        assert plan not in asking.plans  # it does not count before it is ready
        prepared.append(plan)

    asking.start(prepare)
    start = now(topology)
    for share in (1.0, 1.05, 0.95):
        asking.heed(start | {NAMES[0]: share * 1e6})
    assert len(known.asked) == before
    asking.heed(start | {NAMES[0]: 0.1e6})
    wait_for(lambda: plans[0] in asking.plans)
    assert prepared == [plans[0]]
    assert len(known.asked) == before + 1
    asking.close()


def test_a_plan_that_agents_do_not_take_does_not_count(
    known: Known, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    known.near = known.far
    asking = asking_of(known, topology, profile)
    known.near, tried = plans[0], threading.Event()

    def refuse(_: Plan) -> None:
        tried.set()
        raise QuestionError("no memory")

    asking.start(refuse)
    asking.heed(now(topology) | {NAMES[0]: 0.1e6})
    assert tried.wait(30)
    asking.heed(now(topology) | {NAMES[0]: 0.2e6})
    wait_for(lambda: len(known.asked) == 10)
    assert plans[0] not in asking.plans
    asking.close()


def test_with_a_rate_the_best_of_all_is_the_answer_where_it_keeps_up_and_else_one_that_does(
    known: Known, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    rate = Priced(topology, build_problem(topology, profile), NAMES).rate(plans[1], {})
    calm = asking_of(known, topology, profile, rate=0.99 * rate)
    assert [each[2] for each in known.asked if each[0] == now(topology)] == [None]
    assert calm.plans[0] == plans[1]
    known.asked.clear()
    busy = asking_of(known, topology, profile, rate=1.01 * rate)
    assert [each[2] for each in known.asked if each[0] == now(topology)] == [None, 1.01 * rate]
    assert busy.plans[0] == plans[0]


@pytest.mark.parametrize("rate", [None, 40.0])
def test_what_is_asked_for_under_watched_conditions_is_what_a_cold_solve_finds(
    rate: float | None, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    first = tiercut.solve(topology, profile, min_accuracy=0.95).best
    assert first.accuracy is not None
    solver, start = solver_of(first, topology, profile), now(topology)
    asked: dict[str, Any] = {"min_accuracy": first.accuracy - 1e-9}
    asked |= {} if rate is None else {"bounds": [f"rate>={rate} fps"]}
    proofs = 0
    for share, down in ((1.0, ()), (0.97, ()), (0.2, ()), (0.21, ()), (0.5, ("cloud",)), (0.52, ("cloud",))):
        values = start | {NAMES[0]: share * start[NAMES[0]], NAMES[3]: 1.02 * start[NAMES[3]]}
        gone: dict[str, Any] = {"down": list(down)} if down else {}
        there = {name: value for name, value in values.items() if "cloud" not in down or "cloud" not in name}
        cold = tiercut.solve(topology, profile, **asked, condition=there | gone).best
        plan, proved = solver(values, down, rate)
        proofs += proved
        assert plan is not None
        assert same_plan(plan, cold)
        assert plan.latency_s == cold.latency_s
    assert proofs >= (1 if rate is None else 0)


def test_where_nothing_leads_to_the_destination_without_a_node_there_is_no_plan(
    topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    behind = topology.with_changes(destination="cloud")
    first = tiercut.plan(behind, profile, partition=[12], placement=["camera"], exits=[12])
    solver = solver_of(first, behind, profile)
    asking = asking_of(solver, behind, profile, down=["gateway"])
    assert asking.plans
    for gone in (["gateway"], ["camera"], ["cloud"]):
        assert asking.choices({}, gone) == []


def test_a_question_that_is_refused_does_not_end_asking(
    known: Known, topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    known.near = known.far
    asking = asking_of(known, topology, profile)
    known.near, refused = plans[0], threading.Event()
    ask = known.__call__

    def once(*asked: Any) -> tuple[Plan | None, bool]:
        if not refused.is_set():
            refused.set()
            raise QuestionError("nobody knows")
        return ask(*asked)

    asking._solver = once
    asking.start(lambda _: None)
    asking.heed(now(topology) | {NAMES[0]: 0.1e6})
    assert refused.wait(30)
    wait_for(lambda: asking._at[frozenset()][NAMES[0]] == 0.1e6)
    asking.heed(now(topology) | {NAMES[0]: 0.2e6})
    wait_for(lambda: plans[0] in asking.plans)
    asking.close()


# Moving.


class Still:
    """A driver, agents and a watcher that are made up; conditions are what a test says."""

    def __init__(self, plans: list[Plan], values: dict[str, float]) -> None:
        self.values, self.used, self.unseen = values, "", dict[str, float]()
        self.ready = {str(place): SimpleNamespace(number=str(place), plan=each) for place, each in enumerate(plans)}
        self.again: list[str] = []
        self.addresses = dict.fromkeys(("camera", "gateway", "cloud"), "here:1")
        self.rescue: Any = None

    def find(self, plan: Plan) -> Any:
        return next((each for each in self.ready.values() if same_plan(each.plan, plan)), None)

    def use(self, number: str) -> None:
        self.used = number

    def see(self, _: object) -> None:
        pass

    def seconds(self, _: str) -> float:
        return 1.0

    def load_again(self, node: str) -> None:
        self.again.append(node)


def mover_of(still: Still, priced: Priced, rate: float | None, plans: list[Plan]) -> Mover:
    policy = SimpleNamespace(
        choices=lambda values, avoid: [(each, priced.seconds(each, values)) for each in plans],
        latency_of=priced.seconds,
    )
    anything: Any = still
    rates = None if rate is None else (priced, rate)
    return Mover(anything, anything, anything, policy, still.ready["0"], rates=rates)  # type: ignore[arg-type]


@pytest.fixture
def two(topology: Topology, profile: Profile, plans: list[Plan]) -> tuple[Priced, list[Plan], dict[str, float]]:
    """Return the quicker of two plans first, and conditions under which the other one keeps up with more."""
    priced, values = Priced(topology, build_problem(topology, profile), NAMES), now(topology)
    quick, steady = plans[1], plans[3]
    values["slowdown(gateway)"] = 60.0
    assert priced.seconds(quick, values) < priced.seconds(steady, values)
    assert priced.rate(steady, values) > 1.3 * priced.rate(quick, values)
    return priced, [quick, steady], values


def test_a_plan_that_does_not_keep_up_is_left_even_where_it_is_the_quickest(
    two: tuple[Priced, list[Plan], dict[str, float]],
) -> None:
    priced, plans, values = two
    limit = priced.rate(plans[0], values)
    for rate, moves in ((None, 0), (0.98 * limit, 0), (1.05 * limit, 1)):
        mover = mover_of(Still(plans, values), priced, rate, plans)
        for _ in range(10):
            mover.take(None)  # type: ignore[arg-type]
        assert len(mover.moves) == moves
    assert mover.now.plan == plans[1]
    assert mover.moves[0].why.startswith("it kept up with")


def test_it_does_not_come_back_to_a_plan_that_keeps_up_by_a_hair(
    two: tuple[Priced, list[Plan], dict[str, float]],
) -> None:
    priced, plans, values = two
    still = Still(plans, dict(values))
    rate = 1.05 * priced.rate(plans[0], values)
    mover = mover_of(still, priced, rate, plans)
    for turn in range(60):  # conditions swing about the point where the first plan keeps up
        still.values["slowdown(gateway)"] = values["slowdown(gateway)"] * (1.0 if turn // 6 % 2 else 1 / 1.1)
        mover.take(None)  # type: ignore[arg-type]
    assert len(mover.moves) == 1
    still.values["slowdown(gateway)"] /= 2
    for _ in range(10):
        mover.take(None)  # type: ignore[arg-type]
    assert mover.now.plan == plans[0]


def test_where_no_plan_keeps_up_the_one_that_falls_behind_least_runs(
    two: tuple[Priced, list[Plan], dict[str, float]],
) -> None:
    priced, plans, values = two
    mover = mover_of(Still(plans, values), priced, 10 * priced.rate(plans[1], values), plans)
    for _ in range(10):
        mover.take(None)  # type: ignore[arg-type]
    assert mover.now.plan == plans[1]
    assert len(mover.moves) == 1


def test_a_plan_that_is_none_of_the_choices_is_not_left_for_one_that_falls_behind_more(
    two: tuple[Priced, list[Plan], dict[str, float]],
) -> None:
    priced, plans, values = two
    given, others = plans[1], [plans[0]]
    still = Still([given, *others], values)
    mover = mover_of(still, priced, 10 * priced.rate(given, values), others)
    for _ in range(10):
        mover.take(None)  # type: ignore[arg-type]
    mover._try_ns = 0
    mover.turn({})
    assert mover.moves == []
    mover._down |= set(given.placement)
    assert mover._choose(values)[0] == others[0]


# Foreseeing.


def test_a_plan_is_left_before_it_gets_worse_and_taken_once_it_is_better(
    topology: Topology, profile: Profile, tmp_path: Path
) -> None:
    path = tmp_path / "disturb.yaml"
    path.write_text(
        "format: tiercut.disturbances/1\ndisturbances:\n"
        "  - {at: 3 s, conditions: {bandwidth(camera-gateway): 0.4 Mb/s}}\n"
        "  - {at: 5 s, conditions: {slowdown(cloud): 2.1}}\n"
        "  - {at: 7 s, conditions: {bandwidth(camera-gateway): 8 Mb/s}}\n"
        "  - {at: 9 s, conditions: {down: [gateway]}}\n",
        encoding="utf-8",
    )
    moments = moments_of(load_disturbances(path), topology, profile)
    first = tiercut.solve(topology, profile, min_accuracy=0.95).best
    turns = foreseen(moments, first, topology, profile, solver_of(first, topology, profile), None)
    assert [each.plan.placement for each in turns] == [("camera",), ("gateway",), ("camera",)]
    for turn, (low, high) in zip(turns, [(2.9, 2.98), (7.0, 7.02), (8.9, 8.98)], strict=True):
        assert low < turn.at_s < high
    assert turns[0].why == "known: bandwidth(camera-gateway) 0.4 Mb/s"


def test_frames_go_by_what_is_the_best_when_they_are_due_but_not_by_a_machine_that_is_not_back_yet(
    topology: Topology, profile: Profile, plans: list[Plan]
) -> None:
    still: Any = Still(plans, {})
    turns = [Turn(1.0, plans[1], "first"), Turn(2.0, plans[0], "second"), Turn(4.0, plans[1], "third")]
    moments: Any = [
        SimpleNamespace(at_s=2.1, nodes=frozenset(["gateway"])),
        SimpleNamespace(at_s=4.0, nodes=frozenset()),
    ]
    foresight = Foresight(still, still, turns, moments, still.ready["0"])
    foresight.start()
    used = []
    for due_s in (0.5, 1.0, 1.9, 2.0, 2.5, 4.1):
        foresight.turn({}, due_s)
        used.append(still.used)
    assert used == ["", "1", "1", "0", "0", "0"]
    assert still.rescue("1", "it died")
    assert not still.rescue("0", "it died")
    foresight.returned("gateway", 4.0)
    assert still.again == ["gateway"]
    foresight.turn({}, 4.2)
    assert still.used == "1"
    assert [each.at_s for each in foresight.moves] == [1.0, 2.0, 4.2]
    foresight.close()


def test_an_agent_that_does_not_take_its_plans_when_it_is_back_is_told_again(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foresight_module, "_AGAIN_S", 0.001)
    still: Any = Still(plans, {})
    tell, told = still.load_again, threading.Event()

    def third_time(node: str) -> None:
        tell(node)
        if len(still.again) < 3:
            raise QuestionError("it is not there yet")
        told.set()

    still.load_again = third_time
    foresight = Foresight(still, still, [], [SimpleNamespace(at_s=1.0, nodes={"gateway"})], still.ready["0"])  # type: ignore[list-item]
    foresight.turn({}, 1.0)
    foresight.returned("gateway", 2.0)
    assert told.wait(5)
    wait_for(lambda: not foresight._away)
    foresight.close()
    still.again.clear()
    foresight.returned("gateway", 3.0)
    time.sleep(0.02)
    assert still.again == ["gateway"]  # nobody waits for it any more


def test_an_agent_that_is_back_before_a_frame_notices_is_told_again_too(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foresight_module, "_AGAIN_S", 0.001)
    still: Any = Still(plans, {})
    told = threading.Event()

    def second_time(node: str) -> None:
        still.again.append(node)
        if len(still.again) < 2:
            raise QuestionError("it is not there yet")
        told.set()

    still.load_again = second_time
    foresight = Foresight(still, still, [], [], still.ready["0"])
    foresight.returned("gateway", 2.0)
    assert told.wait(5)
    foresight.close()


def test_a_stop_that_is_over_before_the_next_frame_is_due_bars_nobody(plans: list[Plan]) -> None:
    still: Any = Still(plans, {})
    moments: Any = [
        SimpleNamespace(at_s=at_s, nodes=frozenset(nodes))
        for at_s, nodes in ((2.1, ["gateway"]), (2.2, []), (3.1, ["gateway"]), (3.2, []))
    ]
    foresight = Foresight(still, still, [Turn(3.0, plans[1], "first")], moments, still.ready["0"])
    foresight.returned("gateway", 2.2)
    foresight.turn({}, 3.0)
    assert still.used == "1"
    foresight.turn({}, 3.5)  # its second stop is one that it has not returned from
    foresight.returned("gateway", 2.2)
    assert foresight._away == {"gateway": 3.1}
    foresight.returned("gateway", 3.2)
    assert foresight._away == {}


def test_who_foresees_refuses_a_plan_that_did_not_fit_beforehand(
    topology: Topology, profile: Profile, plans: list[Plan], tmp_path: Path
) -> None:
    path = tmp_path / "disturb.yaml"
    path.write_text(
        "format: tiercut.disturbances/1\ndisturbances:\n  - {at: 1 s, conditions: {down: [gateway]}}\n",
        encoding="utf-8",
    )
    moments = moments_of(load_disturbances(path), topology, profile)
    solver = Known(plans[0], plans[1])
    options, problem = RunOptions(frames=20, interval_s=0.1, moments=moments), build_problem(topology, profile)
    guide = guide_of(plans[1], asks(solver), topology, profile, problem, options, foresees=True)
    assert [each.placement for each in guide.plans] == [("camera",)]
    for there in (plans[1:], plans):
        still: Any = Still(there, {})
        cast = Cast(still, still, still, still.find(plans[1]), lambda _: ())
        if plans[0] in there:
            guide.direct(cast).close()
        else:
            with pytest.raises(QuestionError, match="--foresee: there is no room to hold the plan"):
                guide.direct(cast)


def asks(known: Known) -> Any:
    """Return a solver that is told all conditions, however few changed."""
    return lambda values, down, rate: known({NAMES[0]: 1e6} | dict(values), down, rate)


def wait_for(done: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.005)
