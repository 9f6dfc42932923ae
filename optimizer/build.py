"""From a topology and a profile to the dense tables of a problem."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.errors import QuestionError, TiercutWarning, unknown_name
from tiercut.memory import check_room
from tiercut.optimizer.measures.piece_table import LatePieceTable, PieceTable
from tiercut.optimizer.problem import ANYWHERE, Problem
from tiercut.topologies import transfer_prices, transfer_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.problem import Floats
    from tiercut.profiling import Codec, Device, Exits, Profile
    from tiercut.topologies import Network, Node, Topology

__all__ = ["build_problem", "coding_seconds", "device_of", "piece_seconds", "rebuild_problem"]


def build_problem(topology: Topology, profile: Profile) -> Problem:
    """Return the tables that a topology and a profile make together.

    Parameters
    ----------
    topology
        Nodes and links.
    profile
        What was measured of the network.

    Returns
    -------
    Problem
        M nodes in the order of the topology, N blocks, T thresholds.

    Raises
    ------
    QuestionError
        If a node names a device that the profile has no times for, or the times of its blocks add up to no number; or
        the topology has several sources.

    Warns
    -----
    TiercutWarning
        Where a span with its branch has to stand for one without.
    """
    if topology.sources is not None:
        names = ", ".join(each.called for each in topology.sources)
        raise QuestionError(
            f"topology '{topology.name}' has several sources ({names}); name one of them as the source (--source), or "
            "find a plan for each with tiercut solve (in Python tiercut.solve_sources)"
        )
    network = topology.network
    devices = [device_of(node, profile) for node in topology.nodes]
    slow = np.array([node.slowdown for node in topology.nodes])
    accuracy = _accuracies(profile)
    branch = ~np.isnan(accuracy) if profile.exits is not None else _only_last(profile.block_count)
    span_s, bare_s = _spans(devices, slow, len(branch))
    payload = np.array(profile.payload_bytes)
    codecs = [_codec(profile, codec, devices, slow, network) for codec in profile.codecs.values()]
    encode_s, decode_s = coding_seconds(devices, slow, len(payload))
    _check_sums(topology, profile, span_s)
    destination = topology.destination_index
    return Problem(
        topology=topology.name,
        profile=profile.name,
        nodes=network.node_names,
        tiers=tuple(node.tier or node.name for node in topology.nodes),
        source=topology.source_index,
        destination=ANYWHERE if destination is None else destination,
        one_per_tier=topology.one_partition_per == "tier",
        order=topology.order,
        blocks=tuple(block.name for block in profile.blocks),
        thresholds=np.array(profile.exits.thresholds if profile.exits else [np.nan], float),
        stay=_stay(profile.exits, profile.block_count),
        stay_alone=_stay_alone(profile.exits, profile.block_count),
        accuracy=accuracy,
        branch=branch,
        span_s=span_s,
        bare_s=bare_s,
        transfer_s=_handed_on(encode_s, decode_s, transfer_seconds(network, payload)),
        result_s=_results(transfer_seconds(network, np.array([profile.result_bytes])), destination, len(branch)),
        payload_bytes=payload,
        result_bytes=profile.result_bytes,
        power=_known([node.power for node in topology.nodes]),
        price=_known([node.price for node in topology.nodes]),
        idle_power=np.array([node.idle_power or 0.0 for node in topology.nodes]),
        workers=np.array([float(node.workers) for node in topology.nodes]),
        encode_s=encode_s,
        decode_s=decode_s,
        transfer_cost=payload[:, None, None] * transfer_prices(network, payload),
        result_cost=profile.result_bytes
        * _results(transfer_prices(network, np.array([profile.result_bytes])), destination, len(branch)),
        codecs=tuple(profile.codecs),
        codec_s=_stack([each.seconds for each in codecs], (len(payload), len(slow), len(slow))),
        codec_bytes=_stack([each.size for each in codecs], (len(payload),)),
        codec_drop=_stack([each.drop for each in codecs], (len(payload),)),
        codec_cost=_stack([each.cost for each in codecs], (len(payload), len(slow), len(slow))),
        codec_encode_s=_stack([each.encode_s for each in codecs], (len(payload), len(slow))),
        codec_decode_s=_stack([each.decode_s for each in codecs], (len(payload), len(slow))),
        parameter_bytes=_known([block.parameter_bytes for block in profile.blocks]),
        activation_bytes=_known([block.activation_bytes for block in profile.blocks]),
        memory=_known([node.memory for node in topology.nodes]),
        network=network,
    )


def rebuild_problem(problem: Problem, before: Topology, topology: Topology, profile: Profile) -> Problem:
    """Return the problem under other conditions, from the one that a topology and a profile made.

    Parameters
    ----------
    problem
        What `build_problem` made of `before` and `profile`.
    before
        The topology that it was made of.
    topology
        The same nodes and links, with other slowdowns, bandwidths and latencies.
    profile
        What was measured of the network.

    Notes
    -----
    What a node computes scales with its slowdown; only what crosses links is worked out again.
    """
    if topology.sources is not None:
        names = ", ".join(each.called for each in topology.sources)
        raise QuestionError(
            f"topology '{topology.name}' has several sources ({names}); name one of them as the source (--source), or "
            "find a plan for each with tiercut solve (in Python tiercut.solve_sources)"
        )
    network = topology.network
    devices = [device_of(node, profile) for node in topology.nodes]
    slow = np.array([node.slowdown for node in topology.nodes])
    factor = (slow / np.array([node.slowdown for node in before.nodes]))[:, None, None]
    same = bool(np.all(factor == 1.0))
    payload, count = problem.payload_bytes, problem.block_count
    result, destination = np.array([profile.result_bytes]), topology.destination_index
    encode_s, decode_s = coding_seconds(devices, slow, len(payload))
    changed = replace(
        problem,
        span_s=problem.span_s if same else PieceTable.of(problem.span_s.whole * factor),
        bare_s=problem.bare_s if same else PieceTable.of(problem.bare_s.whole * factor),
        encode_s=encode_s,
        decode_s=decode_s,
        transfer_s=_handed_on(encode_s, decode_s, transfer_seconds(network, payload)),
        result_s=_results(transfer_seconds(network, result), destination, count),
        transfer_cost=payload[:, None, None] * transfer_prices(network, payload),
        result_cost=profile.result_bytes * _results(transfer_prices(network, result), destination, count),
        network=network,
    )
    if not profile.codecs:
        return changed
    codecs = [_codec(profile, codec, devices, slow, network) for codec in profile.codecs.values()]
    return replace(
        changed,
        codec_s=np.stack([each.seconds for each in codecs]),
        codec_cost=np.stack([each.cost for each in codecs]),
        codec_encode_s=np.stack([each.encode_s for each in codecs]),
        codec_decode_s=np.stack([each.decode_s for each in codecs]),
    )


def _stack(tables: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.stack(tables) if tables else np.zeros((0, *shape))


class _Coded(NamedTuple):
    """A codec at every cut: seconds (inf where it cannot be used), bytes, fall in accuracy, dollars, and who codes."""

    seconds: Floats
    size: Floats
    drop: Floats
    cost: Floats
    encode_s: Floats
    decode_s: Floats


def _codec(profile: Profile, codec: Codec, devices: Sequence[Device], slow: Floats, network: Network) -> _Coded:
    count = profile.block_count + 1
    size = np.full(count, np.nan)
    size[: len(codec.bytes)] = _known(codec.bytes)
    usable = ~np.isnan(size)
    payload = np.nan_to_num(size)
    names = [next(name for name, device in profile.devices.items() if device is each) for each in devices]
    encode, decode = (
        np.stack([_times_of(table.get(name), count) if table else np.zeros(count) for name in names], axis=1) * slow
        for table in (codec.encode_s, codec.decode_s)
    )
    seconds = _handed_on(encode, decode, transfer_seconds(network, payload))
    seconds[~usable] = np.inf
    drop = np.zeros(count)
    drop[: len(codec.accuracy_drop or ())] = np.nan_to_num(_known(codec.accuracy_drop or ()))
    cost = payload[:, None, None] * transfer_prices(network, payload)
    coding = (np.where(np.isfinite(each), each, 0.0) for each in (encode, decode))
    return _Coded(seconds, payload, drop, cost, *coding)


def _times_of(values: Sequence[float | None] | None, count: int) -> Floats:
    """Return the coding times of one device; inf where it has none, so that nothing is coded there."""
    seconds = np.full(count, np.inf)
    if values is not None:
        known = _known(values)
        seconds[: len(values)] = np.where(np.isnan(known), np.inf, known)
    return seconds


def device_of(node: Node, profile: Profile) -> Device:
    """Return the times that a node computes in, its slowdown apart.

    Raises
    ------
    QuestionError
        If it names a device that the profile has no times for.
    """
    name = node.device or profile.reference_device
    if name not in profile.devices:
        message = unknown_name("device", name, profile.devices)
        raise QuestionError(
            f"node '{node.name}' names a device that profile '{profile.name}' has no times for: {message}; "
            "profile the model there, or give the node a slowdown instead"
        )
    return profile.devices[name]


def _known(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])


def _accuracies(profile: Profile) -> Floats:
    if profile.exits is not None:
        return _known(profile.exits.accuracy)
    accuracy = np.full(profile.block_count, np.nan)
    accuracy[-1] = np.nan if profile.accuracy is None else profile.accuracy
    return accuracy


def _only_last(count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    branch = np.zeros(count, bool)
    branch[-1] = True
    return branch


def _stay(exits: Exits | None, count: int) -> Floats:
    """Return T x (N+1) shares of samples that are that remain after block i."""
    if exits is None:
        return np.ones((1, count + 1))
    if exits.exit_rate is not None:
        left = np.cumsum(np.array(exits.exit_rate), axis=1)
    else:
        left = np.maximum.accumulate(np.array(exits.exit_rate_alone), axis=1)
    return np.hstack([np.ones((len(left), 1)), np.clip(1.0 - left, 0.0, 1.0)])


def _stay_alone(exits: Exits | None, count: int) -> Floats:
    thresholds = 1 if exits is None else len(exits.thresholds)
    stay = np.full((thresholds, count + 1), np.nan)
    stay[:, 0] = 1.0
    if exits is not None and exits.exit_rate_alone is not None:
        stay[:, 1:] = 1.0 - np.array(exits.exit_rate_alone)
    return stay


def _spans(devices: Sequence[Device], slow: Floats, count: int) -> tuple[PieceTable, PieceTable]:
    """Return M x N x N seconds of blocks i..j on each node, with branch j and without.

    NOTE: With a thousand blocks each table is 8 MB, so there is one for each device, and those without a branch only
    where somebody reads them.
    """
    once = {id(each): each for each in devices}
    what = f"the times of all spans of {count:,} blocks on {len(once)} devices (blocks x blocks x devices)"
    # And two bytes a node where rules forbid some: which it may run (`Space.allowed`), before and after these rules.
    check_room((16.0 * (len(once) + 1) + 2.0 * len(devices)) * count * count, what)

    def tables(*, branch: bool) -> Floats:
        made = np.zeros((len(once), count, count))
        for table, device in zip(made, once.values(), strict=True):
            _write_pieces(table, device, branch=branch)
        return made

    which = np.array([list(once).index(id(each)) for each in devices])
    late = LatePieceTable(partial(tables, branch=False), count, which, slow)
    return PieceTable(tables(branch=True), which, slow), late


def _check_sums(topology: Topology, profile: Profile, span_s: PieceTable) -> None:
    """Refuse seconds whose sum is no number any more: such plans would be passed over without a word."""
    with np.errstate(over="ignore"):
        whole = span_s[:, 0]
    for node, seconds in zip(topology.nodes, whole, strict=True):
        if not np.isfinite(seconds).all():
            raise QuestionError(
                f"the seconds of profile '{profile.name}' on node '{node.name}' add up to more than a number can hold "
                f"(1.8e308); check the unit of its times, and the node's slowdown ({node.slowdown:g})"
            )


def piece_seconds(device: Device, count: int) -> tuple[Floats, Floats]:
    """Return the N x N seconds of blocks i..j with branch j and without, before the slowdown."""
    span, bare = np.zeros((count, count)), np.zeros((count, count))
    _write_pieces(span, device, branch=True)
    _write_pieces(bare, device, branch=False)
    return span, bare


def _write_pieces(table: Floats, device: Device, *, branch: bool) -> None:
    """Write the seconds of blocks i..j, with branch j or without, into N x N zeros."""
    branch_s = np.nan_to_num(_known(device.branch_s)) if device.branch_s is not None else np.zeros(len(table))
    if device.span_s is not None:
        for first, row in enumerate(device.span_s):
            table[first, first:] = row
        if not branch:
            np.maximum(table - branch_s, 0.0, out=table)
        return
    block_s = np.array(device.block_s, float)
    with np.errstate(over="ignore"):  # see `_check_sums`
        for first in range(len(table)):
            np.cumsum(block_s[first:], out=table[first, first:])
    if branch:
        table += branch_s


def coding_seconds(devices: Sequence[Device], slow: Floats, count: int) -> tuple[Floats, Floats]:
    """Return (N+1) x M seconds to encode what leaves a block (or the input) on each node, and to decode it there."""
    encode, decode = (
        np.stack([_codings(values, count) for values in each], axis=1) * slow
        for each in ([device.encode_s for device in devices], [device.decode_s for device in devices])
    )
    return encode, decode


def _handed_on(encode: Floats, decode: Floats, travel: Floats) -> Floats:
    """Return (N+1) x M x M seconds: encode, travel, decode; nothing where sender and receiver are one."""
    seconds: Floats = encode[:, :, None] + decode[:, None, :] + travel
    seconds[:, range(seconds.shape[1]), range(seconds.shape[1])] = 0.0
    return seconds


def _codings(values: Sequence[float | None] | None, count: int) -> Floats:
    seconds = np.zeros(count)
    seconds[: len(values or ())] = np.nan_to_num(_known(values or ()))
    return seconds


def _results(table: Floats, destination: int | None, count: int) -> Floats:
    """Return N x M of what the transfer of the result to the destination takes, from the 1 x M x M of all pairs."""
    nodes = table.shape[1]
    return np.zeros((count, nodes)) if destination is None else np.tile(table[0, :, destination], (count, 1))


def warn_of_bare_spans(profile: Profile) -> None:
    """Warn where pieces without a branch are wanted, but only spans with one were timed."""
    bare = [name for name, device in profile.devices.items() if device.span_s is not None and device.branch_s is None]
    if profile.exits is not None and bare:
        warnings.warn(
            TiercutWarning(
                f"{profile.name}: spans were timed with their branch alone on {', '.join(bare)}, so pieces that end "
                "without a branch are priced as if they had one",
                "record 'branch_s' too",
            ),
            stacklevel=3,
        )
