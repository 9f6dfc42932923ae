"""``tiercut rank``: the best plans in order."""

from typing import Annotated

from tiercut.analysis import SolverOptions
from tiercut.cli import arguments as given
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.questions import QueryName, answer
from tiercut.optimizer import Conditions, QuestionOptions

__all__ = ["rank"]


@grouped
def rank(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    *,
    query: QueryName = None,
    question: Annotated[QuestionOptions, Shown(hide=("over",))],
    conditions: Conditions,
    who: SolverOptions,
    plot: given.Plot = None,
    csv: given.Csv = None,
    json: given.Json = False,
) -> None:
    """List the best plans in order."""
    answer(
        "rank",
        topology,
        profile,
        query=query,
        question=question,
        conditions=conditions,
        who=who,
        plot=plot,
        csv=csv,
        json=json,
    )
