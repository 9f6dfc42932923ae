"""The commands that answer a question: they take the same options, and differ in what they ask and what they show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.analysis import SolverOptions
from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.joint import answer_sources, has_sources
from tiercut.cli.questions import QueryName, conditions_of, inputs, query_of, read_query
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions
from tiercut.option_fields import flags_of, option, options_of

if TYPE_CHECKING:
    from tiercut.analysis import Answer, ModelsAnswer
    from tiercut.optimizer import Kind, Query
    from tiercut.profiling import Profile
    from tiercut.report import Picture, Zoom
    from tiercut.solvers import Options
    from tiercut.topologies import Topology

__all__ = ["INTERRUPTED", "Output", "question_command"]

INTERRUPTED = 130
"""Exit status where the user interrupted."""

_BELONGS = {
    "top": ("rank", "is how many plans tiercut rank lists"),
    "all_decisions": ("rank", "is about what tiercut rank lists"),
    "points": ("frontier", "is how many plans tiercut frontier lists"),
    "within": ("frontier", "is about what tiercut frontier lists"),
}
"""Options that one kind of question alone has a use for; the others take them in order to say so."""


def _if_installed(flag: str, where: str | None) -> str | None:
    """Return where an answer is to be kept; refuse it before anything is solved where the package is not installed."""
    if where is not None:
        from tiercut.report import check_mlflow, check_optuna

        {"--optuna": check_optuna, "--mlflow": check_mlflow}[flag](flag)
    return where


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where an answer goes.

    Parameters
    ----------
    plot, csv
        Files for its picture and for its plans.
    json
        Whether it is printed as JSON.
    optuna, study
        Storage and name of a study of Optuna (see `tiercut.to_optuna`).
    mlflow
        Where a run of MLflow is logged (see `tiercut.to_mlflow`).
    zoom
        Which part of the picture is drawn (see `tiercut.report.plots.zoom.zoom_of`).
    points, within
        Which plans of a frontier are kept (see `tiercut.Answer.thinned`).
    """

    plot: Path | None = option(
        type=Path,
        metavar="FILE",
        help="Draw it: png, svg, pdf or html by the ending.",
        read=lambda _, path: given.drawable(path),
    )
    csv: Path | None = option(
        type=Path,
        metavar="FILE",
        help="Write the plans as a table, a column for each measure: CSV, or Parquet by the ending.",
    )
    optuna: str | None = option(
        metavar="STORAGE",
        help="Write the plans as a study of Optuna: sqlite:///plans.db, or a file.",
        read=_if_installed,
    )
    study: str | None = option(metavar="NAME", help="What that study is called; by default after the question.")
    mlflow: str | None = option(
        metavar="URI",
        help="Log the answer as a run of MLflow: a server, sqlite:///mlflow.db, or a folder.",
        read=_if_installed,
    )
    json: bool = option(False, type=bool, help="Print one JSON object and nothing else.")
    zoom: Sequence[str] | None = option(
        metavar="MEASURE=A..B", help="A part of the picture: 'latency=30 ms..50 ms', 'accuracy=92 %..'.", many=True
    )
    points: int | None = option(
        type=int, metavar="N", least=2, help="As many plans of a frontier at most, those that stand best for all."
    )
    within: str | None = option(
        metavar="SHARE", help="Of a frontier, plans that leave others out by so much at most: '1 %'."
    )


def question_command(kind: "Kind", about: str, *, hide: tuple[str, ...]) -> Callable[..., None]:
    """Return a command that asks a kind of question.

    Parameters
    ----------
    kind
        What is asked.
    about
        What help says of the command.
    hide
        Options of a question that help does not show, as they are of no use for this kind.
    """

    def command(
        topology: given.TopologyFile,
        profile: given.ProfileFiles = None,
        *,
        query: QueryName = None,
        question: Annotated[QuestionOptions, Shown(hide=hide)],
        conditions: Conditions,
        who: SolverOptions,
        output: Annotated[Output, Shown(hide=() if kind == "frontier" else ("points", "within"))],
    ) -> None:
        _check_use(kind, question, output)
        zoom = _zoom(output)
        _check_study(output)
        from tiercut.topologies import load_topology

        file, described = read_query(query), load_topology(topology)
        if kind == "solve" and has_sources(described, conditions, file):
            answer_sources(described, profile or [], question, conditions, who, output, file)
            return
        if not profile:
            raise QuestionError(f"name a profile: tiercut {kind} {topology} PROFILE")
        loaded = [inputs(described, each, conditions, file) for each in profile]
        asked, named = query_of(kind, question, file), conditions_of(conditions, file)
        from tiercut.analysis import ask_of_each
        from tiercut.api import ask

        how: dict[str, Any] = {"solver": who.solver, "evaluate": who.evaluate, "split": who.split}
        changed = {id(each): topology for topology, each in loaded}

        def ask_of(profile: "Profile", query: "Query", options: "Options", certify: float | None) -> "Answer":
            found = ask(changed[id(profile)], profile, query, options=options, certify=certify, **how)
            return replace(found, conditions=named)

        options, certify = who.options(named=flags_of(SolverOptions)), who.confidence("--certify")
        found: Answer | ModelsAnswer
        with at_work("answering"):
            if len(loaded) > 1:
                found = ask_of_each([each for _, each in loaded], asked, options, certify, ask_of)
            else:
                found = ask_of(loaded[0][1], asked, options, certify)
        found = found.thinned(output.points, output.within)
        _print(found, json=output.json)
        if output.csv is not None:
            given.write_table(found.to_frame(), output.csv)
        drawn = None
        if output.plot is not None or output.mlflow is not None:
            drawn = _picture(found, loaded[0], who, options, zoom)
        if output.plot is not None and drawn is not None:
            from tiercut.report import save

            save(drawn, output.plot)
            note(f"drew {output.plot}")
        _track(found, drawn, output)

    command.__name__, command.__doc__ = kind, about
    return grouped(command)


def _track(found: "Answer | ModelsAnswer", drawn: "Picture | None", output: Output) -> None:
    """Write an answer where experiments are kept."""
    if output.optuna is not None:
        from tiercut.report import to_optuna

        with at_work("writing the study"):
            name = to_optuna(found, output.optuna, study=output.study)
        note(f"wrote the study '{name}' to {output.optuna}")
    if output.mlflow is not None:
        from tiercut.report import to_mlflow

        with at_work("logging the run"):
            run = to_mlflow(found, output.mlflow, picture=drawn)
        note(f"logged the run {run} to {output.mlflow}")


def _picture(
    found: "Answer | ModelsAnswer",
    loaded: "tuple[Topology, Profile]",
    who: SolverOptions,
    options: "Options",
    zoom: "Zoom | None",
) -> "Picture":
    from tiercut.analysis import ModelsAnswer, frontier_behind
    from tiercut.report import answer_picture, models_picture

    if isinstance(found, ModelsAnswer):
        return models_picture(found, zoom=zoom)
    behind = None
    if found.replayed is None:
        behind = frontier_behind(*loaded, found, solver=who.solver, options=options)
    return answer_picture(found, frontier=behind, seed=who.seed, zoom=zoom)


def _check_use(kind: "Kind", question: QuestionOptions, output: Output) -> None:
    """Refuse options that this kind of question has no use for."""
    flags = options_of(QuestionOptions) | options_of(Output)
    for name, (only, says) in _BELONGS.items():
        value = getattr(question if hasattr(question, name) else output, name)
        if kind != only and value is not None:
            raise QuestionError(f"{flags[name].flag} {says}; tiercut {kind} has no use for it")


def _check_study(output: Output) -> None:
    if output.study is not None and output.optuna is None:
        raise QuestionError("--study names the study that --optuna writes")


def _zoom(output: Output) -> "Zoom | None":
    if output.zoom is None:
        return None
    if output.plot is None:
        raise QuestionError("--zoom is about the picture that --plot draws")
    from tiercut.report import zoom_of

    return zoom_of("--zoom", output.zoom)


def _print(answer: "Answer | ModelsAnswer", *, json: bool) -> None:
    if json:
        typer.echo(answer.to_json())
    interrupted = answer.status == "interrupted"
    if not answer.plans and not interrupted:
        raise answer.error
    if answer.plans and not json:
        _print_tables(answer)
    if interrupted:
        note("interrupted: this is the best found so far" if answer.plans else "interrupted: no plan was found yet")
        raise typer.Exit(INTERRUPTED)


def _print_tables(answer: "Answer | ModelsAnswer") -> None:
    from tiercut.analysis import ModelsAnswer
    from tiercut.report import answer_parts, models_parts, models_remarks, remarks

    out: Any = console()
    for part in models_parts(answer) if isinstance(answer, ModelsAnswer) else answer_parts(answer):
        out.print(part)
    for said in models_remarks(answer) if isinstance(answer, ModelsAnswer) else remarks(answer):
        note(said)
