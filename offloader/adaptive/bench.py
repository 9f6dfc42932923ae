"""Plans of one network that are measured in turn, by the same agents of this machine, while conditions change."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.adaptive.fleet import Fleet, Ready, same_plan
from tiercut.offloader.adaptive.run import site_of, ways_of
from tiercut.offloader.bundles.whole import load_whole, split_whole
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.prediction import numbers_of, source_of
from tiercut.offloader.local.run import RunOptions, factors_of
from tiercut.offloader.protocol.channels import check_grpc
from tiercut.optimizer import Plan, build_problem
from tiercut.profiling import CutNetwork, OnnxOptions, Profile, onnx_outputs, open_cut, start_for, stressed
from tiercut.stages import stage
from tiercut.topologies import Network, Topology, directions_of

__all__ = ["Bench", "open_bench"]

_PAUSE_S, _WARM_UP, _PATIENCE_S = 0.01, 2, 120.0


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Agents of a whole network, and the plans that are ready on them.

    Parameters
    ----------
    fleet, driver
        The agents, and who sends frames to them.
    clock
        Of the links between them.
    network
        Nodes and links.
    frames
        What is sent.
    processors
        The processor that the agent of a node is kept on.
    """

    fleet: Fleet
    driver: Driver
    clock: LinkClock
    network: Network
    frames: Frames
    processors: Mapping[str, int]

    def prepare(self, plans: Sequence[Plan]) -> None:
        """Make plans ready, and let agents forget all others, for each takes memory.

        Raises
        ------
        QuestionError
            If an agent refuses one.
        """
        for ready in list(self.fleet.ready.values()):
            if not any(same_plan(ready.plan, plan) for plan in plans):
                self.fleet.unload(ready.number)
        for plan in plans:
            if self.fleet.find(plan) is None:
                ready = self.fleet.load(plan)
                self.driver.add(ready.number, ready.bundles, ready.address, ready.way)
                self.warm_up(ready)

    def warm_up(self, ready: Ready) -> None:
        """Send a few messages by a plan, past all links."""
        self.driver.use(ready.number)
        leaving = _WARM_UP * [ready.plan.partition[-1]]
        self.driver.warm_up(self.frames.frame(0), leaving, _PAUSE_S, patience_s=_PATIENCE_S)

    def latencies_s(self, plan: Plan, count: int) -> list[float]:
        """Return the seconds of so many frames, each sent once the one before it is answered.

        Raises
        ------
        QuestionError
            If the plan is not ready, or a frame is not answered.
        """
        ready = self.fleet.find(plan)
        if ready is None:
            raise QuestionError(f"the plan '{plan}' is not ready on its agents")
        self.driver.use(ready.number)
        found = []
        for number in range(count):
            frame = self.frames.frame(number)
            (outcome,) = self.driver.run(partial(_same, frame), 1, 0.0, prefix=f"{self.driver.sent} ")
            if not outcome.answered:
                raise QuestionError(f"a frame of the plan '{plan}' was lost: {outcome.failure}")
            found.append(outcome.latency_s)
        return found

    def set_bandwidth(self, link: str, bandwidth: float) -> None:
        """Give a link so many bytes per second from now on: ``a-b`` both ways, ``a>b`` one way.

        Raises
        ------
        QuestionError
            If there is no such link.
        """
        numbers = numbers_of(self.network)
        for ends in directions_of(self.network, link):
            self.clock.set_pace(numbers[ends], bandwidth / self.network.hops[ends].bandwidth)

    @contextmanager
    def loaded(self, node: str, shares: Mapping[str, float]) -> Iterator[None]:
        """Keep shares of the processor of a node, and of the memory of this machine, busy with other work.

        Parameters
        ----------
        node
            Which; where it has no processor of its own, all of them are meant.
        shares
            Of ``cpu`` and ``memory``; those of 0 are left out.

        Raises
        ------
        QuestionError
            If stress-ng is not installed, or ends before its time.
        """
        wanted = {kind: share for kind, share in shares.items() if share > 0}
        with stressed(wanted, processor=self.processors.get(node)):
            yield


def _opened(path: str, profile: Profile, threads: int) -> CutNetwork:
    start_for(path, threads=threads)
    exits = onnx_outputs(path) if profile.exits is not None else ()
    options = OnnxOptions(exits=tuple(exits)) if len(exits) > 1 else OnnxOptions()
    return open_cut(path, onnx=options, blocks=[block.name for block in profile.blocks])


def _same(frame: Mapping[str, NDArray[Any]], _: int) -> Mapping[str, NDArray[Any]]:
    return frame


@contextmanager
def open_bench(
    first: Plan,
    topology: Topology,
    profile: Profile,
    model: CutNetwork | str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    threads: int = 1,
    processors: Mapping[str, int] | None = None,
) -> Iterator[Bench]:
    """Start an agent of the whole network for every node of a topology, on this machine, and end them afterwards.

    This machine takes the place of the profile's reference device: a node is slower by its slowdown.

    Parameters
    ----------
    first
        A plan by which the network that agents hold is held against the uncut one.
    topology, profile
        What the plans are for.
    model
        The ONNX file that was profiled; its outputs are its exits where the profile has any.
    data
        Samples, see `tiercut.offloader.local.frames.load_frames`.
    threads
        To compute with, in each agent.
    processors
        The processor that the agent of a node is kept on, by the node's name.

    Raises
    ------
    QuestionError, InputError
        As `tiercut.offloader.adaptive.run.run_adaptive`.
    """
    check_grpc()
    options = RunOptions(threads=threads)
    cut = model if isinstance(model, CutNetwork) else _opened(os.fspath(model), profile, threads)
    problem, network = build_problem(topology, profile), topology.network
    nodes = [node.name for node in topology.nodes]
    with tempfile.TemporaryDirectory(prefix="tiercut-bench-") as folder, ExitStack() as stack:
        with stage("splitting the network"):
            folders, _ = split_whole(first, cut, nodes, Path(folder) / "bundles")
            whole = load_whole(folders[0], threads=threads).whole
        frames = load_frames(data, whole.inputs)
        everywhere = replace(first, placement=tuple(nodes))
        factor = factors_of(everywhere, topology, problem, cut, (), frames, replace(options, retime=True))
        links = LinkClock.create(Path(folder) / "links", len(network.hops), len(topology.nodes))
        site = site_of(stack, dict(zip(nodes, folders, strict=True)), factor, links, topology, options)
        for node, processor in (processors or {}).items():
            site.agents[node].pin(processor)
        clock = LinkClock(links)
        stack.callback(clock.close)
        addresses = {node: agent.address for node, agent in site.agents.items()}
        fleet = stack.enter_context(
            Fleet(addresses, cut, whole.most_bytes, ways=lambda plan: ways_of(plan, topology, problem))
        )
        ready = fleet.load(first)
        driver = Driver(
            ready.bundles,
            ready.address,
            deadline_s=_PATIENCE_S,
            way=ready.way,
            clock=clock,
            stands_for=source_of(topology, factor),
            transport=options.transport,
            number=ready.number,
            most_bytes=whole.most_bytes,
        )
        bench = Bench(fleet, stack.enter_context(driver), clock, network, frames, dict(processors or {}))
        bench.warm_up(ready)
        yield bench
