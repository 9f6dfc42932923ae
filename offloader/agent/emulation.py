"""What an agent stands for on a machine that is quicker, and whose links are quicker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Way
from tiercut.offloader.links.waiting import sleep_until

if TYPE_CHECKING:
    from tiercut.offloader.bundles.stage import Slowed

__all__ = ["AS_IT_IS", "Emulation", "Share", "counting", "slowing"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several plans has a machine do.

    Parameters
    ----------
    number
        What its frames call it (``model_version``).
    folder
        Its bundle.
    factor, onward, home
        As of `Emulation`, for this plan.
    """

    number: str
    folder: Path
    factor: float = 1.0
    onward: Way = NO_LINKS
    home: Way = NO_LINKS


@dataclass(frozen=True, slots=True)
class Emulation:
    """What stands for a slower machine and its links.

    Parameters
    ----------
    factor
        So many times as long as here every piece takes.
    clock
        The file that says when links are free; None: nothing is shaped.
    onward, home
        The links to the next partition, and to the destination.
    workers
        How many frames are worked on at once.
    next_factor, next_home
        Where the next partition is served by a server that is no agent, which cannot wait itself: its factor, and its
        way to the destination.
    told_later
        Whether it is told where the next agent listens once it is ready itself.
    speed
        Number in the clock of the share of its speed that it has now; None: it has all of it.
    shares
        What several plans have it do; its workers take their frames in the order in which they come. Empty where it
        has one plan, or is told later.
    """

    factor: float = 1.0
    clock: Path | None = None
    onward: Way = NO_LINKS
    home: Way = NO_LINKS
    workers: int = 1
    next_factor: float = 1.0
    next_home: Way = NO_LINKS
    told_later: bool = False
    speed: int | None = None
    shares: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        for factor in (self.factor, self.next_factor, *(share.factor for share in self.shares)):
            if not factor >= 1:
                raise QuestionError(f"a machine can be slowed, by a factor of 1 or more, not sped up ({factor:g})")


AS_IT_IS = Emulation()
"""An agent that stands for nothing but itself."""


def slowing(emulation: Emulation, clock: LinkClock | None, factor: float | None = None) -> Slowed:
    """Return what sleeps for what a slower machine would take longer: of what a call took, no more and no less.

    Parameters
    ----------
    emulation, clock
        What it stands for, and when its links are free.
    factor
        In place of the emulation's.
    """
    times = emulation.factor if factor is None else factor

    def slow(took_ns: int) -> None:
        share = 1.0 if clock is None or emulation.speed is None else clock.pace(emulation.speed)
        sleep_until(time.monotonic_ns() + round((times / share - 1) * took_ns))

    return slow


def counting(emulation: Emulation, clock: LinkClock | None) -> Callable[[int], None]:
    """Return what adds nanoseconds of work to how long the workers of a machine were busy that several plans share."""

    def count(busy_ns: int) -> None:
        if clock is not None and emulation.speed is not None and emulation.shares:
            with clock:
                clock.count(emulation.speed, busy_ns)

    return count
