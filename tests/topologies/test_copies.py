"""A topology that was changed in Python answers for what it is now, however the change was made."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import tiercut
from tiercut.topologies import Topology, load_topology, quickest_route, transfer_seconds
from tiercut.topologies.schema import Link

DIGITS = "resnet20-digits32"
SLOW = 12_500.0  # bytes per second: 100 kb/s between watch and phone
BOTH = {"watch", "phone"}


def slow_links(topology: Topology) -> list[Link]:
    return [
        link.model_copy(update={"bandwidth": SLOW}) if set(link.between or ()) == BOTH else link
        for link in topology.links
    ]


def asked(topology: Topology) -> Topology:
    """Use everything that could be remembered."""
    assert all((topology.hops, topology.network, topology.node_names, topology.tiers))
    assert tiercut.solve(topology, DIGITS, min_accuracy=0.8).best.placement == ("phone",)
    return topology


CHANGES: dict[str, Callable[[Topology], Topology]] = {
    "model_copy": lambda topology: topology.model_copy(update={"links": slow_links(topology)}),
    "model_copy of a deep copy": lambda topology: copy.deepcopy(topology).model_copy(
        update={"links": tuple(slow_links(topology))}
    ),
    "deep model_copy": lambda topology: topology.model_copy(update={"links": slow_links(topology)}, deep=True),
    "a copy of a pickle": lambda topology: pickle.loads(pickle.dumps(topology)).model_copy(
        update={"links": slow_links(topology)}
    ),
    "with_changes": lambda topology: topology.with_changes(bandwidth={"watch-phone": SLOW}),
    "model_construct": lambda topology: Topology.model_construct(**dict(topology) | {"links": slow_links(topology)}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_topology_never_answers_for_the_old_one(change: Callable[[Topology], Topology]) -> None:
    before = asked(load_topology("mobile"))
    best = tiercut.solve(change(before), DIGITS, min_accuracy=0.8).best
    assert (best.placement, best.partition) == (("watch",), (4,))
    assert best.latency_s == pytest.approx(0.6431, abs=1e-4)
    assert tiercut.solve(before, DIGITS, min_accuracy=0.8).best.placement == ("phone",), "nor the old one for the new"


def test_a_copy_with_other_nodes_knows_their_names_and_tiers() -> None:
    before = load_topology("mobile")
    assert (before.node_names[-1], len(before.tiers)) == ("cloud", 4)
    renamed = [node.model_copy(update={"name": f"{node.name}-2", "tier": "one"}) for node in before.nodes]
    after = before.model_copy(update={"nodes": renamed})
    assert after.node_names == ("watch-2", "phone-2", "base-2", "cloud-2")
    assert after.tiers == ("one",)
    assert after.index("cloud-2") == 3


def test_a_list_that_was_handed_over_can_be_changed_without_changing_the_topology() -> None:
    before = load_topology("mobile")
    links = list(before.links)
    after = before.model_copy(update={"links": links})
    wanted = transfer_seconds(after, [1e5])
    links[0] = links[0].model_copy(update={"bandwidth": 1.0})
    links.pop()
    assert np.array_equal(transfer_seconds(after, [1e5]), wanted)


def test_tables_keep_the_links_that_they_were_made_of() -> None:
    links = list(load_topology("mobile").links)
    topology = Topology.model_construct(**dict(load_topology("mobile")) | {"links": links})
    made = tiercut.problem(topology, DIGITS)
    links.clear()
    assert not topology.hops
    assert made.network is not None
    assert made.network.hops == load_topology("mobile").hops


def test_the_destination_that_a_file_leaves_out_follows_the_source_of_a_copy() -> None:
    mobile = load_topology("mobile")
    assert mobile.model_copy(update={"source": "phone"}).destination == "phone"
    assert mobile.model_copy(update={"source": "phone", "destination": "cloud"}).destination == "cloud"
    assert load_topology("iot").model_copy(update={"source": "micro"}).destination == "raspberry"


def test_a_network_serves_many_questions_about_routes() -> None:
    topology = load_topology("mobile")
    network = topology.network
    assert quickest_route(network, "watch", "cloud", 1e5) == quickest_route(topology, "watch", "cloud", 1e5)
    assert np.array_equal(transfer_seconds(network, [1e5]), transfer_seconds(topology, [1e5]))


def test_copies_and_pickles_are_equal_to_what_they_copy() -> None:
    topology = asked(load_topology("mobile"))
    again = pickle.loads(pickle.dumps(topology))
    assert again == topology == copy.deepcopy(topology) == topology.model_copy()
    assert again.hops == topology.hops
