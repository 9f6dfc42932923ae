"""The network file of Scission, a CSV of pairs of machines, as a topology.

Source: Lockhart et al., Scission (UCC 2020), sections II-C and III-A: a transfer takes the ping and then the size over
the bandwidth, each pipeline has at most one machine of each tier, from near to far, and nothing is sent back.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tiercut.documents import read_text
from tiercut.errors import Fault, InputError, QuestionError, unknown_name
from tiercut.topologies.quoting import quoted

__all__ = ["Pair", "Row", "pipeline_text", "read_network"]

COLUMNS = ("source", "destination", "ping(ms)", "bandwidth(mbps)")
SIZE_LIMIT = 8 << 20

Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """What the file says of one direction; the ping, used whole as latency, in ms, the bandwidth in Mb/s."""

    ping_ms: float
    mbps: float


def read_network(path: str | os.PathLike[str]) -> dict[Pair, Row]:
    """Return the rows of a network file by source and destination.

    Parameters
    ----------
    path
        A CSV with the columns ``source,destination,ping(ms),bandwidth(mbps)``, with or without spaces around them.

    Raises
    ------
    InputError
        If the file cannot be read or a row is wrong; each fault with its line.
    """
    source = os.fspath(path)
    lines = read_text(path, limit=SIZE_LIMIT).splitlines()
    rows = [
        (number, [cell.strip() for cell in cells])
        for number, cells in _cells(lines, source)
        if any(map(str.strip, cells))
    ]
    head = [cell.casefold().replace(" ", "") for cell in rows[0][1]]
    if tuple(head) != COLUMNS:
        raise InputError(
            source, [Fault(f"expected the columns {','.join(COLUMNS)}, got {','.join(rows[0][1])[:100]}", line=1)]
        )
    network: dict[Pair, Row] = {}
    faults = []
    for number, cells in rows[1:]:
        try:
            pair, row = _row(cells)
            if pair in network:
                raise ValueError(f"the row from '{pair[0]}' to '{pair[1]}' stands here a second time; keep one of them")
            network[pair] = row
        except ValueError as error:
            faults.append(Fault(str(error), line=number))
    if faults:
        raise InputError(source, faults[:12])
    return network


def _cells(lines: Sequence[str], source: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(source, [Fault(f"not CSV: {error}", line=reader.line_num)]) from None


def _row(cells: Sequence[str]) -> tuple[Pair, Row]:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"expected {len(COLUMNS)} cells, got {len(cells)}")
    start, end, *figures = cells
    if not start or not end or start == end:
        raise ValueError(f"expected the names of two machines, got '{start}' and '{end}'")
    ping, mbps = (_figure(name, text) for name, text in zip(COLUMNS[2:], figures, strict=True))
    if mbps == 0:
        raise ValueError("a bandwidth of 0 carries nothing; leave the row out, or give what was measured")
    return (start, end), Row(ping, mbps)


def _figure(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name}: expected a number, got '{text}'") from None
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name}: expected a finite number that is 0 or more, got '{text}'")
    return value


def pipeline_text(
    name: str, machines: Sequence[Pair], network: Mapping[Pair, Row], *, source: str | None = None, origin: str
) -> tuple[str, tuple[str, ...]]:
    """Return the text of a topology that ranks plans as Scission does, and the machines that are not in it.

    Parameters
    ----------
    name
        What answers call the topology.
    machines
        Tier and name of each, in the order of the tiers; each is a device of the profiles too.
    network
        From `read_network`. Links run in the directions that it names, from a nearer tier to a farther one.
    source
        The machine where the input is born; by default the first of the first tier. The other machines of its tier are
        left out: in Scission each is the beginning of pipelines of its own.
    origin
        What to call the network file in an error, and in the topology's comment.

    Raises
    ------
    InputError
        If a pair of machines of different tiers has no row; all such pairs are named.
    QuestionError
        If `source` is none of the first tier.
    """
    tiers = list(dict.fromkeys(tier for tier, _ in machines))
    first = [machine for tier, machine in machines if tier == tiers[0]]
    source = first[0] if source is None else source
    if source not in first:
        raise QuestionError(unknown_name(tiers[0], source, first))
    used = [(tier, machine) for tier, machine in machines if tier != tiers[0] or machine == source]
    pairs = [(a, b) for tier, a in used for other, b in used if tiers.index(tier) < tiers.index(other)]
    if missing := [pair for pair in pairs if pair not in network]:
        raise InputError(origin, [*_missing(missing, network), *_strangers([each for _, each in machines], network)])
    nodes = [f"  - {{name: {quoted(each)}, tier: {tier}, device: {quoted(each)}}}" for tier, each in used]
    links = [
        f"  - {{from: {quoted(a)}, to: {quoted(b)}, bandwidth: {network[a, b].mbps:.15g} Mb/s, "
        f"latency: {network[a, b].ping_ms:.15g} ms}}"
        for a, b in pairs
    ]
    parts = [
        f"# Imported from a network file of Scission, {' '.join(Path(origin).name.split())}.",
        "# Links run one way, as its pipelines do; no result is sent back.",
        "format: tiercut.topology/1",
        f"name: {quoted(name)}",
        "nodes:",
        *nodes,
        *(["links:", *links] if links else []),
        f"source: {quoted(source)}",
        "destination: anywhere",
        "one_partition_per: tier",
        "order: forward",
    ]
    return "\n".join(parts) + "\n", tuple(each for each in first if each != source)


def _missing(pairs: Sequence[Pair], network: Mapping[Pair, Row]) -> list[Fault]:
    faults = []
    for a, b in pairs[:12]:
        other = "; there is one for the other way, but" if (b, a) in network else ","
        faults.append(Fault(f"there is no row from '{a}' to '{b}'{other} every machine needs one to each farther tier"))
    if len(pairs) > 12:
        faults.append(Fault(f"... and {len(pairs) - 12} more"))
    return faults


def _strangers(machines: Sequence[str], network: Mapping[Pair, Row]) -> list[Fault]:
    """Return what may be why pairs are missing: rows that name machines otherwise than their files do."""
    unknown = [each for each in dict.fromkeys(name for pair in network for name in pair) if each not in machines]
    if not unknown:
        return []
    names = ", ".join(map(repr, unknown[:6])) + (", ..." if len(unknown) > 6 else "")
    known = ", ".join(map(repr, machines))
    return [Fault(f"its rows name {names}; the machines are {known}, each the NAME of a file TIER-NAME.dat")]
