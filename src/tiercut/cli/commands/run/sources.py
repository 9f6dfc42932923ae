"""``tiercut run`` of an answer for several sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from tiercut.cli.console import at_work, console, note
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.analysis import SavedAnswer
    from tiercut.offloader import JointRun, RunOptions
    from tiercut.optimizer import Plan
    from tiercut.profiling import CutNetwork, Profile

__all__ = ["check_several", "one_of", "run_answer"]

V = TypeVar("V")


def check_several(answer: SavedAnswer, asked: Mapping[str, object], *, local: bool) -> None:
    """Refuse what the run of one plan takes and that of several sources does not.

    Parameters
    ----------
    answer
        For several sources.
    asked
        What was asked for, by flag; what is false was not.
    local
        Whether all agents start on this machine.
    """
    count = len(answer.streams)
    if not local:
        raise QuestionError(
            f"'{answer.path}' has plans of {count} sources that share machines; agents that run already have one plan "
            "each: run it on this machine, with --local"
        )
    if given := [flag for flag, value in asked.items() if value]:
        raise QuestionError(
            f"'{answer.path}' has plans of {count} sources that share machines: leave out {', '.join(given)}, which "
            "the run of one plan takes"
        )


def one_of(name: str, values: Sequence[V]) -> V:
    """Return what is given once, for the run of one plan."""
    if len(values) != 1:
        raise QuestionError(f"{name} is given {len(values)} times; an answer for one source takes one")
    return values[0]


def _each(name: str, values: Sequence[str], count: int) -> list[str]:
    if len(values) not in (1, count):
        raise QuestionError(f"{name} is given {len(values)} times for {count} sources; give it once, or once for each")
    return list(values) * (1 if len(values) == count else count)


def run_answer(
    answer: SavedAnswer,
    models: Sequence[str],
    data: Sequence[str],
    options: RunOptions,
    network: Callable[[str, Plan, Profile], CutNetwork],
    samples: Callable[[str, str], AbstractContextManager[Path]],
    *,
    topology: str | None,
    json: bool,
) -> None:
    """Run the plans of all sources at once, and print what became of their frames.

    Parameters
    ----------
    answer
        For several sources.
    models, data
        Of each of them, in the order of the answer, or one of all.
    options
        How.
    network, samples
        Open a network for a plan and a profile; and, of data and a network, a file of samples.
    topology
        In place of the answer's.
    json
        Whether to print the document.
    """
    from tiercut.analysis import Timed, waits_of
    from tiercut.offloader import Sender, run_sources

    count = len(answer.ranks)
    opened: dict[tuple[object, ...], CutNetwork] = {}
    senders, sites = [], []
    with ExitStack() as stack:
        files: dict[tuple[str, str], Path] = {}
        for rank, model, named in zip(
            answer.ranks, _each("MODEL", models, count), _each("--data", data, count), strict=True
        ):
            whole, profile = answer.inputs(topology, None, rank)
            name, rate = answer.streams[rank]
            plan, own = answer.plan(rank), whole.with_changes(source=name)
            cut = model, profile.exits is None, *(each.name for each in profile.blocks)
            if cut not in opened:
                opened[cut] = network(model, plan, profile)
            if (named, model) not in files:
                files[named, model] = stack.enter_context(samples(named, model))
            sites.append(whole)
            senders.append(Sender(name, rate, plan, own, profile, opened[cut], files[named, model]))
        with at_work("running"):
            made = run_sources(senders, options)
            timed = [
                Timed(
                    each.topology,
                    each.profile,
                    each.plan,
                    each.rate,
                    each.leaving,
                    each.pieces_s,
                    each.is_timed,
                    each.first_s,
                )
                for each in made.sources
            ]
            waits = waits_of(sites[0], timed)
    made = made.with_waits(waits.waited_s, waits.busy)
    if json:
        typer.echo(made.to_json())
    else:
        _print(made)


def _print(made: JointRun) -> None:
    from tiercut.report import joint_run_tables

    out: Any = console()
    for part in joint_run_tables(made):
        out.print(part)
    for node, death in {node: death for each in made.sources for node, death in each.run.deaths.items()}.items():
        note(f"the agent of '{node}' was {death}")
