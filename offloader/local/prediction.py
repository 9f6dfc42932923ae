"""What the model says of a run: the seconds of every step of a plan, and the latency at each exit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from tiercut.errors import QuestionError
from tiercut.offloader.agent.emulation import Emulation
from tiercut.offloader.links.path import Direction, Way
from tiercut.offloader.local.timing import Round, variations
from tiercut.optimizer import Decision, Itinerary, Problem, Step, itinerary
from tiercut.topologies import Network, Topology

__all__ = ["Predicted", "factors", "numbers_of", "on_links", "predicted", "source_of", "way_of"]

K = TypeVar("K", bound=Hashable)
Span = tuple[int, int]
"""First and last block of a piece, 1-based."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A plan in the seconds that are predicted for it.

    Parameters
    ----------
    path
        Its steps.
    timed
        Whether pieces and hops were timed here.
    hops_coding_s
        Seconds of encoding and decoding on the way to each stage, where hops were timed here.
    rounds_s
        Seconds until a frame has left at each exit, by its block, in every round in which pieces and hops were timed;
        empty where they were not.
    variations
        By stage how much its pieces varied then, the standard deviation over the mean; None where one
        message alone was timed, empty where none was.
    turnarounds_s
        By stage how soon a worker turned to the next message that waited, once it was done with the pieces of one;
        None where too few waited, empty where messages came one at a time.
    """

    path: Itinerary
    timed: bool = False
    hops_coding_s: tuple[float, ...] = ()
    rounds_s: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    variations: tuple[float | None, ...] = ()
    turnarounds_s: tuple[float | None, ...] = ()

    def with_rounds(self, spans: Sequence[Sequence[Span]], rounds: Sequence[Round]) -> Predicted:
        """Return the plan with what pieces took, and hops beside their links, in some rounds: on average, and in each.

        Parameters
        ----------
        spans
            The pieces of each stage.
        rounds
            Messages that passed them; at least one left at each exit.
        """
        onward, coding, back, pieces = _Means[int](), _Means[int](), _Means[int](), _Means[Span]()
        for each in rounds:
            back.add(len(each.hops) - 1, each.back_s)
            for stage, (hop, taken) in enumerate(zip(each.hops, each.pieces_s, strict=True)):
                onward.add(stage, hop.onward_s + (0.0 if stage else each.rest_s))
                coding.add(stage, hop.encode + hop.decode)
                for span, seconds in zip(spans[stage], taken, strict=False):
                    pieces.add(span, seconds)
        mean = self._with_times(pieces.all, onward.all, back.all)
        at_exit: dict[int, list[float]] = {block: [] for block in mean.at_exit}
        for each in rounds:
            own = [zip(spans[stage], taken, strict=False) for stage, taken in enumerate(each.pieces_s)]
            lived = self._with_times(
                pieces.all | {span: seconds for stage in own for span, seconds in stage},
                onward.all
                | {stage: hop.onward_s + (0.0 if stage else each.rest_s) for stage, hop in enumerate(each.hops)},
                back.all | {len(each.hops) - 1: each.back_s},
            )
            for block, seconds in lived.at_exit.items():
                if block <= each.block:
                    at_exit[block].append(seconds)
        return replace(
            mean,
            hops_coding_s=tuple(coding.all[stage] for stage in range(len(spans))),
            rounds_s={block: tuple(seconds) for block, seconds in at_exit.items()},
            variations=variations(rounds),
        )

    def _with_times(
        self, pieces_s: Mapping[Span, float], onward_s: Mapping[int, float], back_s: Mapping[int, float]
    ) -> Predicted:
        """Return the plan with the seconds of each piece, on the way to each stage, and of a result from each stage."""

        def seconds(step: Step) -> float:
            match step.sort:
                case "compute":
                    return pieces_s[step.first, step.last]
                case "input":
                    return step.seconds + onward_s[0]
                case "send":
                    return step.seconds + onward_s[step.stage + 1]
                case "result":
                    return step.seconds + back_s[step.stage]

        steps = tuple(step._replace(seconds=seconds(step)) for step in self.steps)
        return replace(self, path=replace(self.path, steps=steps), timed=True)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which a frame meets them."""
        return self.path.steps

    @property
    def at_exit(self) -> dict[int, float]:
        """The latency of a frame that leaves at each exit, by its block."""
        exits = [step.last for step in self.steps if step.sort == "result"]
        return dict(zip(exits, self.path.path_seconds, strict=True))

    @property
    def rates(self) -> dict[int, float]:
        """The share of the frames that leaves at each exit, by its block."""
        return {step.last: step.reach for step in self.steps if step.sort == "result"}

    def compute_s(self, stage: int, exits: Mapping[int, int]) -> float | None:
        """Return the mean seconds of computing in a stage, 0-based, over the frames that get there.

        Parameters
        ----------
        stage
            Which.
        exits
            How many frames leave at each exit, by its block.
        """
        spans = [step for step in self.steps if step.sort == "compute" and step.stage == stage]
        there = [sum(count for block, count in exits.items() if block >= step.first) for step in spans]
        return sum(n * step.seconds for n, step in zip(there, spans, strict=True)) / there[0] if there[0] else None

    def transfer_s(self, stage: int) -> float | None:
        """Return the seconds of bringing a frame to a stage, 0-based."""
        if stage == 0:
            return self.steps[0].seconds
        return next(step.seconds for step in self.steps if step.sort == "send" and step.stage == stage - 1)

    def coding_s(self, stage: int) -> float | None:
        """Return the seconds of encoding and decoding on the way to a stage, 0-based; None without a codec there."""
        problem, decision = self.path.problem, self.path.decision
        codecs = (decision.input_codec, *(decision.codecs or (None,) * (len(decision.partition) - 1)))
        codec = codecs[stage]
        if codec is None:
            return None
        if self.hops_coding_s:
            return self.hops_coding_s[stage]
        block = decision.partition[stage - 1] if stage else 0
        before = decision.placement[stage - 1] if stage else problem.source
        encode_s = problem.codec_encode_s[codec, block, before]
        return float(encode_s + problem.codec_decode_s[codec, block, decision.placement[stage]])

    def result_s(self, block: int) -> float:
        """Return the seconds of sending the result from an exit home."""
        return next(step.seconds for step in self.steps if step.sort == "result" and step.last == block)


class _Means(Generic[K]):
    """Means of what was added, by key."""

    def __init__(self) -> None:
        self._added: dict[K, list[float]] = {}

    def add(self, key: K, seconds: float) -> None:
        """Add one."""
        self._added.setdefault(key, []).append(seconds)

    @property
    def all(self) -> dict[K, float]:
        """All of them."""
        return {key: sum(added) / len(added) for key, added in self._added.items()}


def predicted(problem: Problem, decision: Decision) -> Predicted:
    """Return what the model says of a plan on the tables of a problem."""
    return Predicted(itinerary(problem, decision))


def on_links(problem: Problem, decision: Decision) -> Predicted:
    """Return what the links of a plan take, and nothing else: see `Predicted.with_times` for the rest."""
    path = itinerary(problem, decision)
    steps = (step._replace(seconds=0.0 if step.sort == "compute" else _on_links(problem, step)) for step in path.steps)
    return Predicted(replace(path, steps=tuple(steps)))


def _on_links(problem: Problem, step: Step) -> float:
    from tiercut.topologies import quickest_route

    network = problem.network
    if network is None or step.node is None or step.to is None or step.node == step.to:
        return 0.0
    route = quickest_route(network, step.node, step.to, step.size)
    return 0.0 if route is None else route.seconds(step.size, network.forwarding, network.mtu)


def numbers_of(network: Network) -> dict[tuple[str, str], int]:
    """Return the number of every direction in the clock of links; both directions of a half-duplex link have one."""
    numbers: dict[tuple[str, str], int] = {}
    for place, (ends, hop) in enumerate(network.hops.items()):
        other = numbers.get((ends[1], ends[0])) if hop.half else None
        numbers[ends] = place if other is None else other
    return numbers


def source_of(topology: Topology, factor: Mapping[str, float]) -> Emulation:
    """Return what this process stands for where it is the source; `factor` as of `factors`, of those that have one."""
    source = topology.source
    return Emulation(factor.get(source, 1.0), speed=len(topology.network.hops) + topology.index(source))


def way_of(network: Network, path: Itinerary, step: Step) -> Way:
    """Return the links of a transfer, with the number of each direction among all of the topology's."""
    numbers = numbers_of(network)
    hops = path.hops(step)
    directions = tuple(Direction(numbers[hop.sender, hop.receiver], hop.bandwidth, hop.latency) for hop in hops)
    return Way(directions, network.forwarding, network.mtu)


def factors(
    problem: Problem, topology: Topology, placement: Sequence[str], here_s: float, reference_s: float | None
) -> dict[str, float]:
    """Return by how much each node of a plan is slower than this machine.

    Parameters
    ----------
    problem, topology
        Whose nodes they are.
    placement
        Their names.
    here_s
        Seconds of the whole network here.
    reference_s
        Seconds of the whole network on the profile's reference device, which this machine takes the place of; None:
        this machine is held against what the profile says of each node.

    Raises
    ------
    QuestionError
        If this machine is slower than one that it is to stand for.
    """
    found = {}
    for name in placement:
        whole_s = float(problem.span_s[topology.index(name), 0, problem.block_count - 1])
        found[name] = whole_s / (here_s if reference_s is None else reference_s)
        if not found[name] >= 1 - 1e-9:
            raise QuestionError(
                f"node '{name}' takes {whole_s * 1e3:.3g} ms for the whole network and this machine "
                f"{(whole_s / found[name]) * 1e3:.3g} ms: it can be slowed to stand for a node, not sped up; "
                + (
                    "take this machine for the profile's reference device with --retime"
                    if reference_s is None
                    else f"give '{name}' a slowdown of 1 or more"
                )
            )
        found[name] = max(found[name], 1.0)
    return found
