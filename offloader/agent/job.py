"""A frame at an agent, from when it came until it is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.offloader.agent.timings import of_piece
from tiercut.offloader.agent.version import Version
from tiercut.offloader.bundles.stage import Ended, Room, Slowed
from tiercut.offloader.transports.server import Arrival

__all__ = ["Job"]


@dataclass(frozen=True, slots=True)
class Job:
    """A frame that waits for a worker.

    Parameters
    ----------
    arrival
        How it came.
    version
        What it is meant for.
    tensors, parameters
        What it holds.
    received_ns, decode_ns
        When it came, and how long it took to make tensors of it.
    until_ns
        Its deadline.
    result
        What its caller waits for; None where the result goes to a destination.
    """

    arrival: Arrival
    version: Version
    tensors: dict[str, NDArray[Any]]
    parameters: dict[str, str | int | bool]
    received_ns: int
    decode_ns: int
    until_ns: int
    result: Future[tuple[Ended, dict[str, int]]] | None = None

    @property
    def request(self) -> Any:
        """The message."""
        return self.arrival.request

    @property
    def destination(self) -> str:
        """Where its result goes."""
        return str(self.parameters.get("destination", ""))

    @property
    def warms_up(self) -> bool:
        """Whether it only says what a frame will find on its way."""
        return self.parameters.get("warm_up") is True and self.result is None

    @property
    def skips_links(self) -> bool:
        """Whether it goes past all links, which are not timed."""
        return self.warms_up and self.parameters.get("by_links") is not True

    @property
    def spare_ns(self) -> int:
        """How long before its deadline it is answered from an exit here, if it cannot go on; 0: it is not."""
        said = self.parameters.get("fallback_ns")
        if not isinstance(said, int) or said <= 0:
            return 0
        return min(said, (self.until_ns - self.received_ns) // 2)

    def run(self, tensors: Mapping[str, NDArray[Any]], slowed: Slowed) -> tuple[Ended, dict[str, int]]:
        """Send what came through the pieces; return what became of it and, of what warms up, what each piece took.

        What warms up leaves where it says. It goes the way of a frame, past links or over them, so all ways are known
        to work, and what comes home says what a frame will find: every hop without its link, and every piece as on the
        machine that this one stands for.
        """
        version = self.version
        if not self.warms_up:
            return version.run(tensors, slowed, self._room), {}
        said = self.parameters.get("leave")
        leave = said if isinstance(said, int) else sys.maxsize
        ended, took = version.run.until(tensors, leave, slowed, self._room)
        return ended, {of_piece(version.bundle.stage, place): each for place, each in enumerate(took)}

    @property
    def _room(self) -> Room | None:
        """Asks for memory that is shared with the next agent, if what goes on is not encoded and nobody waits here."""
        onward = self.version.onward
        return None if onward is None or self.result is not None or self.version.going.codec else onward.room

    def apart(self, ended: Ended) -> Ended:
        """Return what is to be sent, apart from what came: that memory is used again once a worker is done with it."""
        came = list(self.tensors.values())
        if self.arrival.by == "grpc" or not any(each is other for each in ended.tensors.values() for other in came):
            return ended
        return replace(ended, tensors={name: np.array(numbers) for name, numbers in ended.tensors.items()})
