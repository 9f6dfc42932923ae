"""``tiercut explain``: the latency of a plan as a sum, and why it is the best."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli import asking, own_plan
from tiercut.cli.console import console, note, progress
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.analysis.explain import Explanation
    from tiercut.analysis.why.result import Why
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.query import Query
    from tiercut.profiling.profile.schema import Profile
    from tiercut.topologies.schema import Topology

__all__ = ["explain"]

_WHY = "Why this one"


def explain(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    plan: own_plan.File = None,
    rank: own_plan.Rank = 1,
    partition: own_plan.Partition = None,
    placement: own_plan.Placement = None,
    threshold: own_plan.Threshold = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            metavar="0.3,0.5",
            help="One for every exit but the last, in place of --threshold. For a question: one or per-exit.",
        ),
    ] = None,
    exits: Annotated[
        str | None,
        typer.Option(
            metavar="3,10",
            help="Blocks where samples may leave; default: every cut. For a question: cuts, final or free.",
        ),
    ] = None,
    codecs: own_plan.Codecs = None,
    query: asking.File = None,
    objective: asking.Objective = None,
    min_accuracy: asking.MinAccuracy = None,
    max_latency: asking.MaxLatency = None,
    max_p99: asking.MaxP99 = None,
    codec: asking.Codec = None,
    bound: asking.Bounds = None,
    rate: asking.Rate = None,
    order: asking.Order = None,
    estimator: asking.Estimator = None,
    include: asking.Included = None,
    exclude: asking.Excluded = None,
    use_all_tiers: asking.UseAllTiers = None,
    only: asking.Only = None,
    partitions: asking.Partitions = None,
    pin: asking.Pins = None,
    keep_first: asking.KeepFirst = None,
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
    source: given.Source = None,
    destination: given.Destination = None,
    bandwidth: given.Bandwidths = None,
    latency: given.Latencies = None,
    slowdown: given.Slowdowns = None,
    without: given.Excluded = None,
    forwarding: given.Forwarding = None,
    one_per: given.OnePer = None,
    accuracies: given.Accuracies = None,
    input_bytes: given.InputBytes = None,
    result_bytes: given.ResultBytes = None,
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Show a plan's latency as the sum that it is.

    Give an answer file, or a plan of your own by --partition and --placement; with neither, the best plan of the
    question is explained, and --why says why it is the best.
    """
    from tiercut.analysis.explain import explained
    from tiercut.api import problem

    mine = plan is not None or partition is not None
    flags = {
        "objective": objective,
        "min_accuracy": min_accuracy,
        "max_latency": max_latency,
        "max_p99": max_p99,
        "codec": codec,
        "bounds": bound,
        "rate": rate,
        "order": order,
        "estimator": estimator,
        "include": include,
        "exclude": exclude,
        "use_all_tiers": use_all_tiers,
        "only": only,
        "partitions": partitions,
        "pin": pin,
        "keep_first": keep_first,
    }
    if mine and (why or query is not None or any(each is not None for each in flags.values())):
        raise QuestionError("a question, and --why, are about the best plan: leave out the answer file and --partition")
    own = own_plan.Own(plan, rank, partition, placement, threshold, thresholds, exits, codecs)
    own.check(alone=mine)
    file = asking.read_file(query)
    loaded = given.inputs(
        topology,
        profile,
        below=None if file is None else file.under,
        source=source,
        destination=destination,
        bandwidth=bandwidth,
        latency=latency,
        slowdown=slowdown,
        without=without,
        forwarding=forwarding,
        one_per=one_per,
        accuracies=accuracies,
        input_bytes=input_bytes,
        result_bytes=result_bytes,
    )
    reasons = None
    if mine:
        by = own.estimator
        priced = own.priced(*loaded, by)
    else:
        asked = asking.question("solve", file, flags | _of_question(exits, thresholds))
        priced, reasons = _best(loaded, asked, factor if why else None)
        by = asked.estimator
    explanation = explained(problem(*loaded, estimator=by), priced.decision)
    _present(explanation, reasons, json=json, every=all_changes)
    if plot is not None:
        from tiercut.report.pictures import explanation_picture, why_picture
        from tiercut.report.save import save

        save(explanation_picture(explanation) if reasons is None else why_picture(reasons), plot)
        note(f"drew {plot}")


def _of_question(exits: str | None, thresholds: str | None) -> dict[str, str | None]:
    """Return what --exits and --thresholds ask where no plan is given; numbers belong to a plan."""
    for value, known in ((exits, ("cuts", "final", "free")), (thresholds, ("one", "per-exit"))):
        if value is not None and value not in known:
            raise QuestionError(
                "--threshold, --thresholds, --exits and --codecs tell of a plan given by --partition; in a question "
                "--exits is cuts, final or free, and --thresholds one or per-exit"
            )
    return {"exits": exits, "thresholds": thresholds}


def _best(loaded: "tuple[Topology, Profile]", asked: "Query", factor: float | None) -> "tuple[Plan, Why | None]":
    """Return the best plan of a question, and why it is that where a factor says how far to look."""
    from tiercut.analysis.why.study import why
    from tiercut.api import ask
    from tiercut.solvers.interface import Options

    if factor is None:
        return ask(*loaded, asked).best, None
    with progress("looking for changes") as report:
        reasons = why(*loaded, asked, factor=factor, options=Options(progress=report))
    return reasons.plan, reasons


def _present(explanation: "Explanation", reasons: "Why | None", *, json: bool, every: bool) -> None:
    if json:
        import json as writer

        data = explanation.to_data()
        if reasons is not None:
            data = {**reasons.to_data(), "explanation": data}
        typer.echo(writer.dumps(data, indent=1, allow_nan=False, ensure_ascii=False))
        return
    from tiercut.report.tables import waterfall_table

    out: Any = console()
    out.print(waterfall_table(explanation))
    if reasons is not None:
        from tiercut.report.why import why_tables

        for part in why_tables(reasons, every=every):
            out.print(part)
