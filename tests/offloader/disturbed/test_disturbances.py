"""Runs that are disturbed: the file, what is true when, and what is done to links, speeds and processes then."""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.at_work.clocks import BEGUN_NS, ThreadTimes, WoundEvent

from tiercut.errors import InputError, QuestionError
from tiercut.offloader.agent.emulation import Emulation, slowing
from tiercut.offloader.disturbed.player import Disturbance, Player, Site, check_speeds
from tiercut.offloader.disturbed.trace_file import Moment, check_within, load_disturbances, moments_of
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Direction, ShapedPath, Way
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.prediction import source_of
from tiercut.profiling import Profile
from tiercut.topologies import Topology

LINK = "camera-gateway"


def moments(folder: Path, topology: Topology, profile: Profile, *steps: str) -> tuple[Moment, ...]:
    """Return what a file of such steps says."""
    path = folder / "disturb.yaml"
    lines = "".join(f"  - {each}\n" for each in steps)
    path.write_text(f"format: tiercut.disturbances/1\ndisturbances:\n{lines}", encoding="utf-8")
    return moments_of(load_disturbances(path), topology, profile)


def test_what_was_said_holds_until_it_is_said_anew(tmp_path: Path, topology: Topology, profile: Profile) -> None:
    found = moments(
        tmp_path,
        topology,
        profile,
        "{at: 1 s, conditions: {bandwidth(camera-gateway): 1 Mb/s, slowdown(gateway): 40}}",
        "{at: 1500 ms, conditions: {bandwidth(camera>gateway): 2 Mb/s, down: [cloud, camera-gateway]}, by: stop}",
        "{at: 3 s, conditions: {bandwidth(camera-gateway): 8 Mb/s, down: []}}",
    )
    assert [each.at_s for each in found] == [1.0, 1.5, 3.0]
    ways = [each.topology.network.hops["camera", "gateway"].bandwidth for each in found]
    back = [each.topology.network.hops["gateway", "camera"].bandwidth for each in found]
    assert (ways, back) == ([125e3, 250e3, 1e6], [125e3, 125e3, 1e6])
    assert [each.topology.node("gateway").slowdown for each in found] == [40, 40, 40]
    assert [sorted(each.nodes) for each in found] == [[], ["cloud"], []]
    assert [len(each.cut) for each in found] == [0, 2, 0]
    assert found[1].changes[-1] == ("down", "cloud, camera-gateway")
    assert found[2].conditions == {"slowdown(gateway)": 40, "bandwidth(camera>gateway)": "2 Mb/s"} | {
        "bandwidth(camera-gateway)": "8 Mb/s"
    }


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["{at: 2 s, conditions: {down: []}}", "{at: 1 s, conditions: {down: []}}"], "after the one before"),
        (["{at: 2 s, conditions: {down: []}}", "{at: 2 s, conditions: {down: []}}"], "after the one before"),
        (["{at: -1 s, conditions: {down: []}}"], "a time must be 0 or more"),
        (["{at: 5, conditions: {down: []}}"], "expected a time with its unit"),
        (["{at: 5 s, conditions: {}}"], "conditions"),
        (["{at: 5 s, conditions: {bandwidth(camera-gateway): 5}}"], "expected text with its unit"),
        (["{at: 5 s, conditions: {bandwidth(camera-gateway): 0 Mb/s}}"], "greater than 0"),
        (["{at: 5 s, conditions: {width(camera-gateway): 5}}"], "there is no condition 'width'"),
        (["{at: 5 s, conditions: {down(cloud): true}}"], "write down: [cloud]"),
        (["{at: 5 s, conditions: {down: cloud}}"], "expected a list of nodes and links"),
        (["{at: 5 s, conditions: {down: [cloud]}, by: magic}"], "by"),
        (["{at: 5 s, conditions: {down: [clod]}}"], "--disturb, at 5 s: there is no node 'clod'"),
        (["{at: 5 s, conditions: {down: [camera]}}"], "'camera' is the source"),
        (["{at: 5 s, conditions: {slowdown(gatway): 4}}"], "--disturb, at 5 s: there is no node 'gatway'"),
        (["{at: 5 s, conditions: {bandwidth(camera-clod): 1 Mb/s}}"], "there is no link 'camera-clod'"),
        (["{at: 5 s, conditions: {cpu(gateway): 50 %}}"], "no times of device"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(
    steps: list[str], said: str, tmp_path: Path, topology: Topology, profile: Profile
) -> None:
    with pytest.raises((InputError, QuestionError)) as caught:
        moments(tmp_path, topology, profile, *steps)
    assert said in str(caught.value)
    assert "disturb" in str(caught.value)


@pytest.mark.parametrize(
    ("down", "said"),
    [
        ("gateway", "nothing leads from the source 'camera' to the destination 'cloud' without gateway: leave a way"),
        ("gateway-cloud", "without gateway-cloud: leave a way"),
        ("cloud", "'cloud' is the destination, where all results go: it cannot be down"),
    ],
)
def test_what_cuts_the_destination_off_is_refused_by_name(
    down: str, said: str, tmp_path: Path, topology: Topology, profile: Profile
) -> None:
    behind = topology.with_changes(destination="cloud")
    with pytest.raises(QuestionError, match=r"^--disturb, at 5 s: ") as caught:
        moments(tmp_path, behind, profile, f"{{at: 5 s, conditions: {{down: [{down}]}}}}")
    assert said in str(caught.value)
    assert len(moments(tmp_path, behind, profile, "{at: 5 s, conditions: {down: [cloud>gateway]}}")) == 1


def test_what_the_source_encodes_is_slowed_like_its_pieces(topology: Topology) -> None:
    assert source_of(topology, {"camera": 2.0}) == Emulation(2.0, speed=len(topology.network.hops))
    slowed = list[int]()
    driver: Any = SimpleNamespace(_slow=slowed.append)
    for codec in (None, "int8"):
        entry: Any = SimpleNamespace(coding=SimpleNamespace(codec=codec, describe=lambda *_: ["bytes"]))
        assert Driver._described(driver, entry, None, {}) == ["bytes"]
    assert len(slowed) == 1


def test_what_would_come_after_the_last_frame_is_refused(tmp_path: Path, topology: Topology, profile: Profile) -> None:
    found = moments(tmp_path, topology, profile, "{at: 5 s, conditions: {slowdown(gateway): 40}}")
    check_within(found, 5.1)
    with pytest.raises(QuestionError, match="something is to happen at 5 s, and the last frame is due before 5 s"):
        check_within(found, 5.0)


def test_a_node_that_would_be_quicker_than_this_machine_is_refused(
    tmp_path: Path, topology: Topology, profile: Profile
) -> None:
    was = topology.node("gateway").slowdown
    found = moments(tmp_path, topology, profile, f"{{at: 5 s, conditions: {{slowdown(gateway): {was / 4}}}}}")
    check_speeds(found, topology, {"gateway": 4.0})
    with pytest.raises(QuestionError, match=r"'gateway' with a slowdown of .* is quicker than this machine"):
        check_speeds(found, topology, {"gateway": 3.9})


class Standing:
    """A process that does nothing."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.pid = self.process.pid

    @property
    def state(self) -> str:
        if self.process.poll() is not None:
            return "gone"
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


@pytest.fixture
def site(tmp_path: Path, topology: Topology) -> Iterator[Any]:
    """Return a site whose agent of the gateway is a process that does nothing, and which counts new ones."""
    links = LinkClock.create(tmp_path / "links", len(topology.network.hops), len(topology.nodes))
    agents, all_ = {"gateway": Standing()}, list[Standing]()
    all_ += agents.values()

    def again(node: str) -> Standing:
        agents[node] = Standing()
        all_.append(agents[node])
        return agents[node]

    yield SimpleNamespace(agents=agents, links=links, again=again, all=all_)
    for each in all_:
        each.process.kill()
        each.process.wait()


def settled(process: Standing, wanted: str) -> str:
    """Return the state of a process, once it is the one that is wanted, or has not been for long."""
    until = time.monotonic() + 20
    while (state := process.state) != wanted and time.monotonic() < until:
        time.sleep(0.005)
    return state


def played(
    monkeypatch: pytest.MonkeyPatch,
    site: Any,
    topology: Topology,
    found: tuple[Moment, ...],
    looks: dict[float, str],
) -> tuple[Any, list[Any]]:
    """Play on a clock of its own, and look at the links, the speed of the gateway, and its process after some seconds.

    Processes are those of the system: each look waits until the one of the gateway is as is wanted.
    """
    back: list[tuple[str, float]] = []
    player = Player(
        found,
        topology,
        Site(site.agents, site.links, site.again),
        returned=lambda node, at_s: back.append((node, at_s)),
    )
    clock, number, seen = LinkClock(site.links), len(topology.network.hops) + topology.index("gateway"), list[Any]()

    def look(wanted: str) -> None:
        free_s = (clock.free(0) - BEGUN_NS) / 1e9
        seen.append((clock.pace(0), clock.lag(0), free_s, clock.pace(number), settled(site.all[0], wanted)))

    wound = WoundEvent(
        [(after_s, partial(look, wanted)) for after_s, wanted in looks.items()],
        lambda: [each.join() for each in player._waking],
    )
    player._closed = wound
    for module in ("disturbed.player", "links.clock"):
        both = SimpleNamespace(monotonic_ns=lambda: wound.now_ns, monotonic=time.monotonic, sleep=time.sleep)
        monkeypatch.setattr(f"tiercut.offloader.{module}.time", both)
    player.start(BEGUN_NS)
    assert player._thread is not None
    player._thread.join(60)
    wound.wait(1.0)
    player.close()
    clock.close()
    player.close()  # once more does nothing
    return player, [*seen, back]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks at /proc")
def test_links_speeds_and_processes_are_what_the_file_says_when_it_says_so(
    tmp_path: Path, topology: Topology, profile: Profile, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop, node = topology.network.hops["camera", "gateway"], topology.node("gateway")
    slow = f"bandwidth(camera-gateway): {8 * hop.bandwidth / 4} b/s, latency(camera-gateway): {hop.latency + 0.01} s"
    found = moments(
        tmp_path,
        topology,
        profile,
        f"{{at: 0 s, conditions: {{{slow}, slowdown(gateway): {4 * node.slowdown}}}}}",
        "{at: 200 ms, conditions: {down: [gateway]}, by: stop}",
        "{at: 400 ms, conditions: {down: [camera-gateway]}}",
        "{at: 600 ms, conditions: {down: [gateway]}}",
        "{at: 800 ms, conditions: {down: []}}",
    )
    player, (first, stands, goes_on, gone, back) = played(
        monkeypatch, site, topology, found, {0.1: "S", 0.3: "T", 0.5: "S", 0.7: "gone"}
    )
    assert first[:2] == pytest.approx((0.25, 0.01))
    assert first[2] < 0
    assert first[3] == pytest.approx(0.25)
    assert first[4] == "S"
    assert stands[4] == "T"
    assert goes_on[4] == "S"
    assert goes_on[2] == pytest.approx(0.8 - 0.2)  # the link is down until the file says otherwise
    assert gone[4] == "gone"
    told = {(each.at_s, each.what, each.value): each.done_s for each in player.done}
    assert told[0.2, "down(gateway)", "stop"] == pytest.approx(0.2)
    assert told[0.4, "down(camera>gateway)", "down"] == pytest.approx(0.4)
    assert told[0.6, "down(gateway)", "kill"] == pytest.approx(0.6)
    assert back[0] == ("gateway", 0.4)


def test_a_node_that_is_back_runs_again_and_one_that_never_was_there_is_told(
    tmp_path: Path, topology: Topology, profile: Profile, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = moments(
        tmp_path,
        topology,
        profile,
        "{at: 0 s, conditions: {down: [gateway, cloud]}}",
        "{at: 100 ms, conditions: {down: []}}",
    )
    player, seen = played(monkeypatch, site, topology, found, {0.3: "gone"})
    assert sorted(seen[-1]) == [("cloud", 0.1), ("gateway", 0.1)]
    assert len(site.all) == 2
    assert site.agents["gateway"].state != "gone"
    assert len(player.done) == 4


def test_an_agent_that_does_not_come_back_is_told_as_never(
    tmp_path: Path, topology: Topology, profile: Profile, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(node: str) -> Any:
        raise QuestionError("its port is taken")

    site.again = refuse
    steps = "{at: 0 s, conditions: {down: [gateway]}}", "{at: 50 ms, conditions: {down: []}}"
    player, seen = played(monkeypatch, site, topology, moments(tmp_path, topology, profile, *steps), {0.2: "gone"})
    assert seen[-1] == []
    assert player.done[-1] == Disturbance(0.05, "down(gateway)", "up", None)


def test_a_latency_that_grew_counts_from_the_next_payload_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times, clock = ThreadTimes(monkeypatch), LinkClock(LinkClock.create(tmp_path / "links", 1))
    there: queue.Queue[float] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(Way((Direction(0, 1e9, 0.0),)), clock, lambda _: there.put(times.now_s))
    path.put(1, 10)
    assert there.get(timeout=20) == pytest.approx(0, abs=1e-6)
    clock.set_lag(0, 0.15)
    path.put(2, 10)
    assert there.get(timeout=20) == pytest.approx(0.15, abs=1e-6)
    path.close()
    clock.close()


def test_a_slowed_node_is_slower_by_what_its_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times, clock = ThreadTimes(monkeypatch), LinkClock(LinkClock.create(tmp_path / "links", 2, 1))
    slow = slowing(Emulation(2.0, speed=2), clock)
    slow(20_000_000)
    assert times.now_s == pytest.approx(0.02)
    clock.set_pace(2, 0.25)
    slow(20_000_000)
    assert times.now_s == pytest.approx(0.02 + 0.14)  # eight times as long, one of which it has taken
    clock.close()
