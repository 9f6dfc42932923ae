"""Plans whose price was worked out by hand, in small whole numbers: one for every term of the score.

Times are seconds, sizes bytes, bandwidths bytes per second. Unless a test says otherwise, the network has three blocks
of 1, 2 and 4 s, branches of 0.5 s each, and sends 12 (input), 8 and 4 bytes; at threshold 0.1 half of the samples leave
at branch 1, a quarter at branch 2 and a quarter at the end; branches are right in 0.5, 0.75 and 1 of all cases.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.made import both, exits_data, one, plan_of, problem_of, profile_data, topology_data

import tiercut
from tiercut.optimizer.plan import Decision, Plan
from tiercut.optimizer.pricing import evaluate, price
from tiercut.optimizer.query import Query
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

RATES = [0.5, 0.25, 0.25]
RIGHT: list[float | None] = [0.5, 0.75, 1.0]
NETWORK: dict[str, Any] = {
    "block_s": [1.0, 2.0, 4.0],
    "sizes": [12.0, 8.0, 4.0, 0.0],
    "branch_s": [0.5, 0.5, 0.5],
    "result_bytes": 2,
    "exits": exits_data(RIGHT, RATES),
}


def network(**changes: Any) -> dict[str, Any]:
    return profile_data(**{**NETWORK, **changes})


PAIR = [both("near", "far", 1, 4)]
CHAIN = [both("near", "middle", 1, 4), both("middle", "far", 2, 2)]


def priced(topology: dict[str, Any], partition: list[int], placement: str, **more: Any) -> Plan:
    return plan_of(problem_of(topology, more.pop("profile", None) or network()), partition, placement, **more)


def asked(topology: dict[str, Any], profile: dict[str, Any], **query: Any) -> list[Plan]:
    answer = tiercut.ask(Topology.from_data(topology), Profile.from_data(profile), Query(**query))
    return list(answer.plans)


def test_a_single_partition_on_the_source_costs_its_blocks_and_its_branch() -> None:
    """1 + 2 + 4 for the blocks, 0.5 for branch 3; nothing is sent. All are judged by branch 3: accuracy 1."""
    plan = priced(topology_data("near far", PAIR), [3], "near")
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent) == (7.5, 1.0, 0.0)
    assert plan.threshold is None


def test_the_input_is_sent_to_a_first_node_that_is_not_the_source() -> None:
    """Input: 1 + 12/4 = 4; compute 7.5; result from far to near: 1 + 2/4 = 1.5. In all 13; 12 + 2 bytes."""
    plan = priced(topology_data("near far", PAIR), [3], "far")
    assert plan.input_s == 4.0
    assert (plan.latency_s, plan.bytes_sent) == (13.0, 14.0)


def test_a_result_is_sent_back_to_the_source_by_those_who_leave_elsewhere() -> None:
    """Near: blocks 1, 2 and branch 2: 3.5. By branch 2, 3/4 have left, at home: 0. Onward 1/4 · (1 + 4/4) = 0.5.

    Far: 1/4 · (4 + 0.5) = 1.125, result 1/4 · (1 + 2/4) = 0.375. In all 5.5. Bytes: 1/4 · 4 + 1/4 · 2 = 1.5.
    Accuracy: 3/4 · 0.75 + 1/4 · 1 = 0.8125.
    """
    plan = priced(topology_data("near far", PAIR), [2, 3], "near far", threshold=0.1)
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent) == (5.5, 0.8125, 1.5)
    assert [stage.result_s for stage in plan.stages] == [0.0, 1.5]
    assert [stage.exit_rate for stage in plan.stages] == [0.75, 0.25]


def test_a_destination_at_the_far_end_gets_the_results_of_all() -> None:
    """As above, but now the 3/4 send theirs: 3/4 · 1.5 = 1.125, and far keeps its own: 5.5 - 0.375 + 1.125 = 6.25."""
    plan = priced(topology_data("near far", PAIR, destination="far"), [2, 3], "near far", threshold=0.1)
    assert plan.latency_s == 6.25
    assert plan.bytes_sent == 0.25 * 4 + 0.75 * 2


def test_a_result_that_may_stay_anywhere_costs_nothing() -> None:
    """As above without a result: 3.5 + 0.5 + 1.125 = 5.125; bytes: only 1/4 · 4."""
    plan = priced(topology_data("near far", PAIR, destination="anywhere"), [2, 3], "near far", threshold=0.1)
    assert (plan.latency_s, plan.bytes_sent) == (5.125, 1.0)


def test_a_result_of_no_bytes_still_takes_the_latency_of_its_way() -> None:
    """Input 4, compute 7.5, and 1 s for the way back."""
    plan = priced(topology_data("near far", PAIR), [3], "far", profile=network(result_bytes=0))
    assert plan.latency_s == 12.5


def test_three_partitions_go_down_a_chain_and_the_results_come_back_along_it() -> None:
    """Near: 1.5, half leave. Onward 1/2 · (1 + 8/4) = 1.5. Middle: 1/2 · 2.5 = 1.25, result 1/4 · (1 + 2/4) = 0.375.

    Onward 1/4 · (2 + 4/2) = 1. Far: 1/4 · 4.5 = 1.125; result from far over middle: (2 + 1) + (1 + 0.5) = 4.5,
    a quarter of it 1.125. In all 7.875. Accuracy 1/2 · 0.5 + 1/4 · 0.75 + 1/4 = 0.6875.
    """
    plan = priced(topology_data("near middle far", CHAIN), [1, 2, 3], "near middle far", threshold=0.1)
    assert (plan.latency_s, plan.accuracy) == (7.875, 0.6875)
    assert plan.bytes_sent == 0.5 * 8 + 0.25 * 4 + 0.25 * 2 + 0.25 * 2


def test_what_crosses_two_links_is_counted_once_in_bytes_and_twice_in_seconds() -> None:
    """Input over both links: (1 + 12/4) + (2 + 12/2) = 12; result back: 3 + 1.5 = 4.5; compute 7.5. Bytes 12 + 2."""
    plan = priced(topology_data("near middle far", CHAIN), [3], "far")
    assert (plan.latency_s, plan.bytes_sent) == (24.0, 14.0)


def test_a_later_partition_may_run_nearer_than_an_earlier_one() -> None:
    """Source and destination near, but far begins: input 4, far 1.5, its results 1/2 · 1.5 = 0.75.

    Back: 1/2 · (1 + 8/4) = 1.5. Near: 1/2 · (2 + 4 + 0.5) = 3.25, at home. In all 11.
    """
    plan = priced(topology_data("near far", PAIR), [1, 3], "far near", threshold=0.1)
    assert plan.latency_s == 11.0
    assert plan.accuracy == 0.5 * 0.5 + 0.5 * 1.0


def test_placing_backward_wins_where_the_second_node_is_slow_to_reach_but_quick() -> None:
    """The blocks take 1, 64 and 1 s on device and a 64th of that on edge; only block 1's output and the result are big.

    [device]: 66. [edge]: 66/64 + 64 for the result. [device, edge] pays the 64 for the result too.
    [edge, device]: nothing for the input, 65/64, nothing for block 2's output, 1, and the result is at home.
    """
    nodes = [{"name": "device", "slowdown": 64.0}, {"name": "edge"}]
    topology = topology_data(nodes, [both("device", "edge", 0, 1)])
    profile = profile_data([1 / 64, 1.0, 1 / 64], [0.0, 64.0, 0.0, 0.0], result_bytes=64)
    best = asked(topology, profile)[0]
    assert (best.partition, best.placement) == ((2, 3), ("edge", "device"))
    assert best.latency_s == 65 / 64 + 1
    forward = asked(topology, profile, order="forward")[0]
    assert (forward.partition, forward.placement, forward.latency_s) == ((3,), ("edge",), 66 / 64 + 64)


def test_a_network_may_be_trimmed_after_any_branch() -> None:
    """Blocks 1 and 2 with branch 2, for all: 3.5 s, accuracy 0.75."""
    plan = priced(topology_data("near far", PAIR), [2], "near")
    assert (plan.latency_s, plan.accuracy, plan.exits) == (3.5, 0.75, (2,))


def test_trimming_wins_where_the_accuracy_asked_for_allows_it() -> None:
    """Alone on the only node, the ways to reach 0.7 are: trim after 2 (3.5 s) or run all (7.5 s)."""
    topology = topology_data("near", [])
    assert asked(topology, network(), min_accuracy=0.7)[0].partition == (2,)
    assert asked(topology, network(), min_accuracy=0.76)[0].partition == (3,)
    assert asked(topology, network())[0].partition == (1,)


def test_everybody_who_is_left_leaves_at_the_last_exit_of_a_trimmed_network() -> None:
    """Near 1.5, half leave. Onward 1/2 · 3 = 1.5; far 1/2 · 2.5 = 1.25, and all of that half send: 1/2 · 1.5 = 0.75."""
    plan = priced(topology_data("near far", PAIR), [1, 2], "near far", threshold=0.1)
    assert plan.latency_s == 5.0
    assert plan.accuracy == 0.5 * 0.5 + 0.5 * 0.75


def test_a_block_that_a_partition_passes_over_does_not_ask_its_branch() -> None:
    """[1, 3]: those whom branch 2 would have let go run to the end: 1/2 · (2 + 4 + 0.5), branch 2 unpaid."""
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.1)
    assert plan.latency_s == 1.5 + 0.5 * 3 + 0.5 * 6.5 + 0.5 * 1.5
    assert [stage.reach for stage in plan.stages] == [1.0, 0.5]


def test_exits_that_leave_nobody_cost_their_branch_and_give_nothing() -> None:
    """At threshold 0.1 nobody leaves before the end: near 1.5, onward 3, far 6.5 and the result 1.5: 12.5.

    Bytes 8 + 2, accuracy that of the last branch.
    """
    silent = network(exits=exits_data(RIGHT, [0.0, 0.0, 1.0]))
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.1, profile=silent)
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent) == (12.5, 1.0, 10.0)
    assert [stage.exit_rate for stage in plan.stages] == [0.0, 1.0]


def test_after_an_exit_that_everybody_takes_the_rest_costs_nothing() -> None:
    """Near 1.5; nobody goes on, so that nothing is sent and far does nothing. Accuracy 0.5."""
    gone = network(exits=exits_data(RIGHT, [1.0, 0.0, 0.0]))
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.1, profile=gone)
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent) == (1.5, 0.5, 0.0)
    assert [stage.reach for stage in plan.stages] == [1.0, 0.0]


def test_of_rates_alone_the_largest_so_far_is_gone_also_where_its_branch_is_not_used() -> None:
    """Asked alone, 0.25, 0.75 and 0.5 leave: by branch 3, 3/4 are gone. [3, ...] in four blocks, branches 1, 2 unused.

    One node after the other: near 1+1+1+0.5 = 3.5, onward 1/4 · (1 + 4/4) = 0.5, far 1/4 · 1.5, result 1/4 · 1 s.
    """
    exits = exits_data([0.5, 0.5, 0.5, 1.0], [0.25, 0.75, 0.5, 0.5], alone=True)
    profile = profile_data([1.0] * 4, [4.0] * 5, branch_s=[0.5] * 4, exits=exits)
    plan = priced(topology_data("near far", PAIR), [3, 4], "near far", threshold=0.1, profile=profile)
    assert [stage.exit_rate for stage in plan.stages] == [0.75, 0.25]
    assert plan.latency_s == 3.5 + 0.5 + 0.375 + 0.25


def test_where_rates_are_given_both_ways_those_of_the_full_configuration_count() -> None:
    exits = exits_data(RIGHT, RATES) | {"exit_rate_alone": [[0.0, 0.0, 1.0]]}
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.1, profile=network(exits=exits))
    assert [stage.exit_rate for stage in plan.stages] == [0.5, 0.5]


def test_the_threshold_picks_its_row_of_rates() -> None:
    """At 0.2, a quarter leaves at branch 1: near 1.5, onward 3/4 · 3, far 3/4 · 6.5, results 3/4 · 1.5: 9.75."""
    profile = network(exits=exits_data(RIGHT, RATES, [0.25, 0.25, 0.5]))
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.2, profile=profile)
    assert (plan.latency_s, plan.threshold) == (9.75, 0.2)


def test_the_two_directions_of_a_link_may_differ() -> None:
    """There: 1 s and 4 bytes a second: 1 + 12/4 = 4. Back: 3 s and 1 byte a second: 3 + 2 = 5. Compute 7.5."""
    topology = topology_data("near far", [one("near", "far", 1, 4), one("far", "near", 3, 1)])
    plan = priced(topology, [3], "far")
    assert (plan.input_s, plan.stages[0].result_s, plan.latency_s) == (4.0, 5.0, 16.5)


def test_the_direct_link_is_taken_even_where_a_detour_is_quicker() -> None:
    """Direct: 100 + 12/1 = 112; over middle it would be 4 + 8 = 12."""
    topology = topology_data("near middle far", [*CHAIN, both("near", "far", 100, 1)], destination="anywhere")
    assert priced(topology, [3], "far").input_s == 112.0


def test_without_a_direct_link_the_quickest_path_depends_on_the_size() -> None:
    """Over a: 0 + 0 s at 1 byte a second twice; over b: 5 + 5 s at 12 bytes a second twice.

    The input of 12 bytes: a 24, b 10 + 2 = 12. The result of 2 bytes: a 4, b 10 + 1/3.
    """
    links = [both("near", "a", 0, 1), both("a", "far", 0, 1), both("near", "b", 5, 12), both("b", "far", 5, 12)]
    plan = priced(topology_data("near a b far", links), [3], "far")
    assert (plan.input_s, plan.stages[0].result_s) == (12.0, 4.0)


def test_cut_through_pays_every_hop_for_the_first_packet_only() -> None:
    """Two hops, 1 + 2 s, 4 and 2 bytes a second, packets of 4 bytes: 3 + 4/4 + 4/2 + (12 - 4)/2 = 10, stored 12.

    The result of 2 bytes is one packet: 3 + 2/4 + 2/2 = 4.5, the same as stored.
    """
    topology = topology_data("near middle far", CHAIN, forwarding="cut-through", mtu="4 B")
    plan = priced(topology, [3], "far")
    assert (plan.input_s, plan.stages[0].result_s) == (10.0, 4.5)


def test_cut_through_over_one_hop_is_the_same_as_storing() -> None:
    stored = priced(topology_data("near far", PAIR), [2, 3], "near far", threshold=0.1)
    passed = topology_data("near far", PAIR, forwarding="cut-through", mtu="1 B")
    assert priced(passed, [2, 3], "near far", threshold=0.1).latency_s == stored.latency_s


def test_what_leaves_a_node_is_encoded_there_and_decoded_where_it_arrives() -> None:
    """To far: input encode 1 + way 4 + decode 0.5; the cut after 2 is not coded (null); results never are."""
    profile = network(encode_s=[1.0, 2.0, None, None], decode_s=[0.5, 0.25])
    profile["devices"]["d"]["decode_s"] = [0.5, 0.25, None, None]
    topology = topology_data("near far", PAIR)
    assert priced(topology, [3], "far", profile=profile).input_s == 5.5
    plan = priced(topology, [1, 3], "near far", threshold=0.1, profile=profile)
    assert plan.stages[0].send_s == 2.0 + 3.0 + 0.25
    assert plan.stages[1].result_s == 1.5
    assert priced(topology, [2, 3], "near far", threshold=0.1, profile=profile).stages[0].send_s == 2.0
    assert priced(topology, [3], "near", profile=profile).latency_s == 7.5


def test_a_slow_node_is_slow_at_everything_but_sending() -> None:
    """Far is half as fast: input 4 + decode 2 · 0.5, compute 2 · 7.5, result 1.5: 21.5."""
    nodes = [{"name": "near"}, {"name": "far", "slowdown": 2.0}]
    profile = network(encode_s=[0.0] * 4, decode_s=[0.5] * 4)
    plan = priced(topology_data(nodes, PAIR), [3], "far", profile=profile)
    assert (plan.input_s, plan.stages[0].compute_s, plan.latency_s) == (5.0, 15.0, 21.5)


def test_encoding_is_slowed_by_the_sender_and_decoding_by_the_receiver() -> None:
    """Near is 3, far 2 times as slow: 3 · 1 + 3 + 2 · 0.5 = 7."""
    nodes = [{"name": "near", "slowdown": 3.0}, {"name": "far", "slowdown": 2.0}]
    profile = network(encode_s=[1.0] * 4, decode_s=[0.5] * 4)
    plan = priced(topology_data(nodes, PAIR), [1, 3], "near far", threshold=0.1, profile=profile)
    assert plan.stages[0].send_s == 7.0


def test_a_slowdown_also_counts_on_a_node_that_names_its_own_device() -> None:
    """Far is a gpu of 0.25 s a block and no branch times, twice as slow today: 2 · 0.75 = 1.5."""
    nodes = [{"name": "near"}, {"name": "far", "device": "gpu", "slowdown": 2.0}]
    profile = network()
    profile["devices"]["gpu"] = {"block_s": [0.25, 0.25, 0.25]}
    plan = priced(topology_data(nodes, PAIR), [3], "far", profile=profile)
    assert plan.stages[0].compute_s == 1.5


def test_a_node_without_a_device_uses_the_reference() -> None:
    """The first device counts 1 s a block, the one called reference 0.25."""
    profile = network(reference="gpu")
    profile["devices"]["gpu"] = {"block_s": [0.25, 0.25, 0.25]}
    assert priced(topology_data("near far", PAIR), [3], "near", profile=profile).latency_s == 0.75
    del profile["reference"]
    assert priced(topology_data("near far", PAIR), [3], "near", profile=profile).latency_s == 7.5


def test_a_span_that_was_timed_as_one_piece_is_not_added_up_from_blocks() -> None:
    """Blocks 1-2 with branch 2 took 3, not 3.5; blocks 3-3 with branch 3 took 4.25; blocks 1-3 with branch 3 took 6."""
    spans = [[1.25, 3.0, 6.0], [2.25, 5.0], [4.25]]
    profile = network(span_s=spans)
    topology = topology_data("near far", PAIR)
    plan = priced(topology, [2, 3], "near far", threshold=0.1, profile=profile)
    assert [stage.compute_s for stage in plan.stages] == [3.0, 4.25]
    assert plan.latency_s == 3.0 + 0.25 * 2 + 0.25 * 4.25 + 0.25 * 1.5
    assert priced(topology, [3], "near", profile=profile).latency_s == 6.0


def test_a_span_that_ends_without_its_branch_costs_that_much_less() -> None:
    """Only the backbone's own classifier: blocks 1-2 without branch 2: 3 - 0.5; onward 2; far 4.25; result 1.5."""
    profile = network(span_s=[[1.25, 3.0, 6.0], [2.25, 5.0], [4.25]])
    plan = priced(topology_data("near far", PAIR), [2, 3], "near far", exits=[3], profile=profile)
    assert [stage.compute_s for stage in plan.stages] == [2.5, 4.25]
    assert plan.latency_s == 2.5 + 2.0 + 4.25 + 1.5


def test_a_span_less_its_branch_is_also_what_a_network_without_recorded_exits_takes() -> None:
    """Block 1 with branch 1 took 1.25, the branch 0.5; block 2 with the classifier 2.25."""
    profile = profile_data([1.0, 2.0], [12.0, 8.0, 4.0], branch_s=[0.5, 0.5], span_s=[[1.25, 3.0], [2.25]])
    plan = priced(topology_data("near far", PAIR), [1, 2], "near far", profile=profile)
    assert [stage.compute_s for stage in plan.stages] == [0.75, 2.25]


def test_a_span_without_a_known_branch_time_stands_for_the_piece_without_it() -> None:
    profile = network(span_s=[[1.25, 3.0, 6.0], [2.25, 5.0], [4.25]])
    del profile["devices"]["d"]["branch_s"]
    plan = priced(topology_data("near far", PAIR), [2, 3], "near far", exits=[3], profile=profile)
    assert plan.stages[0].compute_s == 3.0


def test_blocks_that_pass_samples_on_whole_cost_no_branch() -> None:
    """Near 1 + 2, onward 1 + 4/4, far 4 + 0.5, result 1.5: 11; everybody crosses: 4 + 2 bytes; accuracy 1."""
    plan = priced(topology_data("near far", PAIR), [2, 3], "near far", exits=[3])
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent, plan.threshold) == (11.0, 1.0, 6.0, None)


def test_an_exit_after_a_cut_that_has_none_is_reached_by_all() -> None:
    """Near 1 (no exit), onward 3 for all; middle 2.5, 3/4 leave: 3/4 · 1.5; onward 1/4 · 4; far 1/4 · (4.5 + 4.5)."""
    topology = topology_data("near middle far", CHAIN)
    plan = priced(topology, [1, 2, 3], "near middle far", threshold=0.1, exits=[2, 3])
    assert plan.latency_s == 1 + 3 + 2.5 + 0.75 * 1.5 + 0.25 * 4 + 0.25 * 9
    assert plan.accuracy == 0.75 * 0.75 + 0.25
    assert [stage.exit_rate for stage in plan.stages] == [0.0, 0.75, 0.25]


def test_an_exit_inside_a_partition_lets_samples_go_before_its_end() -> None:
    """Exits 1 and 3 in one piece on far: input 4, 1.5 for all, 1/2 · 6.5, result 1.5; accuracy 1/2 · 0.5 + 1/2."""
    plan = priced(topology_data("near far", PAIR), [3], "far", threshold=0.1, exits=[1, 3])
    assert (plan.latency_s, plan.accuracy, plan.bytes_sent) == (10.25, 0.75, 14.0)
    (stage,) = plan.stages
    assert (stage.reach, stage.exit_rate, stage.compute_s) == (1.0, 1.0, 4.75)


def test_an_exit_inside_a_partition_splits_it_into_spans() -> None:
    """Block 1 with its branch took 1.25, blocks 2-3 with branch 3 took 5: 1.25 + 1/2 · 5."""
    profile = network(span_s=[[1.25, 3.0, 6.0], [2.25, 5.0], [4.25]])
    plan = priced(topology_data("near far", PAIR), [3], "near", threshold=0.1, exits=[1, 3], profile=profile)
    assert plan.latency_s == 3.75


def test_an_exit_inside_a_later_partition_counts_for_those_who_get_there() -> None:
    """Near 1.5, 1/2 leave; onward 1/2 · 3; far: 1/2 · 2.5, 1/4 leave at branch 2, 1/4 · 4.5; results 1/2 · 1.5."""
    plan = priced(topology_data("near far", PAIR), [1, 3], "near far", threshold=0.1, exits=[1, 2, 3])
    assert plan.latency_s == 1.5 + 1.5 + 1.25 + 1.125 + 0.75
    assert plan.accuracy == 0.5 * 0.5 + 0.25 * 0.75 + 0.25
    assert (plan.stages[1].reach, plan.stages[1].compute_s) == (0.5, 2.5 + 0.5 * 4.5)


def test_a_codec_takes_the_place_of_bytes_and_codings_and_costs_accuracy() -> None:
    """After block 1: 4 bytes for 8, encoded in 1 and decoded in 0.5 s, a tenth less accurate; the codings are not paid.

    1.5 + 1/2 · (1 + (1 + 4/4) + 0.5) + 1/2 · 6.5 + 1/2 · 1.5 = 7.25; accuracy 0.75 - 1/2 · 0.1; 1/2 · (4 + 2) bytes.
    """
    codec = {
        "bytes": [None, 4.0, None],
        "encode_s": {"d": [None, 1.0, None]},
        "decode_s": {"d": [None, 0.5, None]},
        "accuracy_drop": [None, 0.1, None],
    }
    profile = network(encode_s=[64.0] * 4, decode_s=[64.0] * 4, codecs={"half": codec})
    problem = problem_of(topology_data("near far", PAIR), profile)
    plan = price(problem, Decision((1, 3), (0, 1), (1, 3), 0, codecs=(0,)))
    assert (plan.latency_s, plan.bytes_sent, plan.codecs) == (7.25, 3.0, ("half",))
    assert plan.accuracy == pytest.approx(0.7, rel=1e-15)
    assert (plan.stages[0].send_bytes, plan.stages[0].send_s) == (4.0, 3.5)


def test_a_codec_of_the_input_takes_the_place_of_its_bytes_and_codings_and_costs_all_samples_accuracy() -> None:
    """The input of 12 bytes as 4, encoded in 1 and decoded in 0.5 s, a tenth less accurate, on links of 1 $ a byte.

    near → far: 1 + (1 + 4/4) + 0.5 = 3.5 for 1 + 12/4 = 4; then what far adds without it: 7.5, and 1.5 for the result.
    """
    codec = {
        "bytes": [4.0, None, None],
        "encode_s": {"d": [1.0, None, None]},
        "decode_s": {"d": [0.5, None, None]},
        "accuracy_drop": [0.1, None, None],
    }
    nodes = [{"name": name, "price": "0 $/h"} for name in ("near", "far")]
    dear = topology_data(nodes, [both("near", "far", 1, 4, price="1e9 $/GB")])
    problem = problem_of(dear, network(codecs={"half": codec}))
    plain, plan = plan_of(problem, [3], "far"), plan_of(problem, [3], "far", input_codec="half")
    assert (plain.input_s, plan.input_s, plan.input_codec) == (4.0, 3.5, "half")
    assert plan.latency_s == plain.latency_s - 0.5
    assert plan.bytes_sent == plain.bytes_sent - 8.0 == 4.0 + 2.0
    assert plan.accuracy == pytest.approx(0.9, rel=1e-15)
    for name in ("cost", "bytes", "bytes:near>far", "link:near>far", "out:near"):
        less = evaluate(problem, plain.decision, name) - evaluate(problem, plan.decision, name)
        assert less == pytest.approx(8.0, rel=1e-12), name
    assert evaluate(problem, plan.decision, "latency") == plan.latency_s
    assert evaluate(problem, plan.decision, "p99") == plan.latency_s


def test_a_branch_whose_time_is_missing_counts_nothing() -> None:
    profile = network(branch_s=[None, 0.5, None])
    topology = topology_data("near far", PAIR)
    assert priced(topology, [3], "near", profile=profile).latency_s == 7.0
    assert priced(topology, [1], "near", profile=profile).latency_s == 1.0


def test_a_network_without_exits_is_cut_anywhere_and_ends_at_its_end() -> None:
    """Two blocks on two nodes: [2] on either, [1, 2] both ways: 4 plans; accuracy as the profile says, on all."""
    profile = profile_data([1.0, 2.0], [4.0, 8.0, 0.0], accuracy=0.75)
    plans = asked(topology_data("near far", PAIR), profile, kind="rank", top=10)
    # near: 3; near+far: 1 + 3 + 2 + 1; far+near: 2 + 1 + 3 + 2; far: 2 + 3 + 1
    assert [(plan.latency_s, plan.accuracy) for plan in plans] == [(3.0, 0.75), (6.0, 0.75), (7.0, 0.75), (8.0, 0.75)]
    assert [plan.placement for plan in plans] == [("near",), ("far",), ("near", "far"), ("far", "near")]


def test_a_profile_that_knows_no_accuracy_gives_plans_without() -> None:
    profile = profile_data([1.0, 2.0], [4.0, 8.0, 0.0])
    assert priced(topology_data("near far", PAIR), [2], "near", profile=profile).accuracy is None


def test_energy_is_the_watts_of_a_node_times_its_seconds() -> None:
    """[2, 3] on near (2 W) and far (8 W): 3.5 · 2 + 1/4 · 4.5 · 8 = 16 J."""
    nodes = [{"name": "near", "power": "2 W"}, {"name": "far", "power": "8 W"}]
    problem = problem_of(topology_data(nodes, PAIR), network())
    plan = plan_of(problem, [2, 3], "near far", threshold=0.1)
    assert evaluate(problem, plan.decision, "energy") == 16.0


def test_cost_is_seconds_of_computing_and_bytes_over_every_priced_link() -> None:
    """Far computes for 3600 $/h, a dollar a second: 7.5; 14 bytes go over links of 1 and 2 $ a byte: 42."""
    dear = [both("near", "middle", 1, 4, price="1e9 $/GB"), both("middle", "far", 2, 2, price="2e9 $/GB")]
    nodes = [{"name": name, "price": "3600 $/h"} for name in ("near", "middle", "far")]
    problem = problem_of(topology_data(nodes, dear), network())
    plan = plan_of(problem, [3], "far")
    assert evaluate(problem, plan.decision, "cost") == pytest.approx(7.5 + 42, rel=1e-12)


def test_the_frontier_of_the_network_on_one_node_is_its_three_trimmings() -> None:
    """Alone on its node nothing can be cut: 1.5 s for 0.5, 3.5 s for 0.75, 7.5 s for 1."""
    plans = asked(topology_data("near", []), network(), kind="frontier")
    assert [(plan.latency_s, plan.accuracy) for plan in plans] == [(1.5, 0.5), (3.5, 0.75), (7.5, 1.0)]


def test_a_bound_that_a_plan_just_meets_holds() -> None:
    """With a slack of 1e-9 on either side, and no more."""
    topology = topology_data("near", [])
    assert asked(topology, network(), min_accuracy=0.75)[0].partition == (2,)
    assert asked(topology, network(), min_accuracy=0.75 + 5e-10)[0].partition == (2,)
    assert asked(topology, network(), min_accuracy=0.75 + 2e-9)[0].partition == (3,)
    assert asked(topology, network(), objective="accuracy", max_latency_s=3.5 - 5e-10)[0].partition == (2,)
    assert asked(topology, network(), objective="accuracy", max_latency_s=3.5 - 2e-9)[0].partition == (1,)
