"""``tiercut solve``: the best plan."""

from typing import Annotated

from tiercut.analysis import SolverOptions
from tiercut.cli import arguments as given
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.questions import QueryName, answer
from tiercut.optimizer import Conditions, QuestionOptions

__all__ = ["solve"]


@grouped
def solve(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    *,
    query: QueryName = None,
    question: Annotated[QuestionOptions, Shown(hide=("over", "top", "all_decisions"))],
    conditions: Conditions,
    who: SolverOptions,
    plot: given.Plot = None,
    csv: given.Csv = None,
    json: given.Json = False,
) -> None:
    """Find the best plan."""
    answer(
        "solve",
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
