"""Where each plan is the best over two conditions at once: an exact map, from planes.

For a fixed decision (and fixed routes) the latency is a plane over two numbers: a slowdown, a latency, or 1/bandwidth.
The least latency is the lower envelope of these planes, so it is concave, and each plan is the best on a convex
polygon. Planes are found by exact solves at the corners of the polygons that are known so far: either nothing lies
below a corner, or what lies there has a plane of its own. Where no corner is left to look at, no plan is missing:
between corners a concave function is nowhere below the envelope of what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from tiercut.analysis.why.parameters import link_slope
from tiercut.optimizer import price, rebuild_problem

if TYPE_CHECKING:
    from tiercut.analysis.why.parameters import Parameter
    from tiercut.analysis.why.study import Study
    from tiercut.optimizer import Decision, Plan, Problem
    from tiercut.topologies import Topology

__all__ = ["Face", "Plane", "RegionMap", "lower_faces", "map_of", "why_no_map"]

TOLERANCE = 1e-11
"""Share of a latency below which two count as equal."""

_FEWEST_AREA = 1e-12
"""Share of the map below which a polygon is a line or a point."""

Point: TypeAlias = tuple[float, float]
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane over the unit square: ``value + slopes · (point - at)``."""

    at: Point
    value: float
    slopes: Point

    def height(self, point: Point) -> float:
        """Return the height at a point."""
        (x, y), (u, v) = point, self.at
        return self.value + self.slopes[0] * (x - u) + self.slopes[1] * (y - v)


@dataclass(frozen=True, slots=True)
class Face(Generic[D]):
    """A part of the envelope: on a convex polygon nothing is below the plane of a decision."""

    decision: D
    plane: Plane
    corners: tuple[Point, ...]

    @property
    def area(self) -> float:
        """Its share of the unit square."""
        pairs = zip(self.corners, (*self.corners[1:], *self.corners[:1]), strict=True)
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def lower_faces(solve_at: Callable[[Point], tuple[D, Plane]]) -> tuple[Face[D], ...]:
    """Return the lower envelope of planes over the unit square.

    Parameters
    ----------
    solve_at
        Gives a best decision at a point, and the plane of its cost.
    """
    found: list[tuple[D, Plane]] = []
    looked = set[Point]()
    corners: list[Point] = list(_SQUARE)
    while corners:
        for corner in corners:
            looked.add(corner)
            decision, plane = solve_at(corner)
            known = min((each.height(corner) for _, each in found), default=inf)
            if plane.height(corner) < known - TOLERANCE * abs(known) or not found:
                found.append((decision, plane))
        faces = tuple(_faces(found))
        corners = [
            corner for corner in dict.fromkeys(c for face in faces for c in face.corners) if corner not in looked
        ]
    return faces


_SQUARE: tuple[Point, ...] = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def _faces(found: Sequence[tuple[D, Plane]]) -> Iterator[Face[D]]:
    for place, (decision, plane) in enumerate(found):
        corners = _SQUARE
        for other, (_, rival) in enumerate(found):
            if other != place and corners:
                corners = clipped(corners, plane, rival)
        face = Face(decision, plane, corners)
        if face.area > _FEWEST_AREA:
            yield face


def clipped(corners: tuple[Point, ...], plane: Plane, rival: Plane) -> tuple[Point, ...]:
    """Return the part of a convex polygon where a plane is no higher than another (Sutherland and Hodgman, 1974)."""

    def over(point: Point) -> float:
        return plane.height(point) - rival.height(point)

    kept: list[Point] = []
    for point, following in zip(corners, (*corners[1:], *corners[:1]), strict=True):
        here, there = over(point), over(following)
        if here <= 0:
            kept.append(point)
        if (here < 0 < there) or (there < 0 < here):
            share = here / (here - there)
            kept.append(tuple(a + share * (b - a) for a, b in zip(point, following, strict=True)))  # type: ignore[arg-type]
    return tuple(dict.fromkeys(kept))


@dataclass(frozen=True, slots=True)
class RegionMap:
    """Where each plan is the best over two conditions, from the least to the greatest of their levels.

    Parameters
    ----------
    conditions
        Their names: the first goes to the right, the second up.
    parameters
        What they change.
    low, high
        The least and the greatest of both, in places (see `Parameter.place`): borders are straight lines there.
    faces
        Polygons in shares of the range between them, with the plans that are the best on each; None: none is quick
        enough there.
    cap
        Greatest latency in seconds, slack included.
    note
        Why there is no map; else empty.
    """

    conditions: tuple[str, str]
    parameters: tuple[Parameter, Parameter]
    low: Point
    high: Point
    faces: tuple[Face[Plan | None], ...]
    cap: float = inf
    note: str = ""

    def values(self, point: Point) -> Point:
        """Return the values of both conditions at a point of the unit square."""
        each = zip(self.parameters, self.low, self.high, point, strict=True)
        first, second = (parameter.value(low + share * (high - low)) for parameter, low, high, share in each)
        return first, second

    def shares(self, values: Point) -> Point:
        """Return the point of the unit square at which both conditions have some values."""
        each = zip(self.parameters, self.low, self.high, values, strict=True)
        first, second = ((parameter.place(value) - low) / (high - low) for parameter, low, high, value in each)
        return first, second

    def latency_s(self, values: Point) -> float:
        """Return the least latency where both conditions have some values; infinite where no plan is quick enough."""
        point = self.shares(values)
        least = min(face.plane.height(point) for face in self.faces)
        return least if least <= self.cap else inf

    def best(self, values: Point) -> Plan | None:
        """Return a best plan where both conditions have some values; None where no plan meets the question."""
        point = self.shares(values)
        quickest = [face for face in self.faces if face.decision is not None]
        found = min(quickest, key=lambda face: face.plane.height(point), default=None)
        return None if found is None or found.plane.height(point) > self.cap else found.decision

    def to_data(self, written: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return it as plain data; values in inner units, borders straight over 1/bandwidth, latency and slowdown."""
        regions = [
            {
                **written(face.decision),
                "share": face.area,
                "corners": [list(self.values(each)) for each in face.corners],
            }
            for face in self.faces
        ]
        return {"conditions": list(self.conditions), "note": self.note, "regions": regions}


def why_no_map(study: Study, parameters: tuple[Parameter, Parameter]) -> str:
    """Return why the best plan over two numbers is no map of polygons; nothing where it is one."""
    one, two = parameters
    if study.topology.forwarding == "cut-through" and "bandwidth" in (one.kind, two.kind):
        return "with cut-through the slowest link of a route may change within it"
    if one.kind == two.kind and set(one.directions) & set(two.directions):
        return "both change the same link"
    return study.obstacle(one) or study.obstacle(two)


def map_of(
    study: Study, names: tuple[str, str], parameters: tuple[Parameter, Parameter], ranges: tuple[Point, Point]
) -> RegionMap:
    """Return where each plan is the best over two numbers.

    Parameters
    ----------
    study
        The question, answered where both are at one end of their ranges.
    names
        What the conditions are called.
    parameters
        What they change.
    ranges
        Least and greatest value of each, in inner units.
    """
    ends = [sorted(map(parameter.place, span)) for parameter, span in zip(parameters, ranges, strict=True)]
    low, high = (ends[0][0], ends[1][0]), (ends[0][1], ends[1][1])
    empty = RegionMap(names, parameters, low, high, (), study.query.latency_cap)
    if note := why_no_map(study, parameters):
        return replace(empty, note=note)
    planes = _Planes(study, empty)
    faces = [face for each in lower_faces(planes.solve_at) for face in _within(each, study.query.latency_cap)]
    named = tuple(
        Face(None if face.decision is None else price(study.problem, face.decision), face.plane, face.corners)
        for face in faces
    )
    return replace(empty, faces=named)


def _within(face: Face[Decision], cap: float) -> Iterator[Face[Decision | None]]:
    """Yield the part of a face that holds the bound on latency, and the part in which no plan does."""
    level = Plane((0.0, 0.0), cap, (0.0, 0.0))
    if cap == inf:
        yield Face(face.decision, face.plane, face.corners)
        return
    parts = (
        (face.decision, clipped(face.corners, face.plane, level)),
        (None, clipped(face.corners, level, face.plane)),
    )
    for decision, corners in parts:
        part = Face(decision, face.plane, corners)
        if part.area > _FEWEST_AREA:
            yield part


class _Planes:
    """The best decision at points of the unit square, and the plane of its latency."""

    def __init__(self, study: Study, wanted: RegionMap) -> None:
        self.study, self.wanted = study, wanted
        self.query = replace(study.query, max_latency_s=None)
        self.conditions: dict[Point, tuple[Topology, Problem]] = {}

    def at(self, values: Point) -> tuple[Topology, Problem]:
        if values not in self.conditions:
            study, changed = self.study, self.study.topology
            for parameter, value in zip(self.wanted.parameters, values, strict=True):
                changed = parameter.applied(changed, value)
            self.conditions[values] = changed, rebuild_problem(study.problem, study.topology, changed, study.profile)
        return self.conditions[values]

    def solve_at(self, point: Point) -> tuple[Decision, Plane]:
        values = self.wanted.values(point)
        topology, problem = self.at(values)
        decision = self.study.solve(problem, self.query)[0]
        height = price(problem, decision).latency_s
        slopes = tuple(self._slope(decision, place, values, (topology, problem), height) for place in (0, 1))
        return decision, Plane(point, height, slopes)  # type: ignore[arg-type]

    def _slope(
        self, decision: Decision, place: int, values: Point, tables: tuple[Topology, Problem], height: float
    ) -> float:
        """Return by how much the latency rises from one side of the square to the other."""
        parameter = self.wanted.parameters[place]
        span = self.wanted.high[place] - self.wanted.low[place]
        if parameter.kind != "slowdown":
            return span * link_slope(parameter, *tables, decision)
        twice = (2 * values[0], values[1]) if place == 0 else (values[0], 2 * values[1])
        return span * (price(self.at(twice)[1], decision).latency_s - height) / values[place]
