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
from tiercut.offloader.bundles.manifest import Bundle, Piece
from tiercut.profiling import normalised_entropy, open_piece, probabilities

__all__ = ["Ended", "Runtime", "StageRunner", "leaves"]

Numbers = NDArray[Any]
_Call = Callable[[Sequence[Numbers]], list[Numbers]]
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
        Normalised entropy there; None where nothing was a classifier.
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

    def _open(self, folder: Path, piece: Piece, threads: int | None) -> tuple[Piece, _Call]:
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

    def until(self, tensors: Mapping[str, Numbers], block: int, slowed: Slowed) -> tuple[Ended, list[int]]:
        """Send a frame through that leaves at the exit of a block; return what becomes of it, and nanoseconds by piece.

        Parameters
        ----------
        tensors, slowed
            As of a frame; what `slowed` takes is part of what a piece does.
        block
            Where it leaves, 1-based.

        Raises
        ------
        QuestionError
            If there is no exit.
        """
        since_ns = time.monotonic_ns()
        held, took = dict(tensors), []
        for piece, call in self._calls:
            begun = self.clock()
            named, entropy = _made(piece, call, held)
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

    def __call__(self, tensors: Mapping[str, Numbers], slowed: Slowed | None = None) -> Ended:
        """Send a frame through.

        Parameters
        ----------
        tensors
            What comes in, by name.
        slowed
            Called after each piece.

        Raises
        ------
        QuestionError
            If scores are no numbers.
        """
        held = dict(tensors)
        entropy = None
        asked: Ended | None = None
        for piece, call in self._calls:
            begun = self.clock()
            named, entropy = _made(piece, call, held)
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


def _made(piece: Piece, call: _Call, held: Mapping[str, Numbers]) -> tuple[dict[str, Numbers], float | None]:
    """Return what a piece makes of what is held, by name, and the entropy at its exit."""
    made = call([held[each.name] for each in piece.inputs])
    named = dict(zip((each.name for each in piece.outputs), made, strict=True))
    if piece.scores is None:
        return named, None
    return named, float(normalised_entropy(probabilities(piece.scores, named[piece.scores]))[0])


def _zeros(piece: Piece) -> dict[str, Numbers]:
    return {each.name: np.zeros(each.shape, each.dtype) for each in piece.inputs}
