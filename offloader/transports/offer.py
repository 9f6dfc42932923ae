"""What a server says of the streams that it takes, in the metadata that it answers over gRPC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

__all__ = ["TRANSPORTS", "Offer", "Transport", "Wanted"]

Transport = Literal["grpc", "tcp", "memory"]
Wanted = Literal["auto", "grpc", "tcp", "memory"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
"""How frames travel: as calls of gRPC, by a stream over TCP, or by memory that both share."""

_WRITTEN = re.compile(r"tiercut-streams-1:(\d{1,5}):([0-9a-f]{32}):(tcp|memory|tcp,memory)")


class Offer(NamedTuple):
    """The streams of a server.

    Parameters
    ----------
    port
        Where it takes them over TCP; the Unix socket is named after it.
    token
        What a caller must know, from this server's own metadata.
    kinds
        Which it takes.
    """

    port: int
    token: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"tiercut-streams-1:{self.port}:{self.token}:{','.join(self.kinds)}"

    @property
    def unix(self) -> str:
        """The name of the Unix socket, which is of this machine alone and no file."""
        return f"\0tiercut-{self.port}-{self.token[:8]}"

    @classmethod
    def among(cls, extensions: Iterable[str]) -> Offer | None:
        """Return the offer among the extensions of a server; None where there is none."""
        for text in extensions:
            if (found := _WRITTEN.fullmatch(text)) and int(found[1]) <= 65535:
                return cls(int(found[1]), found[2], tuple(found[3].split(",")))
        return None
