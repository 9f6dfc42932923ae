"""Streams against what queueing theory knows of them in closed form, and Little's law."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from numpy.typing import NDArray
from support.streams.plain import StepOf, System, arrays_of

from tiercut.analysis.stream.arguments import BEHIND, DONE, SERVED, TALLIES
from tiercut.analysis.stream.event_kernels import run_events
from tiercut.analysis.stream.steadiness import Latencies

SECOND = 10**9
"""Picoseconds in a unit of time here; fine enough, and long runs do not overflow."""
FRAMES = 200_000


class Queues:
    """Frames through servers one after the other, born at random at a rate, with services that are drawn."""

    def __init__(
        self,
        rate: float,
        services: list[NDArray[np.float64]],
        *,
        workers: int = 1,
        room: int = -1,
        seed: int = 0,
        births: NDArray[np.int64] | None = None,
    ) -> None:
        count = len(services[0])
        gaps = np.random.default_rng(seed).exponential(SECOND / rate, count)
        born = np.cumsum(np.rint(gaps).astype(np.int64)) if births is None else births
        steps = [StepOf(server, 0, draw=server) for server in range(len(services))]
        system = System([(workers, room, 1, 0)] * len(services), [steps], [[(0, 0)]], drawn=[[0] * len(services)])
        servers, ways, frames = arrays_of(system)
        drawn = np.rint(np.stack(services, axis=1) * SECOND).astype(np.int64)
        frames = frames._replace(
            first=np.array([0, count]), birth=born, way=np.zeros(count, np.int64), drawn=np.ascontiguousarray(drawn)
        )
        self.status, self.ended = np.zeros(count, np.int8), np.full(count, -1)
        self.tallies, self.waited = np.zeros((len(services), TALLIES), np.int64), np.zeros(len(services))
        self.tallies[:, BEHIND] = -1
        told = self.status, self.ended, frames.way.copy(), np.full(count, -1), self.tallies, self.waited
        self.log = run_events(servers, ways, frames, 0, 1 << 61, count, *told)
        self.birth = born

    @property
    def spent(self) -> NDArray[np.float64]:
        done = self.status == DONE
        return (self.ended - self.birth)[done] / SECOND

    def wait(self, server: int = 0) -> float:
        return float(self.waited[server] / self.tallies[server, SERVED] / SECOND)


def exponential(rate: float, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).exponential(1 / rate, FRAMES)


def erlang_c(load: float, workers: int) -> float:
    """Return the probability that an arrival at M/M/c waits; the load in Erlang."""
    last = load**workers / factorial(workers) / (1 - load / workers)
    return last / (sum(load**k / factorial(k) for k in range(workers)) + last)


def test_one_server_with_exponential_services() -> None:
    for load in (0.3, 0.6, 0.8):
        queue = Queues(load, [exponential(1.0, 1)])
        low, high = Latencies(queue.spent).intervals(0.999)["mean"] or (0, 0)
        assert low < 1 / (1 - load) < high
        assert high - low < 0.3 / (1 - load)
        assert queue.wait() == pytest.approx(load / (1 - load), rel=0.08)


def test_one_server_with_constant_services() -> None:
    for load in (0.3, 0.6, 0.8):
        queue = Queues(load, [np.ones(FRAMES)])
        assert queue.wait() == pytest.approx(load / (2 * (1 - load)), rel=0.05)  # Pollaczek and Khinchine


def test_steady_arrivals_and_constant_services_never_wait_up_to_the_full_load() -> None:
    births = np.arange(FRAMES) * SECOND
    assert np.all(Queues(1, [np.ones(FRAMES)], births=births).spent == 1)
    growing = Queues(1, [np.full(FRAMES, 1.5)], births=births).spent
    np.testing.assert_array_equal(growing, 1.5 + 0.5 * np.arange(FRAMES))


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_several_workers_share_one_queue(workers: int) -> None:
    load = 0.7 * workers
    queue = Queues(load, [exponential(1.0, 2)], workers=workers)
    assert queue.wait() == pytest.approx(erlang_c(load, workers) / (workers - load), rel=0.08)


def test_what_leaves_one_queue_arrives_at_the_next_as_at_random() -> None:
    """A tandem of exponential servers: each is as if alone (Burke, and Jackson)."""
    queue = Queues(0.5, [exponential(1.0, 3), exponential(0.8, 4), exponential(2.0, 5)], seed=6)
    assert [queue.wait(k) + service for k, service in enumerate((1.0, 1.25, 0.5))] == pytest.approx(
        [1 / (1.0 - 0.5), 1 / (0.8 - 0.5), 1 / (2.0 - 0.5)], rel=0.06
    )


def test_a_bounded_queue_loses_what_the_formula_says() -> None:
    for load, room in ((0.8, 0), (0.8, 3), (1.3, 2)):
        queue = Queues(load, [exponential(1.0, 7)], room=room)
        full = (1 - load) * load ** (room + 1) / (1 - load ** (room + 2))
        assert np.mean(queue.status != DONE) == pytest.approx(full, rel=0.03)


def test_as_many_wait_on_average_as_arrive_while_one_waits() -> None:
    """Little's law, with the number that waits taken from when services begin."""
    queue = Queues(0.7, [exponential(1.0, 8), exponential(0.9, 9)])
    for server in range(2):
        joined, began = queue.log[queue.log[:, 0] == server][:, 3:5].T
        times = np.concatenate([joined, began])
        order = np.argsort(times, kind="stable")
        steps = np.concatenate([np.ones(len(joined)), -np.ones(len(began))])[order]
        span = float(times.max() - times.min())
        waiting = float(np.cumsum(steps)[:-1] @ np.diff(times[order]).astype(float)) / span
        rate = len(joined) / span
        assert waiting == pytest.approx(rate * queue.wait(server) * SECOND, rel=1e-9)


def test_intervals_of_dependent_frames_hold_what_they_should() -> None:
    """Of 40 runs, nine in ten hold the true mean; as if frames were independent, fewer than half would."""
    held = narrow = 0
    for seed in range(40):
        services = np.random.default_rng(1000 + seed).exponential(1.0, 20_000)
        latencies = Latencies(Queues(0.8, [services], seed=seed).spent)
        low, high = latencies.intervals()["mean"] or (0, 0)
        held += low < 5 < high
        half = 1.96 * latencies.seconds.std() / np.sqrt(len(latencies.seconds))
        narrow += abs((latencies.mean_s or 0) - 5) < half
    assert held >= 33
    assert narrow < 25
