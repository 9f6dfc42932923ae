"""A plan that is timed before its frames are sent: by messages that take their way at their pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.offloader.local.prediction import Predicted, on_links
from tiercut.offloader.local.timing import Round, schedule, turnarounds, without_waits

if TYPE_CHECKING:
    from tiercut.offloader.links.kernel import KernelLinks
    from tiercut.offloader.local.account import Ground
    from tiercut.offloader.local.driver import Driver
    from tiercut.offloader.local.frames import Frames
    from tiercut.offloader.local.run import RunOptions

__all__ = ["LEAST_PATIENCE_S", "acquaint", "pace_s", "rehearsed", "times_of"]

_WARM_UP, _PAUSE_S = 40, 0.01
_ACQUAINTED, _SETTLED = 4, 2
"""Messages for each exit before a plan is timed: those that open all ways, and some at the pace as known so far."""

_LEAST_ROUNDS, _FRAMES_A_ROUND, _MOST_ROUNDS, _AN_EXIT, _ROUNDS_S = 25, 4, 200, 4, 20.0
"""Messages that time a plan by its links, and half as many its hops: one for so many frames, no less and no more, so
many at least at each exit, and no new one after so many seconds."""

_STREAM_S, _MOST_STREAMED = 10.0, 1000
"""Frames are rehearsed over links for so long; such as meet with so many messages at most, and no more than frames."""

_LONGEST_PAUSE_S = 1.0
"""Messages of a rehearsal are so far apart at most, unless the plan takes longer: it would last for minutes."""

_APART = 1.25
"""Frames are so many times the longest predicted way apart, where no rate is named: each has the machines to itself."""

_PATIENCE, LEAST_PATIENCE_S, _WARM_UP_S = 10.0, 2.0, 10.0


def times_of(prediction: Predicted, options: RunOptions) -> tuple[float, float]:
    """Return how far apart frames are due, and after which time they have failed, in seconds."""
    longest_s = max(prediction.at_exit.values())
    interval_s = _APART * longest_s if options.interval_s is None else options.interval_s
    return interval_s, options.deadline_s or max(_PATIENCE * longest_s, LEAST_PATIENCE_S)


def acquaint(driver: Driver, frames: Frames, prediction: Predicted) -> None:
    """Send messages past all links, so that all ways are open before the first frame."""
    driver.warm_up(frames.frame(0), schedule(prediction.rates, _WARM_UP, _ACQUAINTED), _PAUSE_S)


def rehearsed(
    ground: Ground, driver: Driver, options: RunOptions, links: KernelLinks | None = None
) -> tuple[Ground, Sequence[Round]]:
    """Send messages before the frames, and return what came of them.

    The prediction is then that of the times that they took, where `RunOptions.retime` asks for it.

    Parameters
    ----------
    ground, driver
        What is run, and who sends its frames.
    options
        How.
    links
        Those that the kernel holds to their bandwidths, once hops were timed; None: it holds none.
    """
    leaving = schedule(ground.prediction.rates, 0 if options.retime else _WARM_UP, _ACQUAINTED)
    patience_s = max(times_of(ground.prediction, replace(options, deadline_s=None))[1], _WARM_UP_S)
    rounds = driver.warm_up(ground.frames.frame(0), leaving, _PAUSE_S, patience_s=patience_s)
    return _paced(ground, driver, rounds, options, links) if options.retime else (ground, rounds)


def _paced(
    ground: Ground, driver: Driver, rounds: Sequence[Round], options: RunOptions, links: KernelLinks | None
) -> tuple[Ground, Sequence[Round]]:
    """Return the prediction from what pieces and hops take at the pace of the frames.

    What a piece takes depends on how long ago it ran: caches cool while it waits. So messages follow one another
    (unless that is seconds apart) and leave as frames will, and machines are slowed as they will be. Hops are timed by
    messages that leave links out, of which all is known; pieces by others that pass them, as a machine waits for what
    is on its way.
    """
    for count, least in ((0, _SETTLED), (_rounds_for(options) // 2, _AN_EXIT)):
        ground = replace(ground, prediction=_timed(ground, rounds))
        interval_s, deadline_s = times_of(ground.prediction, replace(options, deadline_s=None))
        rounds = driver.warm_up(
            ground.frames.frame(0),
            schedule(ground.prediction.rates, count, least),
            pace_s(ground.prediction, interval_s),
            patience_s=max(deadline_s, _WARM_UP_S),
            until_s=_ROUNDS_S,
        )
    ground = replace(ground, prediction=_timed(ground, rounds))
    if links is not None:  # only now: hops were timed without them
        links.shape()
    return _rehearsed_by_links(ground, driver, rounds, options), rounds


def _rounds_for(options: RunOptions) -> int:
    return min(max(options.frames // _FRAMES_A_ROUND, _LEAST_ROUNDS), _MOST_ROUNDS)


def _rehearsed_by_links(ground: Ground, driver: Driver, alone: Sequence[Round], options: RunOptions) -> Ground:
    """Return the prediction from what pieces take as frames come: machines rest while links are busy, or seldom.

    Messages are due at the pace of the frames and wait for links. Where frames meet, messages leave in the order in
    which samples do, and wait for each other too. What ways take without all that is known from those that came alone.
    """
    interval_s, deadline_s = times_of(ground.prediction, options)
    meet = interval_s < max(ground.prediction.at_exit.values())
    most = min(options.frames, _MOST_STREAMED) if meet else _rounds_for(options)
    interval_s = interval_s if meet else pace_s(ground.prediction, interval_s)
    count = min(max(round(_STREAM_S / interval_s), _LEAST_ROUNDS), most)
    verdicts, depth = ground.verdicts, len(ground.bundles)
    if meet:
        leaving = [verdicts[number % len(verdicts)].exit for number in range(count)]
    else:
        leaving = schedule(ground.prediction.rates, count, _AN_EXIT)
    streamed = driver.rehearse(
        ground.frames.frame, leaving, interval_s, patience_s=max(deadline_s, _WARM_UP_S), until_s=_ROUNDS_S
    )
    if not streamed:
        return ground
    prediction = _timed(ground, without_waits(streamed, alone))
    workers = [ground.topology.node(node).workers for node in ground.plan.placement]
    turns = [each if workers[stage] == 1 else None for stage, each in enumerate(turnarounds(streamed, depth))]
    return replace(ground, prediction=replace(prediction, turnarounds_s=tuple(turns)))


def pace_s(prediction: Predicted, interval_s: float) -> float:
    """Return how far apart the messages of a rehearsal begin, of frames that are due so far apart."""
    return min(interval_s, max(_LONGEST_PAUSE_S, _APART * max(prediction.at_exit.values())))


def _timed(ground: Ground, rounds: Sequence[Round]) -> Predicted:
    """Return the prediction from what pieces took in their agents, and hops between them."""
    links = on_links(ground.problem, ground.prediction.path.decision)
    return links.with_rounds(
        [[(piece.blocks[0], piece.blocks[1]) for piece in bundle.pieces] for bundle in ground.bundles], rounds
    )
