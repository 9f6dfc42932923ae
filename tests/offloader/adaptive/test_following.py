"""What frames tell of conditions, and when a plan gives way to another: on frames that are made up."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.analysis import Policy, sensitivity
from tiercut.cli.commands.run.adapting import check_adapting
from tiercut.errors import QuestionError
from tiercut.offloader import RunOptions
from tiercut.offloader.adaptive import run
from tiercut.offloader.adaptive.fleet import Ready, same_plan
from tiercut.offloader.adaptive.mover import Mover
from tiercut.offloader.adaptive.run import _full, _held
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.local.outcome import Outcome
from tiercut.optimizer import Plan, build_problem, decide_again, itinerary
from tiercut.profiling import Profile
from tiercut.topologies import Topology

LINK, NODE = "bandwidth(camera-gateway)", "slowdown(gateway)"
APART_NS = 40_000_000
NS = 1e9


@pytest.fixture(scope="module")
def policy(topology: Topology, profile: Profile) -> Policy:
    grid = {LINK: ["8 Mb/s", "0.8 Mb/s"], NODE: [8, 40], "down": ["gateway"]}
    return sensitivity(topology, profile, grid, min_accuracy=0.95).policy()


class Stage:
    """A driver, agents and a clock that are made up: frames take what the model says, on links that let one pass."""

    def __init__(self, topology: Topology, profile: Profile, policy: Policy, first: Plan | None = None) -> None:
        self.topology, self.problem = topology, build_problem(topology, profile)
        self.now_ns, self.rng, self.noise = 1_000_000_000, random.Random(0), 0.0
        self.values = dict(zip(policy.conditions, policy.now, strict=True))
        self.start = dict(self.values)
        self.up: set[str] = {"camera", "gateway", "cloud"}
        self.free_ns = 0
        self.used = ""
        self.asked: list[Outcome] = []
        self.again: list[str] = []
        self.under: set[str] = set()
        self.forgotten: list[str] = []
        plans = list(policy.plans)
        plans = plans if first is None else [first, *plans]
        self.ready = {
            str(place): Ready(str(place), plan, (), "here", None, ())  # type: ignore[arg-type]
            for place, plan in enumerate(plans, 1)
        }
        self.count = len(self.ready)
        self.addresses = {node: f"{node}:1" for node in self.up}
        self.watcher = Watcher(policy.conditions, topology, self.problem, clock=lambda: self.now_ns)
        for each in self.ready.values():
            self.watcher.know(each.number, each.plan)
        self.use("1")
        self.mover = Mover(self, self, self.watcher, policy, self.ready["1"], clock=lambda: self.now_ns)  # type: ignore[arg-type]

    # As a driver.

    def use(self, number: str) -> None:
        self.used = number

    def send(self, frame: str, tensors: Mapping[str, Any], due_ns: int, *, by: str) -> None:
        self.asked.append(self.frame(due_ns, by))

    def entry_of(self, number: str) -> str:
        return number

    def send_again(self, number: str, reason: str) -> None:
        self.again.append(number)

    def under_way(self, number: str) -> int:
        return int(number in self.under)

    def add(self, *_: object) -> None:
        pass

    # As agents.

    def find(self, plan: Plan) -> Ready | None:
        return next((each for each in self.ready.values() if same_plan(each.plan, plan)), None)

    def load(self, plan: Plan, *, told: Callable[[Ready], object]) -> Ready:
        self.count += 1
        ready = Ready(str(self.count), plan, (), "here", None, ())  # type: ignore[arg-type]
        told(ready)
        self.ready[ready.number] = ready
        return ready

    def retire(self, number: str) -> Ready:
        return self.ready.pop(number)

    def forget(self, ready: Ready) -> None:
        self.forgotten.append(ready.number)
        assert not self.mover._lock._is_owned()  # type: ignore[attr-defined]

    def is_up(self, node: str, patience_s: float) -> bool:
        return node in self.up

    def load_again(self, node: str) -> None:
        self.again.append(node)

    # Frames.

    def frame(self, due_ns: int, number: str | None = None) -> Outcome:
        """Return a frame that went by a plan, or that of now, past links that others of the same way are on."""
        number = self.used if number is None else number
        plan = self.ready[number].plan
        path = itinerary(self.problem, decide_again(self.problem, plan))
        parameters: dict[str, str | int | bool] = {"stage0.encode_ns": 0}
        at_ns = float(due_ns)
        for stage in range(len(plan.partition)):
            step = next(s for s in path.steps if s.stage == stage - (stage > 0) and s.sort in ("input", "send"))
            begun_ns = at_ns
            for hop in path.hops(step):
                near = {hop.sender, hop.receiver} == {"camera", "gateway"}
                share = self.values[LINK] / self.start[LINK] if near else 1.0
                if near:
                    at_ns = max(at_ns, self.free_ns)
                at_ns += self._noisy(step.size / (hop.bandwidth * share)) * NS
                if near:
                    self.free_ns = round(at_ns)
                at_ns += hop.latency * NS
            share = self.values[NODE] / self.start[NODE] if plan.placement[stage] == "gateway" else 1.0
            compute_s = sum(s.seconds for s in path.steps if s.stage == stage and s.sort == "compute") * share
            own = {
                "send": at_ns - begun_ns,
                "queue": 0,
                "decode": 0,
                "encode": 0,
                "compute": self._noisy(compute_s) * NS,
            }
            parameters |= {f"stage{stage + 1}.{name}_ns": round(took) for name, took in own.items()}
            at_ns += own["compute"]
        return Outcome(due_ns, round(at_ns), exit=plan.exits[-1], parameters=parameters, plan=number, sent=1)

    def _noisy(self, seconds: float) -> float:
        return seconds * self.rng.lognormvariate(0, self.noise)

    def run(self, frames: int) -> list[int]:
        """Send frames; return at which of them the plan changed."""
        found = []
        for number in range(frames):
            before = len(self.mover.moves)
            self.now_ns += APART_NS
            self.mover.turn({})
            seen = [self.frame(self.now_ns), *self.asked]
            self.asked = []
            for each in seen:
                self.mover.take(each)
            if len(self.mover.moves) > before:
                found.append(number)
        return found

    @property
    def node(self) -> str:
        return self.mover.now.plan.placement[0]


@pytest.fixture
def stage(topology: Topology, profile: Profile, policy: Policy) -> Stage:
    return Stage(topology, profile, policy)


@pytest.mark.parametrize("seed", range(5))
def test_it_moves_once_after_a_drop_and_back_once_after_the_recovery(seed: int, stage: Stage) -> None:
    stage.rng, stage.noise = random.Random(seed), 0.1
    assert stage.run(100) == []
    assert stage.node == "gateway"
    stage.values[LINK] /= 10
    (left,) = stage.run(200)
    assert left < 10
    assert stage.node == "camera"
    stage.values[LINK] *= 10
    (back,) = stage.run(300)
    assert back * APART_NS < 10 * NS
    assert stage.node == "gateway"
    assert stage.used == stage.mover.now.number


def test_what_is_unseen_is_asked_ever_more_rarely_and_by_no_frame_that_counts(stage: Stage) -> None:
    stage.values[LINK] /= 10
    sent: list[int] = []
    send = stage.send
    stage.send = lambda *each, by: (sent.append(stage.now_ns), send(*each, by=by))  # type: ignore[method-assign, assignment, func-returns-value]
    stage.run(1500)
    assert len(stage.mover.moves) == 1
    apart = np.diff(sent) / NS
    assert (np.diff(apart[:3]) > 0).all()
    assert apart.max() < 8.2
    assert 6 <= len(sent) <= 12


@pytest.mark.parametrize("seed", range(5))
def test_a_minute_of_noise_where_two_plans_are_as_good_does_not_make_it_flap(
    seed: int, stage: Stage, policy: Policy
) -> None:
    low, high = 0.1, 1.0
    there, other = (each.plan for each in stage.ready.values())
    for _ in range(40):  # the share of the bandwidth at which both plans take as long
        middle = (low + high) / 2
        values = stage.start | {LINK: stage.start[LINK] * middle}
        better = (policy.latency_of(there, values) or 0) < (policy.latency_of(other, values) or 0)
        low, high = (low, middle) if better else (middle, high)
    stage.rng, stage.noise = random.Random(seed), 0.2
    stage.values[LINK] = stage.start[LINK] * high
    assert len(stage.run(1500)) <= 4


def test_a_gain_below_what_moving_costs_does_not_move(stage: Stage) -> None:
    for _ in range(40):  # drops of two frames: too short to pay for a move
        stage.run(20)
        stage.values[LINK] /= 2
        stage.run(2)
        stage.values[LINK] *= 2
    assert stage.mover.moves == []


def test_a_move_is_decided_within_a_millisecond(stage: Stage) -> None:
    for _ in range(8):
        stage.values[LINK] /= 10
        stage.run(30)
        stage.values[LINK] *= 10
        stage.run(300)
    assert len(stage.mover.moves) >= 8
    assert statistics.median(each.deciding_s for each in stage.mover.moves) < 1e-3


def test_a_link_that_is_full_does_not_look_slow(stage: Stage) -> None:
    size = next(s.size for s in itinerary(stage.problem, decide_again(stage.problem, stage.mover.now.plan)).steps)
    apart_ns = round(size / stage.start[LINK] * 0.5 * NS)  # twice what the link carries
    due_ns = stage.now_ns
    for _ in range(50):
        due_ns += apart_ns
        outcome = stage.frame(due_ns)
        stage.watcher.see(outcome)
    assert outcome.latency_s > 10 * size / stage.start[LINK]
    assert stage.watcher.values[LINK] == pytest.approx(stage.start[LINK], rel=1e-3)


def test_a_slow_node_is_told_from_a_slow_link(stage: Stage) -> None:
    stage.values[NODE] *= 2
    stage.run(10)
    assert stage.watcher.values[NODE] == pytest.approx(2 * stage.start[NODE], rel=0.01)
    assert stage.watcher.values[LINK] == pytest.approx(stage.start[LINK], rel=0.01)


@pytest.mark.parametrize("seen", [False, True])
def test_of_a_way_over_two_links_the_one_that_was_seen_alone_is_taken_off(
    seen: bool, topology: Topology, profile: Profile
) -> None:
    names = (LINK, "bandwidth(gateway-cloud)")
    now = [1_000_000_000]
    watcher = Watcher(names, topology, build_problem(topology, profile), clock=lambda: now[0])
    shares: dict[str, Any] = {"exits": [12], "partition": [12]}
    watcher.know("far", tiercut.plan(topology, profile, placement=["cloud"], **shares))
    watcher.know("near", tiercut.plan(topology, profile, placement=["gateway"], **shares))
    path = itinerary(
        build_problem(topology, profile),
        decide_again(build_problem(topology, profile), tiercut.plan(topology, profile, placement=["cloud"], **shares)),
    )
    size = path.steps[0].size
    for _ in range(30):
        now[0] += 4 * APART_NS
        if seen:
            near = {"stage1.send_ns": round((0.001 + size / 1e6) * NS), "stage1.compute_ns": 1}
            watcher.see(Outcome(now[0] - 20_000_000, exit=12, parameters=near, plan="near", sent=1))
        far = {"stage1.send_ns": round((0.003 + size / 1e6 + 4 * size / 1e6) * NS), "stage1.compute_ns": 1}
        watcher.see(Outcome(now[0], exit=12, parameters=far, plan="far", sent=1))
    found = [watcher.values[name] for name in names]
    assert found == pytest.approx([1e6, 0.25e6] if seen else [0.4e6, 0.4e6], rel=0.01)


def test_a_plan_that_the_policy_does_not_hold_is_left_as_well(
    topology: Topology, profile: Profile, policy: Policy
) -> None:
    odd = tiercut.plan(topology, profile, partition=[12], placement=["cloud"], exits=[12])
    stage = Stage(topology, profile, policy, first=odd)
    assert policy.latency_of(odd, {}) is None
    assert stage.watcher.seconds("1") == pytest.approx(odd.latency_s)
    assert len(stage.run(50)) == 1
    assert stage.node == "gateway"


def test_a_node_that_is_gone_is_left_and_taken_again_when_it_is_back(stage: Stage) -> None:
    stage.run(20)
    old = stage.mover.now.number
    stage.up.remove("gateway")
    assert stage.mover.rescue(old, "gateway:1: UNAVAILABLE")
    assert stage.node == "camera"
    assert stage.again == [old]
    assert stage.mover.rescue(old, "gateway:1: UNAVAILABLE"), "others that were under way"
    assert len(stage.mover.moves) == 1
    assert stage.run(60) == []
    stage.up.add("gateway")
    wait_for(lambda: "gateway" in stage.again)
    wait_for(lambda: not stage.mover._down)
    assert len(stage.run(60)) == 1
    assert stage.node == "gateway"
    stage.mover.close()


@pytest.mark.parametrize(
    "reason",
    [
        "it was not sent to gateway:1 before its deadline",
        "gateway:1: DEADLINE_EXCEEDED",
        "gateway:1: RESOURCE_EXHAUSTED: 64 frames wait already",
        "gateway:1: ALREADY_EXISTS: this frame came before",
    ],
)
def test_a_frame_that_was_late_or_not_taken_does_not_make_a_node_gone(reason: str, stage: Stage) -> None:
    assert not stage.mover.rescue(stage.mover.now.number, reason)
    assert stage.mover.moves == []


def test_a_plan_on_a_node_that_is_gone_is_left_once_another_can_be_loaded(stage: Stage) -> None:
    old, load, tries = stage.mover.now.number, stage.mover._load, list[Plan]()

    def second_time(plan: Plan) -> Ready:
        tries.append(plan)
        if len(tries) == 1:
            raise QuestionError("it does not answer")
        return load(plan)

    stage.mover._load = second_time  # type: ignore[method-assign]
    stage.up.remove("gateway")
    assert not stage.mover.rescue(old, "gateway:1: UNAVAILABLE")
    assert stage.mover.rescue(old, "gateway:1: UNAVAILABLE")
    assert stage.node == "camera"
    assert stage.again == [old]
    stage.mover.close()


def test_a_plan_whose_nodes_do_not_answer_either_is_not_waited_for(stage: Stage) -> None:
    def refuse(plan: Plan) -> Ready:
        raise QuestionError("it does not answer")

    stage.mover._load = refuse  # type: ignore[method-assign]
    stage.up -= {"gateway", "camera"}
    assert not stage.mover.rescue(stage.mover.now.number, "gateway:1: UNAVAILABLE")
    assert stage.mover._down >= {"gateway", "camera"}
    stage.mover.close()


def test_a_frame_that_is_due_does_not_wait_for_a_move(stage: Stage) -> None:
    stage.values[LINK] /= 10
    stage.run(20)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with stage.mover._lock:
            held.set()
            free.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    begun, stage.now_ns = time.monotonic(), stage.now_ns + round(20 * NS)
    stage.mover.turn({})
    took_s = time.monotonic() - begun
    free.set()
    holder.join()
    assert took_s < 20
    assert stage.asked == []


def test_plans_that_no_frame_uses_are_forgotten_where_there_is_no_room(
    stage: Stage, topology: Topology, profile: Profile
) -> None:
    stage.mover._full = lambda plans: {"camera", "gateway", "cloud"} if len(plans) > 2 else ()
    third, fourth = (
        tiercut.plan(topology, profile, partition=[12], placement=["cloud"], exits=[*some, 12], threshold=0.5)
        for some in ([3], [4])
    )
    stage.under.add("2")
    assert stage.mover._load(third).number == "3"
    assert set(stage.ready) == {"1", "2", "3"}
    stage.under.clear()
    assert stage.mover._load(fourth).number == "4"
    assert set(stage.ready) == {"1", "4"}
    assert stage.forgotten == ["2", "3"]  # while nobody waits for them


def test_an_agent_that_died_before_it_was_ready_comes_back_where_the_others_look_for_it(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []

    class Made(ExitStack):
        def __init__(self, *_: object, listen: str, **__: object) -> None:
            super().__init__()
            listened.append(listen)
            self.address = ""

        def wait_until_ready(self) -> str:
            if len(listened) == 4:
                raise QuestionError("it was killed")
            self.address = f"here:{len(listened)}"
            return self.address

    monkeypatch.setattr(run, "AgentProcess", Made)
    monkeypatch.setattr(run, "pin_apart", lambda _: None)
    names = [node.name for node in topology.nodes]
    site = run.site_of(
        ExitStack(), dict.fromkeys(names, Path()), dict.fromkeys(names, 1.0), Path(), topology, RunOptions()
    )
    before = site.agents["gateway"].address
    with pytest.raises(QuestionError):
        site.again("gateway")
    site.again("gateway")
    assert listened[3:] == [before, before]


def test_a_node_is_full_by_its_memory_and_by_the_plans_that_it_has(
    topology: Topology, profile: Profile, policy: Policy
) -> None:
    problem, plan = build_problem(topology, profile), policy.plans[0]
    node = plan.placement[0]
    need = float(np.nansum(problem.parameter_bytes[: plan.partition[0]]))
    small = [each.model_copy(update={"memory": 1.5 * need} if each.name == node else {}) for each in topology.nodes]
    tight = topology.model_copy(update={"nodes": tuple(small)})
    assert _full([plan], tight, problem) == set()
    assert _full([plan, plan], tight, problem) == {node}
    assert _full(32 * [plan], topology, problem) == set()
    assert _full(33 * [plan], topology, problem) == set(plan.placement)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"placement": ("gatewy",)}, "the policy is of another topology: there is no node 'gatewy'; did you mean"),
        ({"input_codec": "int8"}, "--adapt takes plans without codecs"),
    ],
)
def test_a_policy_that_does_not_belong_to_the_run_is_refused(
    change: dict[str, Any], said: str, topology: Topology, profile: Profile, policy: Policy
) -> None:
    plan = policy.plans[0]
    odd: Any = SimpleNamespace(plans=(plan, replace(plan, **change)))
    with pytest.raises(QuestionError, match=said):
        _held(plan, odd.plans, topology, build_problem(topology, profile))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"policy": Path("policy.json"), "adapt": False}, "--policy says which plan to change to"),
        ({"local": False}, "--adapt follows what one clock tells of all agents, so it belongs to --local"),
        ({"asked": "trace.json"}, "leave out --plot, --trace and --parquet"),
        ({"foresee": True}, "give one of them"),
        ({"adapt": False, "foresee": True, "disturbed": False}, "what --disturb does: add it"),
        ({"adapt": False, "foresee": True, "asked": "trace.json"}, "--foresee starts an agent"),
    ],
)
def test_what_does_not_go_with_plans_that_change_is_refused(flags: dict[str, Any], said: str) -> None:
    usual = {"adapt": True, "foresee": False, "local": True, "policy": None, "disturbed": True, "asked": None}
    check_adapting(**usual)
    with pytest.raises(QuestionError, match=said):
        check_adapting(**(usual | flags))


def wait_for(done: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)
