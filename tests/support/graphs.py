"""Graphs written by hand, and a model without any framework that runs them: tensors are plain numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.models.graph import Framework, Graph, Piece, Step, Tensor, joined_values, tensors_of


def graph(
    steps: Mapping[str, Sequence[str]],
    *,
    outputs: Sequence[str] = (),
    exits: Sequence[str] = (),
    uncut: Sequence[str] = (),
    light: Collection[str] = (),
    sizes: Mapping[str, int] | None = None,
) -> Graph:
    """Return a graph from the parents of each step; the last is the output, those without parents are inputs.

    Step k has k parameters, and as many operations; a tensor has four numbers unless `sizes` says otherwise.
    """
    place = {name: number for number, name in enumerate(steps)}
    made = tuple(
        Step(
            name=name,
            kind="Add" if len(parents) > 1 else "Scale",
            parents=tuple(place[each] for each in parents),
            output=Tensor(name, (None, (sizes or {}).get(name, 4))),
            index=place[name],
            parameter_bytes=4 * place[name],
            flops=place[name],
            cuttable=name not in uncut,
            light=name in light,
        )
        for name, parents in steps.items()
    )
    ends = outputs or list(steps)[-1:]
    return Graph(
        name="drawn",
        steps=made,
        inputs=tuple(place[name] for name, parents in steps.items() if not parents),
        outputs=tuple(place[name] for name in ends),
        exits=tuple(place[name] for name in exits),
    )


@dataclass
class NumpyModel:
    """What stands behind `tiercut.profiling.models.graph.Model`: a step adds up its parents, and adds its number.

    Parameters
    ----------
    graph
        Its steps.
    compiled
        The pieces that were compiled so far, as their first and last step.
    forgets
        Steps whose pieces answer something else than they do in the whole.
    """

    graph: Graph
    compiled: list[tuple[int, int]] = field(default_factory=list)
    forgets: tuple[str, ...] = ()
    fingerprint: str = "f" * 64
    framework: Framework = field(default_factory=lambda: Framework("numpy alone", "numpy", {"numpy": np.__version__}))

    def compile_piece(self, start: int, end: int, *, batch: int = 1, jit: bool = False) -> Piece:
        self.compiled.append((start, end))
        return self._piece(start, end, self.forgets if start != self.graph.last_input else ())

    def _piece(self, start: int, end: int, forgets: Sequence[str]) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def value(place: int, known: dict[int, NDArray[Any]]) -> NDArray[Any]:
            step = self.graph.steps[place]
            if place not in known:
                if not step.parents:
                    raise QuestionError(f"'{step.name}' is not in the piece")
                made = sum((value(parent, known) for parent in step.parents), np.float32(0)) + np.float32(place)
                known[place] = made + np.float32(step.name in forgets)
            return known[place]

        taken = self.graph.crossing(start)
        made = (end,) if end in self.graph.exits else self.graph.crossing(end)

        def call(values: Any) -> Any:
            known = dict(zip(taken, tensors_of(values), strict=True))
            return joined_values([value(each, known) for each in made])

        return call

    def run(self, tensor: Any) -> Any:
        return self._piece(self.graph.last_input, self.graph.path()[-1], ())(tensor)

    def to_tensor(self, numbers: NDArray[Any]) -> Any:
        return numbers

    def to_numbers(self, tensor: Any) -> NDArray[Any]:
        return np.asarray(tensor)
