"""What is sent waits as long as its links take, in order, whichever process sends it."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest

from tiercut.errors import QuestionError
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import Direction, Full, ShapedPath, Way
from tiercut.offloader.links.waiting import sleep_until
from tiercut.topologies import Hop, Route

SLACK_S = 0.06
"""By how much later a busy machine may wake a thread."""

KB = 1000.0


def clock(folder: Path, directions: int = 4) -> LinkClock:
    return LinkClock(LinkClock.create(folder / "links", directions))


def arrivals(way: Way, links: LinkClock, sizes: list[int]) -> list[float]:
    """Return the seconds after which each of some payloads that are sent at once is there, in order."""
    there: queue.Queue[tuple[int, float]] = queue.Queue()
    path: ShapedPath[int] = ShapedPath(way, links, lambda place: there.put((place, time.monotonic())))
    begun = time.monotonic()
    for place, size in enumerate(sizes):
        path.put(place, size)
    found = [there.get(timeout=5) for _ in sizes]
    path.close()
    assert [place for place, _ in found] == list(range(len(sizes)))
    return [moment - begun for _, moment in found]


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_payload_takes_what_its_route_takes(tmp_path: Path, forwarding: str) -> None:
    way = Way((Direction(0, 200 * KB, 0.01), Direction(1, 400 * KB, 0.02)), forwarding, 1500.0)  # type: ignore[arg-type]
    hops = tuple(Hop("a", "b", each.bandwidth, each.latency) for each in way.directions)
    wanted = Route(hops).seconds(10_000, way.forwarding, way.mtu)
    (seconds,) = arrivals(way, clock(tmp_path), [10_000])
    assert wanted <= seconds <= wanted + SLACK_S


def test_payloads_queue_for_bandwidth_and_not_for_latency(tmp_path: Path) -> None:
    way = Way((Direction(0, 500 * KB, 0.1),))
    seconds = arrivals(way, clock(tmp_path), [10_000] * 4)
    for place, found in enumerate(seconds, 1):
        assert 0.1 + 0.02 * place <= found <= 0.1 + 0.02 * place + SLACK_S


def test_two_ways_share_a_link(tmp_path: Path) -> None:
    links, there = clock(tmp_path), queue.Queue[float]()
    shared = Way((Direction(2, 100 * KB, 0.0),))
    ways = [
        ShapedPath[int](shared, LinkClock(tmp_path / "links"), lambda _: there.put(time.monotonic())) for _ in range(2)
    ]
    begun = time.monotonic()
    for way in ways:
        way.put(0, 10_000)
    first, second = (there.get(timeout=5) - begun for _ in ways)
    assert 0.1 <= first <= 0.1 + SLACK_S
    assert 0.2 <= second <= 0.2 + SLACK_S
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
    path: ShapedPath[int] = ShapedPath(Way((Direction(0, 10 * KB, 0.0),)), clock(tmp_path), lambda _: None, most=2)
    for place in range(3):  # one under way, two that wait
        path.put(place, 10_000)
        time.sleep(0.02)
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
    path: ShapedPath[int] = ShapedPath(Way((Direction(0, 10 * KB, 1.0),)), clock(tmp_path), there.put)
    begun = time.monotonic()
    path.put(1, 10_000)
    path.put(2, 10_000, past_links=True)
    assert there.get(timeout=5) == 2
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_link_that_is_cut_passes_nothing_until_it_is_back(tmp_path: Path, forwarding: str) -> None:
    there: queue.Queue[tuple[int, float]] = queue.Queue()
    links = clock(tmp_path)
    way = Way((Direction(0, 10_000 * KB, 0.001), Direction(1, 10_000 * KB, 0.001)), forwarding, 1500.0)  # type: ignore[arg-type]
    path: ShapedPath[int] = ShapedPath(way, links, lambda place: there.put((place, time.monotonic())))
    links.cut(1, 0.2)
    begun = time.monotonic()
    path.put(1, 1000, until_ns=time.monotonic_ns() + round(0.1e9))
    path.put(2, 1000, until_ns=time.monotonic_ns() + round(5e9))
    (first, late), (second, back) = there.get(timeout=5), there.get(timeout=5)
    assert (first, second) == (1, 2)
    assert 0.1 <= late - begun < 0.1 + SLACK_S  # handed over at its deadline, to be reported failed
    assert 0.2 <= back - begun < 0.2 + SLACK_S
    path.close()


@pytest.mark.parametrize("forwarding", ["store", "cut-through"])
def test_a_link_that_is_slower_than_it_was_takes_longer_in_every_process(tmp_path: Path, forwarding: str) -> None:
    way = Way((Direction(0, 1e6, 0.0), Direction(1, 1e6, 0.0)), forwarding)  # type: ignore[arg-type]
    links, other = clock(tmp_path), LinkClock(tmp_path / "links")
    other.set_pace(1, 0.25)
    assert links.pace(1) == 0.25
    assert links.pace(0) == 1.0
    (slow,) = arrivals(way, links, [50_000])
    wanted_s = 0.25 if forwarding == "store" else 0.2
    assert wanted_s <= slow <= wanted_s + SLACK_S
    other.set_pace(1, 1.0)
    (quick,) = arrivals(way, links, [50_000])
    assert quick <= wanted_s / 2 + SLACK_S / 2
    for share in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a share of its bandwidth above 0"):
            other.set_pace(0, share)


def test_a_wait_ends_when_it_is_due() -> None:
    late = []
    for _ in range(40):
        due_ns = time.monotonic_ns() + 1_500_000
        sleep_until(due_ns)
        late.append(time.monotonic_ns() - due_ns)
    assert min(late) >= 0
    assert min(late) < 40_000  # a plain sleep is over 50 us late on Linux, always


def test_a_clock_counts_for_how_long_directions_are_taken(tmp_path: Path) -> None:
    links = clock(tmp_path, 3)
    links.reserve(1, 0, 400)
    links.reserve(1, 0, 600)
    links.cut(1, 9.0)  # a link that is cut carries nothing
    assert links.reserve(1, 0, 100, until_ns=1) is None
    way = Way((Direction(0, 1000.0, 0.0), Direction(2, 2000.0, 0.0)), "cut-through", 1500.0)
    path: ShapedPath[int] = ShapedPath(way, links, lambda _: None)
    path.put(0, 10)
    path.close()
    with LinkClock(tmp_path / "links") as other:
        assert [other.busy(each) for each in range(3)] == [10_000_000, 1000, 5_000_000]
