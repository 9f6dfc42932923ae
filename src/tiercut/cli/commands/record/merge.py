"""``tiercut merge``: the devices of several profiles of one model, in one."""

from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli.console import note

__all__ = ["merge"]


def merge(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE", help="JSON files, or recorded ones.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The profile to write.")],
) -> None:
    """Put the devices of several profiles of one model into one; nothing that was measured is overwritten."""
    from tiercut.profiling import merge_files

    merged = merge_files(profiles, output)
    note(f"{merged.name} on {', '.join(merged.devices)}: {output}")
