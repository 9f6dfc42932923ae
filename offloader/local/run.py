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
from tiercut.offloader.local.prediction import Predicted, factors, on_links, predicted, source_of, way_of
from tiercut.offloader.local.processes import AgentProcess, pin_apart
from tiercut.offloader.local.result import Run
from tiercut.offloader.local.timing import Round, middle, paced_medians, schedule, turnarounds, without_waits
from tiercut.offloader.protocol.channels import address_of, check_grpc
from tiercut.offloader.protocol.tls import Tls
from tiercut.offloader.transports.offer import Wanted
from tiercut.optimizer import Plan, Problem, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile
from tiercut.stages import stage
from tiercut.topologies import Topology

__all__ = ["RunOptions", "check_soon_enough", "factors_of", "run_local", "run_with_agents", "times_of"]

_WARM_UP, _PAUSE_S = 40, 0.01
_ACQUAINTED, _SETTLED = 4, 2
"""Messages for each exit before a plan is timed: those that open all ways, and some at the pace as known so far."""

_LEAST_ROUNDS, _FRAMES_A_ROUND, _MOST_ROUNDS, _AN_EXIT, _ROUNDS_S = 25, 4, 200, 4, 20.0
"""Messages that time a plan by its links, and half as many its hops: one for so many frames, no less and no more, so
many at least at each exit, and no new one after so many seconds."""

_STREAM_S, _MOST_STREAMED = 10.0, 1000
"""Frames are rehearsed over links for so long; such as meet with so many messages at most, and no more than frames."""

_LONGEST_PAUSE_S = 1.0
"""Messages of a rehearsal are so far apart at most, unless the plan takes longer: it would last for minutes."""

_AFTER_S = 0.05
"""For what comes twice."""

_APART = 1.25
"""Frames are so many times the longest predicted way apart, where no rate is named: each has the machines to itself."""

_PATIENCE, _LEAST_PATIENCE_S, _WARM_UP_S = 10.0, 2.0, 10.0


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
    problem = build_problem(topology, profile)
    prediction = predicted(problem, decide_again(problem, plan))
    check_soon_enough(options)
    if options.shape == "kernel":
        check_forwarding(topology.network, ((prediction.path.hops(step), step.size) for step in prediction.steps))
    with tempfile.TemporaryDirectory(prefix="tiercut-run-") as folder:
        with stage("splitting the plan"):
            folders = split_plan(plan, cut, Path(folder) / "bundles").folders
            bundles, runners = open_bundles(folders, threads=options.threads)
        check_stand_in(options.last, bundles, explains=options.explain_hop)
        runtime = _runtime(profile, options, runners)
        frames = load_frames(data, bundles[0].inputs)
        factor = factors_of(plan, topology, problem, cut, runners, frames, options)
        if plan.uses_codecs and runtime != runners[0].runtime:
            bundles, runners = open_bundles(folders, threads=options.threads, runtime=runtime)
        verdicts = cascades(plan, cut, bundles, runners, frames, options.frames)
        ground = Ground(plan, problem, topology, bundles, prediction, factor, *verdicts, frames)
        ran = _run(ground, folders, Path(folder), runtime, options, started)
    return account(profile, ran, runtime=runtime, threads=options.threads, retimed=options.retime)


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
        driver.warm_up(frames.frame(0), schedule(prediction.rates, _WARM_UP, _ACQUAINTED), _PAUSE_S)
        outcomes = _sent(driver, frames, options.frames, interval_s)
    ran = Ran(ground, outcomes, interval_s, deadline_s, {}, ())
    runtime = options.runtime or runners[0].runtime
    return account(profile, ran, runtime=runtime, threads=options.threads, retimed=options.retime)


def check_soon_enough(options: RunOptions) -> None:
    """Refuse disturbances after the last frame, where it is known already when that is due."""
    if options.interval_s is not None:
        check_within(options.moments, options.frames * options.interval_s)


def times_of(prediction: Predicted, options: RunOptions) -> tuple[float, float]:
    """Return how far apart frames are due, and after which time they have failed, in seconds."""
    longest_s = max(prediction.at_exit.values())
    interval_s = _APART * longest_s if options.interval_s is None else options.interval_s
    return interval_s, options.deadline_s or max(_PATIENCE * longest_s, _LEAST_PATIENCE_S)


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


def _run(
    ground: Ground,
    folders: Sequence[Path],
    folder: Path,
    runtime: Runtime,
    options: RunOptions,
    started: Callable[[Sequence[AgentProcess]], None],
) -> Ran:
    """Start the agents, time the hops between them, and send the frames."""
    network = ground.topology.network
    clock = LinkClock.create(folder / "links", len(network.hops), len(ground.topology.nodes))
    steps = ground.prediction.steps
    check_speeds(options.moments, ground.topology, {node: ground.factor[node] for node in ground.plan.placement})
    first_way = way_of(network, ground.prediction.path, steps[0])
    patience_s = max(times_of(ground.prediction, replace(options, deadline_s=None))[1], _WARM_UP_S)
    with ExitStack() as stack:
        links = None
        if options.shape == "kernel":
            routes = [ground.prediction.path.hops(step) for step in steps]
            links = stack.enter_context(KernelLinks(ground.topology.source, routes))
        # Agents end after all that asks them, those that came later too.
        site = _agents(stack.enter_context(ExitStack()), ground, folders, clock, runtime, options, links)
        agents = list(site.agents.values())
        pin_apart(agents)
        shared = LinkClock(clock)
        stack.callback(shared.close)
        driver = stack.enter_context(
            Driver(
                ground.bundles,
                agents[0].address,
                deadline_s=_LEAST_PATIENCE_S,
                listen="127.0.0.1:0" if links is None else f"{links.address(ground.topology.source)}:0",
                way=first_way if links is None else first_way.without_bandwidth(),
                clock=shared,
                stands_for=source_of(ground.topology, ground.factor),
                transport=options.transport,
            )
        )
        with stage("timing pieces and hops"):
            leaving = schedule(ground.prediction.rates, 0 if options.retime else _WARM_UP, _ACQUAINTED)
            first = driver.warm_up(ground.frames.frame(0), leaving, _PAUSE_S, patience_s=patience_s)
            rounds: Sequence[Round] = first
            if options.retime:
                ground, rounds = _rehearsed(ground, driver, rounds, options, links)
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


def _rehearsed(
    ground: Ground, driver: Driver, rounds: Sequence[Round], options: RunOptions, links: KernelLinks | None
) -> tuple[Ground, Sequence[Round]]:
    """Return the prediction from what pieces and hops take at the pace of the frames.

    What a piece takes depends on how long ago it ran: caches cool while it waits. So messages follow one another
    (unless that is seconds apart) and leave as frames will, and machines are slowed as they will be. Hops are timed by
    messages that leave links out, of which all is known; pieces by others that pass them, as a machine waits for what
    is on its way.
    """
    for count, least in ((0, _SETTLED), (_rounds_for(options) // 2, _AN_EXIT)):
        ground = replace(ground, prediction=_timed(ground, rounds))
        interval_s, deadline_s = times_of(ground.prediction, replace(options, deadline_s=None))
        rounds = driver.warm_up(
            ground.frames.frame(0),
            schedule(ground.prediction.rates, count, least),
            _pace_s(ground.prediction, interval_s),
            patience_s=max(deadline_s, _WARM_UP_S),
            until_s=_ROUNDS_S,
        )
    ground = replace(ground, prediction=_timed(ground, rounds))
    if links is not None:  # only now: hops were timed without them
        links.shape()
    return _rehearsed_by_links(ground, driver, rounds, options), rounds


def _rounds_for(options: RunOptions) -> int:
    return min(max(options.frames // _FRAMES_A_ROUND, _LEAST_ROUNDS), _MOST_ROUNDS)


def _rehearsed_by_links(ground: Ground, driver: Driver, alone: Sequence[Round], options: RunOptions) -> Ground:
    """Return the prediction from what pieces take as frames come: machines rest while links are busy, or seldom.

    Messages are due at the pace of the frames and wait for links. Where frames meet, messages leave in the order in
    which samples do, and wait for each other too. What ways take without all that is known from those that came alone.
    """
    interval_s, deadline_s = times_of(ground.prediction, options)
    meet = interval_s < max(ground.prediction.at_exit.values())
    most = min(options.frames, _MOST_STREAMED) if meet else _rounds_for(options)
    interval_s = interval_s if meet else _pace_s(ground.prediction, interval_s)
    count = min(max(round(_STREAM_S / interval_s), _LEAST_ROUNDS), most)
    verdicts, depth = ground.verdicts, len(ground.bundles)
    if meet:
        leaving = [verdicts[number % len(verdicts)].exit for number in range(count)]
    else:
        leaving = schedule(ground.prediction.rates, count, _AN_EXIT)
    streamed = driver.rehearse(
        ground.frames.frame, leaving, interval_s, patience_s=max(deadline_s, _WARM_UP_S), until_s=_ROUNDS_S
    )
    if not streamed:
        return ground
    prediction = _timed(ground, without_waits(streamed, alone))
    workers = [ground.topology.node(node).workers for node in ground.plan.placement]
    turns = [each if workers[stage] == 1 else None for stage, each in enumerate(turnarounds(streamed, depth))]
    return replace(ground, prediction=replace(prediction, turnarounds_s=tuple(turns)))


def _pace_s(prediction: Predicted, interval_s: float) -> float:
    """Return how far apart the messages of a rehearsal begin, of frames that are due so far apart."""
    return min(interval_s, max(_LONGEST_PAUSE_S, _APART * max(prediction.at_exit.values())))


def _timed(ground: Ground, rounds: Sequence[Round]) -> Predicted:
    """Return the prediction from what pieces took in their agents, and hops between them."""
    links = on_links(ground.problem, ground.prediction.path.decision)
    return links.with_rounds(
        [[(piece.blocks[0], piece.blocks[1]) for piece in bundle.pieces] for bundle in ground.bundles], rounds
    )


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
