"""``tiercut explain``: the latency of a plan as a sum, and why it is the best."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.own_plan import OwnPlan
from tiercut.cli.questions import QueryName, conditions_of, inputs, query_of, read_query
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions

if TYPE_CHECKING:
    from tiercut.analysis import Explanation, Need, Why
    from tiercut.optimizer import Plan, Query
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["explain"]

_WHY = "Why this one"
_ALSO_ASKED = {
    "thresholds": "One for every exit but the last, in place of --threshold. For a question: one or per-exit.",
    "exits": "Blocks where samples may leave; default: every cut. For a question: cuts, final or free.",
}
"""Two flags serve a plan and a question: without a plan they say what the question's do."""


@grouped
def explain(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    *,
    own: Annotated[OwnPlan, Shown(help=_ALSO_ASKED)],
    query: QueryName = None,
    question: Annotated[QuestionOptions, Shown(leave_out=("over", "top", "all_decisions", "exits", "thresholds"))],
    why: Annotated[
        bool,
        typer.Option(
            "--why",
            help="Say what comes next, which bounds bind, and where another plan becomes the best.",
            rich_help_panel=_WHY,
        ),
    ] = False,
    factor: Annotated[
        float,
        typer.Option(help="How far to look: from 1/factor to factor of the present values.", rich_help_panel=_WHY),
    ] = 10.0,
    all_changes: Annotated[
        bool, typer.Option("--all-changes", help="List every change, not the nearest ones.", rich_help_panel=_WHY)
    ] = False,
    needed: Annotated[
        bool,
        typer.Option(
            "--needed",
            help="Say how slow each machine and link may be before no plan holds the bound on the latency.",
            rich_help_panel=_WHY,
        ),
    ] = False,
    conditions: Conditions,
    plot: given.Plot = None,
    csv: given.Csv = None,
    json: given.Json = False,
) -> None:
    """Show a plan's latency as the sum that it is.

    Give an answer file, or a plan of your own by --partition and --placement; with neither, the best plan of the
    question is explained, and --why says why it is the best.
    """
    from tiercut.analysis import explained
    from tiercut.api import problem

    if own.is_named and (why or needed or query is not None or replace(question, estimator=None) != QuestionOptions()):
        raise QuestionError(
            "a question, --why and --needed are about the best plan: leave out the answer file and --partition"
        )
    own.check()
    file = read_query(query)
    loaded = inputs(topology, profile, conditions, file)
    reasons, needs = None, None
    if own.is_named:
        by = question.estimator or own.estimator
        priced = own.priced(*loaded, by)
    else:
        asked = query_of("solve", replace(question, **_of_question(own)), file)
        priced, reasons = _best(loaded, asked, factor if why else None)
        if reasons is not None and reasons.answer is not None:
            reasons = replace(reasons, answer=replace(reasons.answer, conditions=conditions_of(conditions, file)))
        needs = _needs(loaded, asked) if needed else None
        by = "marginal" if asked.exits == "final" else asked.estimator
    explanation = explained(problem(*loaded, estimator=by), priced.decision)
    _present(explanation, reasons, needs, json=json, every=all_changes)
    if csv is not None:
        given.write_table(explanation.to_frame() if reasons is None else reasons.to_frame(), csv)
    if plot is not None:
        from tiercut.report import explanation_picture, save, why_picture

        save(explanation_picture(explanation) if reasons is None else why_picture(reasons), plot)
        note(f"drew {plot}")


def _of_question(own: OwnPlan) -> dict[str, Any]:
    """Return what --exits and --thresholds ask where no plan is given; numbers belong to a plan."""
    for value, known in ((own.exits, ("cuts", "final", "free")), (own.thresholds, ("one", "per-exit"))):
        if value is not None and value not in known:
            raise QuestionError(
                "--threshold, --thresholds, --exits and --codecs tell of a plan given by --partition; in a question "
                "--exits is cuts, final or free, and --thresholds one or per-exit"
            )
    return {"exits": own.exits, "thresholds": own.thresholds}


def _best(loaded: "tuple[Topology, Profile]", asked: "Query", factor: float | None) -> "tuple[Plan, Why | None]":
    """Return the best plan of a question, and why it is that where a factor says how far to look."""
    from tiercut.analysis import why
    from tiercut.api import ask

    with at_work("answering"):
        if factor is None:
            return ask(*loaded, asked).best, None
        reasons = why(*loaded, asked, factor=factor)
    return reasons.plan, reasons


def _needs(loaded: "tuple[Topology, Profile]", asked: "Query") -> "tuple[Need, ...]":
    """Return how much worse things may become before no plan meets a question."""
    from tiercut.analysis import needed

    with at_work("looking for limits"):
        return needed(*loaded, asked)


def _present(
    explanation: "Explanation",
    reasons: "Why | None",
    needs: "tuple[Need, ...] | None",
    *,
    json: bool,
    every: bool,
) -> None:
    if json:
        import json as writer

        data = explanation.to_data()
        if reasons is not None:
            data = {**reasons.to_data(), "explanation": data}
        if needs is not None:
            data["needed"] = [each.to_data() for each in needs]
        typer.echo(writer.dumps(data, indent=1, allow_nan=False, ensure_ascii=False))
        return
    from tiercut.report import waterfall_table

    out: Any = console()
    out.print(waterfall_table(explanation))
    if reasons is not None:
        from tiercut.report import why_tables

        for part in why_tables(reasons, every=every):
            out.print(part)
    if needs is not None:
        from tiercut.report import need_tables

        for part in need_tables(needs):
            out.print(part)
