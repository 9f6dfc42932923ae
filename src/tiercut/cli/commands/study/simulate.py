"""``tiercut simulate``: a stream of frames through a plan."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.analysis import StreamQuestion
from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.own_plan import OwnPlan
from tiercut.cli.questions import inputs
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions
from tiercut.option_fields import flags_of

if TYPE_CHECKING:
    from tiercut.analysis import SavedAnswer
    from tiercut.optimizer import EstimatorChoice, Plan
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["simulate"]


@grouped
def simulate(
    topology: given.TopologyFile,
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="Not for an answer for several sources: it names them.")
    ] = None,
    *,
    plan: Annotated[
        list[Path] | None,
        typer.Option("--plan", metavar="FILE", help="An answer, as solve --json prints it; one for each source."),
    ] = None,
    own: Annotated[OwnPlan, Shown(leave_out=("plan",))],
    stream: StreamQuestion,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a row for every frame.")] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write services as a trace that ui.perfetto.dev opens.")
    ] = None,
    time_line: Annotated[
        int, typer.Option(min=1, help="Of how many frames of each source --plot and --trace show the services.")
    ] = 20,
    conditions: Conditions,
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Send a stream of frames through a plan: what waits, what is dropped, and how long frames take.

    Give answer files by --plan, or a plan of your own by --partition and --placement. With several plans their sources
    share the machines.
    """
    from tiercut.analysis import simulate_plans

    site: Topology
    networks: Profile | list[Profile]
    if (joint := _joint(plan or [])) is not None:
        (site, networks), plans, estimators, stream = _of_sources(joint, topology, profile, conditions, stream)
    elif profile is None:
        raise QuestionError("name a profile: tiercut simulate TOPOLOGY PROFILE --plan FILE")
    else:
        one = inputs(topology, profile, conditions)
        plans, estimators = _plans(one, plan or [], own)
        site, networks = one
    kept = 0 if trace is None and plot is None else time_line
    named = flags_of(StreamQuestion)
    with at_work("sending frames"):
        found = simulate_plans(site, networks, plans, stream, estimators=estimators, named=named, time_line=kept)
    if json:
        typer.echo(found.to_json())
    else:
        from tiercut.report import stream_tables

        out: Any = console()
        for part in stream_tables(found):
            out.print(part)
    if parquet is not None:
        found.to_parquet(parquet)
        note(f"wrote {parquet}")
    if trace is not None:
        found.to_trace(trace)
        note(f"wrote {trace}")
    if plot is not None:
        from tiercut.report import save, stream_picture

        save(stream_picture(found), plot)
        note(f"drew {plot}")


def _joint(files: list[Path]) -> "SavedAnswer | None":
    """Return the answer for several sources that a call names, if it is one."""
    from tiercut.analysis import load_answer

    found = [answer for answer in map(load_answer, files) if answer.streams]
    if found and len(files) > 1:
        raise QuestionError("an answer for several sources has all their plans; give it alone")
    return found[0] if found else None


def _of_sources(
    answer: "SavedAnswer", topology: str, profile: str | None, conditions: Conditions, stream: StreamQuestion
) -> "tuple[tuple[Topology, list[Profile]], list[Plan], list[EstimatorChoice], StreamQuestion]":
    """Return what an answer for several sources says of each: its profile, plan, rate and where it is born."""
    from tiercut.topologies import load_topology

    if profile is not None or stream.sources is not None or stream.rate is not None:
        raise QuestionError("the answer names profiles, sources and rates; leave PROFILE, --sources and --rate out")
    named = flags_of(Conditions)
    profiles = [conditions.changed_profile(answer.inputs(topology, None, rank)[1], named) for rank in answer.ranks]
    rates = [answer.streams[rank][1] for rank in answer.ranks]
    sources = [answer.streams[rank][0] for rank in answer.ranks]
    return (
        (conditions.changed_topology(load_topology(topology), named), profiles),
        list(answer.plans),
        [answer.estimator_of(rank) for rank in answer.ranks],
        replace(stream, rate=rates, sources=sources),
    )


def _plans(
    loaded: "tuple[Topology, Profile]", files: list[Path], own: OwnPlan
) -> "tuple[list[Plan], list[EstimatorChoice]]":
    """Return the plans that a call names, and how the exit rates of each are known."""
    from tiercut.analysis import load_answer

    own.check()
    if own.partition is not None and files:
        raise QuestionError("give answer files by --plan or --partition with --placement, not both")
    if own.partition is not None:
        return [own.priced(*loaded)], ["auto"]
    if not files:
        raise QuestionError("name a plan to simulate: an answer file by --plan, or --partition with --placement")
    answers = [load_answer(each) for each in files]
    for each in answers:
        each.warn_of_another_network(loaded[1].name)
    return [each.plan(own.rank) for each in answers], [each.estimator_of(own.rank) for each in answers]
