"""``tiercut solve``, ``rank`` and ``frontier``: one question, three kinds of answer."""

# Annotations are read when the commands are made, and some name the local `kind`: they must not be text.

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli import asking
from tiercut.cli.console import console, note, progress
from tiercut.errors import InfeasibleError, QuestionError

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer.query import Kind

__all__ = ["command"]

_SOLVER = "Solver"
_SAMPLES = "Recorded samples"


def command(kind: "Kind") -> Callable[..., None]:
    """Return the command for one kind of answer; all three take the same question."""

    def ask(
        topology: given.TopologyFile,
        profile: given.ProfileFile,
        query: asking.File = None,
        objective: asking.Objective = None,
        over: Annotated[
            str | None,
            typer.Option(
                metavar="MEASURES",
                help="Two or three, in place of the objective and accuracy: latency,accuracy,energy.",
                hidden=kind != "frontier",
                rich_help_panel=asking.QUESTION,
            ),
        ] = None,
        min_accuracy: asking.MinAccuracy = None,
        max_latency: asking.MaxLatency = None,
        max_p99: asking.MaxP99 = None,
        exits: asking.Exits = None,
        thresholds: asking.Thresholds = None,
        codec: asking.Codec = None,
        bound: asking.Bounds = None,
        rate: asking.Rate = None,
        top: Annotated[
            int | None,
            typer.Option(help="How many plans; default: 5.", hidden=kind != "rank", rich_help_panel=asking.QUESTION),
        ] = None,
        order: asking.Order = None,
        estimator: asking.Estimator = None,
        include: asking.Included = None,
        exclude: asking.Excluded = None,
        use_all_tiers: asking.UseAllTiers = None,
        only: asking.Only = None,
        partitions: asking.Partitions = None,
        pin: asking.Pins = None,
        keep_first: asking.KeepFirst = None,
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
        solver: Annotated[
            str, typer.Option(metavar="auto|NAME", help="Who answers.", rich_help_panel=_SOLVER)
        ] = "auto",
        seed: Annotated[int, typer.Option(help="For what draws random numbers.", rich_help_panel=_SOLVER)] = 0,
        workers: Annotated[
            int | None, typer.Option(min=1, help="Threads.", show_default="all", rich_help_panel=_SOLVER)
        ] = None,
        time_limit: Annotated[
            str | None, typer.Option(metavar="TIME", help="Stop then with the best so far.", rich_help_panel=_SOLVER)
        ] = None,
        evaluate: Annotated[
            str,
            typer.Option(
                metavar="model|replay",
                help="replay: candidates of the model are chosen by what recorded samples make of them.",
                rich_help_panel=_SAMPLES,
            ),
        ] = "model",
        split: Annotated[
            str, typer.Option(metavar="profile|test", help="Which samples.", rich_help_panel=_SAMPLES)
        ] = "profile",
        plot: given.Plot = None,
        json: given.Json = False,
    ) -> None:
        from tiercut.api import ask as answer_to
        from tiercut.solvers.interface import Options

        if top is not None and kind != "rank":
            raise QuestionError(f"--top is how many plans tiercut rank lists; tiercut {kind} has no use for it")
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
        asked = asking.question(
            kind,
            file,
            {
                "objective": objective,
                "over": over,
                "min_accuracy": min_accuracy,
                "max_latency": max_latency,
                "max_p99": max_p99,
                "exits": exits,
                "thresholds": thresholds,
                "codec": codec,
                "bounds": bound,
                "rate": rate,
                "top": top,
                "order": order,
                "estimator": estimator,
                "include": include,
                "exclude": exclude,
                "use_all_tiers": use_all_tiers,
                "only": only,
                "partitions": partitions,
                "pin": pin,
                "keep_first": keep_first,
            },
        )
        limit = given.quantity("--time-limit", time_limit, "time")
        with progress("scoring") as report:
            options = Options(seed=seed, workers=workers, time_limit_s=limit, progress=report)
            how = {"evaluate": evaluate, "split": split}
            answer = answer_to(*loaded, asked, solver=solver, options=options, **how)  # type: ignore[arg-type]
        _present(answer, json=json)
        if plot is not None:
            from tiercut.analysis.frontier_behind import frontier_behind
            from tiercut.report.pictures import answer_picture
            from tiercut.report.save import save

            behind = None
            if answer.lived is None:
                behind = frontier_behind(*loaded, answer, solver=solver, options=options)
            save(answer_picture(answer, frontier=behind, seed=seed), plot)
            note(f"drew {plot}")

    return ask


def _present(answer: "Answer", *, json: bool) -> None:
    if json:
        typer.echo(answer.to_json())
    if not answer.plans:
        raise InfeasibleError(answer.message)
    if not json:
        _print(answer)


def _print(answer: "Answer") -> None:
    from tiercut.report.tables import covered_line, headline, idle_line, plans_table, stages_table

    out: Any = console()
    out.print(headline(answer))
    out.print(plans_table(answer))
    if answer.lived is not None:
        note(answer.lived.guarantee)
        return
    for line in (idle_line(answer), covered_line(answer)):
        if line is not None:
            out.print(line)
    if answer.query.kind == "solve":
        out.print(stages_table(answer.best))
    if answer.outcome.status == "feasible":
        note(f"warning: {answer.outcome.reason}; this is the best found so far, and nothing proves it the best of all")
