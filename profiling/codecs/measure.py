"""Codecs measured at every cut of a network: bytes on real samples, what they cost in accuracy, and how long they take.

What goes through a codec at a cut goes on through the rest of the network, so that the fall in accuracy is that of its
last exit, over all samples.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter_ns, process_time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.codec import TensorCodec, TensorCoder, form_of
from tiercut.profiling.codecs.form import Layout, usual_layout
from tiercut.profiling.codecs.lossy import LARGEST_HALF
from tiercut.profiling.codecs.samples import CodecSamples
from tiercut.profiling.models.cut import CutNetwork, Values
from tiercut.profiling.models.graph import Piece
from tiercut.profiling.timing.timing import Effort, Times, summarise, time_calls
from tiercut.profiling.timing.waiting import waiting_clock

__all__ = ["CutCodec", "time_codecs", "weigh_codecs"]

log = logging.getLogger(__name__)

Numbers = tuple[NDArray[Any], ...]


class CutCodec:
    """A codec at one cut: a coder for each tensor that crosses it.

    Parameters
    ----------
    codec
        The codec.
    like
        What crosses, as numbers.
    layout
        What is usual in the model.
    """

    def __init__(self, codec: TensorCodec, like: Numbers, layout: Layout) -> None:
        self._coders: tuple[TensorCoder, ...] = tuple(codec.coder(each.shape, each.dtype, layout) for each in like)

    def encode(self, numbers: Numbers) -> tuple[bytes, ...]:
        """Return every tensor encoded."""
        return tuple(coder.encode(each) for coder, each in zip(self._coders, numbers, strict=True))

    def decode(self, raw: Sequence[bytes]) -> Numbers:
        """Return the tensors."""
        return tuple(coder.decode(each) for coder, each in zip(self._coders, raw, strict=True))


@dataclass
class _Weight:
    """What a codec does at one cut, so far."""

    sizes: list[int] = field(default_factory=list)
    right: int = 0
    same: int = 0


class _Chain:
    """The blocks of a network one after the other."""

    def __init__(self, cut: CutNetwork, batch: int, jit: bool) -> None:
        self.cut, last = cut, len(cut.blocks) - 1
        self.layout = usual_layout(cut.framework.backend)
        self._pieces: list[Piece] = [
            cut.compile(place, place, branch=place == last and bool(cut.ends), batch=batch, jit=jit)
            for place in range(last + 1)
        ]

    def crossing(self, inputs: Numbers) -> list[Values]:
        """Return the input and what every block makes of it; the last is the answer."""
        found = [self.cut.values(inputs)]
        for piece in self._pieces:
            found.append(piece(found[-1]))
        return found

    def rest(self, place: int, numbers: Numbers) -> NDArray[np.int64]:
        """Return the classes that the blocks after a cut make of what crosses it."""
        values = self.cut.values(numbers)
        for piece in self._pieces[place:]:
            values = piece(values)
        return classes_of(self.cut.numbers(values))

    def usable(self, codec: TensorCodec, numbers: Numbers) -> bool:
        return codec.takes([form_of(each.shape, each.dtype, self.layout) for each in numbers])


def classes_of(result: Numbers) -> NDArray[np.int64]:
    """Return the likeliest class of each sample."""
    return np.asarray(result[0].argmax(axis=-1))


def _is_classifier(result: Numbers) -> bool:
    return len(result) == 1 and result[0].ndim == 2 and result[0].shape[1] > 1 and result[0].dtype.kind == "f"


def weigh_codecs(
    cut: CutNetwork,
    codecs: Sequence[TensorCodec],
    samples: CodecSamples,
    *,
    batch: int = 1,
    jit: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, dict[str, Any]]:
    """Return what a profile says of codecs apart from times: bytes, fall in accuracy, agreement.

    Parameters
    ----------
    cut
        The network.
    codecs
        The codecs.
    samples
        Samples, in whole batches. Where their classes are not known, the fall in accuracy is the share of the samples
        that the network answers otherwise.
    batch, jit
        As its pieces are timed.
    progress
        Called with the samples done and all.

    Returns
    -------
    dict
        By codec ``bytes``, ``bytes_p99``, ``accuracy_drop`` and ``agreement``; lists of N+1, None where it is not used:
        no tensor there is of its kind, or a number is too large for half precision.

    Raises
    ------
    QuestionError
        If the network does not end in classes, and a codec loses something.
    """
    chain, count = _Chain(cut, batch, jit), len(cut.blocks)
    weights: dict[tuple[str, int], _Weight | None] = {}
    right_before = 0
    for done, (inputs, labels) in enumerate(samples.batches(batch), start=1):
        crossing = chain.crossing(inputs)
        answer = cut.numbers(crossing[count])
        if not _is_classifier(answer) and (lossy := next((each for each in codecs if not each.is_exact), None)):
            raise QuestionError(
                f"{cut.title} does not end in the scores of classes, so what '{lossy.name}' costs cannot be told; "
                "measure codecs that lose nothing (zstd, shuffle-zstd, zlib, shuffle-zlib)"
            )
        wanted = classes_of(answer)
        right_before += 0 if labels is None else int((wanted == labels).sum())
        for place in range(count):
            numbers = cut.numbers(crossing[place])
            for codec, found in _answers(chain, codecs, place, numbers, wanted, weights):
                weight = weights[codec.name, place]
                assert weight is not None
                weight.same += int((found == wanted).reshape(batch, -1).all(axis=1).sum())
                weight.right += 0 if labels is None else int((found == labels).sum())
        progress(done * batch, len(samples))
    rows = {codec.name: [weights[codec.name, place] for place in range(count)] for codec in codecs}
    right = None if samples.labels is None else right_before
    return {name: _record(row, len(samples), right) for name, row in rows.items()}


def _answers(
    chain: _Chain,
    codecs: Sequence[TensorCodec],
    place: int,
    numbers: Numbers,
    wanted: NDArray[np.int64],
    weights: dict[tuple[str, int], _Weight | None],
) -> Iterator[tuple[TensorCodec, NDArray[np.int64]]]:
    """Yield the classes that come of each codec at a cut; of those that lose the same the network runs once."""
    known: dict[tuple[str, ...], NDArray[np.int64]] = {(): wanted}
    for codec in codecs:
        weight = weights.setdefault(
            (codec.name, place),
            _Weight() if chain.usable(codec, numbers) else None,
        )
        if weight is None:
            continue
        try:
            if "float16" in codec.lossy:
                _check_range(numbers)
            used = CutCodec(codec, numbers, chain.layout)
            raw = used.encode(numbers)
        except QuestionError as error:
            log.info("%s cannot encode what crosses cut %d: %s", codec.name, place, error)
            weights[codec.name, place] = None
            continue
        weight.sizes.append(sum(map(len, raw)))
        if codec.lossy not in known:
            known[codec.lossy] = chain.rest(place, used.decode(raw))
        yield codec, known[codec.lossy]


def _check_range(numbers: Numbers) -> None:
    """Refuse numbers that would be cut off in half precision."""
    if any(np.abs(each).max(initial=0) > LARGEST_HALF for each in numbers if each.dtype.kind == "f"):
        raise QuestionError("a number is too large for half precision")


def _record(row: Sequence[_Weight | None], count: int, right: int | None) -> dict[str, Any]:
    """Return what a profile says of a codec: of the input and every block; the last block's output is never sent."""
    agreement = [None if each is None else each.same / count for each in row]
    if right is None:
        drops = [None if each is None else 1 - each for each in agreement]
    else:
        drops = [None if each is None else (right - each.right) / count for each in row]
    sizes = [None if each is None else each.sizes for each in row]
    return {
        "bytes": [*(None if each is None else round(float(np.mean(each)), 1) for each in sizes), None],
        "bytes_p99": [
            *(None if each is None else float(np.percentile(each, 99, method="inverted_cdf")) for each in sizes),
            None,
        ],
        "accuracy_drop": [*(None if each is None else round(each, 6) for each in drops), None],
        "agreement": [*(None if each is None else round(each, 6) for each in agreement), None],
        "samples": count,
    }


def time_codecs(
    cut: CutNetwork,
    codecs: Mapping[str, tuple[TensorCodec, Sequence[bool]]],
    inputs: Numbers,
    effort: Effort,
    *,
    batch: int = 1,
    jit: bool = False,
    calm: bool = True,
    cpu: bool = False,
    statistic: str = "p50",
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, dict[str, list[float | None]]]:
    """Return the seconds of encoding and decoding at every cut on this machine, on what really crosses it.

    Parameters
    ----------
    cut
        The network.
    codecs
        By name: the codec, and whether it is used for the input and after each block but the last, N of them.
    inputs
        A batch of samples.
    effort
        How often; all are timed in turn.
    batch, jit, calm, cpu, statistic
        As `tiercut.profiling.timing.pieces_timed.time_pieces`; `cpu` for the clock of that name.
    progress
        Called with the runs done and the most to do.

    Returns
    -------
    dict
        ``encode`` and ``decode`` by codec; lists of N+1, None where it is not used. Like ``encode_s`` and ``decode_s``
        of a device, in whose place they stand, they begin with the tensor of the framework and end with one.
    """
    chain, count = _Chain(cut, batch, jit), len(cut.blocks)
    crossing = chain.crossing(inputs)
    calls: dict[tuple[str, str, int], Callable[[], object]] = {}
    for name, (codec, used) in codecs.items():
        for place in (each for each in range(count) if used[each]):
            values = crossing[place]
            there = CutCodec(codec, cut.numbers(values), chain.layout)
            calls["encode", name, place] = partial(_encoded, cut, there, values)
            calls["decode", name, place] = partial(_decoded, cut, there, there.encode(cut.numbers(values)))
    empty = {name: {which: [None] * (count + 1) for which in ("encode", "decode")} for name in codecs}
    found: dict[str, dict[str, list[float | None]]] = empty  # type: ignore[assignment]
    if not calls:
        return found
    waited = waiting_clock() if calm and not cpu else None
    clock = process_time_ns if cpu else perf_counter_ns
    taken = time_calls(calls, effort, clock=clock, waited=waited, progress=progress)
    for (which, name, place), runs in taken.items():
        times: Times = summarise(runs.kept)
        found[name][which][place] = float(f"{getattr(times, statistic):.5g}")
    return found


def _encoded(cut: CutNetwork, codec: CutCodec, values: Values) -> object:
    return codec.encode(cut.numbers(values))


def _decoded(cut: CutNetwork, codec: CutCodec, raw: Sequence[bytes]) -> object:
    return cut.values(codec.decode(raw))
