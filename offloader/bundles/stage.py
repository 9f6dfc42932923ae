"""One frame through a bundle: its pieces in order, and its exits taken for real."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import Bundle, Piece, TensorSpec
from tiercut.profiling import PieceCall, normalised_entropy, open_piece, probabilities

__all__ = ["Ended", "Room", "Runtime", "Slowed", "StageRunner", "leaves"]

Numbers = NDArray[Any]

_WORTH = 1 << 16
"""Bytes that are copied sooner than memory is found for them."""

Room = Callable[[Sequence[int]], Sequence[NDArray[np.uint8]] | None]
"""Gives memory for tensors of so many bytes, from which they are sent without a copy; None where there is none."""

Runtime = Literal["onnx", "keras"]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a frame in a partition.

    Parameters
    ----------
    tensors
        What goes on, or the result.
    exit
        The block at whose branch it left; None where it goes on, or at the end of a network without exits.
    entropy
        Normalised entropy there; None where no classifier ended, as in a network without exits.
    leaves
        Whether it ends here.
    instead
        What the last exit before said of it: the answer where a frame that goes on cannot; None without such an exit.
    """

    tensors: dict[str, Numbers]
    exit: int | None
    entropy: float | None
    leaves: bool
    instead: Ended | None = None


def leaves(entropy: float, threshold: float | None) -> bool:
    """Return whether a frame leaves at an exit: below its threshold, and always at the last, which has none.

    Entropies are single precision, as recorded samples are; they are compared in double precision.
    """
    return threshold is None or entropy < threshold


class Slowed(Protocol):
    """Makes a call of a piece take longer, as on a slower machine."""

    def __call__(self, took_ns: int) -> None:
        """Wait for the rest, of a call that has just ended and took so many nanoseconds."""
        ...


class StageRunner:
    """The pieces of a bundle, loaded.

    Parameters
    ----------
    folder, bundle
        Where its files lie, and what they are.
    runtime
        What runs them; by default ONNX Runtime where there is a file for it.
    threads
        To compute with.
    """

    def __init__(
        self, folder: Path, bundle: Bundle, *, runtime: Runtime | None = None, threads: int | None = None
    ) -> None:
        self.bundle = bundle
        self.runtime: Runtime = runtime or ("onnx" if all("onnx" in each.files for each in bundle.pieces) else "keras")
        # NOTE with one thread pieces are computed in the thread that calls them. What else this machine does meanwhile
        # is no work of theirs, and must not become forty times as long on a node that is slowed forty times.
        alone = self.runtime == "onnx" and threads == 1
        self.clock = time.thread_time_ns if alone else time.perf_counter_ns
        self._calls = [self._open(folder, piece, threads) for piece in bundle.pieces]

    def _open(self, folder: Path, piece: Piece, threads: int | None) -> tuple[Piece, PieceCall]:
        if self.runtime not in piece.files:
            raise QuestionError(
                f"the bundle has no files for {self.runtime}, only for {', '.join(piece.files)}; leave out --runtime, "
                "or split the plan where tf2onnx is installed"
            )
        return piece, open_piece(folder / piece.files[self.runtime].path, threads=threads)

    def warm_up(self, runs: int = 3) -> None:
        """Run every piece on zeros, so that the first frame finds all memory made."""
        for piece, call in self._calls:
            for _ in range(runs):
                _made(piece, call, _zeros(piece))

    def until(
        self, tensors: Mapping[str, Numbers], block: int, slowed: Slowed, room: Room | None = None
    ) -> tuple[Ended, list[int]]:
        """Send a frame through that leaves at the exit of a block; return what becomes of it, and nanoseconds by piece.

        Parameters
        ----------
        tensors, slowed, room
            As of a frame; what `slowed` takes is part of what a piece does.
        block
            Where it leaves, 1-based.

        Raises
        ------
        QuestionError
            If there is no exit.
        """
        since_ns = time.monotonic_ns()
        held, took, places = dict(tensors), [], _Places(self.bundle.outputs, room if self.runtime == "onnx" else None)
        for piece, call in self._calls:
            begun = self.clock()
            named, entropy = _made(piece, call, held, places.of(piece))
            slowed(self.clock() - begun)
            held |= named
            took.append(time.monotonic_ns() - since_ns)
            since_ns += took[-1]
            if piece.blocks[1] >= block:
                break
        results = [each.name for each in self.bundle.outputs]
        if piece.blocks[1] < block and not self.bundle.is_last:
            return Ended({name: held[name] for name in results}, None, None, leaves=False), took
        if piece.scores is None and not (self.bundle.is_last and piece.blocks[1] == self.bundle.blocks[1]):
            raise QuestionError(f"there is no exit after block {block}")
        names = results if piece.scores is None else [piece.scores]
        return Ended({name: held[name] for name in names}, piece.exit, entropy, leaves=True), took

    def every_piece(self, tensors: Mapping[str, Numbers]) -> Iterator[tuple[Piece, dict[str, Numbers]]]:
        """Run all pieces whatever the entropies, and yield what each makes."""
        held = dict(tensors)
        for piece, call in self._calls:
            named, _ = _made(piece, call, held)
            held |= named
            yield piece, named

    def __call__(self, tensors: Mapping[str, Numbers], slowed: Slowed | None = None, room: Room | None = None) -> Ended:
        """Send a frame through.

        Parameters
        ----------
        tensors
            What comes in, by name.
        slowed
            Called after each piece.
        room
            Asked for memory for what goes on, where that is large.

        Raises
        ------
        QuestionError
            If scores are no numbers.
        """
        held, places = dict(tensors), _Places(self.bundle.outputs, room if self.runtime == "onnx" else None)
        entropy = None
        asked: Ended | None = None
        for piece, call in self._calls:
            begun = self.clock()
            named, entropy = _made(piece, call, held, places.of(piece))
            if slowed is not None:
                slowed(self.clock() - begun)
            if piece.exit is not None and entropy is not None:
                assert piece.scores is not None
                asked = Ended({piece.scores: named[piece.scores]}, piece.exit, entropy, leaves=True)
                if leaves(entropy, piece.threshold):
                    return asked
            held |= named
        results = {each.name: held[each.name] for each in self.bundle.outputs}
        last = self.bundle.is_last
        return Ended(results, self.bundle.pieces[-1].exit if last else None, entropy, leaves=last, instead=asked)


class _Places:
    """Where pieces are to write what goes on, where there is room for it."""

    def __init__(self, outputs: Sequence[TensorSpec], room: Room | None) -> None:
        sizes = [each.nbytes for each in outputs]
        self._outputs, self._sizes = outputs, sizes
        self._room = room if sum(sizes) >= _WORTH else None
        self._found: dict[str, Numbers] = {}

    def of(self, piece: Piece) -> list[Numbers | None] | None:
        """Return the place of each output of a piece that has one; None where none has."""
        if self._room is None:
            return None
        names = [each.name for each in piece.outputs]
        if not self._found and any(each.name in names for each in self._outputs):
            memory = self._room(self._sizes)
            if memory is None:
                self._room = None
                return None
            self._found = {
                each.name: part.view(each.dtype).reshape(each.shape)
                for each, part in zip(self._outputs, memory, strict=True)
            }
        return [self._found.get(name) for name in names] if self._found else None


def _made(
    piece: Piece, call: PieceCall, held: Mapping[str, Numbers], places: Sequence[Numbers | None] | None = None
) -> tuple[dict[str, Numbers], float | None]:
    """Return what a piece makes of what is held, by name, and the entropy at its exit."""
    made = call([held[each.name] for each in piece.inputs], places)
    named = dict(zip((each.name for each in piece.outputs), made, strict=True))
    if piece.scores is None:
        return named, None
    return named, float(normalised_entropy(probabilities(piece.scores, named[piece.scores]))[0])


def _zeros(piece: Piece) -> dict[str, Numbers]:
    return {each.name: np.zeros(each.shape, each.dtype) for each in piece.inputs}
