"""Times of any functional Keras model on this machine: its blocks, some of its spans, tensors to bytes, the whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling.models.blocks import Block
from tiercut.profiling.models.runtime import compile_piece
from tiercut.profiling.timing.device import Key, decoder, encode
from tiercut.profiling.timing.spans import needed_spans
from tiercut.profiling.timing.timing import Effort, Times, summarise, time_calls
from tiercut.profiling.timing.waiting import waiting_clock

__all__ = ["Clock", "Measured", "time_blocks"]

Call = Callable[[], object]

Clock = Literal["wall", "cpu"]
_CLOCKS: dict[Clock, Callable[[], int]] = {"wall": perf_counter_ns, "cpu": process_time_ns}


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


def time_blocks(
    blocks: Sequence[Block],
    effort: Effort,
    *,
    also: Sequence[tuple[int, int]] = (),
    batch: int = 1,
    jit: bool = False,
    calm: bool = True,
    clock: Clock = "wall",
    progress: Callable[[int, int], None] = lambda *_: None,
    building: Callable[[int, int], None] = lambda *_: None,
) -> Measured:
    """Time what a profile records of a model that is cut into blocks.

    Parameters
    ----------
    blocks
        All blocks of the model.
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
    """
    calls, tensors = _pieces(blocks, {*needed_spans(len(blocks)), *also}, batch, jit, building)
    twins = _codings(calls, tensors)
    waited = waiting_clock() if calm and clock == "wall" else None
    taken = time_calls(calls, effort, clock=_CLOCKS[clock], waited=waited, progress=progress)
    times = {key: summarise(runs.kept) for key, runs in taken.items()}
    times |= {key: times[twin] for key, twin in twins.items()}
    for place in range(len(blocks)):
        times["block", place, place] = times["span", place, place]
    times["whole", 0, len(blocks) - 1] = times["span", 0, len(blocks) - 1]
    known = np.array([runs.uncertainty for runs in taken.values()])
    every = sum(len(runs.seconds) for runs in taken.values())
    kept = sum(len(runs.kept) for runs in taken.values())
    return Measured(times, 1 - kept / every, float(np.median(known)))


def _pieces(
    blocks: Sequence[Block],
    wanted: Collection[tuple[int, int]],
    batch: int,
    jit: bool,
    building: Callable[[int, int], None],
) -> tuple[dict[Key, Call], list[Any]]:
    """Compile spans, all single blocks among them; return their calls, and the input and every block's output."""
    import keras

    shape = (batch, *blocks[0].input.shape[1:])
    data = _sample(shape, keras.backend.standardize_dtype(blocks[0].input.dtype))
    tensors = [keras.ops.convert_to_tensor(data)]
    calls: dict[Key, Call] = {}
    spans = sorted(wanted, key=lambda span: (span[1] - span[0], span))  # single blocks come first
    for done, (first, last) in enumerate(spans, start=1):
        piece = compile_piece(blocks[first].input, blocks[last].output, batch=batch, jit=jit)
        calls["span", first, last] = _bind(piece, tensors[first])
        result = piece(tensors[first])
        if first == last:
            tensors.append(result)
        building(done, len(spans))
    return calls, tensors


def _sample(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return numbers in 0..1, or ones where numbers are whole; what they are changes no time."""
    if dtype.startswith(("int", "uint", "bool")):
        return np.ones(shape, dtype=dtype)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def _codings(calls: dict[Key, Call], tensors: Sequence[Any]) -> dict[Key, Key]:
    """Add the calls that turn tensors into bytes and back; return which places share those of another like them."""
    first_like: dict[Any, int] = {}
    twins: dict[Key, Key] = {}
    for place, tensor in enumerate(tensors):
        like = first_like.setdefault((tuple(tensor.shape), str(tensor.dtype)), place)
        if like == place:
            calls["encode", place, place] = _bind(encode, tensor)
            calls["decode", place, place] = _bind(decoder(tensor), encode(tensor))
        else:
            twins["encode", place, place] = ("encode", like, like)
            twins["decode", place, place] = ("decode", like, like)
    return twins


def _bind(function: Callable[[Any], object], argument: Any) -> Call:
    return lambda: function(argument)
