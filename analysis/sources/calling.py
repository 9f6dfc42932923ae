"""``tiercut.solve_sources``: the question about several sources as Python asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from tiercut.analysis.inputs import topology_of
from tiercut.analysis.solver_options import SolverOptions
from tiercut.analysis.sources.asking import ask_of_sources
from tiercut.optimizer import Conditions, QueryFile, QuestionOptions, load_query, make_query, merged
from tiercut.option_fields import split_keywords

if TYPE_CHECKING:
    from tiercut.analysis.inputs import ProfileLike, TopologyLike
    from tiercut.analysis.keyword_types import Question
    from tiercut.analysis.sources.answer import JointAnswer

__all__ = ["solve_sources"]


def solve_sources(
    topology: TopologyLike, profile: ProfileLike | None = None, **question: Unpack[Question]
) -> JointAnswer:
    """Return one plan for each source of a topology, such that together they leave no machine and no link short.

    Parameters
    ----------
    topology
        With `sources`: a loaded one, a file, or the name of one that comes with the package.
    profile
        Of the sources that name none.
    **question
        As in `solve`, and `joint`: the least weighted ``mean`` of the latencies (default), the least ``worst`` one, or
        the most sources (by weight) ``served``. `max_utilisation` (1 by default) and bounds on utilisation hold for all
        sources together, all else for each by itself. Each has the rate and the least accuracy of the topology; where
        it has no least accuracy, that of the question.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong. An answer without plans is not an error: see `JointAnswer.error`.

    Examples
    --------
    >>> import tiercut
    >>> answer = tiercut.solve_sources("factory", joint="worst")
    >>> [(each.source.called, str(each.plan)) for each in answer.served]
    >>> {load.place: load.utilisation for load in answer.loads}
    """
    groups = (QuestionOptions, Conditions, SolverOptions)
    asked, conditions, who = split_keywords("solve_sources", question, *groups, beside=("query", "options"))
    if (file := question.get("query")) is not None:
        below = file if isinstance(file, QueryFile) else load_query(file)
        asked, conditions = merged(below.question, asked), conditions.on_top_of(below.conditions)
    query = make_query("solve", asked, several=True)
    options = question.get("options") or who.options()
    return ask_of_sources(topology_of(topology), profile, query, conditions, who, options)
