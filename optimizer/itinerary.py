"""What a sample passes through on a plan: nodes that compute and transfers between them, in the order of meeting them.

There are two grains. `itinerary` reads the tables of a problem: a step for each piece between exits and cuts, for the
result of each exit, and for what crosses each cut. `stage_steps` reads a plan alone: one step of each sort for each of
its stages. Whatever adds up, draws, simulates or runs a plan reads one of the two.

The tables hold encoding and decoding as parts of a transfer, so the seconds of a transfer include them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from tiercut.errors import QuestionError
from tiercut.optimizer.problem import ANYWHERE
from tiercut.optimizer.samples.exit_shares import Shares, shares_of

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Decision, Plan
    from tiercut.optimizer.problem import Problem
    from tiercut.topologies import Hop

__all__ = ["Itinerary", "Sort", "Step", "itinerary", "stage_steps"]

Sort = Literal["input", "compute", "result", "send"]


class Step(NamedTuple):
    """One thing that takes a sample time: a node that computes, or a transfer from one node to another.

    Parameters
    ----------
    sort
        ``input`` (to the first node), ``compute``, ``result`` (to the destination) or ``send``
        (a block's output, to the next node).
    stage
        0-based index of the partition that it belongs to; the input belongs to the first.
    node, to
        Names: the node that computes, or the two ends of a transfer. `to` is None where a node computes or where the
        result stays; an end is also None where only a plan is at hand, which does not name source and destination.
    first, last
        The blocks that are computed, 1-based; of a transfer, the block whose output or prediction is sent, twice, and 0
        for the input.
    seconds, size
        Seconds that one sample takes, and bytes that it sends; 0 bytes where both ends are one node.
    reach, onward
        Shares of all samples that meet the step, and that go on through the network after it.
    exits
        1-based blocks whose branch is evaluated in it, or whose prediction it sends: one at most in an `Itinerary`.
    codec
        Name of what encodes the input or the output that is sent; None: sent as it is.

    Notes
    -----
    A tuple and no dataclass, because every price makes some ten of them: a frozen dataclass takes three times as long.
    """

    sort: Sort
    stage: int
    node: str | None
    to: str | None
    first: int
    last: int
    seconds: float
    size: float
    reach: float
    onward: float
    exits: tuple[int, ...] = ()
    codec: str | None = None

    @property
    def adds_s(self) -> float:
        """What the step adds to the expected latency, in seconds."""
        return self.reach * self.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Itinerary:
    """The steps of a decision on the tables of a problem, in the order in which a sample meets them."""

    problem: Problem
    decision: Decision
    steps: tuple[Step, ...]

    @property
    def latency_s(self) -> float:
        """Expected latency of one sample, in seconds."""
        total = 0.0
        for step in self.steps:
            total += step.reach * step.seconds
        return total

    @property
    def bytes_sent(self) -> float:
        """Expected payload of one sample, in bytes: each transfer once, however many links it crosses."""
        total = 0.0
        for step in self.steps:
            total += step.reach * step.size
        return total

    @property
    def path_seconds(self) -> tuple[float, ...]:
        """Seconds that a sample takes which leaves at each of the exits, the transfer of its result included."""
        spent, paths = 0.0, []
        for step in self.steps:
            if step.sort == "result":
                paths.append(spent + step.seconds)
            else:
                spent += step.seconds
        return tuple(paths)

    @property
    def exit_rates(self) -> tuple[float, ...]:
        """Shares of all samples that leave at each of the exits."""
        return tuple(step.reach for step in self.steps if step.sort == "result")

    def hops(self, step: Step) -> tuple[Hop, ...]:
        """Return the directed links that a step uses, in order; none where a node computes or nothing is sent.

        Routes are searched only here, because the tables hold no more than their seconds.

        Raises
        ------
        QuestionError
            If the problem was not made of a topology.
        """
        from tiercut.topologies import quickest_route

        if step.sort == "compute" or step.node is None or step.to is None or step.node == step.to:
            return ()
        if self.problem.network is None:
            raise QuestionError("the links of a transfer are known only where the problem was made of a topology")
        route = quickest_route(self.problem.network, step.node, step.to, step.size)
        return () if route is None else route.hops


def itinerary(problem: Problem, decision: Decision, shares: Shares | None = None) -> Itinerary:
    """Return what a sample passes through.

    Parameters
    ----------
    problem
        The tables.
    decision
        Partition, placement, exits, thresholds and codecs. A cut that is none of the exits is crossed by all.
    shares
        What becomes of the samples, where it is known already; else as the problem knows it.
    """
    return Itinerary(problem, decision, tuple(_steps(problem, decision, shares or shares_of(problem, decision))))


def _steps(problem: Problem, decision: Decision, shares: Shares) -> Iterator[Step]:
    yield _input(problem, decision)
    begin, reach, stage, evaluated = 0, 1.0, 0, 0
    for last in sorted({*decision.partition, *decision.exits}):
        node = decision.placement[stage]
        if last in decision.exits:
            onward, evaluated = shares.onward[evaluated], evaluated + 1
            yield _compute(problem, stage, node, (begin, last), (reach, onward), leaves=True)
            yield _result(problem, stage, node, last, reach - onward)
        else:
            onward = reach
            yield _compute(problem, stage, node, (begin, last), (reach, onward), leaves=False)
        if last == decision.partition[stage] and stage + 1 < len(decision.partition):
            yield _send(problem, decision, stage, onward)
            stage += 1
        begin, reach = last, onward


def _input(problem: Problem, decision: Decision) -> Step:
    source, first, codec = problem.source, decision.placement[0], decision.input_codec
    size, seconds, name = _sent(problem, codec, 0, source, first)
    size = 0.0 if source == first else size
    return Step("input", 0, problem.nodes[source], problem.nodes[first], 0, 0, seconds, size, 1.0, 1.0, (), name)


def _compute(
    problem: Problem, stage: int, node: int, blocks: tuple[int, int], shares: tuple[float, float], *, leaves: bool
) -> Step:
    begin, last = blocks
    seconds = float((problem.span_s if leaves else problem.bare_s)[node, begin, last - 1])
    exits = (last,) if leaves else ()
    return Step("compute", stage, problem.nodes[node], None, begin + 1, last, seconds, 0.0, *shares, exits)


def _result(problem: Problem, stage: int, node: int, exit_: int, share: float) -> Step:
    stays, home = problem.destination == ANYWHERE, problem.destination
    size = 0.0 if stays or node == home else float(problem.result_bytes)
    to = None if stays else problem.nodes[home]
    seconds = float(problem.result_s[exit_ - 1, node])
    return Step("result", stage, problem.nodes[node], to, exit_, exit_, seconds, size, share, 0.0, (exit_,))


def _send(problem: Problem, decision: Decision, stage: int, share: float) -> Step:
    u, v = decision.placement[stage : stage + 2]
    block, codec = decision.partition[stage], decision.codecs[stage] if decision.codecs else None
    size, seconds, name = _sent(problem, codec, block, u, v)
    ends = problem.nodes[u], problem.nodes[v]
    return Step("send", stage, *ends, block, block, seconds, size, share, share, (), name)


def _sent(problem: Problem, codec: int | None, block: int, u: int, v: int) -> tuple[float, float, str | None]:
    """Return bytes, seconds and the codec's name of what crosses from one node to another: the input is block 0."""
    if codec is None:
        return float(problem.payload_bytes[block]), float(problem.transfer_s[block, u, v]), None
    size, seconds = problem.codec_bytes[codec, block], problem.codec_s[codec, block, u, v]
    return float(size), float(seconds), problem.codecs[codec]


def stage_steps(plan: Plan, source: str | None = None, destination: str | None = None) -> tuple[Step, ...]:
    """Return what a sample passes through, stage by stage, from a plan alone; the steps add up to its latency.

    Parameters
    ----------
    plan
        A priced plan, or one that was read from a file.
    source, destination
        Names of the nodes where the input is born and the result goes, where they are known.

    Notes
    -----
    Exits within a stage are one step here, with the mean seconds of the samples that get to the stage. The bytes of
    the input and of results are not in a plan: their size is nan.
    """
    return tuple(_stage_steps(plan, source, destination))


_UNKNOWN = float("nan")


def _stage_steps(plan: Plan, source: str | None, destination: str | None) -> Iterator[Step]:
    codec = plan.input_codec
    yield Step("input", 0, source, plan.placement[0], 0, 0, plan.input_s, _UNKNOWN, 1.0, 1.0, (), codec)
    for place, stage in enumerate(plan.stages):
        first, last = stage.blocks
        stay, exits = stage.reach - stage.exit_rate, stage.exits
        yield Step("compute", place, stage.node, None, first, last, stage.compute_s, 0.0, stage.reach, stay, exits)
        home = stage.node, destination, last, last
        yield Step("result", place, *home, stage.result_s, _UNKNOWN, stage.exit_rate, 0.0, exits)
        if stage.send_to is not None:
            ends, sent = (stage.node, stage.send_to), (stage.send_s, stage.send_bytes)
            yield Step("send", place, *ends, last, last, *sent, stay, stay, (), stage.codec)
