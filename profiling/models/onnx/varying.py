"""The tensors of an ONNX graph whose sizes depend on numbers in its inputs, by what its operators say.

Runs may agree by chance (no detection in either), operators do not. A tensor has two marks: that its numbers depend on
those of the inputs, and that its sizes do. `Shape` and `Size` of what has the second give what has the first, and
operators that are told sizes as a tensor give for the first the second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiercut.profiling.models.onnx.nodes import bodies, is_random, reads

__all__ = ["sized_by_numbers"]

_BY_ALL = frozenset(("NonZero", "Compress", "Unique", "NonMaxSuppression", "Range", "ConstantOfShape", "BlackmanWindow",
                     "HammingWindow", "HannWindow", "MelWeightMatrix", "StringSplit", "ImageDecoder",
                     "If"))  # fmt: skip
"""Operators that make as much as their inputs say, the first too; of an If that is which branch is taken."""

_BY_OTHERS = frozenset(("Reshape", "Expand", "Tile", "Slice", "TopK", "Resize", "Upsample", "Pad", "OneHot", "Split",
                        "Squeeze", "Unsqueeze", "CenterCropPad", "Col2Im", "MaxUnpool", "AffineGrid", "DFT", "STFT",
                        "CropAndResize", "SplitToSequence", "SequenceAt", "SequenceErase", "ReduceSum", "ReduceMean",
                        "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
                        "ReduceLogSumExp", "ReduceSumSquare"))  # fmt: skip
"""Operators that make as much as the inputs behind the first say: sizes, counts, axes, places."""

_OF_SIZES = ("Shape", "Size")


@dataclass
class _Marks:
    """The tensors whose numbers depend on numbers of the inputs, and those whose sizes do."""

    numbers: set[str]
    sizes: set[str]


_Functions = Mapping[tuple[str, str, str], Any]


def sized_by_numbers(model: Any, unsure: Collection[str], seen: Iterable[str] = ()) -> set[str]:
    """Return the tensors whose sizes depend on numbers in the inputs.

    Of operators that are not ONNX' own and that the file does not define only `seen` tells.

    Parameters
    ----------
    model
        The model, its nodes in order.
    unsure
        The tensors whose sizes cannot be inferred. What can be inferred depends on no numbers.
    seen
        Those that were seen to change.
    """
    marks = _Marks({each.name for each in model.graph.input}, set(seen))
    functions = {(each.domain, each.name, each.overload): each for each in model.functions}
    _mark(model.graph.node, marks, functions, lambda name: name in unsure)
    return marks.sizes


def _mark(nodes: Iterable[Any], marks: _Marks, functions: _Functions, may_vary: Callable[[str], bool]) -> None:
    """Add to the marks what nodes make."""
    for node in nodes:
        taken, made = list(reads(node)), [name for name in node.output if name]
        by_sizes = not marks.sizes.isdisjoint(taken)
        by_numbers = not marks.numbers.isdisjoint(taken)
        is_sized = by_sizes or _is_told(node, marks.numbers) or _varies_inside(node, marks, functions)
        if is_sized and not _makes_one_number(node):
            marks.sizes.update(filter(may_vary, made))
        if by_sizes or is_random(node) or (by_numbers and node.op_type not in _OF_SIZES):
            marks.numbers.update(made)


def _makes_one_number(node: Any) -> bool:
    """Return whether what a node makes has no axes, whatever it reads; of unknown ranks nothing is inferred."""
    if node.domain not in ("", "ai.onnx"):
        return False
    set_to = {each.name: each.i for each in node.attribute}
    over_all = node.op_type.startswith("Reduce") and not any(node.input[1:]) and "axes" not in set_to
    keeps = set_to.get("keepdims", 1) or set_to.get("noop_with_empty_axes", 0)
    return node.op_type == "Size" or (over_all and not keeps)


def _is_told(node: Any, numbers: Collection[str]) -> bool:
    """Return whether a node is told by such numbers how much to make."""
    if node.op_type in _BY_ALL:
        told = node.input
    elif node.op_type == "Loop":
        told = node.input[:2]
    else:
        told = node.input[1:] if node.op_type in _BY_OTHERS else ()
    return any(name in numbers for name in told)


def _varies_inside(node: Any, marks: _Marks, functions: _Functions) -> bool:
    """Return whether a body of a node, or the function that it calls, makes what has such sizes; all in it may."""
    inside = [
        (body, [each.name for each in body.input], _Marks({*marks.numbers}, {*marks.sizes})) for body in bodies(node)
    ]
    function = functions.get((node.domain, node.op_type, node.overload))
    if function is not None:
        inside.append((function, [*function.input], _Marks(set(), set())))
    return any(_body_varies(node, *each, marks, functions) for each in inside)


def _body_varies(
    node: Any, body: Any, inputs: Sequence[str], inner: _Marks, outer: _Marks, functions: _Functions
) -> bool:
    ends = [getattr(each, "name", each) for each in body.output]
    given = node.input[max(len(node.input) - len(inputs), 0) :]  # Scan once took something before the others
    for there, here in zip(given, inputs, strict=False):
        _hand_on(there, outer, here, inner)
    marked = -1
    while marked < len(inner.numbers) + len(inner.sizes):
        marked = len(inner.numbers) + len(inner.sizes)
        _mark(body.node, inner, functions, lambda _: True)
        for there, here in _turns(node, ends, inputs):
            _hand_on(there, inner, here, inner)
    return (node.op_type == "Loop" and ends[0] in inner.numbers) or not inner.sizes.isdisjoint(ends)


def _hand_on(there: str, outer: _Marks, here: str, inner: _Marks) -> None:
    """Give one tensor the marks of another."""
    if there in outer.numbers:
        inner.numbers.add(here)
    if there in outer.sizes:
        inner.sizes.add(here)


def _turns(node: Any, ends: Sequence[str], inputs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what a body makes with what takes it in the next turn."""
    if node.op_type == "Loop":  # a condition and what is carried, behind the number of the turn
        yield from zip(ends, inputs[1:], strict=False)
    elif node.op_type == "Scan":  # the state first, then what is taken apart
        apart = next((each.i for each in node.attribute if each.name == "num_scan_inputs"), 0)
        yield from zip(ends, inputs[: len(inputs) - apart], strict=False)
