"""The best plan under every combination of a grid of conditions, each answered exactly, and regions between levels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from tiercut.analysis.distinct import distinct_ranking
from tiercut.analysis.inputs import ProfileLike, TopologyLike, profile_of, topology_of
from tiercut.analysis.sensitivity.grid_file import GridFile, grid_of
from tiercut.analysis.sensitivity.policy_planes import policy_of
from tiercut.analysis.sensitivity.region_map import RegionMap, map_of
from tiercut.analysis.sensitivity.result import FEW_BEST, NONE, Condition, Sensitivity
from tiercut.analysis.why.parameters import Parameter, parameters_of
from tiercut.analysis.why.result import Sweep, label
from tiercut.analysis.why.study import Study
from tiercut.errors import InfeasibleError, QuestionError
from tiercut.optimizer import (
    DOWN,
    Conditions,
    Query,
    QuestionOptions,
    make_query,
    name_of,
    price,
    rebuild_problem,
)
from tiercut.option_fields import split_keywords
from tiercut.solvers import Options, make_task
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis.keyword_types import WhyKeywords
    from tiercut.optimizer import Decision, Plan, Problem
    from tiercut.profiling import Profile
    from tiercut.stages import Step
    from tiercut.topologies import Topology

__all__ = ["Region", "sensitivity"]

_EXACT = ("bandwidth", "latency", "slowdown")


@dataclass(frozen=True, slots=True)
class Region:
    """Where each plan is the best over one condition, the others as in the baseline: exact, from switching points.

    Parameters
    ----------
    condition
        Its name.
    sweep
        What is the best from the least of its levels to the greatest.
    """

    condition: str
    sweep: Sweep

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data; values in inner units."""
        spans = [
            {
                "low": each.low,
                "high": each.high,
                "low_s": each.low_value,
                "high_s": each.high_value,
                **_written(each.plan),
            }
            for each in self.sweep.spans
        ]
        return {"condition": self.condition, "note": self.sweep.note, "spans": spans}


def sensitivity(
    topology: TopologyLike,
    profile: ProfileLike,
    grid: GridFile | str | os.PathLike[str] | dict[str, list[Any]],
    query: Query | None = None,
    *,
    solver: str = "auto",
    options: Options | None = None,
    **keywords: Unpack[WhyKeywords],
) -> Sensitivity[Plan]:
    """Return how the best plan follows conditions: the best five under every combination of a grid.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    grid
        A file (``tiercut.grid/1``), or conditions with their levels, such as ``{"bandwidth(a-b)": ["10 Mb/s", "25
        Mb/s"], "cpu(edge)": ["0 %", "45 %"], "down": ["cloud"]}``. The baseline has the greatest bandwidths, the least
        of everything else, and nothing down.
    query
        What is asked; its objective is the latency.
    solver
        ``auto`` or the name of an exact solver.
    options
        Threads, and progress in combinations done. A time limit does not hold here.
    **keywords
        In place of a query, what is asked; and conditions that hold throughout.

    Raises
    ------
    InputError, QuestionError
        If a file, the question or a condition is wrong, or the grid is too large.
    InfeasibleError
        If no plan meets the question in the baseline.

    Examples
    --------
    >>> import tiercut
    >>> grid = {"bandwidth(watch-phone)": ["500 kb/s", "100 kb/s"], "slowdown(phone)": [10, 40]}
    >>> print(tiercut.sensitivity("mobile", "resnet20-digits32", grid, min_accuracy=0.9))
    """
    asked, named = split_keywords("sensitivity", keywords, QuestionOptions, Conditions)
    if query is not None and asked != QuestionOptions():
        raise QuestionError("give a query or keywords, not both")
    query = make_query("solve", asked) if query is None else query
    if query.kind == "frontier" or query.objective != "latency":
        raise QuestionError("sensitivity is about the plans of least latency; ask for nothing else by the objective")
    conditions = grid_of(grid).ordered()
    options = options or Options()
    whole = named.apply(topology_of(topology), profile_of(profile))
    looked = _Grid(*whole, query, conditions, solver, replace(options, time_limit_s=None, progress=None))
    with stage("solving combinations") as step:
        return looked.result(options, step)


class _Grid:
    """A question over a grid: a study for each set of nodes that is left, whose tables follow the other conditions."""

    def __init__(
        self,
        topology: Topology,
        profile: Profile,
        query: Query,
        conditions: tuple[Condition, ...],
        solver: str,
        options: Options,
    ) -> None:
        self.topology, self.profile, self.query = topology, profile, query
        self.conditions, self.solver, self.options = conditions, solver, options
        self.down = next((place for place, each in enumerate(conditions) if each.name == DOWN), None)
        self.levels = np.array(list(np.ndindex(*(len(each.levels) for each in conditions))), np.int32).reshape(
            -1, len(conditions)
        )
        self.plans: list[Plan] = []
        self.numbers: dict[Any, int] = {}
        self.check()

    def check(self) -> None:
        """Refuse conditions of what is not there, and levels outside what was measured, before anything is solved."""
        for place, condition in enumerate(self.conditions):
            for level in range(len(condition.levels)):
                row = [0] * len(self.conditions)
                row[place] = level
                self.under(row)

    def under(self, row: Any) -> tuple[Topology, Profile]:
        """Return topology and profile under a combination."""
        named = {
            each.name: each.levels[level]
            for each, level in zip(self.conditions, row, strict=True)
            if each.levels[level] is not None
        }
        return Conditions(condition=named).apply(self.topology, self.profile, _called)

    def result(self, options: Options, step: Step) -> Sensitivity[Plan]:
        """Solve every combination."""
        count = len(self.levels)
        best, best_s = np.full((count, FEW_BEST), NONE, np.int32), np.full((count, FEW_BEST), np.nan)
        static_s = np.full(count, np.nan)
        base = self.study(0)
        if base is None:
            raise InfeasibleError("no plan meets the question in the baseline")
        studies: dict[int, Study | None] = {0: base}
        static: Plan | None = None
        for row, levels in enumerate(self.levels.tolist()):
            down = 0 if self.down is None else levels[self.down]
            if down not in studies:
                studies[down] = self.study(down)
            study = studies[down]
            if study is None:
                continue
            problem = self.tables(study, levels)
            for place, decision in enumerate(self.ranked(study, problem)):
                plan = price(problem, decision)
                best[row, place], best_s[row, place] = self.number(plan), plan.latency_s
            if static is None:
                static = self.plans[best[row, 0]]
            static_s[row] = _staying(problem, static)
            step(row + 1, count)
            if options.progress is not None:
                options.progress(row + 1, count)
        regions, region_map = tuple(self.regions(base)), self.region_map(base)
        title = f"{base.problem.profile} on {self.topology.name}"
        return Sensitivity(
            title=title,
            conditions=self.conditions,
            combinations=self.levels,
            choices=self.plans,
            best=best,
            best_s=best_s,
            static_s=static_s,
            written=_written,
            label=label,
            regions=regions,
            region_map=region_map,
            make_policy=lambda: policy_of(self, title, studies, best, regions, region_map),
        )

    def study(self, down: int) -> Study | None:
        """Return the question with one node down (0: none), all else as in the baseline; None: no plan meets it."""
        row = [0] * len(self.conditions)
        if self.down is not None:
            row[self.down] = down
        try:
            return Study(*self.under(row), self.query, self.solver, self.options)
        except InfeasibleError:
            if down == 0:
                raise
            return None

    def tables(self, study: Study, levels: list[int]) -> Problem:
        """Return the tables under a combination."""
        changed = self.under(levels)[0]
        return rebuild_problem(study.problem, study.topology, changed, study.profile)

    def ranked(self, study: Study, problem: Problem) -> Any:
        """Return the best decisions, as many as count, each unlike the others for some sample."""
        query = replace(study.query, kind="rank", top=FEW_BEST, distinct=True)
        space = replace(study.space, problem=problem)
        solver = study.looker(make_task(space, query), query)
        if space.exits != "final":
            outcome = distinct_ranking(space, query, solver, self.options)
        else:
            outcome = solver.solve(make_task(space, query), self.options)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt  # which the solver caught
        if outcome.status == "stopped":
            raise QuestionError(f"solver '{outcome.solver}' could not prove an answer: {outcome.reason}")
        return outcome.decisions

    def number(self, plan: Plan) -> int:
        """Return the index of a plan among those that were found; it is the same one under other conditions."""
        key = plan.partition, plan.placement, plan.exits, plan.threshold, plan.thresholds, plan.codecs, plan.input_codec
        if key not in self.numbers:
            self.numbers[key] = len(self.plans)
            self.plans.append(plan)
        return self.numbers[key]

    def regions(self, base: Study) -> Iterator[Region]:
        """Yield where the best plan changes over each bandwidth, latency and slowdown by itself."""
        known = {(each.kind, each.name): each for each in parameters_of(base.topology)}
        for condition in self.conditions:
            kind, place = name_of(condition.name)
            values = [float(each) for each in condition.levels if isinstance(each, float)]
            parameter: Parameter | None = known.get((kind, place))  # type: ignore[arg-type]
            if kind in _EXACT and parameter is not None and len(values) > 1:
                yield Region(condition.name, base.sweep_between(parameter, min(values), max(values)))

    def region_map(self, base: Study) -> RegionMap | None:
        """Return where each plan is the best over two conditions at once, where the grid has just two numbers."""
        known = {f"{each.kind}({each.name})": each for each in parameters_of(self.topology)}
        moved = [each for each in self.conditions if each.name != DOWN and len(each.levels) > 1]
        found = [known[each.name] for each in moved if each.name in known]
        if len(moved) != 2 or len(found) != 2:
            return None
        first, second = ([float(level) for level in each.levels if isinstance(level, float)] for each in moved)
        ranges = (min(first), max(first)), (min(second), max(second))
        return map_of(base, (moved[0].name, moved[1].name), (found[0], found[1]), ranges)


def _called(name: str) -> str:
    return "the grid:" if name == "condition" else name


def _staying(problem: Problem, static: Plan) -> float:
    """Return the latency in seconds of a plan under other conditions; nan where a node or a link of it is gone."""
    if not set(static.placement) <= set(problem.nodes):
        return float("nan")
    moved = tuple(problem.nodes.index(name) for name in static.placement)
    decision: Decision = replace(static.decision, placement=moved)
    latency_s = price(problem, decision).latency_s
    return latency_s if isfinite(latency_s) else float("nan")  # a link on its way is gone


def _written(plan: Plan | None) -> dict[str, Any]:
    """Return the keys of a plan; ``cut`` is the one block after which it is cut, a list of several, null for none."""
    if plan is None:
        return dict.fromkeys(("cut", "plan", "partition", "placement", "threshold"))
    cuts = list(plan.partition[:-1])
    return {
        "cut": None if not cuts else cuts[0] if len(cuts) == 1 else cuts,
        "plan": label(plan),
        "partition": list(plan.partition),
        "placement": list(plan.placement),
        "threshold": plan.threshold,
    }
