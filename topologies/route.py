"""One route from a node to another, and the seconds that a payload takes along it.

Two kinds of forwarding, for a payload of B bytes and hops with latency l and bandwidth b:

store
    every node waits for the whole payload: ``sum(l + B / b)``
cut-through
    nodes pass packets of at most ``mtu`` bytes on as they come. Only the first packet pays every hop, the others
    follow it at the pace of the slowest: ``sum(l) + sum(min(mtu, B) / b) + max(0, B - mtu) / min(b)``
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forwarding", "Hop", "Route"]

Forwarding: TypeAlias = Literal["store", "cut-through"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One direction of a link: bytes per second, seconds, dollars and joules per byte, one medium with its opposite."""

    sender: str
    receiver: str
    bandwidth: float
    latency: float
    price: float = 0.0
    energy: float = 0.0
    half: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The hops from one node to another; none where a payload stays where it is."""

    hops: tuple[Hop, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes on the route, both ends included; empty for a route without hops."""
        return tuple(hop.sender for hop in self.hops[:1]) + tuple(hop.receiver for hop in self.hops)

    @property
    def latency_s(self) -> float:
        """Propagation delay of all hops together, in seconds."""
        return sum(hop.latency for hop in self.hops)

    @property
    def bottleneck(self) -> float:
        """Bytes per second of the slowest hop; infinite for a route without hops."""
        return min((hop.bandwidth for hop in self.hops), default=float("inf"))

    @property
    def price(self) -> float:
        """Dollars per byte over all hops."""
        return sum(hop.price for hop in self.hops)

    @overload
    def seconds(self, payload_bytes: float, forwarding: Forwarding, mtu: float) -> float: ...
    @overload
    def seconds(
        self, payload_bytes: NDArray[np.float64], forwarding: Forwarding, mtu: float
    ) -> NDArray[np.float64]: ...
    def seconds(
        self, payload_bytes: float | NDArray[np.float64], forwarding: Forwarding, mtu: float
    ) -> float | NDArray[np.float64]:
        """Return the seconds that a payload, or each of several, takes along the route.

        Parameters
        ----------
        payload_bytes
            One size or an array of them. A payload of 0 bytes still pays the latencies.
        forwarding
            ``store``, as the Joint model (section 2.3.3) adds up the links, or ``cut-through``.
        mtu
            Bytes of a packet; counts for cut-through only.
        """
        per_byte = sum(1 / hop.bandwidth for hop in self.hops)
        if forwarding == "store":
            return self.latency_s + payload_bytes * per_byte
        first = np.minimum(payload_bytes, mtu) if isinstance(payload_bytes, np.ndarray) else min(payload_bytes, mtu)
        return self.latency_s + first * per_byte + (payload_bytes - first) / self.bottleneck
