"""What a rate of frames makes of a plan: how busy it keeps nodes and links, what it keeps up with, what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from tiercut.optimizer import busy_by_place, evaluate
from tiercut.units import MONTH_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiercut.optimizer import Decision, Problem

__all__ = ["AtRate"]


@dataclass(frozen=True, slots=True)
class AtRate:
    """A plan at a rate of frames.

    Parameters
    ----------
    rate_fps
        Frames per second.
    utilisation
        By node and link direction (``a>b``; a half-duplex link counts once), the share of the time that it is busy.
    dollars_per_month
        Of what the plan uses; None where the price of a node that it uses is not known.
    """

    rate_fps: float
    utilisation: Mapping[str, float]
    dollars_per_month: float | None

    @classmethod
    def of(cls, problem: Problem, decision: Decision, rate_fps: float) -> AtRate:
        """Return what a rate makes of a decision, by the rates of leaving that the problem knows."""
        busy = {place: rate_fps * seconds for place, seconds in busy_by_place(problem, decision).items()}
        dollars = None
        if not any(isnan(problem.price[node]) for node in decision.placement):
            dollars = evaluate(problem, decision, "cost") * rate_fps * MONTH_S
        return cls(rate_fps, busy, dollars)

    @property
    def busiest(self) -> str | None:
        """The node or link direction with the greatest utilisation; None where nothing is busy."""
        place = max(self.utilisation, key=lambda each: self.utilisation[each])
        return place if self.utilisation[place] > 0 else None

    @property
    def keeps_up_with_fps(self) -> float | None:
        """The rate at which the busiest has no time left (the sustainable rate); None where nothing is busy."""
        return None if self.busiest is None else self.rate_fps / self.utilisation[self.busiest]

    def __str__(self) -> str:
        said = f"at {self.rate_fps:g} fps nothing is busy"
        if self.busiest is not None:
            share = self.utilisation[self.busiest]
            said = f"at {self.rate_fps:g} fps {self.busiest} is the busiest, {share:.1%} of the time"
            said += f"; the plan keeps up with {self.keeps_up_with_fps:.4g} fps"
        return said if self.dollars_per_month is None else f"{said}; it costs {self.dollars_per_month:.4g} $/month"

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data; places that are not busy are left out."""
        return {
            "rate_fps": self.rate_fps,
            "utilisation": {place: share for place, share in self.utilisation.items() if share > 0},
            "busiest": self.busiest,
            "keeps_up_with_fps": self.keeps_up_with_fps,
            "dollars_per_month": self.dollars_per_month,
        }
