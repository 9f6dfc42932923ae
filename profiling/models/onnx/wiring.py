"""How an ONNX graph is joined: who makes and reads each tensor, and which of them depend on data.

A tensor that depends on no data (constants that were not folded, what is made of recurrent state alone) crosses no cut:
every piece that reads it makes it for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tiercut.profiling.models.onnx.nodes import is_random, reads

__all__ = ["Wiring"]


@dataclass(frozen=True)
class Wiring:
    """A graph and who reads what in it.

    Parameters
    ----------
    model
        The model.
    inputs
        Names of the inputs that take data.
    state
        Names of the inputs that are recurrent state.
    """

    model: Any
    inputs: tuple[str, ...]
    state: tuple[str, ...] = ()

    @cached_property
    def nodes(self) -> tuple[Any, ...]:
        """All nodes, in the order of the file."""
        return tuple(self.model.graph.node)

    @cached_property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The tensors and weights that each node reads, each once."""
        return tuple(tuple(dict.fromkeys(reads(node))) for node in self.nodes)

    @cached_property
    def maker(self) -> Mapping[str, int]:
        """The node that makes each tensor."""
        return {name: place for place, node in enumerate(self.nodes) for name in node.output if name}

    @cached_property
    def weights(self) -> Mapping[str, Any]:
        """The initializers by name, sparse ones too."""
        graph = self.model.graph
        return {each.name: each for each in graph.initializer} | {
            each.values.name: each for each in graph.sparse_initializer
        }

    @cached_property
    def of_data(self) -> frozenset[str]:
        """The tensors that depend on data, or are drawn at random: those that may cross a cut."""
        found = set(self.inputs)
        for node, names in zip(self.nodes, self.reads, strict=True):
            if is_random(node) or any(name in found for name in names):
                found.update(name for name in node.output if name)
        return frozenset(found)

    def leading_to(self, names: Iterable[str], *, without: Collection[str] = ()) -> tuple[list[int], set[str]]:
        """Return the nodes that make some tensors, in order, and all else that these need.

        Parameters
        ----------
        names
            The tensors.
        without
            Tensors that are there already.

        Returns
        -------
        tuple
            The nodes, and the weights and inputs that they read.
        """
        found, sources = set[int](), set[str]()
        waiting, seen = list(names), set(without)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            place = self.maker.get(name)
            if place is None:
                sources.add(name)
            elif place not in found:
                found.add(place)
                waiting.extend(self.reads[place])
        return sorted(found), sources

    def weights_of(self, place: int) -> set[str]:
        """Return the weights that a node reads, itself or through what it makes of weights alone."""
        own = [name for name in self.reads[place] if name not in self.of_data]
        return {name for name in self.leading_to(own)[1] if name in self.weights}

    def constants_of(self, place: int) -> list[int]:
        """Return the nodes that make of weights, or of nothing, what a node reads."""
        return self.leading_to(name for name in self.reads[place] if name not in self.of_data)[0]

    def state_of(self, place: int) -> set[str]:
        """Return the recurrent state that a node reads, itself or through what it makes of state alone."""
        own = [name for name in self.reads[place] if name not in self.of_data]
        return self.leading_to(own)[1] & set(self.state)

    def parents(self, places: Sequence[int]) -> dict[int, list[int]]:
        """Return, for some nodes, which of them make what each reads."""
        there = set(places)
        return {
            place: list(
                dict.fromkeys(
                    made
                    for name in self.reads[place]
                    if name in self.of_data and (made := self.maker.get(name, -1)) in there
                )
            )
            for place in places
        }
