"""``tiercut run --local`` of a joint answer: each source sends its frames, and all share machines and links."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.local.account import Ran, account
from tiercut.offloader.local.driver import Driver, Outcome
from tiercut.offloader.local.prediction import source_of, way_of
from tiercut.offloader.local.processes import AgentProcess
from tiercut.offloader.local.run import Prepared, RunOptions, prepared
from tiercut.offloader.local.timing import Round, middle
from tiercut.offloader.protocol.channels import check_grpc
from tiercut.offloader.rehearsal.rehearse import LEAST_PATIENCE_S, rehearsed, times_of
from tiercut.offloader.sources.result import JointRun, PlaceUse, SourceRun
from tiercut.offloader.sources.site import make_clock, number_of, places_of, start_agents
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.stages import stage
from tiercut.topologies import Topology

__all__ = ["Sender", "at_once", "between_of", "check_options", "first_of", "run_sources"]

_SETTLE_S, _AFTER_S = 0.1, 0.05

_TURN = (5**0.5 - 1) / 2
"""Each source begins so much of the shortest interval later than the one before: no multiple of that is a whole number,
nor a small one close to it, so that frames of two rates never keep coming at the same moment."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A source, and what is run of it.

    Parameters
    ----------
    name, rate
        What the answer calls it, and its frames per second.
    plan, topology, profile
        Its plan, and what that was made for: the topology as this source sees it.
    cut, data
        See `tiercut.offloader.local.run.run_local`.
    """

    name: str
    rate: float
    plan: Plan
    topology: Topology
    profile: Profile
    cut: CutNetwork
    data: Path


def run_sources(
    senders: Sequence[Sender],
    options: RunOptions,
    *,
    started: Callable[[Mapping[str, AgentProcess]], None] = lambda _: None,
) -> JointRun:
    """Run the plans of several sources at once, with an agent for each node and links that all share.

    A node works on the frames of all plans in the order in which they come, on as many at once as it has workers. Each
    source sends `RunOptions.frames` frames at its own rate, and begins at another part of the shortest interval.
    Beforehand each plan is timed by itself.

    Parameters
    ----------
    senders
        The sources.
    options
        How; the interval is that of each rate.
    started
        Called with the agents, by node, before frames are sent.

    Raises
    ------
    QuestionError, InputError
        As `tiercut.offloader.local.run.run_local`; or for what only a single plan can have.
    """
    check_grpc()
    check_options(options)
    topology = senders[0].topology
    paces = [replace(options, interval_s=1 / each.rate) for each in senders]
    with tempfile.TemporaryDirectory(prefix="tiercut-run-") as folder, ExitStack() as stack:
        plans = []
        for place, (each, pace) in enumerate(zip(senders, paces, strict=True)):
            own = Path(folder) / number_of(place)
            own.mkdir()
            plans.append(prepared(each.plan, each.topology, each.profile, each.cut, each.data, pace, own))
        runtime = _runtime(plans)
        clock = make_clock(Path(folder), topology)
        # Agents end after all that asks them.
        agents = start_agents(stack.enter_context(ExitStack()), topology, plans, clock, runtime, options)
        shared = LinkClock(clock)
        stack.callback(shared.close)
        drivers = [stack.enter_context(each) for each in _drivers(plans, agents, shared, options)]
        timed = [_timed(*each) for each in zip(senders, plans, drivers, paces, strict=True)]
        plans = [ready for ready, _ in timed]
        for ready, driver, pace in zip(plans, drivers, paces, strict=True):
            driver.wait_for(times_of(ready.ground.prediction, pace)[1])
        places = places_of(topology, plans)
        before = [shared.busy(each.number) for each in places]
        started(agents)
        first_s = first_of([each.rate for each in senders])
        first_ns, outcomes = _sent(plans, drivers, paces, first_s)
        duration_s = (max(each.ended_ns or first_ns for own in outcomes for each in own) - first_ns) / 1e9
        used = tuple(
            PlaceUse(each.name, each.is_link, each.share(shared.busy(each.number) - since, duration_s))
            for each, since in zip(places, before, strict=True)
        )
        deaths = {node: death for node, agent in agents.items() if (death := agent.death)}
    found = (
        _source(begins_s, sender, ready, own, pace, between_s, deaths)
        for begins_s, sender, (ready, between_s), own, pace in zip(
            first_s, senders, timed, outcomes, paces, strict=True
        )
    )
    return JointRun(tuple(found), used, duration_s, sum(map(_processors, senders, plans)))


def check_options(options: RunOptions) -> None:
    """Refuse what only the run of a single plan can have."""
    for given, flag in (
        (options.fallback, "--fallback"),
        (options.explain_hop, "--explain-hop"),
        (options.moments, "--disturb"),
        (options.last, "--agent"),
        (options.tls, "--tls"),
        (options.shape == "kernel", "--shape kernel"),
    ):
        if given:
            raise QuestionError(f"{flag} is for the run of one plan: leave it out of that of several sources")


def _runtime(plans: Sequence[Prepared]) -> Runtime:
    """Return what runs the pieces of all plans, as an agent has those of several."""
    runtimes = {each.runtime for each in plans}
    if len(runtimes) > 1:
        raise QuestionError(
            "the networks of the sources run on ONNX Runtime and on Keras, and a node has one of the two: name it by "
            "--runtime, with --retime"
        )
    return runtimes.pop()


def _drivers(
    plans: Sequence[Prepared], agents: Mapping[str, AgentProcess], clock: LinkClock, options: RunOptions
) -> Iterator[Driver]:
    """Yield who sends the frames of each source, one by one: each can be closed before making another one fails."""
    most_bytes = max(bundle.most_bytes for ready in plans for bundle in ready.ground.bundles)
    for place, ready in enumerate(plans):
        ground = ready.ground
        yield Driver(
            ground.bundles,
            agents[ground.plan.placement[0]].address,
            deadline_s=LEAST_PATIENCE_S,
            way=way_of(ground.topology.network, ground.prediction.path, ground.prediction.steps[0]),
            clock=clock,
            stands_for=source_of(ground.topology, ground.factor),
            transport=options.transport,
            number=number_of(place),
            most_bytes=most_bytes,
        )


def _timed(sender: Sender, ready: Prepared, driver: Driver, options: RunOptions) -> tuple[Prepared, tuple[float, ...]]:
    """Return a plan as it was timed alone, and how long its workers are busy between two frames that wait."""
    with stage(f"timing pieces and hops of {sender.name}"):
        ground, rounds = rehearsed(ready.ground, driver, options)
    return replace(ready, ground=ground), between_of(ground.prediction.turnarounds_s, rounds) if options.retime else ()


def between_of(turnarounds_s: Sequence[float | None], rounds: Sequence[Round]) -> tuple[float, ...]:
    """Return by stage the seconds from the end of the pieces until those of the next frame begin, where that waits.

    Where too few messages waited to tell, it is what making tensors of what came and bytes of what goes on takes.
    """
    hops = middle(rounds)
    depth = len(hops)
    known = [*turnarounds_s, *(None for _ in range(depth))]
    return tuple(
        seconds
        if (seconds := known[place]) is not None
        else hops[place + 1].decode + (hops[place + 2].encode if place + 1 < depth else 0.0)
        for place in range(depth)
    )


def _sent(
    plans: Sequence[Prepared], drivers: Sequence[Driver], paces: Sequence[RunOptions], first_s: Sequence[float]
) -> tuple[int, list[list[Outcome]]]:
    """Send the frames of all sources, and return when the first one was due, and what became of all."""
    first_ns, counts = time.monotonic_ns() + round(_SETTLE_S * 1e9), [0] * len(plans)
    over = threading.Event()
    with stage("sending frames") as sent:

        def send(place: int) -> list[Outcome]:
            pace, ground = paces[place], plans[place].ground

            def told(number: float, _: float) -> None:
                if over.is_set():
                    raise InterruptedError("the run of all sources has ended")
                counts[place] = int(number)
                sent(sum(counts), sum(each.frames for each in paces))

            interval_s, _ = times_of(ground.prediction, pace)
            own_ns = first_ns + round(first_s[place] * 1e9)
            return drivers[place].run(ground.frames.frame, pace.frames, interval_s, sent=told, first_ns=own_ns)

        try:
            outcomes = at_once([partial(send, place) for place in range(len(plans))])
        finally:
            over.set()
    time.sleep(_AFTER_S)
    return first_ns, outcomes


def at_once(works: Sequence[Callable[[], list[Outcome]]]) -> list[list[Outcome]]:
    """Do several things, each in a thread of its own that tells who listens of its stages; return what they return.

    Where one of them fails, or on Ctrl-C, nobody waits for the others.
    """
    found, contexts = [Future[list[Outcome]]() for _ in works], [copy_context() for _ in works]

    def work(place: int) -> None:
        try:
            found[place].set_result(contexts[place].run(works[place]))
        except BaseException as error:
            found[place].set_exception(error)

    for place in range(len(works)):
        threading.Thread(target=work, args=(place,), daemon=True, name=f"source-{place}").start()
    for each in wait(found, return_when=FIRST_EXCEPTION).done:
        each.result()
    return [each.result() for each in found]


def first_of(rates: Sequence[float]) -> tuple[float, ...]:
    """Return how many seconds after the first source each one begins, of frames per second."""
    return tuple(place * _TURN % 1.0 / max(rates) for place in range(len(rates)))


def _source(
    first_s: float,
    sender: Sender,
    ready: Prepared,
    outcomes: Sequence[Outcome],
    options: RunOptions,
    between_s: tuple[float, ...],
    deaths: Mapping[str, str],
) -> SourceRun:
    ground = ready.ground
    own = {node: death for node, death in deaths.items() if node in ground.plan.placement}
    ran = Ran(ground, outcomes, *times_of(ground.prediction, options), own, ())
    verdicts = ground.verdicts
    return SourceRun(
        sender.name,
        sender.rate,
        sender.topology,
        sender.profile,
        sender.plan,
        ground.prediction,
        first_s,
        tuple(verdicts[number % len(verdicts)].exit for number in range(len(outcomes))),
        between_s,
        account(sender.profile, ran, runtime=ready.runtime, threads=options.threads, retimed=options.retime),
    )


def _processors(sender: Sender, ready: Prepared) -> float:
    """Return how many processors of this machine the pieces of a plan keep busy, at the rate of its source."""
    ground = ready.ground
    steps = (step for step in ground.prediction.steps if step.sort == "compute")
    return sender.rate * sum(step.reach * step.seconds / ground.factor[str(step.node)] for step in steps)
