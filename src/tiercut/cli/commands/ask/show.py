"""``tiercut show``: what a topology or a profile holds."""

from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console, note

__all__ = ["show"]


def show(
    file: Annotated[
        str, typer.Argument(metavar="TOPOLOGY|PROFILE", help="A file, or the name of one that is built in.")
    ],
    payload: Annotated[str, typer.Option(metavar="SIZE", help="What is sent, for a topology's times.")] = "150 KB",
    every: Annotated[
        bool, typer.Option("--all", help="All nodes of a topology, however many: else those next to the source.")
    ] = False,
    plot: given.Plot = None,
) -> None:
    """Print and plot a topology or a profile."""
    if _is_profile(file):
        _show_profile(file, plot)
    else:
        _show_topology(file, payload, plot, every=every)


def _is_profile(file: str) -> bool:
    """Tell a profile from a topology: by the format that a JSON file names, else by its ending or its name."""
    from tiercut.documents import parse_json, read_text
    from tiercut.profiling import SIZE_LIMIT, recorded

    if not file.endswith(".json"):
        return not Path(file).exists() and file in recorded()
    if not Path(file).exists():
        return True
    data = parse_json(read_text(file, limit=SIZE_LIMIT), file)
    return not (isinstance(data, dict) and str(data.get("format", "")).startswith("tiercut.topology/"))


def _show_topology(file: str, payload: str, plot: Path | None, *, every: bool) -> None:
    from tiercut.report import text
    from tiercut.topologies import load_topology

    topology = load_topology(file)
    size = given.quantity("--payload", payload, "size") or 0.0
    console().print(text(topology, size, every=every))
    if plot is not None:
        from tiercut.report import save, topology_picture

        save(topology_picture(topology), plot)
        note(f"drew {plot}")


def _show_profile(file: str, plot: Path | None) -> None:
    from tiercut.profiling import load_profile
    from tiercut.report import profile_tables

    profile = load_profile(file)
    for table in profile_tables(profile):
        console().print(table)
    if plot is not None:
        from tiercut.report import profile_picture, save

        save(profile_picture(profile), plot)
        note(f"drew {plot}")
