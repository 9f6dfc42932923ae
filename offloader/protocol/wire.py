"""Messages as bytes, their tensors copied once on the way out and not at all on the way in.

Protobuf's own reader and writer copy the bytes of a tensor several times, and read them again for each look at a field.
What is written here is what protobuf would read, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tiercut.offloader.protocol.messages import is_request

__all__ = ["Opened", "opened", "serialised", "size_of"]

_LARGE = 64 << 10
"""Bytes of a message, or of a tensor, from which on looking for what need not be copied is worth its while."""

_LINE = 16
"""What the bytes of a Python object begin on, so that a tensor can begin on it too."""

_MOST_FIELDS, _MOST_BESIDE, _LONGEST_VERSION = 512, 64 << 10, 100
_VERSION = b"\x12"
"""Field 2, a text: ``model_version`` of requests and of responses."""


class Opened(NamedTuple):
    """A request or a response that came.

    Parameters
    ----------
    message
        The message; the bytes of its tensors are not in it.
    contents
        The bytes of each tensor.
    """

    message: Any
    contents: Sequence[Any]


def serialised(message: Any, contents: Sequence[Any]) -> bytes:
    """Return a message with the bytes of its tensors, as gRPC sends it, copied once.

    Large tensors begin where their numbers can be read in place: before each stands a version of the model that is no
    version, and then its own again, as protobuf lets the last of several values count.
    """
    tag = _tag(type(message))
    parts: list[Any] = [message.SerializeToString()]
    at, version = len(parts[0]), message.model_version.encode()
    for each in contents:
        begin = tag + _varint(len(each))
        if len(each) >= _LARGE and len(version) <= _LONGEST_VERSION:
            begin = _filling(-(at + len(begin)) % _LINE, version) + begin
        parts += [begin, each]
        at += len(begin) + len(each)
    return b"".join(parts)


def _filling(size: int, version: bytes) -> bytes:
    """Return so many bytes, or some lines more, that change nothing in a message of a version."""
    if size == 0:
        return b""
    own = _VERSION + bytes([len(version)]) + version
    left = size - len(own) - 2
    left += -(left // _LINE) * _LINE if left < 0 else 0
    return _VERSION + bytes([left]) + b" " * left + own


def _tag(kind: Any) -> bytes:
    """Return how raw contents begin in a class of messages: fields 7 and 6, length-delimited."""
    return b"\x3a" if is_request(kind) else b"\x32"


def _varint(number: int) -> bytes:
    """Return a number as protobuf writes it: seven bits a byte, the least first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def size_of(message: Any, contents: Sequence[Any]) -> int:
    """Return the bytes of a message once it is filled, as protobuf writes it."""
    return int(message.ByteSize()) + sum(1 + max(-(-len(each).bit_length() // 7), 1) + len(each) for each in contents)


def opened(kind: Any, raw: bytes) -> Opened:
    """Return a request or a response of its bytes; the bytes of large messages' tensors are not copied.

    Protobuf makes objects of many times the bytes of some messages. So of a large one it is given little: at most 512
    fields, and at most 64 KiB beside the bytes of the tensors.

    Parameters
    ----------
    kind
        The class of the message.
    raw
        What came.

    Raises
    ------
    google.protobuf.message.DecodeError
        If it is no such message, or has more than that.
    """
    if len(raw) >= _LARGE:
        apart = _apart(raw, _tag(kind)[0])
        if apart is None or len(apart[0]) > _MOST_BESIDE:
            from google.protobuf.message import DecodeError

            raise DecodeError(
                f"a message has {_MOST_FIELDS} fields, and {_MOST_BESIDE >> 10} KiB beside its raw contents, at most"
            )
        return Opened(kind.FromString(apart[0]), apart[1])
    found = kind.FromString(raw)
    name = "raw_input_contents" if is_request(kind) else "raw_output_contents"
    contents = list(getattr(found, name))
    found.ClearField(name)
    return Opened(found, contents)


def _apart(raw: bytes, tag: int) -> tuple[bytes, list[memoryview]] | None:
    """Return a message without its raw contents, and those; None where it has too many fields, or an odd one."""
    view, end, at = memoryview(raw), len(raw), 0
    rest: list[memoryview] = []
    contents: list[memoryview] = []
    for _ in range(_MOST_FIELDS):
        if at == end:
            return b"".join(rest), contents
        begin, first = at, raw[at]
        if first & 0x87 != 2:  # a field of another sort than any of the protocol
            return None
        size, shift = 0, 0
        while True:
            at += 1
            if at == end or shift > 28:
                return None
            size |= (raw[at] & 0x7F) << shift
            shift += 7
            if raw[at] < 0x80:
                break
        at += 1
        if at + size > end:
            return None
        if first == tag:
            contents.append(view[at : at + size])
        else:
            rest.append(view[begin : at + size])
        at += size
    return None
