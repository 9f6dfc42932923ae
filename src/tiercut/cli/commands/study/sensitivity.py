"""``tiercut sensitivity``: how the best plan follows conditions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut import documents
from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.questions import QueryName, inputs, query_of, read_query
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions

if TYPE_CHECKING:
    from tiercut.analysis import Sensitivity

__all__ = ["sensitivity"]


@grouped
def sensitivity(
    topology: Annotated[
        str | None, typer.Argument(metavar="TOPOLOGY", help="A YAML file, or a ready-made one such as mobile.")
    ] = None,
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="A JSON file, or a recorded one: resnet20-digits32.")
    ] = None,
    *,
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Conditions with their levels: every combination is solved.")
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="In place of all: a CSV file of latencies of each cut and combination."),
    ] = None,
    query: QueryName = None,
    question: Annotated[QuestionOptions, Shown(leave_out=("objective", "over", "top", "all_decisions"))],
    conditions: Conditions,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write which plan to run where (tiercut.policy/1), to look up later."),
    ] = None,
    plot: given.Plot = None,
    csv: given.Csv = None,
    json: given.Json = False,
) -> None:
    """Say how the best plan follows conditions: which are among the best, what staying costs, what matters most.

    Give a topology, a profile and a grid of conditions; or latencies that were measured, in a file with the columns
    cut_layer and latency_s, of which every other column but edge_s and cloud_s is a condition.
    """
    found: Sensitivity[Any]
    if measured is not None:
        others = (topology, profile, grid, query)
        if any(each is not None for each in others) or (question, conditions) != (QuestionOptions(), Conditions()):
            raise QuestionError("--measured has all there is to know: leave out topology, profile, grid and question")
        from tiercut.analysis import measured_sensitivity

        found = measured_sensitivity(measured)
    elif topology is None or profile is None or grid is None:
        raise QuestionError("give a topology, a profile and --grid FILE; or --measured FILE")
    else:
        found = _solved(topology, profile, grid, query, question, conditions)
    table = None if policy is None else found.policy()
    if json:
        typer.echo(found.to_json())
    else:
        from tiercut.report import sensitivity_tables

        out: Any = console()
        for part in sensitivity_tables(found):
            out.print(part)
    if csv is not None:
        given.write_table(found.to_frame(), csv)
    if policy is not None and table is not None:
        documents.write_text(policy, table.to_json() + "\n")
        note(f"wrote {policy}")
    if plot is not None:
        from tiercut.report import save, sensitivity_picture

        save(sensitivity_picture(found), plot)
        note(f"drew {plot}")


def _solved(
    topology: str, profile: str, grid: Path, query: str | None, question: QuestionOptions, conditions: Conditions
) -> "Sensitivity[Any]":
    from tiercut.analysis import sensitivity

    file = read_query(query)
    loaded = inputs(topology, profile, conditions, file)
    asked = query_of("solve", question, file)
    with at_work("solving"):
        return sensitivity(*loaded, grid, asked)
