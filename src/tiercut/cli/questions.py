"""What the commands that ask share: the inputs of a question, and its answer, printed and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.analysis import SolverOptions
from tiercut.cli.console import console, note, progress
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions
from tiercut.option_fields import flags_of

if TYPE_CHECKING:
    from tiercut.analysis import Answer
    from tiercut.optimizer import Kind, Query, QueryFile
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["INTERRUPTED", "QueryName", "answer", "inputs", "query_of", "read_query"]

QueryName = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="FILE",
        help="A question from a file, or a ready-made one such as edge-only.",
        rich_help_panel="Question",
    ),
]

INTERRUPTED = 130
"""Exit status where the user interrupted."""


def read_query(path: str | None) -> QueryFile | None:
    """Return the query that a call names, or None."""
    if path is None:
        return None
    from tiercut.optimizer import load_query

    return load_query(path)


def inputs(
    topology: str, profile: str, conditions: Conditions, below: QueryFile | None = None
) -> tuple[Topology, Profile]:
    """Load a topology and a profile under the conditions that a call names, on top of those of a query file."""
    from tiercut.profiling import load_profile
    from tiercut.topologies import load_topology

    named = conditions if below is None else conditions.on_top_of(below.conditions)
    return named.apply(load_topology(topology), load_profile(profile), flags_of(Conditions))


def query_of(kind: Kind, question: QuestionOptions, below: QueryFile | None = None) -> Query:
    """Return the question that flags ask, on top of those of a query file."""
    from tiercut.optimizer import make_query, merged

    asked = question if below is None else merged(below.question, question)
    return make_query(kind, asked, flags_of(QuestionOptions))


def answer(
    kind: Kind,
    topology: str,
    profile: str,
    *,
    query: str | None,
    question: QuestionOptions,
    conditions: Conditions,
    who: SolverOptions,
    plot: Path | None,
    csv: Path | None,
    json: bool,
) -> None:
    """Answer a question, print what was found, and write and draw it where that is wanted."""
    from tiercut.api import ask

    if question.top is not None and kind != "rank":
        raise QuestionError(f"--top is how many plans tiercut rank lists; tiercut {kind} has no use for it")
    if question.all_decisions is not None and kind != "rank":
        raise QuestionError(f"--all-decisions is about what tiercut rank lists; tiercut {kind} has no use for it")
    file = read_query(query)
    loaded = inputs(topology, profile, conditions, file)
    asked = query_of(kind, question, file)
    with progress("scoring") as report:
        options = who.options(report, flags_of(SolverOptions))
        found = ask(*loaded, asked, solver=who.solver, options=options, evaluate=who.evaluate, split=who.split)
    _present(found, json=json)
    if csv is not None:
        from tiercut.documents import write_text

        write_text(csv, found.to_csv())
        note(f"wrote {csv}")
    if plot is not None:
        from tiercut.analysis import frontier_behind
        from tiercut.report import answer_picture, save

        behind = None
        if found.replayed is None:
            behind = frontier_behind(*loaded, found, solver=who.solver, options=options)
        save(answer_picture(found, frontier=behind, seed=who.seed), plot)
        note(f"drew {plot}")


def _present(answer: Answer, *, json: bool) -> None:
    if json:
        typer.echo(answer.to_json())
    interrupted = answer.outcome.status == "interrupted"
    if not answer.plans and not interrupted:
        raise answer.error
    if answer.plans and not json:
        _print(answer)
    if interrupted:
        note("interrupted: this is the best found so far" if answer.plans else "interrupted: no plan was found yet")
        raise typer.Exit(INTERRUPTED)


def _print(answer: Answer) -> None:
    from tiercut.report import answer_parts, remarks

    out: Any = console()
    for part in answer_parts(answer):
        out.print(part)
    for said in remarks(answer):
        note(said)
