"""``tiercut run``: a plan made true on this machine, and held against its prediction."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.commands.run.adapting import check_adapting, disturbed_by, guide_for
from tiercut.cli.commands.run.agent import PieceRuntime, Transport
from tiercut.cli.commands.run.sources import check_several, one_of, run_answer
from tiercut.cli.console import at_work, console, note
from tiercut.cli.groups import grouped
from tiercut.cli.planned import AnswerFile, NetworkOnnx, OtherProfile, OtherTopology, Rank, network_of, plan_of
from tiercut.errors import QuestionError, TiercutError, unknown_name
from tiercut.memory import keep_freed
from tiercut.option_fields import pairs

if TYPE_CHECKING:
    from tiercut.offloader import Run

__all__ = ["run"]


Shape = StrEnum("Shape", {"user": "user", "kernel": "kernel"})
"""Who shapes links."""


@grouped
def run(
    answer: AnswerFile,
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="What was profiled: an .onnx or .keras file, or a recorded one: digits-onnx. Of several sources one "
            "for all, or one for each.",
        ),
    ],
    *,
    data: Annotated[
        list[str],
        typer.Option(
            metavar="FILE.npz|DATASET",
            help="Images and labels; a recorded one's: digits-onnx; of a trained network its data set. Of several "
            "sources one for all, or one for each.",
        ),
    ],
    local: Annotated[bool, typer.Option("--local", help="Start all agents on this machine.")] = False,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE=HOST:PORT",
            help="The agent of the first node, which knows the next; with --local another server for the last node.",
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="With --agent: where results are taken.", show_default="here"),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    rate: Annotated[
        str | None, typer.Option(metavar="'30 fps'", help="Of frames.", show_default="one at a time")
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="After which a frame has failed.", show_default="10 times the longest way"),
    ] = None,
    retime: Annotated[
        bool, typer.Option("--retime", help="Time the pieces here, in place of the profile's times.")
    ] = False,
    runtime: Annotated[
        PieceRuntime | None, typer.Option(help="What runs the pieces.", show_default="as profiled")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of each agent.")] = 1,
    explain_hop: Annotated[
        bool, typer.Option("--explain-hop", help="Tell where the time of a hop goes, without its link.")
    ] = False,
    transport: Annotated[
        Transport | None,
        typer.Option(help="How frames travel; gRPC where an agent differs.", show_default="auto"),
    ] = None,
    shape: Annotated[
        Shape | None,
        typer.Option(help="With --local: who holds links to their bandwidth; the kernel needs namespaces, tc."),
    ] = None,
    fallback: Annotated[
        bool,
        typer.Option("--fallback", help="Where agents do not answer, take the last exit at the source, in time."),
    ] = False,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="With --local: run another plan as soon as conditions make it better.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --adapt: look plans up in what sensitivity --policy wrote; else ask a solver.",
        ),
    ] = None,
    disturb: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --local: conditions over time, such as a link that slows or a node that dies."
        ),
    ] = None,
    foresee: Annotated[
        bool,
        typer.Option(
            "--foresee",
            help="With --disturb: change plans just when --adapt should, as all is known.",
        ),
    ] = False,
    tls: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --agent: tls.crt, tls.key and ca.crt, as the agents have."),
    ] = None,
    rank: Rank = 1,
    topology: OtherTopology = None,
    profile: OtherProfile = None,
    onnx: NetworkOnnx,
    input_size: given.InputSize = None,
    weights: given.Weights = None,
    trust_model: given.TrustModel = False,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a row for every frame.")] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --local: write a trace that ui.perfetto.dev opens."),
    ] = None,
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Run a plan: an agent for each partition, exits taken for real, over links shaped as the topology says.

    With --local all agents are processes of this machine. Each is slowed by what the whole network takes on its node
    over what it takes here; links wait in user space. With --agent they run already, elsewhere. Latency, accuracy and
    exit rates stand beside the prediction.

    Of an answer for several sources all plans run at once (--local): each source sends frames at its own rate, nodes
    and links serve all of them one after the other.

    Needs the extra 'offload'.
    """
    named = pairs("--agent", agent or ())
    timed, encrypted = retime or explain_hop, tls is not None
    _check_place(local, named, results, timed=timed, traced=trace is not None, encrypted=encrypted)
    shown = parquet or trace or plot or agent or shape
    check_adapting(adapt, foresee, local, policy, disturbed=disturb is not None, asked=shown)
    if shape is Shape.kernel:
        _enter_kernel(local, agent is not None)
    from tiercut.analysis import load_answer
    from tiercut.offloader import RunOptions, check_grpc, load_tls, run_adaptive, run_local, run_with_agents

    check_grpc()
    keep_freed()
    fps, limit = _positive("--rate", rate, "rate", "fps"), _positive("--deadline", deadline, "time", "s")
    opened = partial(network_of, onnx=onnx, input_size=input_size, weights=weights, trust=trust_model, threads=threads)
    options = RunOptions(
        frames=frames,
        interval_s=None if fps is None else 1 / fps,
        deadline_s=limit,
        retime=retime,
        runtime=None if runtime is None else runtime.value,
        threads=threads,
        explain_hop=explain_hop,
        fallback=fallback,
        transport="auto" if transport is None else transport.value,
        shape="user" if shape is None else shape.value,
        tls=None if tls is None else load_tls(tls),
    )
    if (several := load_answer(answer)).streams:
        asked: dict[str, object] = {
            "--rate": rate,
            "--rank": rank > 1,
            "--profile": profile,
            "--explain-hop": explain_hop,
        }
        asked |= {"--fallback": fallback, "--adapt": adapt, "--foresee": foresee, "--policy": policy}
        asked |= {"--disturb": disturb, "--shape kernel": shape is Shape.kernel, "--agent": agent}
        asked |= {"--parquet": parquet, "--trace": trace, "--plot": plot}
        check_several(several, asked, local=local)
        run_answer(
            several, model, data, options, opened, partial(_samples, trust=trust_model), topology=topology, json=json
        )
        return
    network, named_data = one_of("MODEL", model), one_of("--data", data)
    plan, where, found = plan_of(answer, rank, topology, profile)
    cut = opened(network, plan, found)
    options = replace(options, moments=disturbed_by(disturb, where, found, local=local, shaped=shape is Shape.kernel))
    with _samples(named_data, network, trust=trust_model) as samples, at_work("running"):
        if adapt or foresee:
            guide = guide_for(policy, plan, where, found)
            made = run_adaptive(plan, where, found, cut, samples, guide, options, foresees=foresee)
        elif local:
            options = replace(options, last=_stand_in(named, plan.placement))
            made = run_local(plan, where, found, cut, samples, options)
        else:
            address = _first(named, plan.placement)
            whither = results or "127.0.0.1:0"
            made = run_with_agents(plan, where, found, cut, samples, address, options, results=whither)
    if json:
        typer.echo(made.to_json())
    else:
        _print(made)
    _write(made, parquet, trace, plot)


def _positive(flag: str, text: str | None, kind: str, unit: str) -> float | None:
    value = given.quantity(flag, text, kind)
    if value is not None and not value > 0:
        raise QuestionError(f"{flag}: expected more than 0 {unit}, got '{text}'")
    return value


def _write(made: Run, parquet: Path | None, trace: Path | None, plot: Path | None) -> None:
    if parquet is not None:
        made.by_frame.to_parquet(parquet)
        note(f"wrote {parquet}")
    if trace is not None:
        made.by_frame.to_trace(trace, made.marks)
        note(f"wrote {trace}")
    if plot is not None:
        from tiercut.report import run_picture, save

        save(run_picture(made), plot)
        note(f"drew {plot}")


def _print(made: Run) -> None:
    from tiercut.report import run_tables

    out: Any = console()
    for part in run_tables(made):
        out.print(part)
    for node, death in made.deaths.items():
        note(f"the agent of '{node}' was {death}")


@contextmanager
def _samples(data: str, model: str, *, trust: bool) -> Iterator[Path]:
    """Yield the file of the samples; of a trained network's data set, a file too, one with those of its test split."""
    from tiercut.profiling import has_exits, recorded_file, unseen_samples

    recorded = recorded_file(data, ".data.npz")
    if recorded is not None or not (model.endswith(".keras") and has_exits(model)):
        yield Path(recorded or data)
        return
    import numpy as np

    try:
        images, labels = unseen_samples(model, data, trust=trust)
    except TiercutError:
        if not Path(data).is_file():
            raise
        images = None  # it is not what the network was trained on: samples as the network takes them
    if images is None:
        yield Path(data)
        return
    with TemporaryDirectory(prefix="tiercut-samples-") as folder:
        np.savez(Path(folder) / "samples.npz", images=images, labels=labels)
        yield Path(folder) / "samples.npz"


def _check_place(
    local: bool, named: dict[str, str], results: str | None, *, timed: bool, traced: bool, encrypted: bool
) -> None:
    """Refuse a call that does not say where the agents are, or says it twice."""
    if local and results:
        raise QuestionError("with --local the agents are started here: leave out --results")
    if local and encrypted:
        raise QuestionError("with --local all agents are processes of this machine: leave out --tls")
    if not local and not named:
        raise QuestionError("say where the agents run: all on this machine (--local), or --agent NODE=HOST:PORT")
    if not local and timed:
        raise QuestionError("--retime and --explain-hop time this machine, so they belong to --local")
    if not local and traced:
        raise QuestionError("--trace needs one clock for all agents, so it belongs to --local")


def _enter_kernel(local: bool, elsewhere: bool) -> None:
    """Go on in a network of its own, in which links can be shaped."""
    from tiercut.offloader import enter_own_network, has_own_network

    if not local or elsewhere:
        raise QuestionError("--shape kernel takes links that the run makes: use --local, without --agent")
    if not has_own_network():
        enter_own_network(sys.argv[1:])


def _stand_in(named: dict[str, str], placement: tuple[str, ...]) -> str | None:
    """Return where a server for the last partition listens; None where all agents are started here."""
    _check_nodes(named, placement)
    if set(named) - {placement[-1]}:
        raise QuestionError(
            f"--agent: with --local the agents are started here; only '{placement[-1]}', the last node, can be served "
            "by another server"
        )
    return named.get(placement[-1])


def _check_nodes(named: dict[str, str], placement: tuple[str, ...]) -> None:
    for name in named:
        if name not in placement:
            raise QuestionError(f"--agent: {unknown_name('node of the plan', name, placement)}")


def _first(named: dict[str, str], placement: tuple[str, ...]) -> str:
    """Return where the agent of the first node listens; the others are known to the ones before them."""
    _check_nodes(named, placement)
    if placement[0] not in named:
        raise QuestionError(f"--agent: frames go to '{placement[0]}' first; say where its agent listens")
    return named[placement[0]]
