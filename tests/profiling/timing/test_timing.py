"""Timing, with a clock that the tests wind themselves."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.optimizer.samples.intervals import samples_needed
from tiercut.profiling.timing.timing import P99_RUNS, Effort, Runs, median_uncertainty, summarise, time_calls


class FakeClock:
    """Nanoseconds that pass only while a call says so."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def lasting(self, durations: Iterator[int]) -> object:
        def call() -> None:
            self.now += next(durations)

        return call


def _always(nanoseconds: int) -> Iterator[int]:
    while True:
        yield nanoseconds


def test_statistics_of_a_hundred_and_one_runs_by_hand() -> None:
    times = summarise(np.arange(101, dtype=np.float64)[::-1])
    assert (times.runs, times.mean, times.p50, times.p99, times.iqr) == (101, 50.0, 50.0, 99.0, 50.0)


def test_every_call_is_timed_equally_often_up_to_the_cap() -> None:
    clock = FakeClock()
    calls = {"short": clock.lasting(_always(1000)), "long": clock.lasting(_always(5000))}
    seconds = time_calls(calls, Effort(runs=50, least=50, burst=20), clock=clock)  # type: ignore[arg-type]
    assert {key: len(runs.seconds) for key, runs in seconds.items()} == {"short": 50, "long": 50}
    np.testing.assert_allclose(seconds["long"].seconds, 5e-6)


def test_the_warm_up_before_each_burst_does_not_count() -> None:
    clock = FakeClock()
    durations = iter([9000, 1000, 1000, 9000, 1000, 1000])
    effort = Effort(runs=4, least=4, burst=2, warm_up=1, precision=0)
    seconds = time_calls({"it": clock.lasting(durations)}, effort, clock=clock)  # type: ignore[dict-item]
    np.testing.assert_allclose(seconds["it"].seconds, 1e-6)


def test_calls_take_turns_so_that_a_slow_spell_falls_on_all() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    time_calls(calls, Effort(runs=4, least=4, burst=2, warm_up=0, precision=0))
    assert "".join(order) == "aabbaabb"


def test_timing_stops_once_every_median_is_known_well_enough() -> None:
    clock = FakeClock()
    reported: list[tuple[int, int]] = []
    seconds = time_calls(
        {"steady": clock.lasting(_always(1000))},  # type: ignore[dict-item]
        Effort(runs=1000, least=40, burst=20),
        clock=clock,
        progress=lambda done, most: reported.append((done, most)),
    )
    assert len(seconds["steady"].seconds) == 40
    assert reported == [(20, 1000), (40, 40)]


def test_the_median_of_scattered_runs_is_known_less_well() -> None:
    rng = np.random.default_rng(8)
    steady, scattered = rng.normal(1, 0.001, 400), rng.normal(1, 0.3, 400)
    assert median_uncertainty(steady) < 0.001
    assert median_uncertainty(scattered) > 0.01
    assert median_uncertainty(rng.normal(1, 0.3, 40_000)) < median_uncertainty(scattered) / 5
    assert median_uncertainty(np.zeros(9)) == math.inf


def test_few_runs_say_nothing_of_how_well_their_median_is_known() -> None:
    for count in range(1, 6):
        assert median_uncertainty(np.ones(count)) == math.inf
    assert median_uncertainty(np.ones(6)) == 0


def test_the_interval_of_the_median_covers_it_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(400):
        runs = rng.exponential(1.0, 200)
        ordered = np.sort(runs)
        reach = 0.98 * math.sqrt(200)
        covered += ordered[math.floor(100 - reach)] <= math.log(2) <= ordered[math.ceil(100 + reach)]
    assert covered / 400 > 0.92


def test_the_collector_rests_during_a_burst_and_works_again_after_it() -> None:
    states: list[bool] = []
    time_calls({"it": lambda: states.append(gc.isenabled())}, Effort(runs=1, least=1, warm_up=0))
    assert states == [False]
    assert gc.isenabled()

    def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        time_calls({"it": fail}, Effort(runs=1, least=1, warm_up=0))
    assert gc.isenabled()


@pytest.mark.parametrize(
    "wrong", [{"runs": 0}, {"least": 0}, {"burst": 0}, {"warm_up": -1}, {"precision": math.nan}, {"limit_s": 0}]
)
def test_an_effort_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(QuestionError):
        Effort(**wrong)  # type: ignore[arg-type]


def test_no_round_begins_after_the_time_for_timing_is_over() -> None:
    clock = FakeClock()
    reported: list[tuple[int, int]] = []
    effort = Effort(runs=1000, least=10, burst=5, warm_up=0, precision=0, limit_s=0.03)
    calls = {"it": clock.lasting(cycle([500_000, 1_500_000, 1_000_000]))}
    runs = time_calls(calls, effort, clock=clock, progress=lambda *each: reported.append(each))["it"]  # type: ignore[arg-type]
    assert len(runs.seconds) == 30
    assert reported[0] == (5, 30)
    assert reported[-1] == (30, 30)


def test_a_p99_takes_as_many_runs_as_replay_needs_samples_for_one() -> None:
    assert samples_needed(0.99) == P99_RUNS == 662


def test_timing_goes_on_until_enough_undisturbed_runs_are_there() -> None:
    clock, waited, runs = FakeClock(), [0], [0]

    def call() -> None:
        disturbed = runs[0] % 2 == 0
        runs[0] += 1
        clock.now += 1_000_000
        waited[0] += disturbed * 900_000

    effort = Effort(runs=100, least=2, precision=1, burst=2, warm_up=0, counted=20)
    found = time_calls({"it": call}, effort, clock=clock, waited=lambda: waited[0])["it"]
    assert (len(found.seconds), len(found.kept)) == (40, 20)
    with pytest.raises(QuestionError, match=r"^60 undisturbed runs .* but of 100 only 50 were; allow --runs 120 or"):
        time_calls({"it": call}, replace(effort, counted=60), clock=clock, waited=lambda: waited[0])


def test_runs_that_do_not_fit_into_the_time_are_refused_as_soon_as_the_pace_shows() -> None:
    clock = FakeClock()
    calls = {"it": clock.lasting(_always(100_000_000))}
    effort = Effort(runs=1000, least=10, burst=2, warm_up=0, limit_s=20, counted=P99_RUNS)
    with pytest.raises(QuestionError, match=r"^662 runs .* at this pace 200 fit into 20 s; allow --limit '80 s', or"):
        time_calls(calls, effort, clock=clock)  # type: ignore[arg-type]
    assert clock.now == 2_000_000_000
    found = time_calls(calls, replace(effort, limit_s=80), clock=clock)["it"]  # type: ignore[arg-type]
    assert len(found.kept) == P99_RUNS


def test_an_effort_whose_runs_cannot_be_enough_is_refused() -> None:
    with pytest.raises(QuestionError, match="662 runs of each call are needed, but there may be 100 at most"):
        Effort(runs=100, counted=P99_RUNS)


def test_runs_that_had_to_wait_do_not_count() -> None:
    clock, waits = FakeClock(), iter(range(0, 10**9, 10**6))
    waited = [0]

    def call() -> None:
        late = next(waits) % (2 * 10**6) > 0
        clock.now += 5_000_000 if late else 1_000_000
        waited[0] += 4_000_000 if late else 0

    effort = Effort(runs=20, least=20, burst=5, warm_up=0)
    runs = time_calls({"it": call}, effort, clock=clock, waited=lambda: waited[0])["it"]
    assert (len(runs.seconds), len(runs.kept)) == (20, 10)
    np.testing.assert_allclose(runs.kept, 1e-3)
    assert summarise(runs.kept).p99 == pytest.approx(1e-3)


def test_what_one_call_takes_more_than_another_leaves_out_rounds_in_which_either_was_disturbed() -> None:
    longer = Runs(np.array([2.0, 2.5, 9.0, 2.25]), np.array([0.0, 0.0, 6.0, 0.0]))
    shorter = Runs(np.array([1.0, 7.0, 1.0, 1.0]), np.array([0.0, 5.0, 0.0, 0.0]))
    assert longer.minus(shorter).tolist() == [1.0, 1.25]
    assert Runs(longer.seconds).minus(Runs(shorter.seconds)).tolist() == [1.0, -4.5, 8.0, 1.25]
