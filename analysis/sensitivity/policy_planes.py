"""The policy of a grid: the planes of all plans that are the best somewhere on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from tiercut.analysis.sensitivity.policy import Policy, PolicyTable, check_followed
from tiercut.analysis.why.parameters import Parameter, link_slope, parameters_of
from tiercut.errors import QuestionError
from tiercut.optimizer import DOWN, name_of, price, rebuild_problem
from tiercut.topologies import directions_of

if TYPE_CHECKING:
    from tiercut.analysis.sensitivity.grid import Region, _Grid
    from tiercut.analysis.sensitivity.region_map import RegionMap
    from tiercut.analysis.sensitivity.result import Condition
    from tiercut.analysis.why.study import Study
    from tiercut.optimizer import Decision, Number, Plan
    from tiercut.topologies import Topology

__all__ = ["policy_of"]


def policy_of(
    grid: _Grid,
    title: str,
    studies: Mapping[int, Study | None],
    best: NDArray[np.int32],
    regions: Sequence[Region],
    region_map: RegionMap | None,
) -> Policy:
    """Return the policy of a grid that was solved.

    Parameters
    ----------
    grid
        The grid, with the plans that were found.
    title
        What it is about.
    studies
        By the level of ``down``; None where nothing meets the question.
    best
        Combinations x 5: indices of the best plans.
    regions, region_map
        What is exact over one condition, and over two.

    Raises
    ------
    QuestionError
        If a condition is no number of the topology.
    """
    check_followed(each.name for each in grid.conditions)
    numbers = [each for each in grid.conditions if each.name != DOWN]
    between = _follows(grid.topology, numbers) and _exact(numbers, regions, region_map)
    tables = []
    for level in sorted(studies):
        study = studies[level]
        down = None if grid.down is None else grid.conditions[grid.down].levels[level]
        if study is None:
            tables.append(PolicyTable(str(down), (), np.zeros(0), np.zeros((0, len(numbers))), exact=False))
            continue
        rows = slice(None) if grid.down is None else grid.levels[:, grid.down] == level
        found = [grid.plans[k] for k in dict.fromkeys(best[rows, 0].tolist()) if k >= 0]
        if level == 0:
            found = _apart([*found, *_of_regions(regions, region_map)])
        tables.append(_table(study, None if down is None else str(down), found, numbers, exact=between and level == 0))
    base = studies[0]
    assert base is not None
    levels = [[float(level) for level in each.levels if isinstance(level, int | float)] for each in numbers]
    return Policy(
        title,
        tuple(each.name for each in numbers),
        tuple(each[0] for each in levels),
        tuple(map(min, levels)),
        tuple(map(max, levels)),
        tuple(tables),
        grid.query.latency_cap,
        base.answer.to_data()["made_of"],
    )


def _follows(topology: Topology, numbers: Sequence[Condition]) -> bool:
    """Return whether planes hold between the levels: one route whatever the numbers are, at the pace of each link."""
    if all(name_of(each.name).kind == "slowdown" for each in numbers if len(each.levels) > 1):
        return True
    return topology.forwarding == "store" and _is_forest(topology.hops)


def _is_forest(ways: Iterable[tuple[str, str]]) -> bool:
    """Return whether links form no ring."""
    part: dict[str, set[str]] = {}
    for sender, receiver in {(min(way), max(way)) for way in ways}:
        first, second = (part.setdefault(name, {name}) for name in (sender, receiver))
        if first is second:
            return False
        joined = first | second
        part.update(dict.fromkeys(joined, joined))
    return True


def _exact(numbers: Sequence[Condition], regions: Sequence[Region], region_map: RegionMap | None) -> bool:
    """Return whether what is known between the levels is all that there is."""
    moved = [each for each in numbers if len(each.levels) > 1]
    if len(moved) == 1:
        return len(regions) == 1 and not regions[0].sweep.note
    return not moved or (len(moved) == 2 and region_map is not None and not region_map.note)


def _of_regions(regions: Sequence[Region], region_map: RegionMap | None) -> Iterator[Plan]:
    for region in regions:
        yield from (span.plan for span in region.sweep.spans if span.plan is not None)
    if region_map is not None:
        yield from (face.decision for face in region_map.faces if face.decision is not None)


def _apart(plans: Sequence[Plan]) -> list[Plan]:
    return list({(each.placement, each.decision): each for each in plans}.values())


def _table(
    study: Study, down: str | None, plans: Sequence[Plan], numbers: Sequence[Condition], *, exact: bool
) -> PolicyTable:
    known = {f"{each.kind}({each.name})": each for each in parameters_of(study.topology)}
    parameters = [_parameter(study.topology, known, each.name) for each in numbers]
    priced, seconds, slopes = [], [], []
    for plan in plans:
        placement = tuple(study.problem.nodes.index(name) for name in plan.placement)
        decision = replace(plan.decision, placement=placement)
        own = price(study.problem, decision)
        if not isfinite(own.latency_s):
            continue
        priced.append(own)
        seconds.append(own.latency_s)
        slopes.append([_slope(study, each, decision, own.latency_s) for each in parameters])
    return PolicyTable(
        down, tuple(priced), np.array(seconds, float), np.array(slopes, float).reshape(-1, len(numbers)), exact
    )


def _parameter(topology: Topology, known: Mapping[str, Parameter], name: str) -> Parameter | None:
    """Return the number that a condition means, however it names a link; None where it is gone with what is down."""
    kind, place = name_of(name)
    if kind == "slowdown" or f"{kind}({place})" in known:
        return known.get(f"{kind}({place})")
    try:
        ways = directions_of(topology, place)
    except QuestionError:
        return None
    return Parameter(cast("Number", kind), place, getattr(topology.network.hops[ways[0]], kind), ways)


def _slope(study: Study, parameter: Parameter | None, decision: Decision, height: float) -> float:
    """Return what a unit of a condition adds to the latency of a decision; nothing where it is gone."""
    if parameter is None:
        return 0.0
    if parameter.kind != "slowdown":
        return link_slope(parameter, study.topology, study.problem, decision)
    changed: Any = parameter.applied(study.topology, 2 * parameter.now)
    tables = rebuild_problem(study.problem, study.topology, changed, study.profile)
    return (price(tables, decision).latency_s - height) / parameter.now
