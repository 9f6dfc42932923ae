"""What the kernels of streams take: servers, ways through them, and frames, as arrays; times in whole picoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = [
    "AT_HOME",
    "BEHIND",
    "BUSY",
    "DONE",
    "DROPPED",
    "EXIT",
    "LAST",
    "LONGEST",
    "LOST",
    "NEWEST",
    "OLDEST",
    "SERVED",
    "TALLIES",
    "UNBORN",
    "UNDER_WAY",
    "UNTIL",
    "Frames",
    "Servers",
    "Ways",
]

UNBORN, UNDER_WAY, DONE, DROPPED = 0, 1, 2, 3
"""What has become of a frame."""

NEWEST, OLDEST, EXIT = 0, 1, 2
"""Who goes where a queue is full."""

BUSY, SERVED, LOST, AT_HOME, BEHIND, LAST, LONGEST, UNTIL = 0, 1, 2, 3, 4, 5, 6, 7
"""What is counted of a server: time busy; payloads served, dropped and sent home; since when arrivals have found all
workers busy (-1: the last one did not); when the last arrival came; the most payloads that waited; when its last
service ends."""

TALLIES = 8


class Servers(NamedTuple):
    """V servers: nodes, and directions of links (both together where a link is half duplex).

    Parameters
    ----------
    workers
        How many payloads each serves at once.
    room
        How many payloads may wait; -1: any number.
    batch, batch_wait
        How many frames a batch holds at most, and how long its first one waits for others; 1 and 0: no batches.
    """

    workers: Ints
    room: Ints
    batch: Ints
    batch_wait: Ints


class Ways(NamedTuple):
    """W ways, each a run of steps, one after the other in arrays of K.

    Parameters
    ----------
    first
        W+1: where the steps of each way begin.
    server
        Who serves the step.
    service, last_service
        For how long: each packet but the last, and the last; equal where nothing is cut into packets.
    packets
        Into how many packets the payload is cut.
    after
        What passes afterwards without keeping the server busy: the latency of a link.
    ends
        1 where the payload is whole again afterwards: on a node, and at the last link of a transfer.
    refusable
        1 where a full queue may refuse; results are never refused.
    home
        Which way a frame takes that is sent home at the step with what it knows by then; -1: it knows nothing.
    draw
        Column of the drawn services; -1: the service is constant.
    kind
        Frames of one kind may share a batch.
    """

    first: Ints
    server: Ints
    service: Ints
    last_service: Ints
    packets: Ints
    after: Ints
    ends: Ints
    refusable: Ints
    home: Ints
    draw: Ints
    kind: Ints


class Frames(NamedTuple):
    """F frames: those of the first source in order of birth, then those of the second, and so on.

    Parameters
    ----------
    first
        S+1: where the frames of each source begin.
    birth
        When each is born; rising within a source.
    way
        Which way each takes.
    drawn
        F x C: services of the columns that `Ways.draw` names; 0 x 0 where all services are constant.
    """

    first: Ints
    birth: Ints
    way: Ints
    drawn: Ints
