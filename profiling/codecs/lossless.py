"""Steps of a codec that lose nothing: zstd, or zlib, which needs no package; each with byte shuffling or without.

Shuffling puts the first bytes of all numbers together, then the second ones, and so on: the exponents of neighbours are
alike, their last digits are not (Alted, "Why modern CPUs are starving and what can be done about it", 2010).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal

import numpy as np

from tiercut.errors import QuestionError

__all__ = ["LOSSLESS", "Lossless"]

_STORED, _PACKED = b"\0", b"\1"
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Lossless:
    """A step that loses nothing.

    Parameters
    ----------
    method
        What packs.
    shuffled
        Whether bytes are shuffled before.
    """

    method: Literal["zlib", "zstd"]
    shuffled: bool

    def check(self) -> None:
        """Make sure that what packs is there.

        Raises
        ------
        QuestionError
            If it is not.
        """
        if self.method == "zstd" and find_spec("zstandard") is None:
            raise QuestionError(
                "the codec zstd needs the package zstandard: pip install 'tiercut[offload]'; zlib needs none"
            )

    def pack(self, raw: bytes, width: int) -> bytes:
        """Return bytes packed, behind one that says how: never more than one byte longer.

        Parameters
        ----------
        raw
            The bytes of numbers.
        width
            Bytes of a number.
        """
        if not raw:
            return _STORED
        packed = self._compress(_shuffled(raw, width) if self.shuffled else raw)
        return _PACKED + packed if len(packed) < len(raw) else _STORED + raw

    def unpack(self, packed: bytes, size: int, width: int) -> bytes:
        """Return the bytes that `pack` was given; no more memory is taken than for these.

        Parameters
        ----------
        packed
            What `pack` returned.
        size
            How many bytes there must be.
        width
            Bytes of a number.

        Raises
        ------
        QuestionError
            If it is damaged, or holds another number of bytes.
        """
        how, content = packed[:1], packed[1:]
        if how == _STORED:
            raw = content
        elif how == _PACKED:
            raw = self._expand(content, size)
        else:
            raise QuestionError(f"{self.method}: what came does not begin as it is written here")
        if len(raw) != size:
            raise QuestionError(f"{self.method}: expected {size} bytes when unpacked, got {len(raw)}")
        return _in_order(raw, width) if self.shuffled and how == _PACKED else raw

    def _compress(self, raw: bytes) -> bytes:
        if self.method == "zlib":
            return zlib.compress(raw, _LEVEL)
        import zstandard

        return bytes(zstandard.ZstdCompressor(level=_LEVEL).compress(raw))

    def _expand(self, content: bytes, size: int) -> bytes:
        """Return what was compressed, at most `size` bytes and one more."""
        if self.method == "zlib":
            try:
                unpacker = zlib.decompressobj()
                raw = unpacker.decompress(content, size + 1)
            except zlib.error as error:
                raise QuestionError(f"zlib: what came is damaged: {error}") from None
            if not unpacker.eof and len(raw) <= size:
                raise QuestionError("zlib: what came is damaged: it ends too early")
            return raw
        import zstandard

        try:
            said = zstandard.frame_content_size(content)
            if said != size:
                raise QuestionError(f"zstd: expected {size} bytes when unpacked, it says {said}")
            return bytes(zstandard.ZstdDecompressor().decompress(content))
        except zstandard.ZstdError as error:
            raise QuestionError(f"zstd: what came is damaged: {error}") from None


def _shuffled(raw: bytes, width: int) -> bytes:
    return np.frombuffer(raw, np.uint8).reshape(-1, width).T.tobytes()


def _in_order(raw: bytes, width: int) -> bytes:
    return np.frombuffer(raw, np.uint8).reshape(width, -1).T.tobytes()


LOSSLESS: Mapping[str, Lossless] = MappingProxyType(
    {
        "zstd": Lossless("zstd", shuffled=False),
        "shuffle-zstd": Lossless("zstd", shuffled=True),
        "zlib": Lossless("zlib", shuffled=False),
        "shuffle-zlib": Lossless("zlib", shuffled=True),
    }
)
"""The steps by name."""
