"""The uncut network on this machine, frame by frame: what a run is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.profiling import CutNetwork, OnnxModel, PieceTensor, piece_tensor

__all__ = ["Uncut", "entry_tensors"]

Numbers = NDArray[Any]


def entry_tensors(cut: CutNetwork) -> list[PieceTensor]:
    """Return what goes into a network, in the order in which its pieces take it."""
    graph = cut.model.graph
    return [piece_tensor(cut.model, each) for each in graph.crossing(graph.last_input)]


class Uncut:
    """A network in one piece: of an ONNX file the file as it was published.

    Parameters
    ----------
    cut
        The network.
    exits
        1-based blocks whose branches are asked, in order.
    """

    def __init__(self, cut: CutNetwork, exits: Sequence[int]) -> None:
        self._cut, self._exits = cut, tuple(exits)
        self._names = [each.name for each in entry_tensors(cut)]

    def _values(self, frame: Mapping[str, Numbers]) -> Any:
        return self._cut.values([frame[name] for name in self._names])

    def scores(self, frame: Mapping[str, Numbers]) -> list[Numbers]:
        """Return the scores at every exit, each [1, classes]."""
        model, ends = self._cut.model, [self._cut.ends[block - 1] for block in self._exits]
        if isinstance(model, OnnxModel):
            names = [model.graph.steps[end].name for end in ends if end is not None]
            return [np.asarray(each) for each in model.predict(names, frame[self._names[0]], 1)]
        values = self._values(frame)
        pieces = [self._cut.compile(0, block - 1, branch=True) for block in self._exits]
        return [self._cut.numbers(piece(values))[0] for piece in pieces]

    def results(self, frame: Mapping[str, Numbers]) -> list[Numbers]:
        """Return what comes out of a network without exits."""
        return list(self._cut.numbers(self._cut.model.run(self._values(frame))))

    def run(self, frame: Mapping[str, Numbers]) -> None:
        """Run the network as it is, to be timed."""
        self._cut.model.run(self._values(frame))
