"""``tiercut run --local --adapt``: a plan that gives way to others while frames are sent."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.offloader.adaptive.asking import Solver
from tiercut.offloader.adaptive.fleet import Fleet, Ready, Ways, same_plan
from tiercut.offloader.adaptive.guides import Cast, Director, guide_of
from tiercut.offloader.adaptive.mover import Move, PolicyLike
from tiercut.offloader.adaptive.watcher import Watcher
from tiercut.offloader.agent.emulation import Emulation
from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.bundles.split import open_bundles
from tiercut.offloader.bundles.stage import StageRunner
from tiercut.offloader.bundles.whole import WholeNetwork, load_whole, range_of, split_whole
from tiercut.offloader.disturbed.player import Disturbance, Player, Site, check_speeds
from tiercut.offloader.disturbed.trace_file import check_within
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS
from tiercut.offloader.local.account import Ground, Ran, account
from tiercut.offloader.local.cascade import Verdict, uncut_cascade
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.outcome import Outcome
from tiercut.offloader.local.prediction import predicted, source_of, way_of
from tiercut.offloader.local.processes import AgentProcess, pin_apart
from tiercut.offloader.local.result import Figures, Run, latency_figures
from tiercut.offloader.local.run import RunOptions, check_soon_enough, factors_of
from tiercut.offloader.local.timing import Round
from tiercut.offloader.protocol.channels import check_grpc
from tiercut.offloader.rehearsal.rehearse import times_of
from tiercut.optimizer import Plan, Problem, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile
from tiercut.stages import stage
from tiercut.topologies import Topology

__all__ = ["run_adaptive"]

_MOST_READY, _PAUSE_S, _TIMED = 32, 0.01, 5
_STALE_S, _STALE_FRAMES = 1.0, 5


class Sent(NamedTuple):
    """What came of the frames of a run; see `tiercut.offloader.local.account.Ran`."""

    outcomes: Sequence[Outcome]
    interval_s: float
    deadline_s: float
    deaths: dict[str, str]
    disturbances: tuple[Disturbance, ...]


def run_adaptive(
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    policy: PolicyLike | Solver,
    options: RunOptions,
    *,
    foresees: bool = False,
) -> Run:
    """Run a plan on this machine, and others in its place where these are better by now.

    Parameters
    ----------
    plan, topology, profile, cut, data, options
        See `tiercut.offloader.local.run.run_local`; the network is that of an ONNX file.
    policy
        Which plans there are, and which is the best when; or a solver that is asked again as conditions move.
    foresees
        Whether the solver is asked beforehand for all that `RunOptions.moments` do, and plans change when these come.

    Raises
    ------
    QuestionError, InputError
        As `run_local`; or if no agent can run a plan, one has codecs, or the policy is of another topology.
    """
    check_grpc()
    check_soon_enough(options)
    if options.fallback or options.explain_hop:
        raise QuestionError("--adapt moves frames to nodes that answer: leave out --fallback and --explain-hop")
    problem = build_problem(topology, profile)
    room = partial(_full, topology=topology, problem=problem)
    guide = guide_of(plan, policy, topology, profile, problem, options, foresees=foresees)
    plans = _held(plan, guide.plans, topology, problem)
    nodes = list(dict.fromkeys([*(node for each in plans for node in each.placement), *guide.nodes]))
    with tempfile.TemporaryDirectory(prefix="tiercut-run-") as folder, ExitStack() as stack:
        folders, whole, bundles, runners = _split(plan, cut, nodes, Path(folder), options)
        frames = load_frames(data, bundles[0].inputs)
        factor = factors_of(replace(plan, placement=tuple(nodes)), topology, problem, cut, runners, frames, options)
        links = LinkClock.create(Path(folder) / "links", len(topology.network.hops), len(topology.nodes))
        check_speeds(options.moments, topology, {node: factor[node] for node in nodes})
        agents = stack.enter_context(ExitStack())  # they end after all that asks them, those that came later too
        site = site_of(agents, dict(zip(nodes, folders, strict=True)), factor, links, topology, options)
        shared = stack.enter_context(closing(LinkClock(links)))
        fleet = stack.enter_context(
            Fleet(
                {node: agent.address for node, agent in site.agents.items()},
                cut,
                whole.whole.most_bytes,
                ways=lambda each: ways_of(each, topology, problem),
            )
        )
        with stage("loading plans"):
            ready = [fleet.load(each) for each in plans]
        prediction = predicted(problem, decide_again(problem, plan))
        interval_s, deadline_s = times_of(prediction, options)
        driver = stack.enter_context(
            Driver(
                ready[0].bundles,
                ready[0].address,
                deadline_s=deadline_s,
                way=ready[0].way,
                clock=shared,
                stands_for=source_of(topology, factor),
                transport=options.transport,
                number=ready[0].number,
                most_bytes=whole.whole.most_bytes,
            )
        )
        watcher = Watcher(guide.conditions, topology, problem, stale_s=max(_STALE_S, _STALE_FRAMES * interval_s))
        _warm_up(driver, ready, watcher, frames)
        check_within(options.moments, options.frames * interval_s)
        director = guide.direct(Cast(driver, fleet, watcher, ready[0], room))
        player = Player(options.moments, topology, site, returned=guide.returned)
        stack.callback(player.close)
        stack.callback(director.close)
        director.start()

        def frame_of(number: int) -> Mapping[str, Any]:
            found = frames.frame(number)
            director.turn(found, number * interval_s)
            return found

        with stage("sending frames") as told:
            outcomes = driver.run(frame_of, options.frames, interval_s, sent=told, begins=player.start)
        player.close()
        deaths = {node: death for node, agent in site.agents.items() if (death := agent.death)}
        used = dict(fleet.known)
    verdicts = _verdicts(outcomes, used, ready[0], cut, frames)
    plain = [Verdict(each.exit, each.results, ()) for each in verdicts]
    ground = Ground(plan, problem, topology, bundles, prediction, factor, verdicts, plain, frames)
    sent = Sent(outcomes, interval_s, deadline_s, deaths, player.done)
    found = _accounted(ground, profile, options, sent, used, ready[0].number)
    asked = tuple(replace(each, at_s=(at_ns - outcomes[0].due_ns) / 1e9) for at_ns, each in guide.asked)
    return replace(found, moves=_with_gaps(director, outcomes, used), asked=asked)


def _warm_up(driver: Driver, ready: Sequence[Ready], watcher: Watcher, frames: Frames) -> None:
    """Time every plan that is ready, the first one last, and tell the watcher."""
    with stage("warming up"):
        for each in ready[1:]:
            driver.add(each.number, each.bundles, each.address, each.way)
        for each in reversed(ready):
            watcher.know(each.number, each.plan, _timed(driver, each, frames))


def _timed(driver: Driver, ready: Ready, frames: Frames) -> Sequence[Round]:
    """Send messages by a plan, past all links, and return what came of some of them."""
    driver.use(ready.number)
    leaving = [*sorted(ready.plan.exits, reverse=True), *(_TIMED * [ready.plan.partition[-1]])]
    return driver.warm_up(frames.frame(0), leaving, _PAUSE_S)[-_TIMED:]


def _accounted(
    ground: Ground,
    profile: Profile,
    options: RunOptions,
    sent: Sent,
    used: Mapping[str, Ready],
    first: str,
) -> Run:
    """Return what became of all frames; what is said of stages and predicted is of those by the first plan."""
    outcomes = sent.outcomes
    ran = Ran(ground, [_only(each, first) for each in outcomes], *sent[1:4], (), sent.disturbances)
    found = account(profile, ran, runtime="onnx", threads=options.threads, retimed=options.retime)
    return _completed(found, outcomes, ground.verdicts, used, ground)


def _split(
    plan: Plan, cut: CutNetwork, nodes: Sequence[str], folder: Path, options: RunOptions
) -> tuple[Sequence[Path], WholeNetwork, tuple[Bundle, ...], tuple[StageRunner, ...]]:
    """Write the whole network for every node, and open the partitions of a plan here."""
    with stage("splitting the network"):
        folders, _ = split_whole(plan, cut, nodes, folder / "bundles")
        whole = load_whole(folders[0], threads=options.threads)
        parts = [folder / f"part{place}" for place in range(len(plan.partition))]
        for place, part in enumerate(parts):
            whole.write(range_of(plan, place, None if place + 1 == len(parts) else "next:1"), part)
        bundles, runners = open_bundles(parts, threads=options.threads)
    return folders, whole, bundles, runners


def _held(plan: Plan, others: Sequence[Plan], topology: Topology, problem: Problem) -> list[Plan]:
    """Return the plans that are made ready beforehand: as many as fit into their nodes' memory, this one first.

    Raises
    ------
    QuestionError
        If one has codecs, or is for nodes that there are not.
    """
    wanted = [plan, *(each for each in others if not same_plan(each, plan))]
    names = [node.name for node in topology.nodes]
    for each in wanted:
        if each.uses_codecs:
            raise QuestionError("--adapt takes plans without codecs: make plan and policy from a profile without them")
        if unknown := set(each.placement) - set(names):
            raise QuestionError(f"the policy is of another topology: {unknown_name('node', min(unknown), names)}")
    kept: list[Plan] = []
    for each in wanted[:_MOST_READY]:
        if not kept or not _full([*kept, each], topology, problem):
            kept.append(each)
    return kept


def _full(plans: Sequence[Plan], topology: Topology, problem: Problem) -> set[str]:
    """Return the nodes that have no room for all of some plans: by their memory, or for more plans than are kept."""
    taken, held = Counter[str](), Counter[str]()
    for each in plans:
        first = (0, *each.partition[:-1])
        for node, a, b in zip(each.placement, first, each.partition, strict=True):
            taken[node] += round(float(np.nansum(problem.parameter_bytes[a:b])))
            held[node] += 1
    room = {node.name: inf if node.memory is None else node.memory for node in topology.nodes}
    return {node for node in held if held[node] > _MOST_READY or taken[node] > room[node]}


def ways_of(plan: Plan, topology: Topology, problem: Problem) -> Ways:
    network = topology.network
    found = predicted(problem, decide_again(problem, plan))
    ways = {
        (step.sort, step.stage): way_of(network, found.path, step) for step in found.steps if step.sort != "compute"
    }
    count = len(plan.partition)
    return Ways(
        ways["input", 0],
        tuple(ways["send", place] for place in range(count - 1)),
        tuple(ways.get(("result", place), NO_LINKS) for place in range(count)),
    )


def site_of(
    stack: ExitStack,
    folders: Mapping[str, Path],
    factor: Mapping[str, float],
    links: Path,
    topology: Topology,
    options: RunOptions,
) -> Site:
    """Start an agent on every node, side by side."""

    def made(node: str, listen: str = "127.0.0.1:0") -> AgentProcess:
        speed = len(topology.network.hops) + topology.index(node)
        stands_for = Emulation(factor[node], links, workers=topology.node(node).workers, speed=speed)
        return stack.enter_context(
            AgentProcess(
                folders[node],
                stands_for,
                listen=listen,
                runtime="onnx",
                threads=options.threads,
                transport=options.transport,
            )
        )

    def again(node: str) -> AgentProcess:
        agents[node] = made(node, addresses[node])  # one that died before it was ready has none of its own
        agents[node].wait_until_ready()
        return agents[node]

    with stage("starting agents"):
        agents = {node: made(node) for node in folders}
        addresses = {node: agent.wait_until_ready() for node, agent in agents.items()}
    pin_apart(list(agents.values()))
    return Site(agents, links, again)


def _verdicts(
    outcomes: Sequence[Outcome], used: Mapping[str, Ready], first: Ready, cut: CutNetwork, frames: Any
) -> list[Verdict]:
    """Return what the uncut network says of every frame, with the exits of the plan that answered it."""
    by_plan: dict[str, list[Verdict]] = {}
    for number in {each.plan for each in outcomes}:
        by_plan[number] = uncut_cascade(used.get(number, first).plan, cut, frames, len(outcomes))
    return [by_plan[each.plan][place % len(by_plan[each.plan])] for place, each in enumerate(outcomes)]


def _with_gaps(director: Director, outcomes: Sequence[Outcome], used: Mapping[str, Ready]) -> tuple[Move, ...]:
    """Return the moves by the clock of the frames, each with how long there was no result before its first one."""
    answered = sorted((each.ended_ns, each.plan) for each in outcomes if each.answered and each.ended_ns is not None)
    found = []
    origin_ns = outcomes[0].due_ns if director.origin_ns is None else director.origin_ns
    for move in director.moves:
        at_ns, gap_s = origin_ns + round(move.at_s * 1e9), None
        for place in range(1, len(answered)):
            ended_ns, number = answered[place]
            if ended_ns > at_ns and same_plan(used[number].plan, move.after):
                gap_s = (ended_ns - answered[place - 1][0]) / 1e9
                break
        found.append(replace(move, at_s=(at_ns - outcomes[0].due_ns) / 1e9, gap_s=gap_s))
    return tuple(found)


def _only(outcome: Outcome, number: str) -> Outcome:
    return outcome if outcome.plan == number else replace(outcome, failure="answered by another plan")


def _completed(
    found: Run,
    outcomes: Sequence[Outcome],
    verdicts: Sequence[Verdict],
    used: Mapping[str, Ready],
    ground: Ground,
) -> Run:
    """Return the run of all frames, whichever plan answered them; stages and prediction are those of the first."""
    answered = [(place, each) for place, each in enumerate(outcomes) if each.answered]
    exits = Counter(each.exit for _, each in answered if each.exit is not None)
    labels = [ground.frames.label(place) for place, _ in answered]
    right = [
        int(next(iter(each.results.values())).argmax()) == label
        for (_, each), label in zip(answered, labels, strict=True)
        if label is not None and verdicts[0].entropies
    ]
    counts = Counter(str(used[each.plan].plan) for _, each in answered if each.plan in used)
    return replace(
        found,
        answered=len(answered),
        duplicated=sum(each.doubled for each in outcomes),
        same_as_uncut=sum(verdicts[place].agrees(each.exit, each.results) for place, each in answered),
        failures=tuple((place, each.failure) for place, each in enumerate(outcomes) if each.failure is not None),
        measured=Figures(
            latency_figures([each.latency_s for _, each in answered]),
            sum(right) / len(right) if right else None,
            {block: exits[block] / len(answered) for block in sorted(exits)},
        ),
        latencies_s=tuple(each.latency_s if each.answered else None for each in outcomes),
        late=sum(each.late for each in outcomes),
        frames_by_plan=dict(counts),
        sent_again=sum(each.sent > 1 for each in outcomes),
    )
