"""What is sent waits as long as its links take, in order, whichever process sends it."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.at_work.clocks import ThreadTimes

from tiercut.errors import QuestionError
from tiercut.offloader.links import waiting
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Direction, Full, ShapedPath, Way
from tiercut.offloader.links.waiting import sleep_until
from tiercut.topologies import Hop, Route

KB = 1000.0


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> ThreadTimes:
    return ThreadTimes(monkeypatch)


def clock(folder: Path, directions: int = 4) -> LinkClock:
    return LinkClock(LinkClock.create(folder / "links", directions))


def arrivals(times: ThreadTimes, way: Way, links: LinkClock, sizes: list[int]) -> list[float]:
    """Return the seconds after which each of some payloads that are sent at once is there, in order."""
    there: queue.Queue[tuple[int, float]] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(way, links, lambda place: there.put((place, times.now_s)))
    for place, size in enumerate(sizes):
        path.put(place, size)
    found = [there.get(timeout=20) for _ in sizes]
    path.close()
    assert [place for place, _ in found] == list(range(len(sizes)))
    return [seconds for _, seconds in found]


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_payload_takes_what_its_route_takes(tmp_path: Path, times: ThreadTimes, forwarding: str) -> None:
    way = Way((Direction(0, 200 * KB, 0.01), Direction(1, 400 * KB, 0.02)), forwarding, 1500.0)  # type: ignore[arg-type]
    hops = tuple(Hop("a", "b", each.bandwidth, each.latency) for each in way.directions)
    wanted = Route(hops).seconds(10_000, way.forwarding, way.mtu)
    assert arrivals(times, way, clock(tmp_path), [10_000]) == pytest.approx([wanted], abs=1e-8)


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_no_payload_is_there_before_its_route_lets_it(tmp_path: Path, forwarding: str) -> None:
    way = Way((Direction(0, 200 * KB, 0.01), Direction(1, 400 * KB, 0.02)), forwarding, 1500.0)  # type: ignore[arg-type]
    there: queue.Queue[float] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(way, clock(tmp_path), lambda _: there.put(time.monotonic()))
    begun = time.monotonic()
    path.put(1, 10_000)
    hops = tuple(Hop("a", "b", each.bandwidth, each.latency) for each in way.directions)
    assert there.get(timeout=20) - begun >= Route(hops).seconds(10_000, way.forwarding, way.mtu)


def test_payloads_queue_for_bandwidth_and_not_for_latency(tmp_path: Path, times: ThreadTimes) -> None:
    way = Way((Direction(0, 500 * KB, 0.1),))
    seconds = arrivals(times, way, clock(tmp_path), [10_000] * 4)
    assert seconds == pytest.approx([0.12, 0.14, 0.16, 0.18], abs=1e-8)


def test_two_ways_share_a_link(tmp_path: Path, times: ThreadTimes) -> None:
    links, there = clock(tmp_path), queue.Queue[float]()
    shared = Way((Direction(2, 100 * KB, 0.0),))
    for _ in range(2):
        way = ShapedPath[int](shared, LinkClock(tmp_path / "links"), lambda _: there.put(times.now_s))
        way.put(0, 10_000)
    assert sorted(there.get(timeout=20) for _ in range(2)) == pytest.approx([0.1, 0.2], abs=1e-8)
    assert links.free(2) > 0
    assert links.free(1) == 0


def test_a_thread_waits_for_another_one_of_its_process_that_holds_the_links(tmp_path: Path) -> None:
    links, other = clock(tmp_path), LinkClock(tmp_path / "links")
    threads = [threading.Thread(target=each.reserve, args=(0, 0, 5)) for each in (links, other)]
    with links:
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        assert links.free(0) == 0
        links.take(0, 100)
    for thread in threads:
        thread.join(5)
    assert links.free(0) == 110


def test_what_finds_no_room_is_refused(tmp_path: Path) -> None:
    way = Way((Direction(0, 0.1 * KB, 0.0),))
    path: ShapedPath[int] = ShapedPath(way, clock(tmp_path), lambda _: None, most=2)
    path.put(0, 10_000)
    until = time.monotonic() + 20
    while not path._queues[0].empty():  # until it is under way
        assert time.monotonic() < until
        time.sleep(0.001)
    for place in (1, 2):
        path.put(place, 10_000)
    with pytest.raises(Full):
        path.put(3, 10_000)


def test_a_way_comes_back_from_its_data() -> None:
    way = Way((Direction(3, 1e6, 0.5), Direction(0, 2e6, 0.25)), "cut-through", 9000.0)
    assert Way.from_data(way.to_data()) == way


@pytest.mark.parametrize(
    ("hop", "said"),
    [
        ([-1, 1e6, 0.0], "a link's number is 0 or more, not -1"),
        ([0, 0.0, 0.0], "a bandwidth is above 0, not 0"),
        ([0, float("nan"), 0.0], "a bandwidth is above 0, not nan"),
        ([0, 1e6, -1.0], "a latency is 0 or more, not -1"),
        ([float("inf"), 1e6, 0.0], "cannot convert"),
    ],
)
def test_what_no_link_can_be_is_no_way(hop: list[float], said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        Way.from_data({"directions": [hop], "forwarding": "store", "mtu": 1500.0})


def test_what_passes_by_the_links_does_not_wait_for_them(tmp_path: Path) -> None:
    there: queue.Queue[int] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(Way((Direction(0, 1 * KB, 60.0),)), clock(tmp_path), there.put)
    path.put(1, 10_000)
    path.put(2, 10_000, past_links=True)
    assert there.get(timeout=20) == 2


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_link_that_is_cut_passes_nothing_until_it_is_back(
    tmp_path: Path, times: ThreadTimes, forwarding: str
) -> None:
    there: queue.Queue[tuple[int, float]] = queue.Queue()
    links = clock(tmp_path)
    way = Way((Direction(0, 10_000 * KB, 0.001), Direction(1, 10_000 * KB, 0.001)), forwarding, 1500.0)  # type: ignore[arg-type]
    path: ShapedPath[int] = ShapedPath(way, links, lambda place: there.put((place, times.now_s)))
    links.cut(1, 0.2)
    path.put(1, 1000, until_ns=times.now_ns + round(0.1e9))
    path.put(2, 1000, until_ns=times.now_ns + round(5e9))
    (first, late), (second, back) = there.get(timeout=20), there.get(timeout=20)
    assert (first, second) == (1, 2)
    assert late == pytest.approx(0.1)  # handed over at its deadline, to be reported failed
    assert back == pytest.approx(0.2 + 1000 / (10_000 * KB) + 0.001, abs=1e-8)
    path.close()


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_link_that_is_slower_than_it_was_takes_longer_in_every_process(
    tmp_path: Path, times: ThreadTimes, forwarding: str
) -> None:
    way = Way((Direction(0, 1e6, 0.0), Direction(1, 1e6, 0.0)), forwarding)  # type: ignore[arg-type]
    links, other = clock(tmp_path), LinkClock(tmp_path / "links")
    other.set_pace(1, 0.25)
    assert links.pace(1) == 0.25
    assert links.pace(0) == 1.0
    (slow,) = arrivals(times, way, links, [50_000])
    assert slow == pytest.approx(0.25 if forwarding == "store" else 0.0015 + 0.2, abs=1e-8)
    other.set_pace(1, 1.0)
    times.wait(times.now_ns + round(1e9))
    (quick,) = arrivals(times, way, links, [50_000])
    assert quick - 1 == pytest.approx(0.1 if forwarding == "store" else 0.0015 + 0.05, abs=1e-8)
    for share in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a share of its bandwidth above 0"):
            other.set_pace(0, share)


def test_a_wait_does_not_end_before_it_is_due() -> None:
    for _ in range(40):
        due_ns = time.monotonic_ns() + 1_500_000
        sleep_until(due_ns)
        assert time.monotonic_ns() >= due_ns


def test_a_wait_ends_when_it_is_due_though_sleeps_end_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10**15]

    def look() -> int:
        now[0] += 100
        return now[0]

    def sleep(seconds: float) -> None:
        now[0] += round(seconds * 1e9) + 50_000  # as Linux does

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic_ns=look, sleep=sleep))
    for left_ns in (1_500_000, 70_000, 1_000, 0, -5):
        due_ns = now[0] + left_ns
        sleep_until(due_ns)
        assert 0 <= now[0] - due_ns < 1000


def test_a_clock_counts_for_how_long_directions_are_taken(tmp_path: Path) -> None:
    links = clock(tmp_path, 3)
    links.reserve(1, 0, 400)
    links.reserve(1, 0, 600)
    links.cut(1, 9.0)  # a link that is cut carries nothing
    assert links.reserve(1, 0, 100, until_ns=1) is None
    way = Way((Direction(0, 1000.0, 0.0), Direction(2, 2000.0, 0.0)), "cut-through", 1500.0)
    there: queue.Queue[int] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(way, links, there.put)
    path.put(0, 10)
    there.get(timeout=60)
    path.close()
    with LinkClock(tmp_path / "links") as other:
        assert [other.busy(each) for each in range(3)] == [10_000_000, 1000, 5_000_000]
