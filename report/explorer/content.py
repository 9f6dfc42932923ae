"""What a report's page holds, as plain data (``tiercut.report/1``): tables, plans, changes, and how it was made."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut import __version__
from tiercut.optimizer import (
    ANYWHERE,
    PLAIN,
    Conditions,
    QuestionOptions,
    format_amount,
    make_query,
    plain_amount,
    shares_of,
    values_of,
)
from tiercut.report.answers.asked import asked_rows
from tiercut.topologies import topology_data

if TYPE_CHECKING:
    from tiercut.analysis import Sweep
    from tiercut.optimizer import Bound, Plan, Problem, Query, Space
    from tiercut.profiling import Device
    from tiercut.report.explorer.gathering import Findings
    from tiercut.topologies import Topology

__all__ = ["FORMAT", "MOST_SCORED", "Origin", "page_data"]

FORMAT = "tiercut.report/1"

MOST_SCORED = 200_000
"""Decisions that a page scores, all of them; of larger spaces it scores the plans that it holds."""

_MOST_ACCURACIES = 60_000  # numbers by the exit before, about half a megabyte
_PACKAGES = ("numpy", "numba", "ortools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a report comes from, so that its page can say how to ask again.

    Parameters
    ----------
    topology, profile
        As a command names them.
    before
        The topology as its file says, before conditions of the call.
    conditions, question
        Of the call.
    command
        The command line that made the report; empty where Python code did.
    """

    topology: str
    profile: str
    before: Topology
    conditions: Conditions
    question: QuestionOptions
    command: str = ""


def page_data(findings: Findings, origin: Origin) -> dict[str, Any]:
    """Return all that a page knows; numbers have 12 digits, an absent one is None."""
    space = findings.frontier.space
    problem = space.problem
    plans = list(findings.plans())
    whole = _whole(findings)
    facts = [list(row) for row in asked_rows(findings.ranking).cells]
    data = {
        "format": FORMAT,
        "title": f"{problem.profile} on {problem.topology}",
        "facts": facts,
        "made": list(_made(findings, origin)),
        "ask": _ask(findings, origin),
        "measure": "accuracy" if "accuracy" in findings.frontier.query.compared else "bytes",
        "bound": findings.bound,
        "bounded": _is_bounded(findings.frontier.query),
        "tables": _tables(findings, with_leavers=whole),
        "space": _space_data(space) if whole else None,
        "decisions": space.decisions,
        "proved": findings.proved,
        "plans": _columns(problem, space.exits, plans) | _amounts(findings, [plan for _, plan in plans]),
        "sweeps": [] if findings.why is None else [_sweep(each, plans) for each in findings.why.sweeps],
    }
    return {key: _rounded(value) for key, value in data.items()}


def _whole(findings: Findings) -> bool:
    """Return whether the page can score every decision of the question by itself."""
    space, query = findings.frontier.space, findings.frontier.query
    leavers = space.problem.leavers
    return (
        space.exits != "free"
        and not space.per_exit
        and space.codec_choices.tolist() == [PLAIN]
        and space.problem.recorded is None
        and bool(space.allowed.all())
        and not len(space.required)
        and not _is_bounded(query)
        and space.decisions <= MOST_SCORED
        and (leavers is None or leavers.one.size <= _MOST_ACCURACIES)
    )


def _is_bounded(query: Query) -> bool:
    """Return whether there are bounds other than that on accuracy."""
    return bool(query.bounds) or query.rate_fps is not None or query.max_latency_s is not None


def _made(findings: Findings, origin: Origin) -> Iterator[tuple[str, str]]:
    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    yield "tiercut", f"{__version__}; Python {platform.python_version()}, {', '.join(versions)}"
    if origin.command:
        yield "command", origin.command
    topology = json.dumps(topology_data(findings.topology), sort_keys=True, ensure_ascii=False)
    yield "topology", f"{origin.topology}: SHA-256 {hashlib.sha256(topology.encode()).hexdigest()} (with all changes)"
    if (file := findings.profile.file) is not None:
        yield "profile", f"{origin.profile}: SHA-256 {file[1]}"
    if findings.profile.origin:
        yield "measured by", findings.profile.origin
    for answer, what in ((findings.frontier, "frontier"), (findings.ranking, "ranking")):
        outcome = answer.outcome
        proved = "proved" if outcome.exact and outcome.status == "optimal" else "not proved"
        yield what, f"{len(answer.whole or answer)} plans by {outcome.solver}, {outcome.status}, {proved}"
    if findings.why is not None:
        changes = sum(len(sweep.changes) for sweep in findings.why.sweeps)
        yield "changes", f"{changes} places where the best plan changes, by {findings.why.solves} exact solves"


def _ask(findings: Findings, origin: Origin) -> dict[str, Any]:
    """Return what the page needs to write commands and query files."""
    space = findings.frontier.space
    return {
        "topology": origin.topology,
        "profile": origin.profile,
        "flags": list(_flags(origin.conditions)),
        "keys": dict(_keys(origin)),
        "exits": space.exits,
        "estimator": space.estimator,
        "said": {
            "hops": [_said_of(origin.before, *ends) for ends in findings.topology.hops],
            "slowdown": [
                origin.before.node(name).slowdown if name in origin.before.node_names else None
                for name in findings.topology.node_names
            ],
        },
    }


def _said_of(topology: Topology, sender: str, receiver: str) -> list[float] | None:
    hop = topology.hops.get((sender, receiver))
    return None if hop is None else [hop.bandwidth, hop.latency]


_NUMBERS = ("bandwidth", "latency", "slowdown", "condition")
"""Conditions that the page writes by itself, from what its numbers are and what the file says."""

_CHOSEN = ("min_accuracy", "max_loss", "exits", "estimator", "objective", "over", "top", "all_decisions")
"""Parts of a question that the page writes by itself, or that a report does not ask."""

_READ = ("max_latency", "max_p99", "rate", "max_utilisation", "bounds", "only", "partitions", "pin")
"""Parts of a question that may be text of many forms; a query file gets what it says."""

_UNITS = {"time": "s", "size": "B", "energy": "J", "money": "$"}
"""The unit of numbers of a quantity as bounds hold them."""


def _flags(conditions: Conditions) -> Iterator[str]:
    for name, value in _conditions(conditions):
        for each in value if isinstance(value, list) else [value]:
            yield from (f"--{name.replace('_', '-')}", str(each))


def _keys(origin: Origin) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a query file for what was asked, but for what the page writes."""
    for each in fields(origin.question):
        value = getattr(origin.question, each.name)
        if value not in (None, (), []) and each.name not in (*_CHOSEN, *_READ):
            yield each.name, list(value) if isinstance(value, tuple) else value
    yield from _read_keys(make_query("solve", origin.question))
    yield from _conditions(origin.conditions)


def _read_keys(query: Query) -> Iterator[tuple[str, Any]]:
    """Yield the keys of `_READ`, with all digits; what 99 % do not exceed is a bound, and `only` a range."""
    if query.max_latency_s is not None:
        yield "max_latency", f"{query.max_latency_s!r} s"
    if query.rate_fps is not None:
        yield "rate", f"{query.rate_fps!r} fps"
        yield "max_utilisation", "none" if query.max_utilisation is None else query.max_utilisation
    if query.bounds:
        yield "bounds", [_bound_entry(each) for each in query.bounds]
    ends = {"at_least": query.fewest_partitions, "at_most": query.most_partitions}
    if known := {side: count for side, count in ends.items() if count is not None}:
        yield "partitions", known
    if query.pins:
        yield "pin", {str(at) if isinstance(at, int) else f"layer {at}": place for at, place in query.pins}


def _bound_entry(bound: Bound) -> dict[str, Any]:
    entry: dict[str, Any] = {"measure": bound.measure, "place": bound.place}
    sides = ("at_least", "at_most")
    entry |= {bound.kind.quantity.side(side): _limit(bound, getattr(bound, side)) for side in sides}
    return {key: value for key, value in entry.items() if value is not None}


def _limit(bound: Bound, value: float | None) -> str | float | None:
    if value is None:
        return None
    if bound.kind.quantity.inverse:
        return f"{1.0 / value!r} fps" if value > 0 else "inf fps"
    if bound.monthly:
        return f"{value!r} $/month"
    if bound.relative:
        return f"{100 * value!r} %"
    unit = _UNITS.get(bound.kind.quantity.name)
    return value if unit is None else f"{value!r} {unit}"


def _conditions(conditions: Conditions) -> Iterator[tuple[str, Any]]:
    gone = [*(conditions.without or ()), *((conditions.condition or {}).get("down") or ())]
    for each in fields(conditions):
        value = getattr(conditions, each.name)
        if value is None or each.name in (*_NUMBERS, "without"):
            continue
        sized = each.name in ("input", "result") and not isinstance(value, str)
        yield each.name, f"{value!r} B" if sized else value
    if gone:
        yield "without", gone


def _tables(findings: Findings, *, with_leavers: bool) -> dict[str, Any]:
    """Return the tables of the problem as the page reads them; see ``source/model.js``."""
    problem, topology, profile = findings.frontier.space.problem, findings.topology, findings.profile
    names = [node.device or profile.reference_device for node in topology.nodes]
    used = list(dict.fromkeys(names))
    devices = [profile.devices[name] for name in used]
    count = problem.block_count
    index = {name: place for place, name in enumerate(problem.nodes)}
    leavers = problem.leavers
    return {
        "nodes": list(problem.nodes),
        "tiers": list(problem.tiers),
        "source": problem.source,
        "destination": -1 if problem.destination == ANYWHERE else problem.destination,
        "slowdown": [node.slowdown for node in topology.nodes],
        "device": [used.index(name) for name in names],
        "devices": [{"name": name, **_device(each, count)} for name, each in zip(used, devices, strict=True)],
        "hops": [
            {"from": index[a], "to": index[b], "bandwidth": hop.bandwidth, "latency": hop.latency}
            for (a, b), hop in topology.hops.items()
        ],
        "links": list(_links(topology)),
        "forwarding": topology.forwarding,
        "mtu": topology.mtu,
        "blocks": list(problem.blocks),
        "payload_bytes": problem.payload_bytes.tolist(),
        "result_bytes": problem.result_bytes,
        "coding": {
            name: _by_device([getattr(each, name) for each in devices], count + 1) for name in ("encode_s", "decode_s")
        },
        "codecs": [
            {
                "name": name,
                "bytes": problem.codec_bytes[place].tolist(),
                "coding": {
                    way: _by_device([(getattr(codec, way) or {}).get(each) for each in used], count + 1)
                    for way in ("encode_s", "decode_s")
                },
            }
            for place, (name, codec) in enumerate(profile.codecs.items())
        ],
        "exits": findings.frontier.space.exits,
        "thresholds": [repr(each) for each in problem.thresholds.tolist()] if problem.has_exits else [],
        "digits": problem.digits,
        "stay": problem.stay.tolist() if problem.has_exits else [[1.0] * (count + 1)],
        "stay_alone": problem.stay_alone.tolist() if findings.frontier.space.per_exit else None,
        "accuracy": problem.accuracy.tolist(),
        "leavers": leavers.one.reshape(len(problem.thresholds), -1).tolist()
        if with_leavers and leavers is not None
        else None,
    }


def _links(topology: Topology) -> Iterator[dict[str, Any]]:
    ends = list(topology.hops)
    for link, name in zip(topology.links, topology.network.link_names, strict=True):
        yield {"name": name, "hops": [ends.index(each) for each in link.directions]}


def _device(device: Device, count: int) -> dict[str, Any]:
    branch = _filled(device.branch_s, count)
    if device.span_s is not None:
        return {"span_s": [list(row) for row in device.span_s], "branch_s": branch}
    return {"block_s": list(device.block_s or ()), "branch_s": branch}


def _by_device(values: Sequence[Sequence[float | None] | None], count: int) -> list[list[float]] | None:
    return None if not any(values) else [_filled(each, count) for each in values]


def _filled(values: Sequence[float | None] | None, count: int) -> list[float]:
    known = [0.0 if value is None else value for value in values or ()]
    return known + [0.0] * (count - len(known))


def _space_data(space: Space) -> dict[str, Any]:
    return {
        "ends": (np.flatnonzero(space.can_end) + 1).tolist(),
        "cuts": (np.flatnonzero(space.can_cut) + 1).tolist(),
        "last": space.problem.block_count,
        "group": space.group.tolist(),
        "rank": space.rank.tolist(),
        "linked": space.linked.tolist(),
        "fewest": space.fewest,
        "most": space.most,
    }


def _columns(problem: Problem, rule: str, plans: Sequence[tuple[str, Plan]]) -> dict[str, Any]:
    """Return plans as columns; those that say nothing are left out."""
    decisions = [plan.decision for _, plan in plans]
    columns: dict[str, Any] = {
        "origin": [origin for origin, _ in plans],
        "partition": [each.partition for each in decisions],
        "placement": [each.placement for each in decisions],
        "threshold": [-1 if each.threshold is None else each.threshold for each in decisions],
        "accuracy": [plan.accuracy for _, plan in plans],
    }
    if any(each.exits != (each.partition[-1:] if rule == "final" else each.partition) for each in decisions):
        columns["exits"] = [each.exits for each in decisions]
    if any(each.thresholds is not None for each in decisions):
        columns["thresholds"] = [each.thresholds for each in decisions]
    if any(code is not None for each in decisions for code in each.codecs):
        columns["codecs"] = [[-1 if code is None else code for code in each.codecs] or None for each in decisions]
    if any(each.input_codec is not None for each in decisions):
        columns["input_codec"] = [-1 if each.input_codec is None else each.input_codec for each in decisions]
    if problem.recorded is not None:
        columns["onward"] = [shares_of(problem, each).onward for each in decisions]
    return columns


def _amounts(findings: Findings, plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what plans need of what the question bounds, under the numbers of the files: to sort by, and as text.

    Ratios and quantiles are left out, which are no sums along a plan.
    """
    query, problem = findings.frontier.query, findings.frontier.space.problem
    sums = [each.name for each in query.bounds if not (each.kind.ratio_of or each.kind.tail)]
    names = dict.fromkeys([*(name for name in sums if name not in _SHOWN), *(["rate"] if query.rate_fps else [])])
    if not names:
        return {}
    values = values_of(problem, plans, list(names), query.rate_fps).T.tolist()
    return {
        "amounts": [
            {
                "name": name,
                "values": [plain_amount(value, name) for value in row],
                "texts": [format_amount(value, name) for value in row],
            }
            for name, row in zip(names, values, strict=True)
        ]
    }


_SHOWN = ("latency", "bytes")
"""Measures that a page shows of every plan, whatever the question."""


def _sweep(sweep: Sweep, plans: Sequence[tuple[str, Plan]]) -> dict[str, Any]:
    place = {plan.decision: index for index, (_, plan) in enumerate(plans)}
    parameter = sweep.parameter
    return {
        "kind": parameter.kind,
        "name": parameter.name,
        "now": parameter.now,
        "low": sweep.low,
        "high": sweep.high,
        "note": sweep.note,
        "spans": [
            [span.low, span.high, -1 if span.plan is None else place[span.plan.decision]] for span in sweep.spans
        ],
    }


def _rounded(value: Any) -> Any:
    """Return data as JSON holds it: numbers with 12 digits, and None for what is no number."""
    if isinstance(value, float):
        if not np.isfinite(value):
            return None
        short = float(f"{value:.12g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
