"""``tiercut solve`` of a topology with several sources: a plan for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.cli.questions import conditions_of
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions
from tiercut.option_fields import flags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.analysis import JointAnswer, SolverOptions
    from tiercut.cli.question_command import Output
    from tiercut.optimizer import QueryFile
    from tiercut.topologies import Topology

__all__ = ["answer_sources", "has_sources"]

_INTERRUPTED = 130


def has_sources(topology: Topology, conditions: Conditions, file: QueryFile | None) -> bool:
    """Return whether a topology has several sources, none of which the call names."""
    return conditions_of(conditions, file).source is None and topology.sources is not None


def answer_sources(
    topology: Topology,
    profiles: Sequence[str],
    question: QuestionOptions,
    conditions: Conditions,
    who: SolverOptions,
    output: Output,
    file: QueryFile | None,
) -> None:
    """Find a plan for each source of a topology, and print them."""
    if len(profiles) > 1:
        raise QuestionError("of a topology with several sources name one profile, for those that name none themselves")
    for name in ("plot", "optuna", "mlflow"):
        if getattr(output, name) is not None:
            raise QuestionError(f"--{name} is about the answer for one source; name it by --source")
    from tiercut.analysis import ask_of_sources
    from tiercut.optimizer import make_query, merged

    asked = question if file is None else merged(file.question, question)
    query = make_query("solve", asked, flags_of(QuestionOptions), several=True)
    with at_work("answering"):
        found = ask_of_sources(
            topology,
            profiles[0] if profiles else None,
            query,
            conditions_of(conditions, file),
            who,
            who.options(named=flags_of(type(who))),
            flags_of(Conditions),
        )
    _print(found, json=output.json)
    if output.csv is not None:
        given.write_table(found.to_frame(), output.csv)


def _print(found: JointAnswer, *, json: bool) -> None:
    if json:
        typer.echo(found.to_json())
    interrupted = found.status == "interrupted"
    if not found.plans and not interrupted:
        raise found.error
    if found.plans and not json:
        from tiercut.report import joint_parts, joint_remarks

        out: Any = console()
        for part in joint_parts(found):
            out.print(part)
        for said in joint_remarks(found):
            note(said)
    if interrupted:
        note("interrupted: this is the best found so far" if found.plans else "interrupted: no plan was found yet")
        raise typer.Exit(_INTERRUPTED)
