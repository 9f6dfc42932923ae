"""Frames that do not come back: where they wait, what that says of links and nodes, and the way round them."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tiercut
from tiercut.offloader.adaptive.mover import Mover
from tiercut.offloader.adaptive.priced import Priced
from tiercut.offloader.adaptive.silence import Silence
from tiercut.offloader.adaptive.watcher import Smoothed, Watcher
from tiercut.offloader.agent.outlet import Outlet, Waits
from tiercut.offloader.agent.waits import what_waits
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Direction, Way
from tiercut.offloader.local.outcome import Outcome, UnderWay
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import take_parameters
from tiercut.optimizer import Plan, build_problem
from tiercut.profiling import Profile
from tiercut.topologies import Topology

NEAR, FAR, NODE = "bandwidth(camera-gateway)", "bandwidth(gateway-cloud)", "slowdown(gateway)"
MS = 1_000_000
SIZE = 11_000


@pytest.fixture(scope="module")
def plans(topology: Topology, profile: Profile) -> list[Plan]:
    places: list[dict[str, Any]] = [
        {"partition": [12], "placement": ["gateway"], "exits": [12]},
        {"partition": [12], "placement": ["camera"], "exits": [12]},
        {"partition": [6, 12], "placement": ["gateway", "cloud"], "exits": [12]},
    ]
    return [tiercut.plan(topology, profile, **each) for each in places]


class Scene:
    """A driver and agents that are made up: a test says what was sent when, and what waits where."""

    def __init__(self, topology: Topology, profile: Profile, plans: list[Plan]) -> None:
        problem = build_problem(topology, profile)
        self.now_ns = 1_000 * MS
        self.waiting, self.address, self.asked, self.deadline_s = UnderWay(), "here:1", list[str](), 2.0
        self.entry: Waits | None = None  # what waits for the way to the first agent
        self.at: dict[str, dict[str, int] | None] = {}  # what agents say
        self.used, self.again, self.probes = "0", list[str](), list[str]()
        self.ready = {str(place): SimpleNamespace(number=str(place), plan=plan) for place, plan in enumerate(plans)}
        self.known, self.addresses = self.ready, dict.fromkeys(("camera", "gateway", "cloud"), "there:1")
        names = (NEAR, FAR, "slowdown(camera)", NODE, "slowdown(cloud)")
        self.watcher = Watcher(names, topology, problem, clock=lambda: self.now_ns)
        for each in self.ready.values():
            self.watcher.know(each.number, each.plan)
        priced, anything = Priced(topology, problem, names), Any
        choices = [plans[0], plans[1]]
        policy: anything = SimpleNamespace(
            choices=lambda values, avoid: [
                (each, priced.seconds(each, values)) for each in choices if not set(avoid) & set(each.placement)
            ],
            latency_of=priced.seconds,
        )
        here: anything = self
        self.mover = Mover(here, here, self.watcher, policy, here.ready["0"], clock=lambda: self.now_ns)
        self.silence: Silence = self.mover._silence

    def entry_of(self, number: str) -> Any:
        return SimpleNamespace(number=number, outlet=SimpleNamespace(waits=self.entry))

    def waits(self, node: str, number: str, destination: str, patience_s: float) -> dict[str, int] | None:
        self.asked.append(node)
        return self.at.get(node, {})

    def find(self, plan: Plan) -> Any:
        return next(each for each in self.ready.values() if each.plan is plan)

    def use(self, number: str) -> None:
        self.used = number

    def send_again(self, number: str, reason: str) -> None:
        self.again.append(number)

    def under_way(self, number: str) -> int:
        return self.waiting.count(number, self.now_ns)

    def is_up(self, node: str, patience_s: float) -> bool:
        return False

    def send(self, frame: str, tensors: Mapping[str, Any], due_ns: int, *, by: Any) -> None:
        self.probes.append(by.number)
        self.waiting.begin(frame, by.number, due_ns, due_ns + 2_000 * MS)

    def pass_by(self, milliseconds: int, then: Callable[[], object] = lambda: None) -> None:
        """Look every 10 ms, as the thread does."""
        for _ in range(milliseconds // 10):
            self.now_ns += 10 * MS
            self.mover.listen()
            then()


@pytest.fixture
def scene(topology: Topology, profile: Profile, plans: list[Plan]) -> Scene:
    return Scene(topology, profile, plans)


def sent(scene: Scene, number: str = "0") -> None:
    """Send a frame, which the link to the gateway does not get rid of."""
    scene.waiting.begin("frame", number, scene.now_ns, scene.now_ns + 2_000 * MS)
    scene.entry = Waits(scene.now_ns, SIZE)


def test_a_plan_over_a_link_that_is_cut_is_left_long_before_the_deadline(scene: Scene) -> None:
    scene.watcher._strayed_s += [0.03, 0.03]
    sent(scene)
    scene.pass_by(60)
    assert scene.mover.moves == []
    begun_ns = scene.now_ns
    while not scene.mover.moves and scene.now_ns < begun_ns + 400 * MS:
        scene.pass_by(10)
    assert scene.used == "1"
    assert scene.again == ["0"]
    assert scene.mover.moves[0].why.startswith("nothing came back for ")
    assert scene.asked == []  # the source knows by itself what does not leave it


def test_a_plan_is_left_while_there_is_time_for_another_one(scene: Scene) -> None:
    scene.watcher._strayed_s += [0.001, 0.001]
    other_s = scene.watcher.seconds("1")
    sent(scene)
    scene.deadline_s = 0.05 + 1.2 * other_s  # missed after 0.05 s, and looked at again after more than 0.06 s
    while not scene.mover.moves and scene.now_ns < 3_000 * MS:
        scene.pass_by(10)
    assert scene.used == "1"
    assert (scene.now_ns - 1_000 * MS) / 1e9 + other_s < scene.deadline_s


def test_what_is_stuck_on_a_plan_that_was_left_is_sent_again(scene: Scene) -> None:
    sent(scene)
    scene.mover.now = scene.ready["1"]  # frames showed that it is better, before any was missed
    scene.pass_by(60)
    assert scene.again == []
    scene.pass_by(900)
    assert scene.mover.moves == []
    assert set(scene.again) == {"0"}


def test_how_long_a_message_has_waited_bounds_its_link_and_no_other(scene: Scene) -> None:
    before = scene.watcher.values
    sent(scene)
    scene.pass_by(150)
    after = scene.watcher.values
    assert after[NEAR] < SIZE / 0.07
    assert {name: value for name, value in after.items() if name != NEAR} == {
        name: value for name, value in before.items() if name != NEAR
    }
    scene.pass_by(1500)
    assert scene.watcher.values[NEAR] == 1.0  # a byte per second: it is down


@pytest.mark.parametrize(
    ("node", "said", "name"),
    [
        ("gateway", {"onward_ns": 400 * MS, "onward_bytes": SIZE}, FAR),
        ("cloud", {"home_ns": 400 * MS, "home_bytes": 200}, FAR),
        ("gateway", {"compute_ns": 900 * MS}, NODE),
    ],
)
def test_what_agents_have_and_cannot_get_rid_of_tells_of_links_and_nodes_further_on(
    node: str, said: dict[str, int], name: str, scene: Scene
) -> None:
    before = scene.watcher.values[name]
    scene.at[node] = said
    scene.watcher._alone_ns[("gateway", "camera")] = scene.now_ns  # that one was seen just now
    scene.waiting.begin("frame", "2", scene.now_ns, scene.now_ns + 5_000 * MS)
    scene.pass_by(800)
    assert set(scene.asked) == {"gateway", "cloud"}
    assert scene.watcher.values[name] / before > 2 if name == NODE else before / scene.watcher.values[name] > 2


def test_a_silence_that_nobody_can_explain_moves_nothing_and_is_asked_about_ever_more_rarely(scene: Scene) -> None:
    scene.waiting.begin("frame", "0", scene.now_ns, scene.now_ns + 2_000 * MS)
    before = scene.watcher.values
    scene.pass_by(1900)
    assert scene.watcher.values == before
    assert scene.mover.moves == []
    assert 5 <= len(scene.asked) <= 20


def test_an_agent_that_says_nothing_while_its_frames_are_missed_is_gone(scene: Scene) -> None:
    scene.at["gateway"] = None
    scene.waiting.begin("frame", "0", scene.now_ns, scene.now_ns + 2_000 * MS)
    scene.pass_by(200)
    assert scene.used == "1"
    assert scene.mover.moves[0].why == "gateway did not answer"
    scene.mover._closed.set()


def test_a_link_that_is_full_is_not_missed_while_answers_come(scene: Scene) -> None:
    before = scene.watcher.values
    for place in range(40):  # each waits behind many others, and one is there every 50 ms
        scene.waiting.begin(str(place), "0", scene.now_ns, scene.now_ns + 9_000 * MS)
    scene.entry = Waits(scene.now_ns, SIZE)
    for place in range(40):
        scene.pass_by(50)
        scene.waiting.end(str(place), scene.now_ns, "0")
        scene.entry = Waits(scene.now_ns, SIZE)
    assert scene.watcher.values == before


def test_a_process_that_stood_still_itself_misses_nothing(scene: Scene) -> None:
    before = scene.watcher.values
    sent(scene)
    scene.now_ns += 500 * MS
    scene.mover.listen()
    assert scene.watcher.values == before


def test_a_copy_waits_at_a_cut_link_and_the_next_one_tells_that_it_is_back(scene: Scene) -> None:
    sent(scene)
    scene.pass_by(700)
    scene.waiting.end("frame", scene.now_ns)
    scene.entry = None
    assert scene.used == "1"

    def turn() -> None:
        scene.mover.turn({})
        if scene.entry is None and scene.probes:
            scene.entry = Waits(scene.now_ns, SIZE)

    scene.pass_by(3000, turn)
    assert scene.probes == ["0"]  # one at a time
    assert scene.watcher.is_waiting
    answered(scene, waited_ms=1900)  # the link is back: what waited says that, but not how quick it is
    assert scene.watcher.is_waiting
    scene.pass_by(300, turn)
    assert scene.probes == ["0", "0"]
    answered(scene, waited_ms=12)
    assert not scene.watcher.is_waiting
    assert scene.watcher.values[NEAR] == pytest.approx(1e6, rel=0.3)
    for _ in range(5):
        answered(scene, waited_ms=12)
    assert scene.used == "0"


def test_a_copy_that_came_late_says_how_slow_a_link_is_at_the_most(scene: Scene) -> None:
    sent(scene)
    scene.pass_by(700)
    assert scene.watcher.values[NEAR] == 1.0
    size = scene.watcher._plans["0"].path.steps[0].size
    answered(scene, waited_ms=600)  # sent while nobody knew
    assert scene.watcher.values[NEAR] == pytest.approx(size / 0.6, rel=0.1)
    assert scene.watcher.is_waiting


def test_a_link_by_which_only_results_were_missed_is_as_before_once_one_comes_home_in_time(scene: Scene) -> None:
    watcher, before = scene.watcher, scene.watcher.values
    watcher._fast["gateway", "camera"] = watcher._held["back"] = Smoothed(1e-6)  # each direction by a name of its own
    assert watcher.miss_message("0", "result", 0, 0.9, 200)
    assert watcher.values["back"] == pytest.approx(1.0)
    answered(scene, waited_ms=12, home_ms=800)  # it was what waited
    assert watcher.is_waiting
    scene.now_ns += 100 * MS
    answered(scene, waited_ms=12, home_ms=3)
    assert not watcher.is_waiting
    assert watcher.values["back"] == pytest.approx(1e-6)
    assert watcher.values[NEAR] == pytest.approx(before[NEAR], rel=0.3)


def answered(scene: Scene, waited_ms: int, home_ms: int = 0) -> None:
    """Let the copy be answered, that took so long to the gateway, and back."""
    own = {"stage0.encode_ns": 0, "stage1.send_ns": waited_ms * MS}
    path = scene.watcher._plans["0"]
    own["stage1.compute_ns"] = round(sum(took for _, took in path.pieces_s[0]) * 1e9)
    for frame in [name for name, (number, _, _) in scene.waiting._frames.items() if number == "0"]:
        scene.waiting.end(frame, scene.now_ns, "0")
    scene.entry = None
    due_ns = scene.now_ns - waited_ms * MS
    home_s = home_ms / 1e3
    scene.mover.take(Outcome(due_ns, scene.now_ns, exit=12, parameters=dict(own), return_s=home_s, plan="0", sent=1))


def test_what_takes_twice_as_long_and_longer_than_frames_strayed_by_lately_is_missed(scene: Scene) -> None:
    misses, strayed_s = scene.watcher.misses, scene.watcher._strayed_s
    assert (misses(0.11, 0.02), misses(0.13, 0.02)) == (False, True)  # nothing is known of this machine
    strayed_s += [0.001] * 20 + [0.5]  # one frame tells nothing
    assert (misses(0.04, 0.02), misses(0.05, 0.02)) == (False, True)
    strayed_s += [0.04, 0.001]
    assert (misses(0.07, 0.02), misses(0.09, 0.02)) == (False, True)
    strayed_s.append(3.0)
    assert (misses(0.11, 0.02), misses(0.13, 0.02)) == (False, True)
    assert (misses(1.9, 1.0), misses(2.1, 1.0)) == (False, True)
    before = len(strayed_s)
    answered(scene, waited_ms=12)
    assert len(strayed_s) == before + 1
    assert strayed_s[-1] == pytest.approx(0.0, abs=0.02)


def test_the_oldest_frame_of_each_plan_counts_from_the_last_answer_by_it() -> None:
    under_way = UnderWay()
    for frame, number, at in (("a", "1", 1), ("b", "1", 2), ("c", "2", 3)):
        under_way.begin(frame, number, at, 100)
    assert under_way.since(10) == {"1": 1, "2": 3}
    under_way.end("a", 7, "1")
    assert under_way.since(10) == {"1": 7, "2": 3}
    under_way.begin("b", "2", 8, 100)  # sent again
    assert under_way.since(10) == {"2": 3}
    under_way.end("c", 9)  # lost
    assert under_way.since(10) == {"2": 8}
    assert (under_way.count("2", 100), under_way.count("2", 101)) == (1, 0)


class Courier:
    """Takes what it is told to take."""

    def __init__(self) -> None:
        self.came: queue.Queue[Callable[[Any], None]] = queue.Queue()

    def send(self, request: Any, contents: Any, timeout_s: float, done: Callable[[Any], None], _: Any) -> None:
        self.came.put(done)

    def close(self) -> None:
        pass


def test_an_outlet_tells_its_oldest_message_that_was_not_taken(tmp_path: Path) -> None:
    peer: Any = SimpleNamespace(address="there:1", most_bytes=1000, close=lambda: None)
    clock = LinkClock(LinkClock.create(tmp_path / "links", 1))
    outlet, courier = Outlet(peer, Way((Direction(0, 1e9, 0.0),)), clock), Courier()
    outlet._courier = courier  # type: ignore[assignment]
    far_ns, lost = 1 << 62, list[str]()
    outlet.put(message("ModelInferRequest", id="past"), (), far_ns, lost.append, {}, direct=True)
    assert outlet.waits is None
    courier.came.get(timeout=30)
    for frame in ("a", "b"):
        outlet.put(message("ModelInferRequest", id=frame), (), far_ns, lost.append, {})
    first = outlet.waits
    assert first is not None
    assert first.size > 0
    courier.came.get(timeout=30)(None)
    second = outlet.waits
    assert second is not None
    assert second.since_ns > first.since_ns  # since the one before it was taken
    home: Any = SimpleNamespace(waits=None)
    asked = message("ModelInferRequest", model_version="3")
    said = take_parameters(what_waits(asked, {1: ("3", 5), 2: ("4", 1)}, outlet, home))
    assert set(said) == {"compute_ns", "onward_ns", "onward_bytes"}
    assert said["onward_bytes"] == second.size
    courier.came.get(timeout=30)(None)
    assert outlet.waits is None
    outlet.put(message("ModelInferRequest", id="late"), (), 0, lost.append, {})
    outlet.close()
    assert outlet.waits is None
    assert len(lost) == 1
