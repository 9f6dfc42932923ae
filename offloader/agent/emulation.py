"""What an agent stands for on a machine that is quicker, and whose links are quicker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tiercut.errors import QuestionError
from tiercut.offloader.links.path import NO_LINKS, Way

__all__ = ["AS_IT_IS", "Emulation"]


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
    """

    factor: float = 1.0
    clock: Path | None = None
    onward: Way = NO_LINKS
    home: Way = NO_LINKS
    workers: int = 1
    next_factor: float = 1.0
    next_home: Way = NO_LINKS
    told_later: bool = False

    def __post_init__(self) -> None:
        for factor in (self.factor, self.next_factor):
            if not factor >= 1:
                raise QuestionError(f"a machine can be slowed, by a factor of 1 or more, not sped up ({factor:g})")


AS_IT_IS = Emulation()
"""An agent that stands for nothing but itself."""
