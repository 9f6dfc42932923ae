"""How much worse one number may become before no plan meets the bounds any more: exact, from envelopes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Unpack

from tiercut.analysis.inputs import ProfileLike, TopologyLike, profile_of, topology_of
from tiercut.analysis.why.parameters import Parameter, parameters_of
from tiercut.analysis.why.result import label
from tiercut.analysis.why.study import Study
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, Query, QuestionOptions, make_query
from tiercut.option_fields import split_keywords
from tiercut.solvers import Options
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis.keyword_types import WhyKeywords
    from tiercut.optimizer import Plan

__all__ = ["FURTHEST", "Need", "needed"]

FURTHEST = 1e6
"""How many times worse than now is looked at."""

_STEP = 10.0


@dataclass(frozen=True, slots=True)
class Need:
    """How much worse one number may become, all others as they are.

    Parameters
    ----------
    parameter
        A bandwidth, a latency or a slowdown, with its present value.
    limit
        The least bandwidth, or the greatest latency or slowdown, at which some plan still meets the bounds; None where
        one does up to `FURTHEST` times as bad a value, or where `note` says why it is not known.
    plan
        The plan that meets them there, with its figures as things are now.
    note
        Why nothing can be said; else empty.
    """

    parameter: Parameter
    limit: float | None
    plan: Plan | None
    note: str = ""

    @property
    def factor(self) -> float | None:
        """How many times worse than now the limit is; None without a limit, or where there is nothing now."""
        if self.limit is None or not self.parameter.now:
            return None
        return self.parameter.place(self.limit) / self.parameter.place(self.parameter.now)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data; values in inner units."""
        return {
            "parameter": self.parameter.kind,
            "name": self.parameter.name,
            "now": self.parameter.now,
            "limit": self.limit,
            "factor": self.factor,
            "plan": None if self.plan is None else label(self.plan),
            "note": self.note,
        }


def needed(
    topology: TopologyLike,
    profile: ProfileLike,
    query: Query | None = None,
    *,
    solver: str = "auto",
    options: Options | None = None,
    **keywords: Unpack[WhyKeywords],
) -> tuple[Need, ...]:
    """Return how much computing power, bandwidth and latency the bounds of a question need.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    query
        What is asked, with a bound on the latency; the objective does not matter.
    solver
        ``auto`` or the name of an exact solver.
    options
        Threads. A time limit does not hold here.
    **keywords
        In place of a query, what is asked; and conditions in place of what topology and profile say.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong, or no latency is bounded.
    InfeasibleError
        If no plan meets the question as things are.

    Examples
    --------
    >>> import tiercut
    >>> needs = tiercut.needed("mobile", "resnet20-digits32", max_latency="300 ms", min_accuracy=0.95)
    >>> {each.parameter.name: each.limit for each in needs if each.parameter.kind == "slowdown"}
    """
    asked, conditions = split_keywords("needed", keywords, QuestionOptions, Conditions)
    if query is not None and asked != QuestionOptions():
        raise QuestionError("give a query or keywords, not both")
    query = make_query("solve", asked) if query is None else query
    if query.max_latency_s is None:
        raise QuestionError("what is needed hangs on a bound on the latency; give one, such as --max-latency '300 ms'")
    changed = conditions.apply(topology_of(topology), profile_of(profile))
    quick = replace(query, kind="solve", objective="latency")
    study = Study(*changed, quick, solver, replace(options or Options(), time_limit_s=None, progress=None))
    wanted, found = list(parameters_of(study.topology)), list[Need]()
    with stage("looking for limits") as step:
        for done, each in enumerate(wanted):
            step(done, len(wanted))
            found.append(_need(study, each))
    return tuple(found)


def _need(study: Study, parameter: Parameter) -> Need:
    """Return the limit of one number, looked for ten times as far until it is found."""
    cap, factor = study.query.max_latency_s, _STEP
    assert cap is not None
    while True:
        if parameter.kind == "bandwidth":
            ends = parameter.now / factor, parameter.now
        else:
            # No plan may need a latency of 0 to begin with, so that of a link is looked at from the bound on.
            least = cap if parameter.kind == "latency" else 0.0
            ends = parameter.now, max(parameter.now, least) * factor
        sweep = study.sweep_between(parameter, *ends)
        if sweep.note:
            return Need(parameter, None, None, sweep.note)
        spans = sweep.spans[::-1] if parameter.kind == "bandwidth" else sweep.spans
        for before, after in pairwise(spans):
            if after.plan is None:
                limit = before.low if parameter.kind == "bandwidth" else before.high
                return Need(parameter, limit, before.plan)
        if factor >= FURTHEST:
            return Need(parameter, None, None)
        factor *= _STEP
