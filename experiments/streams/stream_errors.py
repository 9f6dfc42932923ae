"""How far a simulated stream is from one that ran: errors, where queues grow, and the tables that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_CORES", "error", "figures", "growth_s", "refusal", "tables", "turning_rate"]

MOST_CORES = 1.6
"""A run that would keep more cores busy is one of this machine's scheduler, and is refused."""

_LEAST_P99 = 700
_LIMITS = {"mean": 0.05, "p99": 0.10}
_TURNING = 0.03
_ABOVE, _GROWS = 1.02, 0.01
"""So far above the sustainable rate, by what was timed just before, a queue is expected to grow; and it does so in
earnest where the wait grows by such a part of the interval, frame by frame."""

Numbers = NDArray[np.float64]


def figures(latency_s: Numbers) -> dict[str, float | None]:
    """Return mean and p99 of D x F latencies, in seconds: of F frames, in each of D simulations or in one run.

    A p99 is the smallest latency that 99 % do not exceed; None where the frames are too few.
    """
    ordered = np.sort(latency_s, axis=None)
    p99 = float(ordered[ceil(0.99 * len(ordered)) - 1]) if latency_s.shape[-1] >= _LEAST_P99 else None
    return {"mean": float(ordered.mean()), "p99": p99}


def error(simulated: float | None, measured: float | None) -> float | None:
    """Return simulated over measured, less one; None where either is not known."""
    return None if simulated is None or measured is None else simulated / measured - 1


def growth_s(latency_s: Numbers, alone_s: Numbers, passes: NDArray[np.bool_]) -> float:
    """Return by how many seconds the wait grows from one frame of the stream to the next.

    That is the slope of a line through the waits, by least squares, over the number of the frame.

    Parameters
    ----------
    latency_s, alone_s
        F: of each frame, and what it takes where it meets no other.
    passes
        F: whether the frame passes the busiest server; others do not wait there.
    """
    numbers = np.flatnonzero(passes).astype(float)
    waits = (latency_s - alone_s)[passes]
    numbers -= numbers.mean()
    return float(numbers @ waits / (numbers @ numbers))


def turning_rate(interval_s: float, growth: float) -> float | None:
    """Return the frames per second above which queues grow, from a stream that is above it; None where it is not.

    While a server never rests, the n-th frame leaves it after n mean services, and was due after n intervals: what a
    wait grows by is the difference of the two, so the service of a frame of the stream is the interval and the growth.

    Parameters
    ----------
    interval_s
        How far apart frames are due.
    growth
        See `growth_s`.
    """
    return 1.0 / (interval_s + growth) if growth > _GROWS * interval_s else None


def refusal(rate: float, cores_s: Mapping[str, float]) -> str | None:
    """Return why a rate cannot be run here, in a line; None where it can.

    Parameters
    ----------
    rate
        Frames per second.
    cores_s
        What an average frame keeps a core of this machine busy for, in seconds, by node.
    """
    busy = rate * sum(cores_s.values())
    if busy <= MOST_CORES:
        return None
    parts = ", ".join(f"{node} {rate * seconds:.2f}" for node, seconds in cores_s.items())
    return (
        f"refused: {rate:.1f} fps would keep {busy:.2f} cores busy ({parts}), more than {MOST_CORES:g}; make nodes "
        "slower, so that the rate is less"
    )


def tables(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return what came of all runs, as Markdown."""
    if not lines:
        return "Nothing has run yet.\n"
    ran = [each for each in lines if "refused" not in each]
    loads = [each for each in ran if each["load"] < 0.92]
    out = [_said(lines, ran, loads), "", *_latencies(loads), "", *_growing(ran), "", *_used(ran), ""]
    refused = [f"- {each['plan']}, load {each['load']:.2f}: {each['refused']}" for each in lines if "refused" in each]
    return "\n".join([*out, *refused, ""] if refused else out)


def _said(lines: Sequence[Mapping[str, Any]], ran: Sequence[Mapping[str, Any]], loads: Sequence[Any]) -> str:
    same = sum(each["same_exits"] for each in ran)
    frames = sum(each["frames"] for each in ran)
    answered = sum(each["answered"] for each in ran)
    parts = [
        f"{len(ran)} of {len(lines)} streams ran, {frames:,} frames: {answered:,} answered, {same:,} left where the "
        "simulated ones do."
    ]
    for name, limit in _LIMITS.items():
        errors = [
            found for each in loads if (found := error(each["simulated"][name], each["measured"][name])) is not None
        ]
        if errors:
            within = sum(abs(found) <= limit for found in errors)
            worst = max(errors, key=abs)
            parts.append(f"{name} within {limit:.0%}: {within} of {len(errors)}, the largest error {worst:+.1%}.")
    if turning := [_turning(each) for each in ran if each["load_as_timed"] > _ABOVE]:
        within = sum(found is not None and abs(found) <= _TURNING for found in turning)
        parts.append(f"Rate above which queues grow within {_TURNING:.0%}: {within} of {len(turning)}")
        parts[-1] += f", of which {turning.count(None)} did not grow in both." if None in turning else "."
    if averages := [each["load_before"] for each in ran]:
        parts.append(f"Load average of the machine before a run: {min(averages):.1f} to {max(averages):.1f}.")
    return " ".join(parts)


def _latencies(loads: Sequence[Mapping[str, Any]]) -> list[str]:
    out = [
        "| plan | load | as timed before | rate (fps) | frames | mean, run (ms) | simulated | error |"
        " p99, run (ms) | simulated | error | error with mean services (mean, p99) |"
        " with the services of the run (mean, p99) |",
        "|" + " --- |" * 13,
    ]
    for each in loads:
        row = [each["plan"], f"{each['load']:.2f}", f"{each['load_as_timed']:.3f}", f"{each['rate']:.1f}"]
        row.append(str(each["frames"]))
        for name in _LIMITS:
            measured, simulated = each["measured"][name], each["simulated"][name]
            row += [_ms(measured), _ms(simulated), _percent(error(simulated, measured))]
        for key in ("with_means", "with_its_services"):
            row.append(", ".join(_percent(error(each[key][name], each["measured"][name])) for name in _LIMITS))
        out.append("| " + " | ".join(row) + " |")
    return out


def _growing(ran: Sequence[Mapping[str, Any]]) -> list[str]:
    out = [
        "| plan | load | as timed before | wait grows by, run (ms a frame) | simulated | queues grow above, run (fps) |"
        " simulated | error | by the formula (fps) |",
        "|" + " --- |" * 9,
    ]
    for each in ran:
        measured, simulated = each["measured"], each["simulated"]
        row = [each["plan"], f"{each['load']:.2f}", f"{each['load_as_timed']:.3f}"]
        row += [f"{1e3 * told['growth_s']:+.3f}" for told in (measured, simulated)]
        if each["load_as_timed"] > _ABOVE:
            rates = [told["turning_rate"] for told in (measured, simulated)]
            row += [f"not below {each['rate']:.1f}" if rate is None else f"{rate:.2f}" for rate in rates]
            row += [_percent(_turning(each)), f"{each['sustainable_rate']:.2f}"]
        else:
            row += [""] * 4
        out.append("| " + " | ".join(row) + " |")
    return out


def _turning(each: Mapping[str, Any]) -> float | None:
    if each["load_as_timed"] <= _ABOVE:
        return None
    return error(each["simulated"]["turning_rate"], each["measured"]["turning_rate"])


def _used(ran: Sequence[Mapping[str, Any]]) -> list[str]:
    out = [
        "| plan | load | node | slowed | busy, run | simulated | computing, run over timed before |",
        "|" + " --- |" * 7,
    ]
    for each in ran:
        for node in each["nodes"]:
            row = [each["plan"], f"{each['load']:.2f}", node["node"], f"{node['factor']:g}"]
            row += [f"{node['measured']:.1%}", f"{node['simulated']:.1%}", f"{node['computing']:.3f}"]
            out.append("| " + " | ".join(row) + " |")
    return out


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"
