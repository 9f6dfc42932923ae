"""By streams and shared memory what comes is what was sent, or is refused; gRPC is there when they end."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import numpy as np
import pytest

from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Refused, Service
from tiercut.offloader.protocol.tensors import describe, put_parameters, take_parameters
from tiercut.offloader.transports import framing
from tiercut.offloader.transports.courier import Courier
from tiercut.offloader.transports.framing import (
    ACK,
    INLINE,
    MOST_HEAD,
    MOST_TENSORS,
    PLACED,
    PREFIX,
    SIZE,
    SLACK,
    WELCOME,
    Prefix,
    StreamError,
)
from tiercut.offloader.transports.memory import SLOTS, Slots, SlotView, has_memory
from tiercut.offloader.transports.offer import Offer, Transport, Wanted
from tiercut.offloader.transports.server import Arrival, StreamServer
from tiercut.offloader.transports.stream import Failure, Stream

pytest.importorskip("grpc", reason="needs the extra 'offload'")

HOST = "127.0.0.1"
MOST = 1 << 16
LONG_S = 20.0
"""Longer than any machine takes for what the tests wait for."""
KINDS: list[Any] = [
    "tcp",
    pytest.param("memory", marks=pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux")),
]


class Sink:
    """Takes arrivals, and keeps what was in them."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, Any], list[bytes]]] = []
        self.held: list[Arrival] = []
        self.keeps = False

    def __call__(self, arrival: Arrival) -> None:
        said: dict[str, Any] = take_parameters(arrival.request)
        if "refuse" in said:
            raise Refused("ALREADY_EXISTS", "it was here before")
        self.came.append((said, [bytes(each) for each in arrival.contents]))
        if self.keeps:
            self.held.append(arrival)
        else:
            arrival.release()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def server(sink: Sink) -> Iterator[StreamServer]:
    with closing(StreamServer(HOST, sink, MOST)) as made:
        yield made


def head(**parameters: str | int | bool) -> bytes:
    request = message("ModelInferRequest", model_name="m")
    put_parameters(request, parameters)
    return bytes(request.SerializeToString())


def sent(stream: Stream, contents: list[np.ndarray[Any, Any]], **parameters: str | int | bool) -> Failure | None:
    """Send a message, and return what became of it."""
    there, found = threading.Event(), []

    def done(failure: Failure | None) -> None:
        found.append(failure)
        there.set()

    assert stream.send(head(**parameters), [framing.bytes_of(each) for each in contents], LONG_S, done)
    assert there.wait(LONG_S)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_comes_byte_for_byte(server: StreamServer, sink: Sink, kind: Transport) -> None:
    rng = np.random.default_rng(0)
    with closing(Stream(HOST, server.offer, kind, MOST)) as stream:
        for number in range(40):
            shapes = [tuple(rng.integers(0, 12, rng.integers(0, 4))) for _ in range(rng.integers(0, 4))]
            contents = [rng.random(shape).astype(np.float32) for shape in shapes]
            assert sent(stream, contents, number=number) is None
            assert sink.came.pop() == ({"number": number}, [each.tobytes() for each in contents])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_said_and_the_next_is_taken(server: StreamServer, sink: Sink, kind: Transport) -> None:
    with closing(Stream(HOST, server.offer, kind, MOST)) as stream:
        for _ in range(2 * SLOTS):
            assert sent(stream, [np.ones(9)], refuse=True) == Failure("ALREADY_EXISTS", "it was here before")
        assert sent(stream, [np.ones(9)]) is None
    assert len(sink.came) == 1


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_what_finds_no_slot_goes_by_the_stream_and_slots_are_used_again(server: StreamServer, sink: Sink) -> None:
    sink.keeps = True
    with closing(Stream(HOST, server.offer, "memory", MOST)) as stream:
        for number in range(SLOTS + 3):
            assert sent(stream, [np.full(5, number)]) is None
        assert stream.place([8]) is None
        for number, arrival in enumerate(sink.held):  # nothing was written over
            np.testing.assert_array_equal(np.frombuffer(arrival.contents[0], np.int64), np.full(5, number))
            arrival.release()
            arrival.release()
        until = time.monotonic() + LONG_S
        while (found := stream.place([8])) is None and time.monotonic() < until:
            time.sleep(0.001)
        assert found is not None


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_what_is_written_in_place_is_sent_from_there_and_its_slot_is_free_once_it_was_read(
    server: StreamServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.keeps = True
    with closing(Stream(HOST, server.offer, "memory", MOST)) as stream:
        monkeypatch.setattr("tiercut.offloader.transports.stream.np.copyto", None)  # nothing is copied
        for number in range(SLOTS):
            room = stream.room([40, 3])
            assert room is not None
            room[0].view(np.int64)[:] = number
            room[1][:] = 7
            assert sent(stream, room) is None
            del room
        assert stream.room([8]) is None  # they have been sent, but not read
        for number, arrival in enumerate(sink.held):
            np.testing.assert_array_equal(np.frombuffer(arrival.contents[0], np.int64), np.full(5, number))
            assert bytes(arrival.contents[1]) == b"\7\7\7"
            arrival.release()
        until = time.monotonic() + LONG_S
        while (again := stream.room([8])) is None and time.monotonic() < until:
            time.sleep(0.001)
        assert again is not None


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_what_was_written_in_place_is_still_there_when_the_stream_has_ended(server: StreamServer) -> None:
    with closing(Stream(HOST, server.offer, "memory", MOST)) as stream:
        room = stream.room([5])
        assert room is not None
        room[0][:] = 9
    assert not stream.send(head(), room, 5.0, lambda _: None)
    assert bytes(room[0]) == b"\x09" * 5


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_under_way_fails_when_the_other_side_ends(sink: Sink, kind: Transport) -> None:
    blocked = threading.Event()

    def take(_: Arrival) -> None:
        blocked.wait(2 * LONG_S)

    with closing(StreamServer(HOST, take, MOST)) as server:
        stream, ends = Stream(HOST, server.offer, kind, MOST), []
        there = threading.Event()
        assert stream.send(head(), [], 3 * LONG_S, lambda why: (ends.append(why), there.set()))  # type: ignore[func-returns-value]
        time.sleep(0.05)
        server.close()
        assert there.wait(LONG_S)
        assert [each.status for each in ends] == ["UNAVAILABLE"]
        assert not stream.is_open
        assert not stream.send(head(), [], 5.0, ends.append)
        blocked.set()
    assert len(ends) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_who_does_not_acknowledge_is_given_up_at_the_deadline(kind: Transport) -> None:
    blocked = threading.Event()
    with closing(StreamServer(HOST, lambda _: blocked.wait(2 * LONG_S), MOST)) as server:
        stream, there, ends = Stream(HOST, server.offer, kind, MOST), threading.Event(), []
        begun = time.monotonic()
        assert stream.send(head(), [], 0.2, lambda why: (ends.append(why), there.set()))  # type: ignore[func-returns-value]
        assert there.wait(LONG_S)
        assert time.monotonic() - begun >= 0.2
        assert ends[0].status == "DEADLINE_EXCEEDED"
        blocked.set()


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_receiver_would_refuse_is_not_sent_and_the_stream_goes_on(
    server: StreamServer, kind: Transport
) -> None:
    with closing(Stream(HOST, server.offer, kind, MOST)) as stream:
        little, large = np.zeros(1, np.uint8), np.zeros(MOST + SLACK + 1, np.uint8)
        for begin, contents in ((bytes(MOST_HEAD + 1), []), (b"", [little] * (MOST_TENSORS + 1)), (b"", [large])):
            assert not stream.send(begin, contents, 5.0, lambda _: None)
        for contents in ([little] * MOST_TENSORS, [large[1:]]):  # what was encoded may be a little larger than it was
            assert sent(stream, list(contents)) is None


def test_words_of_a_refusal_may_come_later_than_it() -> None:
    with socket.create_server((HOST, 0)) as listener:
        offer = Offer(listener.getsockname()[1], "0" * 32, ("tcp",))

        def refuse() -> None:
            link, _ = listener.accept()
            with link:
                link.sendall(Prefix(WELCOME, 0, 0, 0, 0).pack())
                link.recv(1 << 16)
                link.sendall(Prefix(ACK, 1, 0, 5, 1).pack())
                time.sleep(0.12)
                link.sendall(b"NO\0no")
                link.recv(1)

        threading.Thread(target=refuse, daemon=True).start()
        with closing(Stream(HOST, offer, "tcp", MOST)) as stream:
            assert sent(stream, [np.ones(3)]) == Failure("NO", "no")


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_memory_that_was_closed_has_no_slots() -> None:
    slots = Slots(MOST)
    taken = slots.take([8])
    assert taken is not None
    slots.close()
    slots.release(taken[0])
    assert slots.take([8]) is None
    assert slots._memory is None


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_descriptors_of_who_is_not_let_in_are_closed(server: StreamServer) -> None:
    for length in (16, 17, 32):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(LONG_S)
            link.connect(server.offer.unix)
            reader, writer = os.pipe()
            socket.send_fds(link, [Prefix(1, 0, 0, length, 0).pack() + bytes(length)], [writer])
            os.close(writer)
            with os.fdopen(reader, "rb") as pipe:
                assert select.select([pipe], [], [], LONG_S)[0]
                assert pipe.read() == b""  # which ends once the other side has closed its end
            with suppress(ConnectionResetError):
                assert link.recv(1) == b""


def test_who_introduces_itself_byte_by_byte_is_not_waited_for(
    server: StreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiercut.offloader.transports.server._HELLO_S", 0.02)
    with socket.create_connection((HOST, server.offer.port), 5) as link, suppress(ConnectionError):
        link.settimeout(LONG_S)
        for byte in Prefix(1, 0, 0, 16, 0).pack() + bytes.fromhex(server.offer.token):
            link.sendall(bytes([byte]))
            time.sleep(0.01)
        assert link.recv(1) == b""


def test_a_server_that_could_not_accept_goes_on(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def accept(listener: socket.socket) -> Any:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "too many open files")
        return whole(listener)

    whole = socket.socket.accept
    monkeypatch.setattr(socket.socket, "accept", accept)
    with closing(StreamServer(HOST, sink, MOST, "tcp")) as server:
        assert failed.wait(LONG_S)
        with closing(Stream(HOST, server.offer, "tcp", MOST)) as stream:
            assert sent(stream, [np.ones(3)]) is None


def connected(server: StreamServer) -> socket.socket:
    """Return a connection that has introduced itself."""
    link = socket.create_connection((HOST, server.offer.port), 5)
    link.settimeout(LONG_S)
    link.sendall(Prefix(1, 0, 0, 16, 0).pack() + bytes.fromhex(server.offer.token))
    assert len(link.recv(PREFIX.size)) == PREFIX.size
    return link


def start(kind: int, sizes: list[int], head_: bytes = b"", slot: int = 0) -> bytes:
    return Prefix(kind, slot, len(sizes), len(head_), 1).pack() + b"".join(map(SIZE.pack, sizes)) + head_


def test_messages_that_come_in_one_piece_or_byte_by_byte_are_taken_one_by_one(server: StreamServer, sink: Sink) -> None:
    contents = [np.arange(size).astype(np.uint8) for size in (3, 5000)]
    one = start(INLINE, [len(each) for each in contents], head(number=7)) + b"".join(map(bytes, contents))
    with connected(server) as link:
        link.sendall(one + one + start(INLINE, [], head(number=8)) + one)
        for begin in range(0, len(one), 700):
            link.sendall(one[begin : begin + 700])
            time.sleep(0.001)
        for byte in start(INLINE, [], head(number=9)):
            link.sendall(bytes([byte]))
        got = bytearray()
        while len(got) < 6 * PREFIX.size:
            got += link.recv(6 * PREFIX.size)
    assert [said["number"] for said, _ in sink.came] == [7, 7, 8, 7, 7, 9]
    assert all(came == [bytes(each) for each in contents] for said, came in sink.came if said["number"] == 7)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFIX.pack(b"tcut", 99, 0, 0, 0, 0),
        PREFIX.pack(b"tcut", INLINE, 0, 0, 1 << 20, 0),
        PREFIX.pack(b"tcut", INLINE, 0, 65, 0, 0),
        start(INLINE, [MOST + SLACK + 1]),
        start(INLINE, [2**63, 2**63]),
        start(PLACED, [8]),
        start(INLINE, [], b"\xff\xff\xff\xff"),
        start(4, []),
    ],
    ids=["mark", "kind", "head", "tensors", "size", "sizes", "memory", "message", "no-frame"],
)
def test_what_is_no_frame_or_too_large_ends_its_stream_and_no_other(
    server: StreamServer, sink: Sink, spoilt: bytes
) -> None:
    with connected(server) as link:
        link.sendall(spoilt)
        assert link.recv(1) == b""
    with closing(Stream(HOST, server.offer, "tcp", MOST)) as stream:
        assert sent(stream, [np.ones(3)]) is None
    assert len(sink.came) == 1


def test_a_frame_that_is_cut_off_is_not_taken(server: StreamServer, sink: Sink) -> None:
    with connected(server) as link:
        link.sendall(start(INLINE, [100], head()) + bytes(99))
    with closing(Stream(HOST, server.offer, "tcp", MOST)) as stream:
        assert sent(stream, [np.ones(3)]) is None
    assert len(sink.came) == 1


def test_who_does_not_know_the_token_is_not_let_in(server: StreamServer) -> None:
    for kind in server.offer.kinds:
        unknown = server.offer._replace(token="0" * 32)
        with pytest.raises((StreamError, OSError)):
            Stream(HOST, unknown, kind, MOST)  # type: ignore[arg-type]


@pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")
def test_memory_that_may_shrink_or_is_smaller_than_said_is_refused() -> None:
    import fcntl

    def memory(size: int, seals: int) -> int:
        file = os.memfd_create("test", os.MFD_ALLOW_SEALING)
        os.ftruncate(file, size)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        return file

    with pytest.raises(StreamError, match="may shrink"):
        SlotView(memory(8192, 0), 4096, 2)
    with pytest.raises(StreamError, match="not as large"):
        SlotView(memory(4096, fcntl.F_SEAL_SHRINK), 4096, 2)
    with pytest.raises(StreamError, match="too many slots"):
        SlotView(memory(4096 * 99, fcntl.F_SEAL_SHRINK), 4096, 99)
    view = SlotView(memory(8192, fcntl.F_SEAL_SHRINK), 4096, 2)
    for slot, sizes in ((2, [1]), (0, [4097]), (1, [4000, 4000])):
        with pytest.raises(StreamError, match="no such slot"):
            view.read(slot, sizes)
    assert not view.read(1, [4096])[0].flags.writeable


@pytest.mark.parametrize("text", ["", "tiercut-streams-1:99999:" + "0" * 32 + ":tcp", "tiercut-streams-1:1:0:tcp", "x"])
def test_what_is_no_offer_is_none(text: str) -> None:
    assert Offer.among([text]) is None
    good = Offer(8001, "ab" * 16, ("tcp", "memory"))
    assert Offer.among([text, str(good)]) == good


class Site:
    """A server of the protocol that offers streams, and can be started again where it was."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted, self.address = wanted, f"{HOST}:0"
        self.came: list[str] = []
        self.start()

    def start(self) -> None:
        self.streams = StreamServer(HOST, self.take, MOST, self.wanted)
        handlers: dict[str, Callable[[Any, Any], Any]] = {
            "ServerMetadata": lambda _, __: message("ServerMetadataResponse", extensions=self.streams.extensions),
            "ModelInfer": lambda came, _: self.take(Arrival(*came)),
        }
        self.service = Service(handlers, self.address, MOST)
        self.address = self.service.address

    def take(self, arrival: Arrival) -> Any:
        self.came.append(arrival.by)
        arrival.release()
        return message("ModelInferResponse")

    def close(self) -> None:
        self.streams.close()
        self.service.close()


def brought(courier: Courier, timeout_s: float = LONG_S) -> Failure | None:
    """Let a courier bring a frame, and return what became of it."""
    there, found = threading.Event(), []
    request = message("ModelInferRequest", model_name="m")
    contents = describe(request, {"x": np.ones(100, np.float32)})
    courier.send(request, contents, timeout_s, lambda why: (found.append(why), there.set()))  # type: ignore[func-returns-value]
    assert there.wait(2 * LONG_S)
    return found[0]


def agreed(courier: Courier, kind: Transport) -> bool:
    """Wait until frames travel as they should, and return whether they do."""
    until = time.monotonic() + LONG_S
    while courier.by != kind and time.monotonic() < until:
        time.sleep(0.005)
    return courier.by == kind


BEST: Transport = "memory" if has_memory() else "tcp"


@pytest.mark.parametrize(
    ("there", "here", "agree"),
    [("auto", "auto", BEST), ("tcp", "auto", "tcp"), ("auto", "tcp", "tcp"), ("memory", "auto", BEST)],
)
def test_both_sides_agree_on_the_quickest_that_both_take(there: Wanted, here: Wanted, agree: Transport) -> None:
    if "memory" in (there, here) and not has_memory():
        pytest.skip("needs memory without a name, as Linux has")
    with closing(Site(there)) as site, closing(Peer(site.address, MOST)) as peer, closing(Courier(peer, here)) as by:
        assert agreed(by, agree)
        assert brought(by) is None
        assert site.came == [agree]


@pytest.mark.parametrize(("there", "here"), [("grpc", "auto"), ("auto", "grpc"), ("tcp", "memory"), ("memory", "tcp")])
def test_frames_go_by_grpc_where_both_do_not_agree(there: Wanted, here: Wanted) -> None:
    with closing(Site(there)) as site, closing(Peer(site.address, MOST)) as peer, closing(Courier(peer, here)) as by:
        time.sleep(0.1)
        assert brought(by) is None
        assert site.came == ["grpc"]


def test_frames_go_by_grpc_when_a_stream_ends_and_by_a_stream_again_once_both_have_met() -> None:
    with closing(Site("auto")) as site, closing(Peer(site.address, MOST)) as peer, closing(Courier(peer, "auto")) as by:
        assert agreed(by, BEST)
        site.close()
        assert agreed(by, "grpc")
        failure = brought(by)
        assert failure is not None
        assert failure.status == "UNAVAILABLE"
        site.start()
        until = time.monotonic() + LONG_S
        while by.by != BEST and time.monotonic() < until:  # a frame that arrives makes both meet, if not too often
            brought(by, 1.0)
            time.sleep(0.02)
        assert brought(by) is None
        assert site.came[-1] == BEST
