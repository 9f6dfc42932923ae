"""What iperf3 and ping print, as figures of a link."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tiercut import load_topology
from tiercut.cli import main
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.imports.link_tools import Rates, read_iperf3, read_ping

MEGABIT = 125_000.0
TOPOLOGY = """\
format: tiercut.topology/1
name: shop  # the corner
nodes:
  - {name: cam-1}
  - {name: box}
  - {name: far}
links:
  - {between: [cam-1, box], bandwidth: 20 Mb/s, latency: 8 ms}  # wired
  - {from: box, to: far, bandwidth: 5 Mb/s, latency: 30 ms}
  - {from: far, to: box, bandwidth: 6 Mb/s, latency: 30 ms}
source: cam-1
"""
LINUX = """\
PING box (192.0.2.7) 56(84) bytes of data.
64 bytes from box (192.0.2.7): icmp_seq=1 ttl=64 time=10.2 ms
64 bytes from box (192.0.2.7): icmp_seq=2 ttl=64 time=12.0 ms
64 bytes from box (192.0.2.7): icmp_seq=2 ttl=64 time=90.0 ms (DUP!)
64 bytes from box (192.0.2.7): icmp_seq=3 ttl=64 time=11.0 ms

--- box ping statistics ---
3 packets transmitted, 3 received, +1 duplicates, 0% packet loss, time 2003ms
rtt min/avg/max/mdev = 10.200/30.800/90.000/34.193 ms
"""


def iperf3(folder: Path, name: str = "iperf.json", **data: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(data))
    return path


def tcp(folder: Path, megabits: float, *, reverse: int = 0) -> Path:
    sums = {"sum_sent": {"bits_per_second": 99e6}, "sum_received": {"bits_per_second": megabits * 1e6}}
    start = {"test_start": {"protocol": "TCP", "reverse": reverse}}
    return iperf3(folder, f"iperf{reverse}.json", start=start, intervals=[], end=sums)


def test_what_arrived_counts_in_the_direction_that_was_measured(tmp_path: Path) -> None:
    assert read_iperf3(tcp(tmp_path, 94.1)) == Rates(up=pytest.approx(94.1 * MEGABIT))
    assert read_iperf3(tcp(tmp_path, 94.1, reverse=1)) == Rates(down=pytest.approx(94.1 * MEGABIT))


def test_both_directions_at_once_are_both_read(tmp_path: Path) -> None:
    end = {"sum_received": {"bits_per_second": 8e6}, "sum_received_bidir_reverse": {"bits_per_second": 16e6}}
    path = iperf3(tmp_path, start={"test_start": {"bidir": 1, "reverse": 0}}, end=end)
    assert read_iperf3(path) == Rates(1e6, 2e6)


def test_what_udp_lost_does_not_count(tmp_path: Path) -> None:
    end = {"sum": {"bits_per_second": 10e6, "lost_percent": 20.0}}
    assert read_iperf3(iperf3(tmp_path, start={}, end=end)) == Rates(up=pytest.approx(1e6))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"error": "unable to connect to server", "end": {}}, "iperf3 failed: unable to connect to server"),
        ({"error": "unable to connect to server"}, "iperf3 failed: unable to connect to server"),
        ({"start": {}}, "is nothing that iperf3 prints"),
        ({"end": []}, "is nothing that iperf3 prints"),
        ({"end": {"sum_received": {"bits_per_second": 0}}}, "nothing arrived"),
        ({"end": {"sum_received": {"bits_per_second": "1"}}}, "nothing arrived"),
        ({"end": {"sum_received": 5}}, "nothing arrived"),
    ],
)
def test_what_is_no_measurement_is_refused(tmp_path: Path, data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_iperf3(iperf3(tmp_path, **data))


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        (LINUX, 5.5),
        ("64 bytes from 192.0.2.7: seq=0 ttl=64 time=0.350 ms\nround-trip min/avg/max = 0.3/0.4/0.5 ms\n", 0.175),
        ("3 packets transmitted\nrtt min/avg/max/mdev = 10.2/30.8/90.0/34.1 ms\n", 15.4),
        ("round-trip min/avg/max/stddev = 1.0/2.0/3.0/0.5 ms\n", 1.0),
        ("Reply from 192.0.2.7: bytes=32 time=12ms TTL=64\nReply from 192.0.2.7: bytes=32 time<1ms TTL=64\n", 3.125),
    ],
)
def test_half_of_the_median_round_trip_is_one_way(tmp_path: Path, text: str, milliseconds: float) -> None:
    (tmp_path / "ping.txt").write_text(text)
    assert read_ping(tmp_path / "ping.txt") == pytest.approx(milliseconds * 1e-3)


def test_a_ping_without_replies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ping.txt").write_text("2 packets transmitted, 0 received, 100% packet loss, time 1003ms\n")
    with pytest.raises(InputError, match="no reply is in it"):
        read_ping(tmp_path / "ping.txt")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Write figures into the topology by the command; return its status, what it said, and the topology's text."""
    path = tmp_path / "shop.yaml"
    path.write_text(TOPOLOGY)
    (tmp_path / "ping.txt").write_text(LINUX)

    def run(here: str, there: str, *arguments: str) -> tuple[int, str, str]:
        call = ["tiercut", "import", "links", str(path), "--here", here, "--there", there, *arguments]
        monkeypatch.setattr(sys, "argv", call)
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), capsys.readouterr().err, path.read_text()

    return run


def figures(path: Path) -> dict[tuple[str, str], tuple[float, float]]:
    links = load_topology(path).links
    return {pair: (link.bandwidth / MEGABIT, link.latency * 1e3) for link in links for pair in link.directions}


def test_both_ways_and_the_latency_are_written_and_comments_stay(write: Any, tmp_path: Path) -> None:
    files = [str(tcp(tmp_path, 94.1)), str(tcp(tmp_path, 40, reverse=1))]
    status, said, text = write(
        "cam-1", "box", "--iperf3", files[0], "--iperf3", files[1], "--ping", str(tmp_path / "ping.txt")
    )
    assert status == 0, said
    assert "# the corner" in text
    found = figures(tmp_path / "shop.yaml")
    assert found["cam-1", "box"] == pytest.approx((94.1, 5.5))
    assert found["box", "cam-1"] == pytest.approx((40, 5.5))
    assert "cam-1 to box: 94.1 Mb/s, 5.5 ms" in said


def test_what_was_not_measured_stays(write: Any, tmp_path: Path) -> None:
    assert write("box", "far", "--iperf3", str(tcp(tmp_path, 7)))[0] == 0
    assert write("box", "far", "--ping", str(tmp_path / "ping.txt"))[0] == 0
    found = figures(tmp_path / "shop.yaml")
    assert found["box", "far"] == pytest.approx((7, 5.5))
    assert found["far", "box"] == pytest.approx((6, 5.5))
    assert found["cam-1", "box"] == pytest.approx((20, 8))


def test_a_link_that_is_not_there_yet_needs_both_figures(write: Any, tmp_path: Path) -> None:
    ping = ("--ping", str(tmp_path / "ping.txt"))
    assert "its bandwidth is needed: give --iperf3" in write("cam-1", "far", *ping)[1]
    assert "its latency is needed: give --ping" in write("cam-1", "far", "--iperf3", str(tcp(tmp_path, 7)))[1]
    assert write("cam-1", "far", "--iperf3", str(tcp(tmp_path, 7)), *ping)[0] == 0
    assert figures(tmp_path / "shop.yaml")["cam-1", "far"] == pytest.approx((7, 5.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("box", "far"), "give what was measured"), (("box", "fra", "--ping", "ping.txt"), "there is no node 'fra'")],
)
def test_a_call_without_sense_is_refused(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, text = write(*arguments)
    assert (status, text) == (2, TOPOLOGY)
    assert message in said


def test_figures_are_not_written_among_links_that_share_values(write: Any, tmp_path: Path) -> None:
    shared = TOPOLOGY.replace("bandwidth: 5 Mb/s", "bandwidth: &slow 5 Mb/s").replace("6 Mb/s", "*slow")
    (tmp_path / "shop.yaml").write_text(shared)
    status, said, text = write("box", "far", "--ping", str(tmp_path / "ping.txt"))
    assert (status, text) == (2, shared)
    assert "links that share values ('&slow' in line 9); write the values out" in said


def test_questions_are_refused_from_python_too() -> None:
    from tiercut.topologies.measured import completed

    with pytest.raises(QuestionError, match="there is no node 'x'"):
        completed(load_topology("mobile"), ("x", "phone"), up=1.0, down=None, latency_s=None)
