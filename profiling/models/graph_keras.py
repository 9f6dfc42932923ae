"""A functional Keras model as a graph that can be run in pieces."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.profiling.models.fingerprint import fingerprint
from tiercut.profiling.models.flops import layer_flops
from tiercut.profiling.models.graph import (
    Framework,
    Graph,
    Piece,
    Step,
    Tensor,
    dtype_bytes,
    joined_values,
    tensors_of,
)
from tiercut.profiling.models.keras_calls import LayerCall, compute, functional, layer_calls, mask_of
from tiercut.profiling.models.runtime import compile_piece, framework

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KerasModel"]

log = logging.getLogger(__name__)

_PROBE = 1009
"""A prime that is the size of no axis."""


class KerasModel:
    """A functional Keras model behind `tiercut.profiling.models.graph.Model`.

    Parameters
    ----------
    model
        The functional model.
    whole
        The model as it was given, before models inside it were written out; `model` by default.
    exits
        Symbolic tensors that end its early exits; other layers make them of what is in the model. An end of the model
        itself may be among them.
    """

    def __init__(self, model: Any, *, whole: Any = None, exits: Sequence[Any] = ()) -> None:
        self.keras = model
        self._whole = model if whole is None else functional(whole) or whole  # a Sequential has no input of its own
        self._exits = tuple(exits)

    @cached_property
    def _calls(self) -> tuple[LayerCall, ...]:
        return layer_calls(self.keras, self._exits)

    @cached_property
    def graph(self) -> Graph:
        """Its steps.

        Raises
        ------
        QuestionError
            If the model is not functional.
        """
        place = {id(call.output): number for number, call in enumerate(self._calls)}
        return Graph(
            name=str(self.keras.name),
            steps=tuple(_steps(self._calls, _shapes(self.keras.inputs, self._calls))),
            inputs=tuple(place[id(tensor)] for tensor in self.keras.inputs if id(tensor) in place),
            outputs=tuple(place[id(tensor)] for tensor in self.keras.outputs),
            exits=tuple(place[id(tensor)] for tensor in self._exits),
            batch=self.keras.inputs[0].shape[0],
        )

    @property
    def fingerprint(self) -> str:
        """See `tiercut.profiling.models.fingerprint.fingerprint`."""
        return fingerprint(self.keras)

    @property
    def framework(self) -> Framework:
        """Keras, its backend, numpy and Python."""
        return framework()

    def tensor(self, step: int) -> Any:
        """Return the symbolic tensor that a step makes."""
        return self._calls[step].output

    def compile_piece(self, start: int, end: int, *, batch: int = 1, jit: bool = False) -> Piece:
        """See `tiercut.profiling.models.graph.Model.compile_piece`."""
        taken = self.graph.crossing(start)
        made = (end,) if end in self.graph.exits else self.graph.crossing(end)
        rows = [batch * self.graph.steps[each].output.rows for each in taken]
        starts, ends = (joined_values([self.tensor(each) for each in places]) for places in (taken, made))
        return compile_piece(starts, ends, batch=rows, jit=jit)

    def run(self, values: Any) -> Any:
        """Return what the uncut model makes of its inputs, in the order of `Graph.crossing`."""
        import keras

        whole = self._whole
        entering = dict(zip(self.graph.crossing(self.graph.last_input), tensors_of(values), strict=True))
        place = {id(call.output): number for number, call in enumerate(self._calls)}
        ordered = [entering.get(place.get(id(tensor), -1)) for tensor in self.keras.inputs]
        if any(each is None for each in ordered):  # an input that nothing reads
            first = tensors_of(values)[0]
            ordered = [
                keras.ops.zeros((first.shape[0], *tensor.shape[1:]), tensor.dtype) if each is None else each
                for each, tensor in zip(ordered, self.keras.inputs, strict=True)
            ]
        made = whole(keras.tree.pack_sequence_as(whole.input, ordered), training=False)
        by_place = dict(zip(self.graph.outputs, keras.tree.flatten(made), strict=True))
        return joined_values([by_place[each] for each in sorted(by_place)])

    def to_tensor(self, numbers: NDArray[Any]) -> Any:
        """Return numbers as a tensor where the model runs."""
        import keras

        return keras.ops.convert_to_tensor(numbers)

    def to_numbers(self, tensor: Any) -> NDArray[Any]:
        """Return the numbers in a tensor."""
        import keras

        return np.asarray(keras.ops.convert_to_numpy(tensor))


def _steps(calls: Sequence[LayerCall], shapes: Sequence[tuple[int | None, ...]]) -> Iterator[Step]:
    seen: set[int] = set()
    hidden = _hidden_masks(calls)
    for place, call in enumerate(calls):
        output, by_sample = _described(call.output, shapes[place], shapes[0][0] or 1)
        fresh = id(call.layer) not in seen
        seen.add(id(call.layer))
        yield Step(
            name=call.name,
            kind=type(call.layer).__name__,
            parents=call.parents,
            output=output,
            index=call.index,
            parameter_bytes=_weight_bytes(call.layer) if fresh else 0,
            flops=output.rows
            * layer_flops(call.layer, [each.shape for each in call.node.input_tensors], call.output.shape),
            cuttable=len(call.node.outputs) == 1 and by_sample and place not in hidden,
        )


def _hidden_masks(calls: Sequence[LayerCall]) -> set[int]:
    """Return the calls whose output carries a mask, once the model runs, that the graph does not show."""
    found: set[int] = set()
    for place, call in enumerate(calls):
        before = any(parent in found for parent in call.parents)
        if mask_of(call.output) is None and (_makes_hidden_mask(call) or (before and _hands_on_mask(call))):
            found.add(place)
    return found


def _makes_hidden_mask(call: LayerCall) -> bool:
    """Return whether a layer composed of others gives its output a mask: run it once."""
    inside = [each for each in getattr(call.layer, "_flatten_layers", list)() if each is not call.layer]
    if not any(getattr(each, "mask_zero", False) or type(each).__name__ == "Masking" for each in inside):
        return False
    import keras

    shapes = {id(tensor): (tensor.shape[0] or 1, *tensor.shape[1:]) for tensor in call.node.input_tensors}
    if any(None in shape for shape in shapes.values()):
        return True  # it cannot be run; rather no cut than a wrong one
    zeros = {id(tensor): keras.ops.zeros(shapes[id(tensor)], tensor.dtype) for tensor in call.node.input_tensors}
    args, kwargs = call.node.arguments.fill_in(zeros)
    return any(mask_of(each) is not None for each in keras.tree.flatten(call.layer(*args, **kwargs)))


def _hands_on_mask(call: LayerCall) -> bool:
    """Return whether a layer gives the mask of its input to its output."""
    import keras

    if not getattr(call.layer, "supports_masking", False):
        return False
    (first, *others) = call.node.input_tensors
    if others:
        return True  # rather no cut than a wrong one
    return call.layer.compute_mask(first, keras.KerasTensor(first.shape[:2], "bool")) is not None


def _shapes(entries: Sequence[Any], calls: Sequence[LayerCall]) -> list[tuple[int | None, ...]]:
    """Return the shapes of what calls make, for a batch of a size that no other axis has by chance.

    Keras shows the first axis as free whatever is folded into it. It is asked for the shapes of a batch of known size
    where a layer could fold something: Keras' own layers do not.
    """
    import keras

    shapes = [tuple(call.output.shape) for call in calls]
    if entries[0].shape[0] is not None or all(map(_keeps_batch, calls)):
        return shapes
    probes = [keras.Input(batch_shape=(_PROBE, *entry.shape[1:]), dtype=entry.dtype) for entry in entries]
    try:
        return [tuple(output.shape) for output in compute(entries, probes, [call.output for call in calls])]
    except Exception as error:  # shapes that a layer computes of its own accord raise errors of every kind
        log.info("the shapes of a batch of %d cannot be found: %s", _PROBE, error)
        return shapes


def _keeps_batch(call: LayerCall) -> bool:
    kind = type(call.layer)
    return hasattr(call.layer, "weights") and kind.__module__.startswith("keras.") and kind.__name__ != "Lambda"


def _described(tensor: Any, shape: tuple[int | None, ...], batch: int) -> tuple[Tensor, bool]:
    """Return a tensor, and whether its first axis is the batch, or rows of each of its samples one after the other.

    Parameters
    ----------
    tensor
        The symbolic tensor.
    shape
        Its shape for a batch of so many samples.
    batch
        How many; 1 where no layer folds anything into the batch.
    """
    import keras

    name, dtype = str(tensor.name), keras.backend.standardize_dtype(tensor.dtype)
    first = shape[0] if shape else 1
    if first is None or first % batch == 0:
        return Tensor(name, (None, *shape[1:]), dtype, rows=1 if first is None else max(first // batch, 1)), True
    numbers = math.prod(size or 1 for size in shape)
    return Tensor(name, (None, -(-numbers // batch)), dtype), False


def _weight_bytes(layer: Any) -> int:
    weights = getattr(layer, "weights", ())
    return sum(math.prod(weight.shape) * dtype_bytes(str(weight.dtype)) for weight in weights)
