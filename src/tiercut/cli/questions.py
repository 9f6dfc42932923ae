"""What the commands that ask share: the inputs of a question, and the question itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.optimizer import Conditions, QuestionOptions
from tiercut.option_fields import flags_of

if TYPE_CHECKING:
    from tiercut.optimizer import Kind, Query, QueryFile
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["QueryName", "conditions_of", "inputs", "query_of", "read_query"]

QueryName = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="FILE",
        help="A question from a file, or a ready-made one such as edge-only.",
        rich_help_panel="Question",
    ),
]


def read_query(path: str | None) -> QueryFile | None:
    """Return the query that a call names, or None."""
    if path is None:
        return None
    from tiercut.optimizer import load_query

    return load_query(path)


def inputs(
    topology: str | Topology, profile: str, conditions: Conditions, below: QueryFile | None = None
) -> tuple[Topology, Profile]:
    """Load a topology and a profile under the conditions that a call names, on top of those of a query file."""
    from tiercut.profiling import load_profile
    from tiercut.topologies import load_topology

    named = conditions_of(conditions, below)
    nodes = load_topology(topology) if isinstance(topology, str) else topology
    return named.apply(nodes, load_profile(profile), flags_of(Conditions))


def conditions_of(conditions: Conditions, below: QueryFile | None) -> Conditions:
    """Return the conditions that flags name, on top of those of a query file."""
    return conditions if below is None else conditions.on_top_of(below.conditions)


def query_of(kind: Kind, question: QuestionOptions, below: QueryFile | None = None) -> Query:
    """Return the question that flags ask, on top of those of a query file."""
    from tiercut.optimizer import make_query, merged

    asked = question if below is None else merged(below.question, question)
    return make_query(kind, asked, flags_of(QuestionOptions))
