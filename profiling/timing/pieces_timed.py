"""Times of a network on this machine: its blocks, branches, some of its spans, tensors to bytes and back, the whole.

Spans are timed as pieces of their own besides the single blocks, because every call of a framework costs some 0.1 to
0.2 ms however little it does, so that sums of blocks mislead. For the same reason a branch is no piece of its own: its
time is what it adds to the call that computes its block, run by run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter_ns, process_time_ns
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling.models.cut import CutNetwork, Values
from tiercut.profiling.models.graph import tensors_of
from tiercut.profiling.timing.spans import Span, all_spans, complete, needed_spans
from tiercut.profiling.timing.timing import P99_RUNS, Effort, Runs, Times, fewest_kept, summarise, time_calls
from tiercut.profiling.timing.waiting import waiting_clock

__all__ = [
    "STATISTICS",
    "Clock",
    "Key",
    "Measured",
    "Statistic",
    "device_record",
    "pieces_of",
    "runs_needed",
    "time_pieces",
]

Kind = Literal["blocks", "span", "branch", "encode", "decode"]
Key = tuple[Kind, int, int]
"""What is timed: the kind, the first and the last block, 0-based; for encode and decode 0 is the input, i block i.

``blocks`` ends with the output of its last block, ``span`` in the branch after it.
"""

Statistic = Literal["p25", "p50", "p99", "mean"]
STATISTICS: tuple[Statistic, ...] = ("p25", "p50", "p99", "mean")
_STORED: tuple[Literal["mean", "p50", "p99", "iqr"], ...] = ("mean", "p50", "p99", "iqr")


def runs_needed(statistic: Statistic | Literal["iqr"]) -> int:
    """Return how many runs of each piece a statistic takes at least; 0 where any number tells something."""
    return P99_RUNS if statistic == "p99" else 0


Clock = Literal["wall", "cpu"]
_CLOCKS: dict[Clock, Callable[[], int]] = {"wall": perf_counter_ns, "cpu": process_time_ns}

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was timed.

    Parameters
    ----------
    times
        Statistics of every call, by key.
    set_aside
        Share of the runs that were left out because something else held the processor.
    precision
        Half of the medians are known to this share of themselves, or better.
    """

    times: Mapping[Key, Times]
    set_aside: float
    precision: float


def time_pieces(
    network: CutNetwork,
    effort: Effort,
    *,
    also: Collection[Span] = (),
    batch: int = 1,
    jit: bool = False,
    calm: bool = True,
    clock: Clock = "wall",
    progress: Callable[[int, int], None] = lambda *_: None,
    building: Callable[[int, int], None] = lambda *_: None,
) -> Measured:
    """Time what a profile records of a network, with branches or without.

    Parameters
    ----------
    network
        The network.
    effort
        How often.
    also
        Spans to time besides those that a profile needs: first and last block, 0-based.
    batch
        Samples in one call.
    jit
        Whether the framework compiles each piece with XLA, or what stands for it.
    calm
        Whether runs are set aside during which something else held the processor (see
        `tiercut.profiling.timing.waiting`).
    clock
        ``wall``, or ``cpu``: the processor time of this process, which does not pass while others hold the
        processor. With one thread that is what the call takes on a machine with nothing else to do; with more it is
        not.
    progress
        Called after every round with the runs done and the most to do.
    building
        Called after every piece that has been compiled, with the pieces done and to do.

    Raises
    ------
    QuestionError
        If fewer runs count, of a piece or of a branch, than the effort says are needed.
    """
    wanted = pieces_of(len(network.blocks), network.present, also)
    calls, tensors = _compiled(network, wanted, batch, jit, building)
    twins = _codings(network, calls, tensors)
    waited = waiting_clock() if calm and clock == "wall" else None
    count = partial(_fewest, network.present)
    taken = time_calls(calls, effort, clock=_CLOCKS[clock], waited=waited, count=count, progress=progress)
    times = {key: summarise(runs.kept) for key, runs in taken.items()}
    times |= {key: times[twin] for key, twin in twins.items()}
    times |= {("branch", block, block): _branch(taken, block) for block in network.present}
    known = np.array([runs.uncertainty for runs in taken.values()])
    every = sum(len(runs.seconds) for runs in taken.values())
    kept = sum(len(runs.kept) for runs in taken.values())
    return Measured(times, 1 - kept / every, float(np.median(known)))


def pieces_of(count: int, present: Collection[int], also: Collection[Span] = ()) -> tuple[Key, ...]:
    """Return the pieces to time, single blocks first.

    Parameters
    ----------
    count
        Number of blocks, N.
    present
        The blocks that have a branch, 0-based.
    also
        Spans to time besides those that `tiercut.profiling.timing.spans.complete` needs.

    Returns
    -------
    tuple
        Every block without its branch and with it; the whole, with the last branch; the spans of `also` with theirs.
        Of a network of few blocks all spans with their branches, else those that others are put together from, without
        branches.
    """
    needed, whole = needed_spans(count), (0, count - 1)
    every = len(needed) == len(all_spans(count))
    found: list[Key] = []
    for first, last in sorted({*needed, *also}, key=lambda span: (span[1] - span[0], span)):
        alone, branch = first == last, last in present
        ends = branch and (alone or every or (first, last) == whole or (first, last) in also)
        found += [("blocks", first, last)] if alone or not ends else []
        found += [("span", first, last)] if ends else []
    return tuple(found)


def _compiled(
    network: CutNetwork, wanted: Sequence[Key], batch: int, jit: bool, building: Callable[[int, int], None]
) -> tuple[dict[Key, Call], list[Values]]:
    """Compile pieces; return their calls, and the input and every block's output."""
    tensors = [network.example(batch)]
    calls: dict[Key, Call] = {}
    for done, (kind, first, last) in enumerate(wanted, start=1):
        piece = network.compile(first, last, branch=kind == "span", batch=batch, jit=jit)
        calls[kind, first, last] = partial(piece, tensors[first])
        result = piece(tensors[first])
        if kind == "blocks" and first == last:
            tensors.append(result)
        building(done, len(wanted))
    return calls, tensors


def _codings(network: CutNetwork, calls: dict[Key, Call], tensors: Sequence[Values]) -> dict[Key, Key]:
    """Add the calls that turn tensors into bytes and back; return which places share those of another like them."""
    first_like: dict[Any, int] = {}
    twins: dict[Key, Key] = {}
    for place, tensor in enumerate(tensors):
        kinds = tuple((tuple(each.shape), str(each.dtype)) for each in tensors_of(tensor))
        like = first_like.setdefault(kinds, place)
        if like == place:
            calls["encode", place, place] = partial(network.encode, tensor)
            calls["decode", place, place] = partial(network.decoder(tensor), network.encode(tensor))
        else:
            twins["encode", place, place] = ("encode", like, like)
            twins["decode", place, place] = ("decode", like, like)
    return twins


def _fewest(present: Collection[int], taken: Mapping[Key, Runs]) -> int:
    """Return how many runs count of the call or branch of which the fewest do."""
    return min([fewest_kept(taken), *(len(_added(taken, block)) for block in present)])


def _added(taken: Mapping[Key, Runs], block: int) -> NDArray[np.float64]:
    """Return what the branch after a block adds to it in each round, float64[pairs] in seconds."""
    return taken["span", block, block].minus(taken["blocks", block, block])


def _branch(taken: Mapping[Key, Runs], block: int) -> Times:
    """Return what the branch after a block adds to it; what came out below 0 by chance is 0."""
    times = summarise(_added(taken, block))
    positive = {name: max(getattr(times, name), 0.0) for name in STATISTICS}
    return replace(times, **positive)


def device_record(
    times: Mapping[Key, Times], count: int, *, statistic: Statistic = "p50", also: Collection[Span] = ()
) -> dict[str, Any]:
    """Return what a profile says of the times of one device.

    Parameters
    ----------
    times
        Those of `time_pieces`.
    count
        Number of blocks, N.
    statistic
        Which statistic stands in ``block_s``, ``branch_s``, ``span_s``, ``encode_s``, ``decode_s`` and
        ``whole_model_s``; for blocks, branches and the whole the others stand beside it, the 99th percentile only
        where there were runs enough to know it (`runs_needed`).

        The Joint model (section IV) records the 99th percentile. The default here is the median: latencies are
        sums of times weighted by the share of samples that get there, and medians of many short runs nearly add
        up, while a sum of 99th percentiles describes a run in which every piece meets its worst moment at once.
        On a machine that does other things too, the 99th percentile also says more about those than about the
        model, and is known far less precisely, so that a solver would choose among its chance differences. Where the
        machine is never quiet the lower quartile says most about the model: what others do only ever adds time
        (Chen and Revels, "Robust benchmarking in noisy environments", HPEC 2016, take the minimum for that reason).
    also
        Spans that were timed only to be compared with what is put together for them (``span_check``).
    """
    timed, ended, adds = (_spans(times, kind, statistic) for kind in ("blocks", "span", "branch"))
    branches = [adds.get((place, place)) for place in range(count)] if adds else None
    needed, needed_ended = ({key: each for key, each in part.items() if key not in also} for part in (timed, ended))
    rows, method = complete(needed, count, ended=needed_ended, branches=branches)
    both = timed | ended
    runs = min(each.runs for each in times.values())
    stored = tuple(which for which in _STORED if runs >= runs_needed(which))
    return {
        "statistic": statistic,
        "runs": runs,
        **_rows(times, "blocks", "block", count, (statistic, *stored)),
        **(_rows(times, "branch", "branch", count, (statistic, *stored)) if adds else {}),
        "span_s": [[_rounded(each) for each in line] for line in rows],
        "span_method": method,
        "encode_s": _row(times, "encode", count + 1, statistic),
        "decode_s": _row(times, "decode", count + 1, statistic),
        **_whole(times.get(("span", 0, count - 1)) or times["blocks", 0, count - 1], (statistic, *stored)),
        "span_check": [_check(span, both[span], rows) for span in also],
    }


def _spans(times: Mapping[Key, Times], kind: str, statistic: Statistic) -> dict[Span, float]:
    return {key[1:]: getattr(each, statistic) for key, each in times.items() if key[0] == kind}


def _rows(times: Mapping[Key, Times], kind: Kind, name: str, count: int, statistics: Sequence[str]) -> dict[str, Any]:
    """Return the times of every block or branch: the statistic that counts, which is the first, and the others."""
    counts, *beside = statistics
    return {f"{name}_s": _row(times, kind, count, counts)} | {
        f"{name}_{which}_s": _row(times, kind, count, which) for which in beside
    }


def _row(times: Mapping[Key, Times], kind: Kind, length: int, which: str) -> list[float | None]:
    found = (times.get((kind, place, place)) for place in range(length))
    return [None if each is None else _rounded(getattr(each, which)) for each in found]


def _whole(times: Times, statistics: Sequence[str]) -> dict[str, float]:
    counts, *beside = statistics
    return {"whole_model_s": _rounded(getattr(times, counts))} | {
        f"whole_model_{which}_s": _rounded(getattr(times, which)) for which in beside
    }


def _check(span: Span, timed_s: float, rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    first, last = span
    return {
        "blocks": [first + 1, last + 1],
        "timed_s": float(timed_s),
        "predicted_s": _rounded(rows[first][last - first]),
    }


def _rounded(seconds: float) -> float:
    """Return a time with as many digits as any measurement of it has, and two more."""
    return float(f"{seconds:.5g}")
