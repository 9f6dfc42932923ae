"""Latency and bandwidth of a link: measured over loopback, and what either side does with a peer that misbehaves."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.made import both, topology_data

import tiercut.profiling
from tiercut.cli import main
from tiercut.errors import InputError
from tiercut.profiling.links import listener as link_listener, meter as link_meter, protocol as link_protocol
from tiercut.profiling.links.listener import LOOPBACK, Listener
from tiercut.profiling.links.meter import LinkFigures, Spread, measure_link
from tiercut.profiling.links.protocol import DOWN, GREETING, MOST_BYTES, PING, REQUEST, TIMED, UP

pytestmark = pytest.mark.usefixtures("_quick")


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transfers that take 20 ms are long enough."""
    monkeypatch.setattr(link_meter, "_LONG_ENOUGH_S", 0.02)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without a byte is silence."""
    monkeypatch.setattr(link_protocol, "SILENCE_S", 0.5)


@contextmanager
def listening(peers: int = 1, **more: float) -> Iterator[tuple[int, list[str]]]:
    """Serve so many peers in another thread; give the port, and what the listener says."""
    said: list[str] = []
    with Listener(report=said.append, **more) as listener:  # type: ignore[arg-type]
        thread = threading.Thread(target=lambda: [listener.serve_one() for _ in range(peers)], daemon=True)
        thread.start()
        yield listener.port, said
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def answering(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let something else than a listener answer one connection; give its port."""

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            behave(connection)

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(60)


def test_both_ways_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    with listening() as (port, said):
        figures = measure_link(LOOPBACK, port, progress=steps.append)
    assert steps == ["latency", "bandwidth to the peer", "bandwidth from the peer"]
    assert figures.latency_s.runs == 21
    for spread in (figures.latency_s, figures.up, figures.down):
        low, high = spread.quartiles
        assert 0 < low <= spread.median <= high
    assert len(said) == 1
    assert "127.0.0.1: 25 pings" in said[0]


class Wire:
    """A connection on a clock of its own: an echo takes 8 ms, and a piece of at most 1000 bytes one."""

    def __init__(self) -> None:
        self.now, self.said = 0.0, b""

    def sendall(self, data: bytes) -> None:
        self.said += data

    def recv(self, count: int) -> bytes:
        self.now += 0.008
        answer, self.said = self.said[:count], self.said[count:]
        return answer

    def recv_into(self, _: bytearray, count: int) -> int:
        self.now += 0.001
        return min(count, 1000)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    for module in (link_meter, link_protocol):
        monkeypatch.setattr(module.time, "perf_counter", lambda: wire.now)
    return wire


def test_latency_is_half_of_a_round_trip(wire: Wire) -> None:
    spread = link_meter._latency(wire)  # type: ignore[arg-type]
    assert spread.median == pytest.approx(0.004, rel=1e-9)
    assert spread.runs == 21


def test_transfers_are_timed_from_their_first_piece_to_the_last(wire: Wire) -> None:
    seconds, count = link_protocol.receive(wire, 5500)  # type: ignore[arg-type]
    assert seconds == pytest.approx(0.005, rel=1e-9)
    assert count == 4500


def test_transfers_grow_until_one_takes_long_enough_and_five_of_that_size_count() -> None:
    sizes: list[int] = []

    def transfer(size: int) -> tuple[float, int]:
        sizes.append(size)
        return size / 1e7, size

    size, spread = link_meter._bandwidth(transfer)
    assert sizes == [1 << 14, 1 << 16, *[1 << 18] * 6]
    assert (size, spread.runs) == (1 << 18, 5)
    assert spread.median == pytest.approx(1e7, rel=1e-9)


def relay(to: int, delay_s: float, up: tuple[float, int], down: tuple[float, int]) -> Callable[[socket.socket], None]:
    """Pass bytes on, later and at most so many bytes a second, in pieces of at most so many bytes."""

    def pump(source: socket.socket, sink: socket.socket, rate: float, most: int) -> None:
        free = time.perf_counter()
        while data := source.recv(most):
            free = max(free, time.perf_counter()) + len(data) / rate
            time.sleep(max(0.0, free - time.perf_counter()) + (delay_s if len(data) < 100 else 0.0))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def behave(connection: socket.socket) -> None:
        with socket.create_connection((LOOPBACK, to)) as onward:
            for each in (connection, onward):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=pump, args=(onward, connection, *down), daemon=True)
            back.start()
            pump(connection, onward, *up)
            back.join(60)

    return behave


def test_a_slow_link_is_seen_as_slow_as_it_is_in_each_direction() -> None:
    """A busy machine adds time to what the relay takes, but not so much that the slow way is the quick one."""
    ways: dict[str, Any] = {"up": (5e5, 2048), "down": (2e7, 1 << 16)}
    with listening() as (port, _), answering(relay(port, delay_s=0.004, **ways)) as slow:
        figures = measure_link(LOOPBACK, slow)
    assert figures.latency_s.median >= 0.004
    assert 5e5 / 20 < figures.up.median < 2 * 5e5
    assert figures.up.median < figures.down.median < 2 * 2e7


def test_a_listener_opens_to_this_machine_alone_unless_told() -> None:
    with Listener() as listener:
        assert listener._server.getsockname()[0] == "127.0.0.1"
    with Listener("0.0.0.0") as listener:
        assert listener._server.getsockname()[0] == "0.0.0.0"


def test_a_listener_that_cannot_be_says_why() -> None:
    with Listener() as listener, pytest.raises(InputError, match=r"cannot listen here: .*[Aa]ddress already in use"):
        Listener(port=listener.port)
    with pytest.raises(InputError, match=r"192.0.2.1:0: cannot listen here"):
        Listener("192.0.2.1")


def say(port: int, *what: bytes) -> bytes:
    """Send something to a listener and return all that it answers until it closes."""
    with socket.create_connection((LOOPBACK, port), 5) as connection:
        answer = b""
        try:
            for each in what:
                connection.sendall(each)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                answer += piece
        except OSError:  # it closed with bytes of ours unread
            pass
        return answer


MISBEHAVIOUR = {
    "no greeting": ((b"GET / HTTP/1.1\r\n\r\n",), GREETING, "no greeting of this version"),
    "a greeting of another version": ((b"tiercut-link 99\n",), GREETING, "no greeting of this version"),
    "an endless greeting": ((b"x" * 1000,), GREETING, "no greeting of this version"),
    "nothing": ((), b"", "the other side closed the connection"),
    "too much at once": ((GREETING, REQUEST.pack(DOWN, MOST_BYTES + 1)), GREETING, "asked for 67,108,865 bytes"),
    "a flood announced": ((GREETING, REQUEST.pack(UP, 2**63)), GREETING, "asked for 9,223,372,036,854,775,808 bytes"),
    "an unknown request": ((GREETING, REQUEST.pack(b"X", 1)), GREETING, "asked for b'X', which is no request"),
    "half a request": ((GREETING, b"P\0"), GREETING, "the other side closed the connection"),
    "half a transfer": ((GREETING, REQUEST.pack(UP, 1000), b"x" * 10), GREETING, "in the middle of a transfer"),
}


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_a_peer_that_misbehaves_is_dropped_and_the_next_one_served(what: str) -> None:
    words, answer, message = MISBEHAVIOUR[what]
    with listening(peers=2) as (port, said):
        assert say(port, *words) in (answer, b"")  # a reset may overtake the answer
        assert say(port, GREETING, REQUEST.pack(PING, 7)) == GREETING + REQUEST.pack(PING, 7)
    assert message in said[0]
    assert said[1].startswith("127.0.0.1: 1 pings")


@pytest.mark.usefixtures("_impatient")
def test_a_peer_that_falls_silent_is_dropped() -> None:
    with listening() as (port, said), socket.create_connection((LOOPBACK, port), 5) as connection:
        connection.sendall(GREETING)
        assert connection.recv(len(GREETING)) == GREETING
        assert connection.recv(1) == b""
    assert "fell silent" in said[0]


def test_a_peer_has_its_time_and_no_more() -> None:
    with listening(session_s=0.0) as (port, said):
        assert say(port, GREETING, REQUEST.pack(PING, 0)) in (GREETING, b"")
    assert "more than 0 s" in said[0]


WRONG = {
    "another service": (b"HTTP/1.1 400 Bad Request\r\n", "is no 'tiercut listen': it answers something else"),
    "another version": (b"tiercut-link 99\n", "speaks version 99 of the protocol, this tiercut version 1"),
    "one that closes": (b"", "the other side closed the connection"),
    "one that does not echo": (GREETING + b"x" * 9, "is no 'tiercut listen': it does not echo"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_peer_that_is_no_listener_is_told(what: str) -> None:
    words, message = WRONG[what]

    def behave(connection: socket.socket) -> None:
        connection.recv(len(GREETING))
        connection.sendall(words)
        if words:
            connection.recv(1000)

    with answering(behave) as port, pytest.raises(InputError, match=message):
        measure_link(LOOPBACK, port)


def test_times_that_make_no_sense_are_refused() -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        link_protocol.read_greeting(connection)
        for _ in range(25):
            connection.sendall(link_protocol.read_exactly(connection, REQUEST.size))
        connection.recv(1 << 20)
        connection.sendall(TIMED.pack(float("nan"), 1))
        connection.recv(1 << 20)

    with answering(behave) as port, pytest.raises(InputError, match="its times make no sense"):
        measure_link(LOOPBACK, port)


@pytest.mark.usefixtures("_impatient")
def test_a_peer_that_never_answers_is_given_up() -> None:
    def listen(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            pass

    with answering(listen) as port, pytest.raises(InputError, match="does not answer; is"):
        measure_link(LOOPBACK, port)


def test_a_host_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as listener:
        port = listener.port
    with pytest.raises(InputError, match="nothing listens there; run 'tiercut listen --address"):
        measure_link(LOOPBACK, port)

    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(InputError, match="nowhere:7341: there is no such host: Name or service not known"):
        measure_link("nowhere")


# --- the commands ---------------------------------------------------------------------------------------------------


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tiercut", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    data = topology_data("cam box", [both("cam", "box", 1, 1)])
    path.write_text(json.dumps(data))
    return path


FIGURES = LinkFigures(
    Spread(0.002, (0.001, 0.003), 21), Spread(1e6, (9e5, 1.1e6), 5), Spread(4e6, (3e6, 5e6), 5), 1 << 20, 1 << 22
)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every link have the same figures."""
    monkeypatch.setattr(tiercut.profiling, "measure_link", lambda *_, **__: FIGURES)


@pytest.mark.usefixtures("measured")
def test_figures_are_printed_and_written_into_a_topology(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], topology: Path
) -> None:
    assert call(monkeypatch, "measure-link", "box", "--topology", topology, "--here", "cam", "--there", "box") == 0
    said = capsys.readouterr()
    assert "8 Mb/s" in said.out
    assert "7.2 Mb/s to 8.8 Mb/s" in said.out
    assert "wrote the link between cam and box" in said.err
    hops = tiercut.load_topology(topology).hops
    assert (hops["cam", "box"].bandwidth, hops["box", "cam"].bandwidth) == (1e6, 4e6)
    assert hops["cam", "box"].latency == hops["box", "cam"].latency == 0.002


@pytest.mark.usefixtures("measured")
def test_figures_as_json_are_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "measure-link", "box", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["latency_s"]["median"] == 0.002
    assert data["down"] == {"median": 4e6, "quartiles": [3e6, 5e6], "runs": 5, "payload_bytes": 1 << 22}


CALLS = {
    ("--here", "cam"): "--topology, --here and --there belong together",
    ("--topology", "FILE", "--here", "cam", "--there", "cam"): "two different nodes",
    ("--topology", "FILE", "--here", "cam", "--there", "bx"): "there is no node 'bx'; did you mean 'box'?",
    ("--topology", "none.yaml", "--here", "cam", "--there", "box"): "there is no such file",
    ("--timeout", "5"): "--timeout: expected a time with its unit",
}


@pytest.mark.parametrize("arguments", CALLS)
def test_a_wrong_call_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], topology: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(tiercut.profiling, "measure_link", lambda *_, **__: pytest.fail("measured"))
    options = [str(topology) if each == "FILE" else each for each in arguments]
    assert call(monkeypatch, "measure-link", "box", *options) == 2
    assert CALLS[arguments] in capsys.readouterr().err


def test_an_interrupted_measurement_leaves_the_topology_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], topology: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = topology.read_text()
    monkeypatch.setattr(tiercut.profiling, "measure_link", interrupt)
    assert call(monkeypatch, "measure-link", "box", "--topology", topology, "--here", "cam", "--there", "box") == 130
    assert "interrupted; nothing is written" in capsys.readouterr().err
    assert topology.read_text() == before


def test_ctrl_c_ends_a_listener_in_good_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: Listener) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(link_listener.Listener, "serve_one", interrupt)
    assert call(monkeypatch, "listen", "--port", "0") == 0
    said = capsys.readouterr().err
    assert "listening on 127.0.0.1, port " in said
    assert "only this machine can reach it: --address lets others in" in said
    assert said.endswith("stopped\n")
