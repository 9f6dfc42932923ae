"""``tiercut schema``: what a file may hold."""

import json as writer
from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["schema"]


class Format(StrEnum):
    """What has a schema."""

    topology = "topology"
    profile = "profile"
    query = "query"
    grid = "grid"
    sweep = "sweep"
    disturbances = "disturbances"


def schema(
    name: Annotated[Format, typer.Argument(metavar="FORMAT", help=f"Of which file: {', '.join(Format)}.")],
) -> None:
    """Print the JSON Schema of a file format, for editors."""
    from tiercut.analysis import GridFile, SweepFile
    from tiercut.documents import Document
    from tiercut.offloader import DisturbanceFile
    from tiercut.optimizer import QueryFile
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

    models: dict[Format, type[Document]] = {
        Format.topology: Topology,
        Format.profile: Profile,
        Format.query: QueryFile,
        Format.grid: GridFile,
        Format.sweep: SweepFile,
        Format.disturbances: DisturbanceFile,
    }
    typer.echo(writer.dumps(models[name].model_json_schema(), indent=2))
