"""Figures of a link that were measured elsewhere, made whole by what the topology has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.topologies.schema import Topology

__all__ = ["completed"]

Figures: TypeAlias = dict[tuple[str, str], tuple[float, float]]
"""By sender and receiver: bandwidth in bytes per second, and latency in seconds."""


def completed(
    topology: Topology, ends: tuple[str, str], *, up: float | None, down: float | None, latency_s: float | None
) -> Figures:
    """Return the figures of both directions of a link, or of the one that changes.

    Parameters
    ----------
    topology
        What the figures that were not measured are taken from.
    ends
        The nodes between which was measured.
    up, down
        Bandwidth from the first to the second and back, in bytes per second; None where it was not measured.
    latency_s
        Of either way; None where it was not measured.

    Raises
    ------
    QuestionError
        If a node is unknown, or something is neither measured nor in the topology.
    """
    for name in ends:
        topology.index(name)
    known = {direction: (link.bandwidth, link.latency) for link in topology.links for direction in link.directions}
    here, there = ends
    made: Figures = {}
    for (start, end), rate in (((here, there), up), ((there, here), down)):
        if rate is None and (latency_s is None or (start, end) not in known):
            continue
        before = known.get((start, end))
        if before is None and latency_s is None:
            raise QuestionError(
                f"there is no link from '{start}' to '{end}' yet, so its latency is needed: give --ping"
            )
        bandwidth, latency = before or (0.0, 0.0)
        made[start, end] = (bandwidth if rate is None else rate, latency if latency_s is None else latency_s)
    if not made:
        raise QuestionError(
            f"there is no link between '{here}' and '{there}' yet, so its bandwidth is needed: give --iperf3"
        )
    return made
