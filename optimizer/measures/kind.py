"""The description of a measure: all that the rest of the package needs to know of it, in one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tiercut.optimizer.measures.places import Places
from tiercut.optimizer.measures.quantity import Quantity

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import Problem

__all__ = ["STILL", "MeasureKind", "Moved", "MovedBy", "Scope"]


class Moved(Enum):
    """When the value of a fixed decision may change with a number of the topology."""

    NEVER = "never"
    ALWAYS = "always"
    AS_LATENCY = "always, over a link by as much as the expected latency"
    ON_NODE = "where the node is the place of the measure, or in that tier"
    ROUTES = "where routes may change"
    PRICED_ROUTES = "where routes may change and links have prices"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovedBy:
    """What moves a measure: the bandwidth of a link, the latency of a link, the slowdown of a node.

    Over a slowdown the value is a line; over a link it is followed only where it moves `Moved.AS_LATENCY`.
    """

    bandwidth: Moved
    latency: Moved
    slowdown: Moved


STILL = MovedBy(bandwidth=Moved.NEVER, latency=Moved.NEVER, slowdown=Moved.NEVER)
"""Nothing moves the measure."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What the tables of a measure are made for: a problem, a place (empty: the whole plan), frames per second."""

    problem: Problem
    place: str = ""
    rate_fps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasureKind:
    """A measure of plans.

    Parameters
    ----------
    name
        As in ``--objective``; what stands before the colon in ``compute:edge``.
    about
        One line of documentation, in Markdown.
    example
        A bound on it, as `tiercut.optimizer.questions.bound_text.bound_of` reads it.
    quantity, places
        How its values are written, and of what it is taken.
    tables
        Makes its tables for a scope. Whatever they need beyond the standard library is imported there, because names
        of measures are read where nothing heavy may be.
    moved_by, moved_by_of_link
        What moves it, and what moves it where its place is a link (by default the same).
    moved_in
        Where that hangs on the problem: takes a scope, and returns what moves it in place of the two.
    whole
        Whether pieces count whole, however few samples get there (memory, blocks).
    once
        Whether a partition counts as one piece where exits stand inside it (memory); it has no less with more blocks.
    tail
        Of a quantile of the latency: the share of the samples that may take longer.
    ratio_of
        Of a ratio to the expected latency, which can be bounded but not minimised: the measure above the line.
    peak
        Whether it is the greatest of several sums, no sum itself (see `Measure.others`).
    axis
        What an axis calls it where it has no place; by default its name.

    Raises
    ------
    ValueError
        If the name could not be distinguished from its place in a question.
    """

    name: str
    about: str
    example: str
    quantity: Quantity
    places: Places
    tables: Callable[[Scope], Measure]
    moved_by: MovedBy
    moved_by_of_link: MovedBy | None = None
    moved_in: Callable[[Scope], MovedBy] | None = None
    whole: bool = False
    once: bool = False
    tail: float | None = None
    ratio_of: str = ""
    peak: bool = False
    axis: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name == "accuracy":
            raise ValueError(f"a measure is named by letters and digits, and not accuracy, got '{self.name}'")

    @property
    def forms(self) -> tuple[str, ...]:
        """How the measure is written in a question, such as ``bytes`` and ``bytes:a>b``."""
        return tuple(self.name + form for form in self.places.forms)

    def axis_of(self, place: str | None, largest: float = 0.0) -> tuple[float, str]:
        """Return by what to multiply values of the measure, of which `largest` is the largest, and the axis' label."""
        factor, unit = self.quantity.scale(largest)
        called = f"{self.name}:{place}" if place is not None else self.axis or self.name
        return factor, f"{called} ({unit})" if unit else called
