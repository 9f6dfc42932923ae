"""``tiercut sweep``: many models, topologies, conditions and questions at once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console

__all__ = ["sweep"]


def sweep(
    file: Annotated[
        Path, typer.Argument(metavar="SWEEP", help="A YAML file: models, topologies, conditions, questions.")
    ],
    *,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the rows go; what is there is not solved again.")
    ],
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Solve on a Dask cluster, such as tcp://host:8786.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of this machine; by default one a core.")
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Throw away what the folder holds of a sweep.")] = False,
    json: given.Json = False,
) -> None:
    """Answer every question for every model, topology and combination of conditions; a row of Parquet for each.

    Stop it whenever you like: the same call goes on where it ended.
    """
    from tiercut.analysis import sweep as solve

    with at_work("preparing the sweep"):
        found = solve(file, output, scheduler=scheduler, workers=workers, redo=redo)
    if json:
        typer.echo(found.to_json())
        return
    from tiercut.report import sweep_tables

    out: Any = console()
    for part in sweep_tables(found):
        out.print(part)
