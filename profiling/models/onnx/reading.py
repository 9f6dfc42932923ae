"""An ONNX file, read and made definite: every input has a size, is bound to a constant, or is state.

Sizes are set by the name of the input and the place of the axis. Symbols in a file say little: exporters write one for
two sizes, and 0 or -1 for none, so none is taken for a size, and none is kept.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from tiercut.errors import InputError, QuestionError, TiercutWarning, unknown_name
from tiercut.profiling.models.onnx.nodes import bodies, captured, reads, tensors_in
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions
from tiercut.profiling.models.onnx.sessions import start_onnx

__all__ = ["Entry", "Source", "check_onnx", "files_beside", "onnx_outputs", "read_onnx", "with_state_outputs"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An input of a model.

    Parameters
    ----------
    name
        Its name.
    dtype
        Its type of numbers, as numpy spells it.
    sizes
        The sizes of its axes.
    """

    name: str
    dtype: str
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A model that was read.

    Parameters
    ----------
    path
        The file.
    published
        The model as it is in the file, with constants in the place of inputs that are bound to some.
    inputs
        The inputs that take data, in order.
    state
        The inputs that are recurrent state.
    outputs
        Names of the outputs that are no state, in order.
    state_outputs
        Names of the outputs that are the state after a call.
    batch
        Samples in one call.
    batch_is_free
        Whether it could be another number.
    """

    path: str
    published: Any
    inputs: tuple[Entry, ...]
    state: tuple[Entry, ...]
    outputs: tuple[str, ...]
    state_outputs: tuple[str, ...]
    batch: int
    batch_is_free: bool

    def sized(self, model: Any) -> Any:
        """Return a copy of a model with the inputs of this one in their sizes, and with no other size or symbol."""
        import onnx

        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        sizes = {each.name: each.sizes for each in (*self.inputs, *self.state)}
        for value in copy.graph.input:
            if value.name in sizes:
                _set_sizes(value, sizes[value.name])
        del copy.graph.value_info[:]
        for value in copy.graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
        return copy


def check_onnx(path: Path) -> None:
    """Make sure of what can be checked of a file without loading it.

    Raises
    ------
    InputError
        If it is not there, is no file, or is empty.
    """
    if not path.exists():
        raise InputError(str(path), "there is no such file")
    if not path.is_file():
        raise InputError(str(path), "is no file; name the .onnx file itself")
    if path.stat().st_size == 0:
        raise InputError(str(path), "is empty; export the model again")


def onnx_outputs(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of a file's outputs, in order.

    Raises
    ------
    QuestionError, InputError
        If onnx is not installed, or it is no ONNX file.
    """
    start_onnx()
    found = Path(path)
    check_onnx(found)
    return tuple(each.name for each in _parsed(found).graph.output)


def files_beside(path: Path) -> list[Path]:
    """Return the files that hold weights of a model beside it.

    Raises
    ------
    QuestionError, InputError
        If onnx is not installed, or it is no ONNX file.
    """
    start_onnx()
    model = _parsed(path)
    return [path.parent / name for name in _weight_files(model)]


def read_onnx(
    path: Path, options: OnnxOptions = NO_ONNX_OPTIONS, *, batch: int | None = None, exits: Sequence[str] = ()
) -> Source:
    """Read a file.

    Parameters
    ----------
    path
        The file.
    options
        Sizes, constants and state.
    batch
        Samples in one call, the first axis of inputs whose first axis is free; by default 1, or what is said of it.
    exits
        Outputs that must be there.

    Raises
    ------
    InputError
        If it is no ONNX file, or its weights are missing.
    QuestionError
        If sizes are missing or do not fit, or a name is unknown.

    Warns
    -----
    TiercutWarning
        Names the inputs that no node reads.
    """
    model = _load(path, {*options.sizes, *options.constants, *(options.state or ())})
    own = {each.name for each in model.graph.initializer} | {
        each.values.name for each in model.graph.sparse_initializer
    }
    entries = {each.name: each for each in model.graph.input if each.name not in own}
    outputs = [each.name for each in model.graph.output]
    _check_names(entries, outputs, options, exits)
    bound = {name: _constant(entries.pop(name), numbers) for name, numbers in options.constants.items()}
    _bind(model, bound)
    _leave_out_unread(model, entries, str(path))
    state_inputs = [name for name in options.state or () if name in entries]
    data = [name for name in entries if name not in state_inputs]
    if not data:
        raise QuestionError(f"{path}: no input is left that takes data; bind or declare fewer of them")
    found: dict[str, Entry] = {}
    missing: list[str] = []
    free = False
    for name, value in entries.items():
        dtype = _dtype(value, str(path))
        sizes, first_free = _sizes(value, options.sizes.get(name), batch, str(path), missing, dtype)
        free = free or (first_free and name in data)
        found[name] = Entry(name, dtype, sizes)
    if missing:
        raise QuestionError("\n".join(missing))
    count = found[data[0]].sizes[0] if found[data[0]].sizes else 1
    if batch is not None and not free and batch != count:
        raise QuestionError(
            f"{path}: input '{data[0]}' has a batch of {count} in the file, not {batch}; say --batch {count}"
        )
    state_outputs = tuple(name for name in options.state or () if name in outputs)
    return Source(
        path=str(path),
        published=model,
        inputs=tuple(found[name] for name in data),
        state=tuple(found[name] for name in state_inputs),
        outputs=tuple(name for name in outputs if name not in state_outputs),
        state_outputs=state_outputs,
        batch=batch or (count if free else 1),
        batch_is_free=free,
    )


def _load(path: Path, named: Collection[str]) -> Any:
    """Return the model in a file, made regular; inputs that are named are inputs, with a number in the file or not."""
    import onnx

    model = _parsed(path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # whatever onnx raises for a file that is missing, cut short or outside of the folder
        raise InputError(str(path), _weights_missing(model, path, error)) from None
    _forget_doubled_names(model.graph)
    _keep_defaults(model.graph, named)
    _sort(model.graph)
    return model


def _forget_doubled_names(graph: Any) -> None:
    """Take names from nodes that share one: exporters write such, ONNX Runtime refuses them, and nothing reads them."""
    counts = Counter(node.name for node in graph.node)
    for node in graph.node:
        if counts[node.name] > 1:
            node.name = ""
        for body in bodies(node):
            _forget_doubled_names(body)


def _keep_defaults(graph: Any, named: Collection[str]) -> None:
    """Take inputs that have a number already from a graph: a weight that a call might replace is never folded.

    Of those that are named it is the number in the file that is taken.
    """
    replaced = {each.name for each in graph.input if each.name in named}
    if any(each.name in replaced for each in graph.initializer):
        weights = [each for each in graph.initializer if each.name not in replaced]
        del graph.initializer[:]
        graph.initializer.extend(weights)
    own = {each.name for each in graph.initializer} | {each.values.name for each in graph.sparse_initializer}
    kept = [each for each in graph.input if each.name not in own]
    if len(kept) < len(graph.input):
        del graph.input[:]
        graph.input.extend(kept)


def _sort(graph: Any) -> None:
    """Put nodes behind those that they read, as ONNX asks for and ONNX Runtime does not."""
    for node in graph.node:
        for body in bodies(node):
            _sort(body)
    maker = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    before = {place: {maker[name] for name in reads(node) if name in maker} for place, node in enumerate(graph.node)}
    if all(max(each, default=-1) < place for place, each in before.items()):
        return
    try:
        nodes = [graph.node[place] for place in TopologicalSorter(before).static_order()]
    except CycleError:
        return  # ONNX Runtime says what is wrong with it
    del graph.node[:]
    graph.node.extend(nodes)


def _parsed(path: Path) -> Any:
    import onnx

    check_onnx(path)
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors are of every kind
        raise InputError(str(path), f"is no ONNX file, or one that was cut short ({type(error).__name__})") from None
    if not model.ir_version or not (model.graph.node or model.graph.output):
        raise InputError(str(path), "is no ONNX file: there is no graph in it")
    return model


def _weight_files(model: Any) -> list[str]:
    """Return the names of the files that hold weights: of the graph, of constants, and of the bodies of nodes."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    nodes = [*model.graph.node, *(node for each in model.functions for node in each.node)]
    held = (*model.graph.initializer, *tensors_in(nodes))
    return sorted({ExternalDataInfo(each).location for each in held if uses_external_data(each)})


def _weights_missing(model: Any, path: Path, error: Exception) -> str:
    files = _weight_files(model)
    gone = sorted(name for name in files if not (path.parent / name).is_file())
    if gone:
        return f"its weights are in {', '.join(gone)}, which is not beside it; keep the files together"
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return f"its weights cannot be read from {', '.join(files) or 'the files that it names'}: {first[:200]}"


def _check_names(
    entries: Mapping[str, Any], outputs: Sequence[str], options: OnnxOptions, exits: Sequence[str]
) -> None:
    for flag, names in (("--input", options.sizes), ("--bind", options.constants)):
        for name in names:
            if name not in entries:
                raise QuestionError(f"{flag}: {unknown_name('input', name, entries)}")
    for name in options.state or ():
        if name not in entries and name not in outputs:
            raise QuestionError(f"--state: {unknown_name('input or output', name, [*entries, *outputs])}")
        if name in options.constants:
            raise QuestionError(f"--state: '{name}' is bound to a constant, so it is no state")
    for name in exits:
        if name not in outputs:
            raise QuestionError(f"--exits: {unknown_name('output', name, outputs)}")


def _dtype(value: Any, source: str) -> str:
    import onnx

    kind = value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else 0
    if kind == onnx.TensorProto.STRING:
        raise InputError(
            source,
            f"input '{value.name}' is text, whose bytes and times depend on the text: let the model begin with the "
            "numbers that stand for it",
        )
    if not kind:
        raise InputError(
            source, f"input '{value.name}' is no tensor (a sequence, a map or an optional); it cannot be sent"
        )
    found = onnx.helper.tensor_dtype_to_np_dtype(kind)
    if found.isbuiltin != 1:
        raise InputError(
            source,
            f"input '{value.name}' is of the type {found}, which numpy does not have: let the model begin with a Cast "
            "from a type that it has, such as float32",
        )
    return str(found)


def _constant(value: Any, numbers: tuple[float, ...]) -> Any:
    """Return the constant that takes the place of an input."""
    import onnx

    dtype = np.dtype(_dtype(value, f"input '{value.name}'"))
    shape = tuple(max(each.dim_value, 1) for each in value.type.tensor_type.shape.dim)
    array = np.asarray(numbers, dtype=dtype)
    if not np.array_equal(array.astype(np.float64), np.asarray(numbers, dtype=np.float64)) and dtype.kind in "iub":
        raise QuestionError(f"--bind: input '{value.name}' takes numbers of the type {dtype}, not {numbers[0]:g}")
    if len(numbers) == 1:
        array = np.full(shape, array[0])
    elif array.size == int(np.prod(shape)):
        array = array.reshape(shape)
    elif len(shape) != 1:
        raise QuestionError(f"--bind: input '{value.name}' has the shape {shape}, not {len(numbers)} numbers")
    return onnx.numpy_helper.from_array(array, value.name)


def _bind(model: Any, bound: Mapping[str, Any]) -> None:
    model.graph.initializer.extend(bound.values())
    for place in reversed(range(len(model.graph.input))):
        if model.graph.input[place].name in bound:
            del model.graph.input[place]


def _leave_out_unread(model: Any, entries: dict[str, Any], source: str) -> None:
    """Take inputs that nothing reads out of a model, with a warning."""
    read = {name for node in model.graph.node for name in (*node.input, *captured(node))}
    read |= {each.name for each in model.graph.output}
    unread = [name for name in entries if name not in read]
    for name in unread:
        del entries[name]
    for place in reversed(range(len(model.graph.input))):
        if model.graph.input[place].name in unread:
            del model.graph.input[place]
    if unread:
        names = ", ".join(f"'{name}'" for name in unread)
        warnings.warn(
            TiercutWarning(f"{source}: no node reads the input {names}", "nothing is sent for it; leave it out"),
            stacklevel=3,
        )


def _sizes(
    value: Any, wanted: tuple[int, ...] | None, batch: int | None, source: str, missing: list[str], dtype: str
) -> tuple[tuple[int, ...], bool]:
    """Return the sizes of an input, and whether its first axis is free; note what is missing."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        if wanted is None:
            missing.append(
                f"{source}: input '{value.name}' ({dtype}) has no shape; say --input {value.name}=..., such as "
                f"--input {value.name}=1x3x224x224"
            )
        return wanted or (), False
    fixed = [each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in kind.shape.dim]
    free = bool(fixed) and fixed[0] is None
    if wanted is not None:
        if len(wanted) != len(fixed) or any(own not in (None, size) for own, size in zip(fixed, wanted, strict=True)):
            shown = "x".join("?" if size is None else str(size) for size in fixed)
            raise QuestionError(
                f"{source}: input '{value.name}' has the sizes {shown or '(a scalar)'} ('?' is free), not "
                f"{'x'.join(map(str, wanted))}"
            )
        if free and batch is not None and wanted[0] != batch:
            raise QuestionError(
                f"{source}: --batch {batch} and --input {value.name}={'x'.join(map(str, wanted))} differ"
            )
        return wanted, free
    if free:
        fixed[0] = batch or 1
    if None in fixed:
        axes = [str(place) for place, size in enumerate(fixed) if size is None]
        names = "x".join(_letter(place, len(fixed)) if size is None else str(size) for place, size in enumerate(fixed))
        missing.append(
            f"{source}: input '{value.name}' has no size on ax{'i' if len(axes) == 1 else 'e'}s {', '.join(axes)}; say "
            f"--input {value.name}={names} with numbers for the letters"
        )
    return tuple(size or 0 for size in fixed), free


def _letter(place: int, axes: int) -> str:
    """Return a letter that stands for a size that is asked for."""
    return {4: "NCHW", 5: "NCDHW", 3: "NLC", 2: "NL"}.get(axes, "ABCDEFGHIJKLMNOPQ")[place % 17 if axes > 5 else place]


def _set_sizes(value: Any, sizes: Sequence[int]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for size in sizes:
        shape.dim.add().dim_value = size
    if not sizes:
        value.type.tensor_type.shape.SetInParent()


def with_state_outputs(source: Source, sizes: Mapping[str, tuple[str, tuple[int, ...]]]) -> Source:
    """Return a model with the outputs that are its state after a call, where they were not named.

    Parameters
    ----------
    source
        The model.
    sizes
        Type and sizes of every output.
    """
    if source.state_outputs:
        return source
    found: list[str] = []
    for entry in source.state:
        alike = [name for name in source.outputs if name not in found and sizes[name] == (entry.dtype, entry.sizes)]
        named = [name for name in alike if _plain(name).startswith(_plain(entry.name))]
        found += named[:1] or (alike if len(alike) == 1 else [])
    outputs = tuple(name for name in source.outputs if name not in found)
    if not outputs:
        raise QuestionError(f"{source.path}: every output is taken for state; name those that are with --state")
    return replace(source, outputs=outputs, state_outputs=tuple(found))


def _plain(name: str) -> str:
    """Return a name without what tells a state before from one after."""
    plain = name.casefold()
    for part in ("input", "output", "new_", "next_", "prev_", "past_", "present_", "_in", "_out"):
        plain = plain.replace(part, "")
    return plain.strip("_-.") or name
