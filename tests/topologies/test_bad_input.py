"""Everything that can be wrong in a topology file, each with the part of the message that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiercut.errors import Fault, InputError
from tiercut.topologies import load_topology, topology_from_text

GOOD = """\
format: tiercut.topology/1
name: mobile
nodes:
  - {name: watch, slowdown: 500}
  - {name: phone, tier: hand}
links:
  - {between: [watch, phone], bandwidth: 500 kb/s, latency: 6 ms}
source: watch
"""
LINK = "  - {between: [watch, phone], bandwidth: 500 kb/s, latency: 6 ms}\n"


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        topology_from_text(text, "mobile.yaml")
    return caught.value.faults


@pytest.mark.parametrize(
    ("old", "new", "place", "key", "message"),
    [
        # formats, keys and types
        ("topology/1", "topology/2", (1, 9), "format", "reads no other version of a topology"),
        ("tiercut.topology/1", "tiercut.profile/1", (1, 9), "format", "expected a topology"),
        ("source: watch", "source: watch\nforwading: store", (9, 12), "forwading", "did you mean 'forwarding'?"),
        ("slowdown: 500", "slow_down: 500", (4, 30), "nodes[0].slow_down", "did you mean 'slowdown'?"),
        (", latency: 6 ms", "", (7, 5), "links[0].latency", "this key is missing"),
        ("source: watch\n", "", (1, 1), "source", "this key is missing"),
        ("name: mobile\n", "", (1, 1), "name", "this key is missing"),
        ("name: mobile", "name: ''", (2, 7), "name", "expected some text, got none"),
        ("source: watch", "source: watch\nforwarding: cut", (9, 13), "forwarding", "expected 'store' or 'cut-through'"),
        ("{name: phone, tier: hand}", "phone", (5, 5), "nodes[1]", "expected a mapping, got 'phone'"),
        (LINK, "", (7, 1), "links", "expected a list, got nothing"),
        # quantities
        ("500 kb/s", "500", (7, 42), "links[0].bandwidth", "such as '10 Mb/s', got the bare value 500"),
        ("500 kb/s", "'500'", (7, 42), "links[0].bandwidth", "'500', which has no unit"),
        ("500 kb/s", "0 kb/s", (7, 42), "links[0].bandwidth", "a bandwidth must be greater than 0, got '0 kb/s'"),
        ("500 kb/s", "-5 kb/s", (7, 42), "links[0].bandwidth", "a bandwidth must be greater than 0, got '-5 kb/s'"),
        ("500 kb/s", ".nan", (7, 42), "links[0].bandwidth", "got the bare value nan"),
        ("500 kb/s", "nan Mb/s", (7, 42), "links[0].bandwidth", "expected a bandwidth with its unit"),
        ("6 ms", "6 Mb/s", (7, 61), "links[0].latency", "whose unit 'Mb/s' is none of us µs ms s"),
        ("6 ms", "-6 ms", (7, 61), "links[0].latency", "a time must be 0 or more, got '-6 ms'"),
        ("slowdown: 500", "slowdown: 0", (4, 29), "nodes[0].slowdown", "expected a number greater than 0, got 0"),
        ("slowdown: 500", "slowdown: .nan", (4, 29), "nodes[0].slowdown", "expected a finite number, got nan"),
        ("slowdown: 500", "slowdown: .inf", (4, 29), "nodes[0].slowdown", "expected a finite number, got inf"),
        (
            "slowdown: 500",
            "slowdown: '5'",
            (4, 29),
            "nodes[0].slowdown",
            "expected a number, got '5'; leave the quotes",
        ),
        ("slowdown: 500", "memory: 16", (4, 27), "nodes[0].memory", "expected a size with its unit"),
        ("slowdown: 500", "power: 1 kW", (4, 26), "nodes[0].power", "whose unit 'kW' is none of W"),
        ("slowdown: 500", "price: 1 $", (4, 26), "nodes[0].price", "whose unit '$' is none of $/h"),
        ("6 ms", "6 ms, price: -1 $/GB", (7, 74), "links[0].price", "must be 0 or more"),
        ("source: watch", "source: watch\nmtu: 0 B", (9, 6), "mtu", "a size must be greater than 0"),
        # names
        ("name: phone", "name: 12", (5, 12), "nodes[1].name", "expected text, got 12; put it in quotes"),
        ("name: phone", "name: 2024-01-31", (5, 12), "nodes[1].name", "the date 2024-01-31; put it in quotes"),
        ("name: phone", "name: true", (5, 12), "nodes[1].name", "expected text, got true; put it in quotes"),
        ("name: phone", "name: ''", (5, 12), "nodes[1].name", "expected a name of printable characters"),
        ("name: phone", "name: ' a'", (5, 12), "nodes[1].name", "without space around it"),
        ("name: phone", 'name: "a\\tb"', (5, 12), "nodes[1].name", "expected a name of printable characters"),
        ("name: phone", "name: a>b", (5, 12), "nodes[1].name", "'>' may not stand in a name"),
        ("name: phone", "name: 'a,b'", (5, 12), "nodes[1].name", "',' may not stand in a name"),
        ("name: phone", "name: a=b", (5, 12), "nodes[1].name", "'=' may not stand in a name"),
        ("name: phone", f"name: {'a' * 81}", (5, 12), "nodes[1].name", "at most 80 characters, got 81"),
        ("tier: hand", "tier: 'a>b'", (5, 25), "nodes[1].tier", "'>' may not stand in a name"),
        ("tier: hand", "tier: watch", (4, 12), "nodes[0].name", "give this node a tier too"),
        ("slowdown: 500}", "slowdown: 500}\n  - {name: watch}", (5, 12), "nodes[1].name", "is taken by nodes[0]"),
        # links
        ("[watch, phone]", "[watch, phon]", (7, 23), "links[0].between[1]", "no node 'phon'; did you mean 'phone'?"),
        ("between: [watch, phone]", "from: watch, to: fone", (7, 23), "links[0].to", "did you mean 'phone'?"),
        ("between: [watch, phone]", "from: wotch, to: phone", (7, 12), "links[0].from", "did you mean 'watch'?"),
        ("[watch, phone]", "[watch, watch]", (7, 5), "links[0]", "joins 'watch' to itself"),
        ("[watch, phone]", "[watch]", (7, 15), "links[0].between[1]", "expected more in this list"),
        (
            "[watch, phone]",
            "[watch, phone, base]",
            (7, 15),
            "links[0].between",
            "expected 2 at most in this list, got 3",
        ),
        ("[watch, phone]", "watch-phone", (7, 15), "links[0].between", "expected a list, got 'watch-phone'"),
        ("between: [watch, phone]", "between: [watch, phone], to: phone", (7, 5), "links[0]", "write only one of them"),
        ("between: [watch, phone], ", "", (7, 5), "links[0]", "joins nothing; write 'between: [a, b]'"),
        ("between: [watch, phone]", "from: watch", (7, 5), "links[0]", "'to' is missing"),
        ("between: [watch, phone]", "to: watch", (7, 5), "links[0]", "'from' is missing"),
        (LINK, LINK * 2, (8, 5), "links[1]", "a link from 'watch' to 'phone' already, links[0]"),
        (
            LINK,
            LINK + "  - {from: phone, to: watch, bandwidth: 1 b/s, latency: 0 s}\n",
            (8, 5),
            "links[1]",
            "a link from 'phone' to 'watch' already, links[0]",
        ),
        # ends and ways
        ("source: watch", "source: wach", (8, 9), "source", "there is no node 'wach'; did you mean 'watch'?"),
        ("source: watch", "source: anywhere", (8, 9), "source", "there is no node 'anywhere'"),
        (
            "source: watch",
            "source: watch\ndestination: anywere",
            (9, 14),
            "destination",
            "did you mean 'anywhere'? (known: watch, phone, anywhere)",
        ),
        ("source: watch", "source: watch\ndestination: ''", (9, 14), "destination", "there is no node ''"),
        (
            "tier: hand}",
            "tier: hand}\n  - {name: cloud}",
            (6, 12),
            "nodes[2].name",
            "'cloud' cannot be reached from the source 'watch'; link it or leave it out",
        ),
        (
            "between: [watch, phone]",
            "from: watch, to: phone",
            (5, 12),
            "nodes[1].name",
            "no way to the destination 'watch'; add a link in that direction, or write 'destination: anywhere'",
        ),
    ],
)
def test_a_fault_is_named_at_its_place(old: str, new: str, place: tuple[int, int], key: str, message: str) -> None:
    assert old in GOOD
    (found,) = faults(GOOD.replace(old, new, 1))
    assert message in found.message
    assert ((found.line, found.column), found.key) == (place, key)


def test_a_node_may_not_be_called_anywhere() -> None:
    (found,) = faults(GOOD.replace("phone", "anywhere"))
    assert "'anywhere' is no name for a node" in found.message


def test_a_topology_without_nodes_is_refused() -> None:
    found = faults("format: tiercut.topology/1\nname: none\nnodes: []\nsource: a\n")
    assert "a topology needs one node at least" in found[0].message


def test_ways_are_asked_for_only_where_every_name_is_right() -> None:
    found = faults(GOOD.replace("[watch, phone]", "[watch, phon]"))
    assert not any("reached" in each.message for each in found)


def test_every_node_without_a_way_is_named() -> None:
    extra = "".join(f"  - {{name: n{place}}}\n" for place in range(3))
    assert [each.key for each in faults(GOOD.replace("links:\n", f"{extra}links:\n"))] == [
        f"nodes[{place}].name" for place in (2, 3, 4)
    ]


def test_a_file_larger_than_a_topology_can_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as stream:
        stream.truncate(200 << 20)
    with pytest.raises(InputError, match="may have 1,048,576 at most"):
        load_topology(path)
