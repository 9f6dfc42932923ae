"""``tiercut run --local``: a plan made true on this machine, and held against its prediction."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tiercut.errors import QuestionError
from tiercut.offloader.agent.emulation import Emulation
from tiercut.offloader.agent.stand_in import check_stand_in
from tiercut.offloader.bundles.split import open_bundles, split_plan
from tiercut.offloader.bundles.stage import Runtime, StageRunner
from tiercut.offloader.bundles.uncut import Uncut
from tiercut.offloader.disturbed.player import Player, Site, check_speeds
from tiercut.offloader.disturbed.trace_file import Moment, check_within
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.kernel import KernelLinks, check_forwarding
from tiercut.offloader.links.path import NO_LINKS
from tiercut.offloader.local.account import Ground, Ran, account
from tiercut.offloader.local.cascade import cascades
from tiercut.offloader.local.driver import Driver, Outcome
from tiercut.offloader.local.fallback import check_fallback, spare_s
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.hops import hop_parts
from tiercut.offloader.local.prediction import factors, predicted, source_of, way_of
from tiercut.offloader.local.processes import AgentProcess, pin_apart
from tiercut.offloader.local.result import Run
from tiercut.offloader.local.timing import middle, paced_medians
from tiercut.offloader.protocol.channels import address_of, check_grpc
from tiercut.offloader.protocol.tls import Tls
from tiercut.offloader.rehearsal.rehearse import LEAST_PATIENCE_S, acquaint, rehearsed, times_of
from tiercut.offloader.transports.offer import Wanted
from tiercut.optimizer import Plan, Problem, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile
from tiercut.stages import stage
from tiercut.topologies import Topology

__all__ = ["Prepared", "RunOptions", "check_soon_enough", "factors_of", "prepared", "run_local", "run_with_agents"]

_AFTER_S = 0.05
"""For what comes twice."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a plan is run.

    Parameters
    ----------
    frames
        How many.
    interval_s
        How far apart they are due; None: 1.25 times the longest predicted way.
    deadline_s
        After which a frame has failed; None: ten times that way, and 2 s at least.
    retime
        Whether pieces are timed here, so that this machine takes the place of the profile's reference device.
    runtime
        What runs the pieces; None: what the profile was timed with.
    threads
        To compute with, in each agent.
    explain_hop
        Whether to tell where the time of a hop goes; then frames go by gRPC.
    fallback
        Whether the source answers a frame from the last exit that it holds itself where the rest does not answer.
    transport
        How frames travel where both sides take that, else by gRPC; ``auto``: by the quickest.
    tls
        What channels to agents that run already are encrypted with; those of this machine alone are not.
    last
        HOST:PORT of a server of the protocol that runs already and serves the last partition, in place of an agent.
    shape
        Who keeps what is sent back for the bandwidth of its links: the sending process, or the kernel.
    moments
        What becomes of links and nodes while frames are sent.
    """

    frames: int = 100
    interval_s: float | None = None
    deadline_s: float | None = None
    retime: bool = False
    runtime: Runtime | None = None
    threads: int = 1
    explain_hop: bool = False
    fallback: bool = False
    transport: Wanted = "auto"
    tls: Tls | None = None
    last: str | None = None
    shape: Literal["user", "kernel"] = "user"
    moments: tuple[Moment, ...] = ()


def run_local(
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    options: RunOptions = RunOptions(),
    *,
    started: Callable[[Sequence[AgentProcess]], None] = lambda _: None,
) -> Run:
    """Run a plan with its agents as processes of this machine, over links that are shaped as the topology says.

    Parameters
    ----------
    plan, topology, profile
        The plan, and what it was made for.
    cut
        The network, with the blocks of the profile; what runs it must have been started with `RunOptions.threads`.
    data
        Samples, see `tiercut.offloader.local.frames.load_frames`.
    options
        How.
    started
        Called with the agents once they are ready.

    Raises
    ------
    QuestionError, InputError
        If plan, network and samples do not fit together, gRPC is missing, this machine is slower than a node, the
        profile was timed with another runtime, or the kernel would not forward as the topology says.
    """
    check_grpc()
    if options.fallback:
        check_fallback(plan, topology.source)
    if options.explain_hop:
        if options.transport not in ("auto", "grpc"):
            raise QuestionError("--explain-hop tells where the time of a call of gRPC goes: leave out --transport")
        options = replace(options, transport="grpc")
    check_soon_enough(options)
    with tempfile.TemporaryDirectory(prefix="tiercut-run-") as folder:
        ready = prepared(plan, topology, profile, cut, data, options, Path(folder))
        ran = _run(ready, Path(folder), options, started)
    return account(profile, ran, runtime=ready.runtime, threads=options.threads, retimed=options.retime)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that is ready to be run: what that stands on, the folders of its bundles, and what runs them."""

    ground: Ground
    folders: Sequence[Path]
    runtime: Runtime


def prepared(
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    options: RunOptions,
    folder: Path,
) -> Prepared:
    """Split a plan, time the network if need be, and find out what is to be answered; see `run_local`.

    Parameters
    ----------
    plan, topology, profile, cut, data, options
        See there.
    folder
        Bundles are written below it.
    """
    problem = build_problem(topology, profile)
    prediction = predicted(problem, decide_again(problem, plan))
    if options.shape == "kernel":
        check_forwarding(topology.network, ((prediction.path.hops(step), step.size) for step in prediction.steps))
    with stage("splitting the plan"):
        folders = split_plan(plan, cut, folder / "bundles").folders
        bundles, runners = open_bundles(folders, threads=options.threads)
    check_stand_in(options.last, bundles, explains=options.explain_hop)
    runtime = _runtime(profile, options, runners)
    frames = load_frames(data, bundles[0].inputs)
    factor = factors_of(plan, topology, problem, cut, runners, frames, options)
    if plan.uses_codecs and runtime != runners[0].runtime:
        bundles, runners = open_bundles(folders, threads=options.threads, runtime=runtime)
    verdicts = cascades(plan, cut, bundles, runners, frames, options.frames)
    return Prepared(Ground(plan, problem, topology, bundles, prediction, factor, *verdicts, frames), folders, runtime)


def run_with_agents(
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    address: str,
    options: RunOptions = RunOptions(),
    *,
    results: str = "127.0.0.1:0",
) -> Run:
    """Run a plan whose agents run already, on machines and links as they are.

    Parameters
    ----------
    plan, topology, profile, cut, data
        See `run_local`.
    address
        HOST:PORT of the agent of the first partition; each knows the next.
    options
        How; nothing is timed here.
    results
        HOST:PORT where results are taken; agents must reach it by that name, and be allowed to (``--results``).

    Raises
    ------
    QuestionError, InputError
        As `run_local`; or if an agent does not answer, or serves something else.
    """
    check_grpc()
    if options.fallback:
        check_fallback(plan, topology.source)
    problem = build_problem(topology, profile)
    with tempfile.TemporaryDirectory(prefix="tiercut-run-") as folder, stage("splitting the plan"):
        bundles, runners = open_bundles(split_plan(plan, cut, Path(folder) / "bundles").folders)
    frames = load_frames(data, bundles[0].inputs)
    prediction = predicted(problem, decide_again(problem, plan))
    verdicts = cascades(plan, cut, bundles, runners, frames, options.frames)
    factor = dict.fromkeys(plan.placement, 1.0)
    ground = Ground(plan, problem, topology, bundles, prediction, factor, *verdicts, frames, one_clock=False)
    interval_s, deadline_s = times_of(prediction, options)
    with Driver(
        bundles,
        address_of(address, what="--agent"),
        deadline_s=deadline_s,
        listen=results,
        transport=options.transport,
        tls=options.tls,
    ) as driver:
        driver.entry.check()
        driver.wait_for(deadline_s, spare_s(prediction, deadline_s) if options.fallback else 0.0)
        acquaint(driver, frames, prediction)
        outcomes = _sent(driver, frames, options.frames, interval_s)
    ran = Ran(ground, outcomes, interval_s, deadline_s, {}, ())
    runtime = options.runtime or runners[0].runtime
    return account(profile, ran, runtime=runtime, threads=options.threads, retimed=options.retime)


def check_soon_enough(options: RunOptions) -> None:
    """Refuse disturbances after the last frame, where it is known already when that is due."""
    if options.interval_s is not None:
        check_within(options.moments, options.frames * options.interval_s)


def _sent(
    driver: Driver, frames: Frames, count: int, interval_s: float, begins: Callable[[int], None] = lambda _: None
) -> list[Outcome]:
    with stage("sending frames") as sent:
        outcomes = driver.run(frames.frame, count, interval_s, sent=sent, begins=begins)
    time.sleep(_AFTER_S)
    return outcomes


def _runtime(profile: Profile, options: RunOptions, runners: Sequence[StageRunner]) -> Runtime:
    """Return what runs the pieces; refuse one that the profile was not timed with, unless pieces are timed here."""
    devices = {profile.devices[name].backend for name in profile.devices}
    timed: Runtime | None = None
    if devices - {None}:
        timed = "onnx" if "onnxruntime" in devices else "keras"
    runtime: Runtime = options.runtime or (timed if timed and not options.retime else runners[0].runtime)
    if timed is not None and runtime != timed and not options.retime:
        raise QuestionError(
            f"profile '{profile.name}' was timed with {timed}, whose times do not predict those of {runtime}; time the "
            "pieces here with --retime"
        )
    return runtime


def factors_of(
    plan: Plan,
    topology: Topology,
    problem: Problem,
    cut: CutNetwork,
    runners: Sequence[StageRunner],
    frames: Frames,
    options: RunOptions,
) -> dict[str, float]:
    """Return by how much each node is slower than this machine, which is timed, or takes the reference's place."""
    nodes = [*plan.placement, *([topology.source] if plan.input_codec else [])]
    if options.retime:
        reference_s = _reference_s(problem, topology)
        return factors(problem, topology, nodes, reference_s, reference_s)
    uncut, frame = Uncut(cut, plan.exits), frames.frame(0)
    with stage("timing the network"):
        here_s = paced_medians({"whole": lambda: uncut.run(frame)}, clock=runners[0].clock)["whole"]
    return factors(problem, topology, nodes, here_s, None)


def _reference_s(problem: Problem, topology: Topology) -> float:
    """Return the seconds of the whole network on the reference device, from a node that stands for it."""
    for place, node in enumerate(topology.nodes):
        if node.device is None:
            return float(problem.span_s[place, 0, problem.block_count - 1]) / node.slowdown
    return min(float(problem.span_s[place, 0, problem.block_count - 1]) for place in range(len(topology.nodes)))


def _run(ready: Prepared, folder: Path, options: RunOptions, started: Callable[[Sequence[AgentProcess]], None]) -> Ran:
    """Start the agents, time the hops between them, and send the frames."""
    ground = ready.ground
    network = ground.topology.network
    clock = LinkClock.create(folder / "links", len(network.hops), len(ground.topology.nodes))
    steps = ground.prediction.steps
    check_speeds(options.moments, ground.topology, {node: ground.factor[node] for node in ground.plan.placement})
    first_way = way_of(network, ground.prediction.path, steps[0])
    with ExitStack() as stack:
        links = None
        if options.shape == "kernel":
            routes = [ground.prediction.path.hops(step) for step in steps]
            links = stack.enter_context(KernelLinks(ground.topology.source, routes))
        # Agents end after all that asks them, those that came later too.
        site = _agents(stack.enter_context(ExitStack()), ground, ready.folders, clock, ready.runtime, options, links)
        agents = list(site.agents.values())
        pin_apart(agents)
        shared = LinkClock(clock)
        stack.callback(shared.close)
        driver = stack.enter_context(
            Driver(
                ground.bundles,
                agents[0].address,
                deadline_s=LEAST_PATIENCE_S,
                listen="127.0.0.1:0" if links is None else f"{links.address(ground.topology.source)}:0",
                way=first_way if links is None else first_way.without_bandwidth(),
                clock=shared,
                stands_for=source_of(ground.topology, ground.factor),
                transport=options.transport,
            )
        )
        with stage("timing pieces and hops"):
            ground, rounds = rehearsed(ground, driver, options, links)
            sizes = [step.size for step in steps if step.sort in ("input", "send")]
            parts = hop_parts(ground.bundles, middle(rounds), sizes) if options.explain_hop else ()
        if links is not None and not options.retime:  # only now: hops were timed without their links
            links.shape()
        interval_s, deadline_s = times_of(ground.prediction, options)
        driver.wait_for(deadline_s, spare_s(ground.prediction, deadline_s) if options.fallback else 0.0)
        check_within(options.moments, options.frames * interval_s)
        player = Player(options.moments, ground.topology, site)
        stack.callback(player.close)
        started(agents)
        outcomes = _sent(driver, ground.frames, options.frames, interval_s, player.start)
        player.close()
        deaths = {node: death for node, agent in site.agents.items() if (death := agent.death)}
        return Ran(ground, outcomes, interval_s, deadline_s, deaths, parts, player.done)


def _agents(
    stack: ExitStack,
    ground: Ground,
    folders: Sequence[Path],
    clock: Path,
    runtime: Runtime,
    options: RunOptions,
    links: KernelLinks | None,
) -> Site:
    """Start the agents side by side, and tell each where the next one listens, and the last one of another server."""
    network, steps, plan = ground.topology.network, ground.prediction.steps, ground.plan
    ways = {(step.sort, step.stage): way_of(network, ground.prediction.path, step) for step in steps}
    if links is not None:
        ways = {key: way.without_bandwidth() for key, way in ways.items()}
    own = folders if options.last is None else folders[:-1]

    def made(place: int, listen: str) -> AgentProcess:
        node = plan.placement[place]
        answers = options.last is not None and place + 1 == len(own)
        stands_for = Emulation(
            ground.factor[node],
            clock,
            ways.get(("send", place), NO_LINKS),
            ways.get(("result", place), NO_LINKS),
            ground.topology.node(node).workers,
            ground.factor[plan.placement[-1]] if answers else 1.0,
            ways.get(("result", place + 1), NO_LINKS) if answers else NO_LINKS,
            speed=len(network.hops) + ground.topology.index(node),
        )
        agent = AgentProcess(
            folders[place],
            stands_for,
            listen=listen,
            runtime=runtime,
            threads=options.threads,
            transport=options.transport,
            results=None if links is None else links.address(ground.topology.source),
            inside=() if links is None else links.inside(node),
        )
        return stack.enter_context(agent)

    def again(node: str) -> AgentProcess:
        place = plan.placement.index(node)
        agent = agents[node] = made(place, addresses[node])  # one that died before it was ready has none of its own
        agent.wait_until_ready()
        follows(place)
        return agent

    def follows(place: int) -> None:
        after = addresses[plan.placement[place + 1]] if place + 1 < len(own) else options.last
        if after is not None:
            agents[plan.placement[place]].follow(after)

    with stage("starting agents"):
        agents: dict[str, AgentProcess] = {}
        for place, node in enumerate(plan.placement[: len(own)]):
            agents[node] = made(place, "127.0.0.1:0" if links is None else f"{links.address(node)}:0")
        addresses: dict[str, str] = {}
        for place, agent in reversed(list(enumerate(agents.values()))):
            addresses[plan.placement[place]] = agent.wait_until_ready()
            follows(place)
    return Site(agents, clock, again)
