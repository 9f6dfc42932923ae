"""Pieces of an ONNX graph as models of their own, which share no file with it.

`onnx.utils.extract_model` loses what the bodies of an If, Loop or Scan take from outside, and with it their weights.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.profiling.models.onnx.folding import Seen
from tiercut.profiling.models.onnx.wiring import Wiring

__all__ = ["Extracted", "extract"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """A piece of a graph.

    Parameters
    ----------
    model
        The piece as a model.
    made
        Names of the tensors that it computes of those that were wanted.
    state
        Names of its inputs that are recurrent state.
    """

    model: Any
    made: tuple[str, ...]
    state: tuple[str, ...]


def extract(
    wiring: Wiring,
    seen: Mapping[str, Seen],
    taken: Sequence[str],
    wanted: Sequence[str],
    *,
    state_outputs: Sequence[str] = (),
    main: Collection[int] = (),
    first: bool = False,
) -> Extracted:
    """Return the nodes between tensors as a model.

    The version of its format and its operators are those of the whole. Outputs whose types are not known to numpy carry
    none: ONNX Runtime infers them.

    Parameters
    ----------
    wiring
        The graph.
    seen
        Types and sizes of its tensors.
    taken
        Tensors that the piece is given.
    wanted
        Tensors that it is to make; those that it is given are left out.
    state_outputs
        Tensors that are the state after a call: what leads to them is made in the piece that makes the last of what
        it needs.
    main
        The nodes that lead to results: what leads to a state beside it is none of them.
    first
        Whether the piece begins the network, so that what it is given counts as made in it.

    Raises
    ------
    QuestionError
        If one depends on data that does not come through `taken`.
    """
    import onnx

    made = tuple(name for name in wanted if name not in set(taken))
    places, sources = wiring.leading_to(made, without=taken)
    lost = sorted(sources - set(wiring.weights) - set(wiring.state))
    if lost:
        raise QuestionError(f"'{wanted[-1]}' also depends on '{lost[0]}', which is not in the piece")
    beside = _state_beside(wiring, places, taken, first, main, state_outputs)
    more, more_sources = wiring.leading_to(
        [name for place in beside for name in wiring.nodes[place].output if name], without=taken
    )
    places, sources = sorted({*places, *more}), sources | more_sources
    model = onnx.ModelProto(ir_version=wiring.model.ir_version, producer_name="tiercut")
    model.opset_import.extend(wiring.model.opset_import)
    model.functions.extend(wiring.model.functions)
    graph = model.graph
    graph.name = "piece"
    graph.node.extend(wiring.nodes[place] for place in places)
    for name in sorted(sources & set(wiring.weights)):
        weight = wiring.weights[name]
        (graph.initializer if isinstance(weight, onnx.TensorProto) else graph.sparse_initializer).append(weight)
    state = tuple(name for name in wiring.state if name in sources)
    needed = {name for place in places for name in wiring.reads[place]}
    graph.input.extend(_typed(name, seen[name], sized=True) for name in (*taken, *state) if name in needed)
    read_here = {name for place in beside for name in wiring.reads[place]}
    ends = [name for place in beside for name in wiring.nodes[place].output if name and name not in read_here]
    graph.output.extend(_typed(name, seen.get(name)) for name in dict.fromkeys((*made, *ends)))
    return Extracted(model, made, state)


def _state_beside(
    wiring: Wiring,
    places: Sequence[int],
    given: Sequence[str],
    first: bool,
    main: Collection[int],
    state_outputs: Sequence[str],
) -> list[int]:
    """Return the nodes that lead to the state after a call, beside the network, and whose last input is made here."""
    inside = {name for place in places for name in wiring.nodes[place].output} | (set(given) if first else set())
    there, found = inside | set(given), list[int]()
    for place in wiring.leading_to(state_outputs)[0] if state_outputs else ():
        data = [name for name in wiring.reads[place] if name in wiring.of_data]
        if place not in main and any(name in inside for name in data) and all(name in there for name in data):
            found.append(place)
            inside.update(wiring.nodes[place].output)
            there.update(wiring.nodes[place].output)
    return found


def _typed(name: str, seen: Seen | None, *, sized: bool = False) -> Any:
    import onnx

    if seen is None or not seen.dtype:
        return onnx.ValueInfoProto(name=name)
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(seen.dtype))
    return onnx.helper.make_tensor_value_info(name, kind, seen.sizes if sized else None)
