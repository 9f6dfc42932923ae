"""``tiercut compare``: files of one kind side by side."""

import json as writer
from typing import Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console
from tiercut.errors import QuestionError

__all__ = ["compare"]


def compare(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Of one kind: as commands print them with --json, profiles, or topologies."
        ),
    ],
    rank: Annotated[int, typer.Option(min=1, help="Which plan of answers.")] = 1,
    every: Annotated[bool, typer.Option("--all", help="Also figures in which they agree.")] = False,
    json: given.Json = False,
) -> None:
    """Put answers, profiles, topologies, runs, replays, streams or sensitivities side by side.

    Files are held against the first. What is built in may be named: mobile, resnet20-digits32.
    """
    from tiercut.report import comparison_data, comparison_rows, read_compared, table_from

    if len(files) == 1 and not (every or json):
        raise QuestionError("one file differs from none: name another beside it, or list its figures by --all")
    found = [read_compared(each, rank) for each in files]
    if json:
        typer.echo(writer.dumps(comparison_data(found), indent=1, allow_nan=False, ensure_ascii=False))
        return
    out: Any = console()
    for rows in comparison_rows(found, every=every):
        out.print(table_from(rows))
