"""``tiercut sensitivity``: how the best plan follows conditions."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console, note

__all__ = ["sensitivity"]


def sensitivity(
    *,
    measured: Annotated[
        Path, typer.Option(metavar="FILE", help="A CSV file of measured latencies: a row for each cut and combination.")
    ],
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Say how the best cut follows conditions: which cuts are among the best, what staying costs, what matters most.

    The file has the columns cut_layer and latency_s; every other column but edge_s and cloud_s is a condition.
    """
    from tiercut.analysis import measured_sensitivity

    found = measured_sensitivity(measured)
    if json:
        typer.echo(found.to_json())
    else:
        from tiercut.report import sensitivity_tables

        out: Any = console()
        for part in sensitivity_tables(found):
            out.print(part)
    if plot is not None:
        from tiercut.report import save, sensitivity_picture

        save(sensitivity_picture(found), plot)
        note(f"drew {plot}")
