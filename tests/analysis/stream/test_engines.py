"""The engines of streams, frame by frame: equal to plain Python at all ties, and to SimPy where there are none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.streams.plain import StepOf, System, arrays_of, run_plainly, told
from support.streams.systems import chain_system, stream_system

from tiercut.analysis.stream.arguments import AT_HOME, BUSY, DONE, DROPPED, EXIT, LONGEST, LOST, OLDEST, SERVED
from tiercut.analysis.stream.engines import recursion_order, run_stream
from tiercut.analysis.stream.event_kernels import run_events

COUNTED = [BUSY, SERVED, LOST, AT_HOME, LONGEST]
TRIALS = 1_000


def assert_same(system: System, seed: int) -> None:
    found, wanted = told(system, run_events), run_plainly(system)
    for name in ("status", "ended", "way", "where", "waited"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), f"{name} of seed {seed}")
    np.testing.assert_array_equal(found.tallies[:, COUNTED], wanted.tallies[:, COUNTED], f"seed {seed}")


def assert_engines_agree(system: System, seed: int) -> None:
    found, wanted = told(system, run_stream, logged=0), told(system, run_events, logged=0)
    for name in ("status", "ended", "way", "where", "waited", "tallies"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), f"{name} of seed {seed}")


@pytest.mark.parametrize("ties", [True, False])
def test_the_recursion_is_the_heap_to_the_picosecond(ties: bool) -> None:
    """All tallies too, and what was waited to the last bit."""
    met: Counter[str] = Counter()
    for seed in range(TRIALS):
        system = chain_system(seed, ties=ties)
        servers, ways, _ = arrays_of(system)
        assert recursion_order(servers, ways, system.rule) is not None
        assert_engines_agree(system, seed)
        seen = told(system, run_stream, logged=0)
        met["lost"] += int(seen.tallies[:, LOST].any())
        met["at home"] += int(seen.tallies[:, AT_HOME].any())
        met["waits"] += int(seen.waited.any())
        met["one line"] += int(len(system.sources) == 1 and len({way for _, way in system.sources[0]}) == 1)
    assert all(met[each] > 60 for each in ("lost", "at home", "waits", "one line")), met


def test_where_the_recursion_does_not_apply_events_are_taken() -> None:
    applies = 0
    for seed in range(TRIALS):
        system = stream_system(seed, ties=True, stops=False)
        servers, ways, _ = arrays_of(system)
        applies += recursion_order(servers, ways, system.rule) is not None
        assert_engines_agree(system, seed)
    assert 0 < applies < TRIALS


def order_of(*steps: StepOf, servers: list[tuple[int, int, int, int]], rule: int = 0) -> list[int] | None:
    found = recursion_order(*arrays_of(System(servers, [list(steps)], [[(0, 0)]], rule))[:2], rule)
    return None if found is None else found.tolist()


def test_the_recursion_takes_no_loops_packets_batches_or_oldest() -> None:
    plain, bounded = (1, -1, 1, 0), (1, 2, 1, 0)
    assert order_of(StepOf(1, 1), StepOf(0, 1), servers=[plain, plain]) == [1, 0]
    assert order_of(StepOf(1, 1), StepOf(0, 1), StepOf(1, 1), servers=[plain, plain]) is None
    assert order_of(StepOf(0, 1, packets=2), servers=[plain]) is None
    assert order_of(StepOf(0, 1), servers=[(1, -1, 2, 5)]) is None
    assert order_of(StepOf(0, 1), servers=[bounded], rule=OLDEST) is None
    assert order_of(StepOf(0, 1), servers=[plain], rule=OLDEST) == [0]


def test_a_stream_that_stops_or_keeps_services_is_run_by_events() -> None:
    system = System([(1, -1, 1, 0)], [[StepOf(0, 10)]], [[(0, 0), (0, 0)]], until=10)
    assert told(system, run_stream, logged=0).ended.tolist() == [10, -1]
    assert len(told(system, run_stream).log) == 2


@pytest.mark.parametrize("ties", [True, False])
def test_events_are_those_of_plain_python_to_the_picosecond(ties: bool) -> None:
    for seed in range(TRIALS):
        assert_same(stream_system(seed, ties=ties), seed)


def test_random_systems_drop_send_home_batch_and_stop() -> None:
    """What the comparisons rest on: everything occurs, and often."""
    seen = [told(stream_system(seed, ties=True), run_events) for seed in range(300)]
    assert sum(bool(each.tallies[:, LOST].any()) for each in seen) > 50
    assert sum(bool(each.tallies[:, AT_HOME].any()) for each in seen) > 20
    assert sum(bool(np.any((each.status > 0) & (each.status < DONE))) for each in seen) > 20


def test_events_are_those_of_simpy_frame_by_frame() -> None:
    pytest.importorskip("simpy", reason="needs the extra 'test'")
    from support.streams.by_simpy import run_by_simpy

    lost = 0
    for seed in range(1_000):
        bounds = bool(seed % 4)
        system = stream_system(seed, ties=False, batches=False, packets=not bounds, bounds=bounds, stops=False)
        found = told(system, run_events)
        status, ended = run_by_simpy(system)
        np.testing.assert_array_equal(found.status, status, f"seed {seed}")
        np.testing.assert_array_equal(found.ended, ended, f"seed {seed}")
        lost += int(np.count_nonzero(status == DROPPED))
    assert lost > 500


def test_every_frame_is_done_dropped_or_in_flight_at_every_moment() -> None:
    for seed in range(60):
        system = stream_system(seed, ties=True, stops=False)
        births = [birth for source in system.sources for birth, _ in source]
        for system.until in range(0, 90, 7):
            found = told(system, run_events)
            assert np.count_nonzero(found.status) == sum(birth <= system.until for birth in births)
            assert np.all(found.ended[found.status >= DONE] <= system.until)
            assert found.tallies[:, LOST].sum() == np.count_nonzero(found.status == DROPPED)


def test_a_server_is_never_given_more_than_its_workers_can_do() -> None:
    for seed in range(200):
        system = stream_system(seed, ties=True, batches=False)
        found = told(system, run_events)
        for server, (workers, *_) in enumerate(system.servers):
            begun, ended = found.log[found.log[:, 0] == server][:, 4:].T
            for time in begun:
                assert np.count_nonzero((begun <= time) & (ended > time)) <= workers


def run(*steps: StepOf, births: list[int], servers: list[tuple[int, int, int, int]], rule: int = 0) -> list[int]:
    """Return when frames of one way end; -1 for those that are dropped."""
    found = told(System(servers, [list(steps)], [[(birth, 0) for birth in births]], rule), run_events)
    return np.where(found.status == DONE, found.ended, -1).tolist()


def test_an_arrival_at_the_end_of_a_service_finds_the_room() -> None:
    assert run(StepOf(0, 10), births=[0, 10, 20], servers=[(1, 0, 1, 0)]) == [10, 20, 30]


def test_without_room_only_who_finds_the_server_idle_gets_in() -> None:
    assert run(StepOf(0, 10), births=[0, 9, 11], servers=[(1, 0, 1, 0)]) == [10, -1, 21]


def test_the_oldest_that_waits_makes_room() -> None:
    assert run(StepOf(0, 10), births=[0, 1, 2], servers=[(1, 1, 1, 0)], rule=OLDEST) == [10, -1, 20]
    assert run(StepOf(0, 10), births=[0, 1, 2], servers=[(1, 1, 1, 0)]) == [10, 20, -1]


def test_without_a_waiting_place_the_oldest_is_the_newest() -> None:
    assert run(StepOf(0, 10), births=[0, 1], servers=[(1, 0, 1, 0)], rule=OLDEST) == [10, -1]


def test_who_is_sent_home_has_its_way_home() -> None:
    ways = [[StepOf(0, 10, home=1)], [StepOf(1, 3, after=2, refusable=False)]]
    system = System([(1, 0, 1, 0), (1, 0, 1, 0)], ways, [[(0, 0), (1, 0), (2, 0)]], EXIT)
    found = told(system, run_events)
    assert found.ended.tolist() == [10, 6, 9]
    assert found.way.tolist() == [0, 1, 1]
    assert found.where.tolist() == [-1, 0, 0]


def test_results_wait_where_others_are_refused() -> None:
    steps = StepOf(0, 1), StepOf(1, 10, refusable=False)
    assert run(*steps, births=[0, 1, 2], servers=[(1, 0, 1, 0), (1, 0, 1, 0)]) == [11, 21, 31]


def test_packets_follow_each_other_at_the_pace_of_the_slowest_link() -> None:
    steps = StepOf(0, 4, 2, 3, after=1, ends=False), StepOf(1, 10, 5, 3, after=1)
    # First packet: 4 + 1 + 10; the others wait for the second link: + 10 + 5, and its latency.
    assert run(*steps, births=[0], servers=[(1, -1, 1, 0), (1, -1, 1, 0)]) == [31]


def test_a_bound_counts_payloads_and_not_packets() -> None:
    step = StepOf(0, 10, 10, 3)
    assert run(step, births=[0, 1, 2], servers=[(1, 1, 1, 0)]) == [30, 60, -1]


def test_what_is_left_of_a_dropped_payload_is_sent_no_more() -> None:
    steps = StepOf(0, 10, 10, 3, ends=False), StepOf(1, 100, 100, 3)
    servers = [(1, -1, 1, 0), (1, 0, 1, 0)]
    found = told(System(servers, [list(steps)], [[(0, 0), (1, 0), (2, 0)]]), run_events)
    assert found.status.tolist() == [DONE, DROPPED, DROPPED]
    # When the first packet of each is lost, its second is on the link already, and the third is not.
    assert found.tallies[0, BUSY] == 30 + 20 + 20
    assert found.ended.tolist() == [310, 40, 60]


def test_a_batch_starts_when_it_is_full_or_has_waited() -> None:
    servers = [(1, -1, 2, 5)]
    assert run(StepOf(0, 10), births=[0, 1], servers=servers) == [21, 21]
    assert run(StepOf(0, 10), births=[0, 6, 20], servers=servers) == [15, 25, 35]


def test_a_batch_does_not_wait_for_whom_it_has_no_room() -> None:
    assert run(StepOf(0, 10), births=[0, 30], servers=[(1, 0, 4, 100)]) == [10, 40]


def test_a_batch_is_of_one_kind() -> None:
    ways = [[StepOf(0, 10, kind=0)], [StepOf(0, 10, kind=1)]]
    system = System([(1, -1, 2, 100)], ways, [[(0, 0), (1, 1), (2, 0)]])
    assert told(system, run_events).ended.tolist() == [22, 111, 22]


def test_drawn_services_are_those_of_each_frame() -> None:
    system = System([(1, -1, 1, 0)], [[StepOf(0, 0, draw=0)]], [[(0, 0), (0, 0)]], drawn=[[7], [2]])
    assert told(system, run_events).ended.tolist() == [7, 9]
