"""What came of a run, put together: counts, latencies and terms, measured beside predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tiercut.offloader.agent.timings import came_by, named, of_stage
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.disturbed.player import Disturbance
from tiercut.offloader.local.cascade import Verdict
from tiercut.offloader.local.driver import Outcome
from tiercut.offloader.local.expected import by_formula, by_replay
from tiercut.offloader.local.frame_times import frame_times
from tiercut.offloader.local.frames import Frames
from tiercut.offloader.local.hops import HopParts
from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import Figures, Run, StageTimes, latency_figures
from tiercut.offloader.transports.offer import TRANSPORTS
from tiercut.optimizer import Plan, Problem
from tiercut.profiling import Profile
from tiercut.topologies import Topology

__all__ = ["Ground", "Ran", "account"]

A = TypeVar("A")


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
    uncut: Sequence[Verdict]
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
    disturbances: tuple[Disturbance, ...] = ()


def account(profile: Profile, ran: Ran, *, runtime: Runtime, threads: int, retimed: bool) -> Run:
    """Return what became of a plan that was run, from what came of its frames."""
    ground = ran.ground
    outcomes = ran.outcomes
    answered = [(number, each) for number, each in enumerate(outcomes) if each.answered]
    exits = Counter(each.exit for _, each in answered)
    left = {block: exits[block] for block in ground.plan.exits}
    verdicts = ground.verdicts
    expected = Counter(verdicts[number % len(verdicts)].exit for number, _ in answered)
    same = [
        each.answered and verdicts[number % len(verdicts)].agrees(each.exit, each.results)
        for number, each in enumerate(outcomes)
    ]
    replayed = by_replay(
        ground.plan, ground.prediction, profile, ground.uncut, ground.frames.count, [number for number, _ in answered]
    )
    return Run(
        title=str(ground.plan),
        frames=len(outcomes),
        answered=len(answered),
        duplicated=sum(each.doubled for each in outcomes),
        same_as_uncut=sum(same),
        same_as_uncoded=_same_as_uncoded(ground, outcomes),
        failures=tuple((number, each.failure) for number, each in enumerate(outcomes) if each.failure is not None),
        measured=Figures(
            latency_figures([each.latency_s for _, each in answered]),
            _accuracy(ground, answered),
            {block: count / len(answered) if answered else 0.0 for block, count in left.items()},
        ),
        predicted=replayed or by_formula(ground.problem, ground.prediction),
        by_replay=replayed is not None,
        stages=tuple(_stages(ground, [each for _, each in answered], expected)),
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
        disturbances=ran.disturbances,
    )


def _same_as_uncoded(ground: Ground, outcomes: Sequence[Outcome]) -> int | None:
    """Return how many answers are those of the uncut network without codecs; None where the plan has none."""
    if not ground.plan.uses_codecs:
        return None
    uncut = ground.uncut
    return sum(
        each.answered and uncut[number % len(uncut)].agrees(each.exit, each.results)
        for number, each in enumerate(outcomes)
    )


def _right(ground: Ground, number: int, outcome: Outcome) -> bool | None:
    """Return whether a frame was given its right class; None where that is not known."""
    if ground.frames.labels is None or not outcome.answered or not ground.verdicts[0].entropies:
        return None
    return int(next(iter(outcome.results.values())).argmax()) == ground.frames.label(number)


def _accuracy(ground: Ground, answered: Sequence[tuple[int, Outcome]]) -> float | None:
    right = [said for number, each in answered if (said := _right(ground, number, each)) is not None]
    return sum(right) / len(right) if right else None


def _stages(ground: Ground, answered: Sequence[Outcome], expected: Mapping[int, int]) -> list[StageTimes]:
    """Return the times of each stage: measured, and predicted of so many frames that should leave at each exit."""
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
        returns = [(many, ground.prediction.result_s(block)) for block in own if (many := expected.get(block, 0))]
        found.append(
            StageTimes(
                bundle.node,
                (bundle.blocks[0], bundle.blocks[1]),
                len(there),
                ground.factor[bundle.node],
                measured | {"result": _mean(home), "encode_before": _mean(before)},
                {
                    "send": ground.prediction.transfer_s(place),
                    "coding": ground.prediction.coding_s(place),
                    "compute": ground.prediction.compute_s(place, expected),
                    "result": sum(n * s for n, s in returns) / sum(n for n, _ in returns) if returns else None,
                    "variation": _at(ground.prediction.variations, place),
                    "turnaround": _at(ground.prediction.turnarounds_s, place),
                },
                bundle.input_codec,
                None if (by := _most(came)) is None or not 0 <= by < len(TRANSPORTS) else TRANSPORTS[by],
                _most([each.by for each in left_here]),
            )
        )
    return found


def _at(values: Sequence[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None


def _most(values: Sequence[A]) -> A | None:
    """Return the commonest of some values."""
    return Counter(values).most_common(1)[0][0] if values else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
