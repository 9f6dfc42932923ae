"""What came of a run, put together: counts, latencies and terms, measured beside predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tiercut.offloader.agent.timings import came_by, named, of_stage
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.local.cascade import Verdict
from tiercut.offloader.local.driver import Outcome
from tiercut.offloader.local.frame_times import frame_times
from tiercut.offloader.local.frames import Frames
from tiercut.offloader.local.hops import HopParts
from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import Figures, Run, StageTimes, latency_figures
from tiercut.offloader.transports.offer import TRANSPORTS
from tiercut.optimizer import Plan, Problem, Recorded, exit_limits, price
from tiercut.profiling import Profile, samples_of
from tiercut.topologies import Topology

__all__ = ["Ground", "Ran", "account"]

A = TypeVar("A")

_SAME = 1e-3
"""Entropies that differ by no more are those of the same samples, on another machine."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run stands on."""

    plan: Plan
    problem: Problem
    topology: Topology
    bundles: tuple[Bundle, ...]
    prediction: Predicted
    factor: Mapping[str, float]
    verdicts: Sequence[Verdict]
    frames: Frames
    one_clock: bool = True
    """Whether all agents run on this machine, so that what is sent between them can be timed."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    ground: Ground
    outcomes: Sequence[Outcome]
    interval_s: float
    deadline_s: float
    deaths: dict[str, str]
    hops: tuple[HopParts, ...]


def account(profile: Profile, ran: Ran, *, runtime: Runtime, threads: int, retimed: bool) -> Run:
    """Return what became of a plan that was run, from what came of its frames."""
    ground = ran.ground
    outcomes = ran.outcomes
    answered = [(number, each) for number, each in enumerate(outcomes) if each.answered]
    exits = Counter(each.exit for _, each in answered)
    left = {block: exits[block] for block in ground.plan.exits}
    verdicts = ground.verdicts
    same = [
        each.answered and verdicts[number % len(verdicts)].agrees(each.exit, each.results)
        for number, each in enumerate(outcomes)
    ]
    by_replay = _replayed(ground, profile, [number for number, _ in answered])
    return Run(
        title=str(ground.plan),
        frames=len(outcomes),
        answered=len(answered),
        duplicated=sum(each.doubled for each in outcomes),
        same_as_uncut=sum(same),
        failures=tuple((number, each.failure) for number, each in enumerate(outcomes) if each.failure is not None),
        measured=Figures(
            latency_figures([each.latency_s for _, each in answered]),
            _accuracy(ground, answered),
            {block: count / len(answered) if answered else 0.0 for block, count in left.items()},
        ),
        predicted=by_replay or _by_formula(ground),
        by_replay=by_replay is not None,
        stages=tuple(_stages(ground, [each for _, each in answered], left)),
        interval_s=ran.interval_s,
        deadline_s=ran.deadline_s,
        runtime=runtime,
        threads=threads,
        retimed=retimed,
        deaths=ran.deaths,
        latencies_s=tuple(each.latency_s if each.answered else None for each in outcomes),
        by_frame=frame_times(
            outcomes,
            ground.bundles,
            ground.prediction,
            [verdicts[number % len(verdicts)].exit for number in range(len(outcomes))],
            [_right(ground, number, each) for number, each in enumerate(outcomes)],
            same,
            one_clock=ground.one_clock,
        ),
        hops=ran.hops,
        fallbacks=tuple(
            (number, each.exit, each.fell_back)
            for number, each in answered
            if each.fell_back is not None and each.exit is not None
        ),
        late=sum(each.late for each in outcomes),
    )


def _right(ground: Ground, number: int, outcome: Outcome) -> bool | None:
    """Return whether a frame was given its right class; None where that is not known."""
    if ground.frames.labels is None or not outcome.answered or not ground.verdicts[0].entropies:
        return None
    return int(next(iter(outcome.results.values())).argmax()) == ground.frames.label(number)


def _accuracy(ground: Ground, answered: Sequence[tuple[int, Outcome]]) -> float | None:
    right = [said for number, each in answered if (said := _right(ground, number, each)) is not None]
    return sum(right) / len(right) if right else None


def _by_formula(ground: Ground) -> Figures:
    """Return what the formula says; quantiles are those of the latencies at the exits, weighted by their rates."""
    at_exit, rates = ground.prediction.at_exit, ground.prediction.rates
    mean = sum(rates[block] * seconds for block, seconds in at_exit.items())
    ordered = sorted((seconds, rates[block]) for block, seconds in at_exit.items())
    figures: dict[str, float | None] = {"mean": mean}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        gone, found = 0.0, ordered[-1][0]
        for seconds, rate in ordered:
            gone += rate
            if gone >= share - 1e-9:
                found = seconds
                break
        figures[name] = found
    accuracy = price(ground.problem, ground.prediction.path.decision).accuracy
    return Figures(figures, accuracy, rates)


def _replayed(ground: Ground, profile: Profile, numbers: Sequence[int]) -> Figures | None:
    """Return what the model says of the same samples; None where none of the recorded splits holds them."""
    recorded = _same_samples(ground, profile)
    if recorded is None or not numbers:
        return None
    plan = ground.plan
    limits = [limit for limit in exit_limits(plan.exits, plan.threshold, plan.thresholds) if limit is not None]
    places = np.array(numbers) % recorded.count
    taken = recorded.leaving(plan.exits, limits)[places]
    right = recorded.correct[taken - 1, places]
    at_exit = ground.prediction.at_exit
    rates = {block: float(np.mean(taken == block)) for block in plan.exits}
    return Figures(latency_figures([at_exit[int(block)] for block in taken]), float(right.mean()), rates)


def _same_samples(ground: Ground, profile: Profile) -> Recorded | None:
    entropies = np.array([each.entropies for each in ground.verdicts])
    if not entropies.size:
        return None
    for split, name in (("test", profile.test_samples_file), ("profile", profile.samples_file)):
        if name is None:
            continue
        found = Recorded.of(samples_of(profile, "test" if split == "test" else "profile"))
        if found.count != ground.frames.count or found.entropy.shape[0] != ground.problem.block_count:
            continue
        there = found.entropy[np.array(ground.plan.exits) - 1, : len(entropies)].T
        if np.mean(np.abs(there - entropies) <= _SAME) >= 0.99:
            return found
    return None


def _stages(ground: Ground, answered: Sequence[Outcome], left: Mapping[int, int]) -> list[StageTimes]:
    found = []
    for place, bundle in enumerate(ground.bundles):
        there = [times for each in answered if (times := of_stage(each.parameters, place + 1)) is not None]
        named_ = named(place, "encode")
        before = [
            took / 1e9
            for each in answered
            if of_stage(each.parameters, place + 1) is not None and isinstance(took := each.parameters.get(named_), int)
        ]
        own = [block for block in ground.plan.exits if bundle.blocks[0] <= block <= bundle.blocks[1]]
        left_here = [each for each in answered if each.exit in own]
        home = [each.return_s for each in left_here if each.return_s is not None]
        came = [by for each in answered if isinstance(by := each.parameters.get(came_by(place + 1)), int)]
        measured = {
            step: _mean([times[step] for times in there if step in times])
            for step in ("send", "queue", "decode", "compute", "encode")
        }
        if not ground.one_clock:
            measured["send"], home = None, []
        returns = [(left[block], ground.prediction.result_s(block)) for block in own if left[block]]
        found.append(
            StageTimes(
                bundle.node,
                (bundle.blocks[0], bundle.blocks[1]),
                len(there),
                ground.factor[bundle.node],
                measured | {"result": _mean(home), "encode_before": _mean(before)},
                {
                    "send": ground.prediction.transfer_s(place),
                    "compute": ground.prediction.compute_s(place, left),
                    "result": sum(n * s for n, s in returns) / sum(n for n, _ in returns) if returns else None,
                },
                None if (by := _most(came)) is None or not 0 <= by < len(TRANSPORTS) else TRANSPORTS[by],
                _most([each.by for each in left_here]),
            )
        )
    return found


def _most(values: Sequence[A]) -> A | None:
    """Return the commonest of some values."""
    return Counter(values).most_common(1)[0][0] if values else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
