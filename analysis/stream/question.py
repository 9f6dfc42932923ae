"""What is asked of a stream: its fields are flags of the command and keywords of `tiercut.simulate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tiercut.option_fields import option

if TYPE_CHECKING:
    from tiercut.profiling import SampleSplit

__all__ = ["DROPS", "FRAMES", "TIMES", "Drop", "StreamQuestion", "Times"]

Drop = Literal["newest", "oldest", "exit"]
DROPS: tuple[Drop, ...] = ("newest", "oldest", "exit")
"""Who goes where there is no room."""

Times = Literal["block", "mean", "drawn"]
TIMES: tuple[Times, ...] = ("block", "mean", "drawn")
"""What serving on a node takes."""

FRAMES = 10_000
"""How many frames a source sends where nothing says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuestion:
    """What is asked of a stream; `tiercut.simulate` says what each means."""

    rate: Sequence[str | float] | None = option(
        metavar="RATE", help="Such as '30 fps'; once for all plans, or once for each.", many=True
    )
    frames: int | None = option(type=int, help="Frames of each source.", show_default="10000, or all of a trace")
    arrivals: Sequence[str | os.PathLike[str]] | None = option(
        metavar="periodic|poisson|FILE",
        help="A file has a time of birth in seconds on each line; once for all plans, or once for each.",
        many=True,
        show_default="periodic",
    )
    queue: int | None = option(type=int, help="How many may wait at a node or a link.", show_default="any number")
    drop: Drop = option(
        "newest",
        metavar="newest|oldest|exit",
        help="Who goes where there is no room; exit: home, with the last answer that it has.",
    )
    seed: int = option(0, type=int, help="Of random births, exits and times.")
    until: str | float | None = option(metavar="TIME", help="Stop then, such as '10 s'; default: when all have ended.")
    times: Times = option("block", metavar="block|mean|drawn", help="Drawn: log-normal through p50 and p99.")
    sources: Sequence[str] | None = option(
        metavar="a,b", help="Where the frames of each plan are born.", read=lambda _, text: _listed(text)
    )
    split: SampleSplit = option("profile", metavar="profile|test", help="Whose exits the frames take.")
    draw_exits: bool = option(False, type=bool, help="Draw exits at the exit rates, though there are samples.")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(","))
