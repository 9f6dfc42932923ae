"""Times of a model with branches on this machine: blocks, branches, spans, encoding, decoding, and the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling.exits.exits import ExitModel
from tiercut.profiling.models.pieces import build_piece, span
from tiercut.profiling.models.runtime import compile_call
from tiercut.profiling.timing.spans import complete
from tiercut.profiling.timing.timing import Effort, Times, summarise, time_calls

__all__ = ["STATISTICS", "Key", "Statistic", "decoder", "device_record", "encode", "time_exits"]

Kind = Literal["block", "branch", "span", "encode", "decode", "whole"]
Key = tuple[Kind, int, int]
"""What is timed: the kind, the first and the last block, 0-based; for encode and decode 0 is the input, i block i."""

Statistic = Literal["p25", "p50", "p99", "mean"]
STATISTICS: tuple[Statistic, ...] = ("p25", "p50", "p99", "mean")
_STORED = ("mean", "p50", "p99", "iqr")


def time_exits(
    exits: ExitModel,
    sample: NDArray[np.float32],
    effort: Effort,
    *,
    progress: Callable[[int, int], None] = lambda *_: None,
    building: Callable[[int, int], None] = lambda *_: None,
) -> dict[Key, Times]:
    """Time everything that a profile records of a model, one sample at a time.

    Spans are timed as pieces of their own besides the single blocks, because every call of the framework costs
    some 0.1 to 0.2 ms however little it does, so that sums of blocks mislead. For the same reason a branch is not
    timed as a piece of its own: its time is what it adds to the call that computes its block, run by run, so that a
    span with its branch less the branch is the span without it.

    Parameters
    ----------
    exits
        The model.
    sample
        One input, float32[1, ...]; every piece is fed what the pieces before it make of this.
    effort
        How often.
    progress
        Called after every round with the runs done and the most to do.
    building
        Called after every piece that has been compiled with the number of pieces done and to do.
    """
    import keras

    tensors = _activations(exits, keras.ops.convert_to_tensor(sample))
    models = _pieces(exits)
    calls: dict[Key, Callable[[], object]] = {}
    for done, (key, model) in enumerate(models.items(), start=1):
        calls[key] = _bind(compile_call(model), tensors[key[1]])
        building(done, len(models))
    for place, tensor in enumerate(tensors):
        calls["encode", place, place] = _bind(encode, tensor)
        calls["decode", place, place] = _bind(decoder(tensor), encode(tensor))
    seconds = {key: runs.seconds for key, runs in time_calls(calls, effort, progress=progress).items()}
    times = {key: summarise(each) for key, each in seconds.items()}
    for index in exits.present:
        added = seconds["span", index, index] - seconds["block", index, index]
        times["branch", index, index] = _not_negative(summarise(added))
    return times


def _pieces(exits: ExitModel) -> dict[Key, Any]:
    blocks, branches = exits.blocks, exits.branches
    models: dict[Key, Any] = {("whole", 0, len(blocks) - 1): exits.backbone}
    for first in range(len(blocks)):
        models["block", first, first] = span(blocks, first, first)
        for last in range(first, len(blocks)):
            branch = branches[last]
            models["span", first, last] = span(blocks, first, last, branch=branch.output if branch else None)
    return models


def _activations(exits: ExitModel, sample: Any) -> list[Any]:
    """Return the input and what every block makes of it."""
    model = build_piece(exits.blocks[0].input, [block.output for block in exits.blocks])
    return [sample, *model(sample, training=False)]


def _not_negative(times: Times) -> Times:
    """Return times in which a difference that came out below 0 by chance is 0."""
    return replace(
        times, mean=max(times.mean, 0.0), p25=max(times.p25, 0.0), p50=max(times.p50, 0.0), p99=max(times.p99, 0.0)
    )


def _bind(function: Callable[[Any], object], argument: Any) -> Callable[[], object]:
    return lambda: function(argument)


def encode(tensor: Any) -> bytes:
    """Return the bytes of a tensor as they are sent."""
    import keras

    return bytes(keras.ops.convert_to_numpy(tensor).tobytes())


def decoder(like: Any) -> Callable[[bytes], Any]:
    """Return the function that makes a tensor of the kind of `like` from bytes."""
    import keras

    shape, dtype = tuple(like.shape), keras.backend.standardize_dtype(like.dtype)
    return lambda raw: keras.ops.convert_to_tensor(np.frombuffer(raw, dtype=dtype).reshape(shape))


def device_record(times: dict[Key, Times], count: int, *, statistic: Statistic = "p50") -> dict[str, Any]:
    """Return what a profile says of one device, except for its description.

    Parameters
    ----------
    times
        What `time_exits` returns.
    count
        Number of blocks, N.
    statistic
        Which statistic stands in ``block_s``, ``branch_s``, ``span_s``, ``encode_s``, ``decode_s`` and
        ``whole_model_s``; for blocks and branches the others stand beside it.

        The Joint model (section IV) records the 99th percentile. The default here is the median: latencies are
        sums of times weighted by the share of samples that get there, and medians of many short runs nearly add
        up, while a sum of 99th percentiles describes a run in which every piece meets its worst moment at once.
        On a machine that does other things too, the 99th percentile also says more about those than about the
        model, and is known far less precisely, so that a solver would choose among its chance differences. Where the
        machine is never quiet the lower quartile says most about the model: what others do only ever adds time
        (Chen and Revels, "Robust benchmarking in noisy environments", HPEC 2016, take the minimum for that reason).
    """

    def row(kind: Kind, which: str, places: range) -> list[float | None]:
        found = (times.get((kind, place, place)) for place in places)
        return [None if each is None else _rounded(getattr(each, which)) for each in found]

    record: dict[str, Any] = {"statistic": statistic, "runs": min(each.runs for each in times.values())}
    kinds: tuple[Kind, ...] = ("block", "branch")
    for kind in kinds:
        if any(key[0] == kind for key in times):
            record[f"{kind}_s"] = row(kind, statistic, range(count))
            for which in _STORED:
                record[f"{kind}_{which}_s"] = row(kind, which, range(count))
    timed = {(first, last): getattr(each, statistic) for (kind, first, last), each in times.items() if kind == "span"}
    spans, record["span_method"] = complete(timed, count)
    record["span_s"] = [[_rounded(each) for each in line] for line in spans]
    record["encode_s"] = row("encode", statistic, range(count + 1))
    record["decode_s"] = row("decode", statistic, range(count + 1))
    whole = times["whole", 0, count - 1]
    record["whole_model_s"] = _rounded(getattr(whole, statistic))
    return record | {f"whole_model_{which}_s": _rounded(getattr(whole, which)) for which in _STORED}


def _rounded(seconds: float) -> float:
    """Return a time with as many digits as any measurement of it has, and two more."""
    return float(f"{seconds:.5g}")
