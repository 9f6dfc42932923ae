"""A model whose graph shows its cuts: constants, shape arithmetic and aliases folded by ONNX Runtime's basic level.

Published files hide their cuts behind paths of shapes and runs of identities. The higher levels are not taken: they put
operators of one vendor and layouts of one processor into the graph. It is folded twice, before sizes are set and after:
with sizes, ONNX Runtime cannot write out some conditions (If) that constants decide. That is done in a process of its
own, since compiled code that fails there may take its process with it; then the graph stays as it was published.
"""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import InputError
from tiercut.profiling.models.onnx.reading import Entry, Source
from tiercut.profiling.models.onnx.sessions import open_session, refused, save_model
from tiercut.profiling.models.onnx.varying import sized_by_numbers

__all__ = ["Seen", "folded", "numbers_for", "seen_in_a_run"]

log = logging.getLogger(__name__)

_LONGEST_S = 600.0

_FEW = 1024
"""Sizes are made of constants of so many numbers at most; larger ones are weights."""

_CHILD = """
import sys
from pathlib import Path
from tiercut.profiling.models.onnx.sessions import open_session
open_session(Path(sys.argv[1]), level="basic", optimised=Path(sys.argv[2]))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run showed of a tensor.

    Parameters
    ----------
    dtype
        Its type of numbers, as numpy spells it; empty where it is none that numpy has, or no tensor.
    sizes
        The sizes of its axes.
    varies
        Whether they depend on the numbers in the inputs.
    """

    dtype: str
    sizes: tuple[int, ...]
    varies: bool = False


def folded(source: Source) -> Any:
    """Return the model with its sizes set, folded where that can be done."""
    once = _optimised(source.published)
    sized = source.sized(source.published if once is None else once)
    twice = _optimised(sized)
    if twice is not None:
        return source.sized(twice)
    log.info("%s cannot be folded; its graph stays as it is", source.path)
    return sized if once is not None else source.sized(source.published)


def _optimised(model: Any) -> Any:
    """Return a model at the basic level, or None where ONNX Runtime cannot do that."""
    import onnx

    with tempfile.TemporaryDirectory(prefix="tiercut-") as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        save_model(model, before)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, str(before), str(after)],
                capture_output=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0 or not after.exists():
            log.info("folding ended with status %s: %s", done.returncode, done.stderr.decode(errors="replace")[-300:])
            return None
        return onnx.load(str(after))


def numbers_for(entry: Entry, seed: int = 0, *, whole: int = 1) -> NDArray[Any]:
    """Return numbers for an input: in 0..1, or the same everywhere where numbers are whole."""
    dtype = np.dtype(entry.dtype)
    if dtype.kind in "iub":
        return np.full(entry.sizes, whole, dtype=dtype)
    return np.random.default_rng(seed).random(entry.sizes, dtype=np.float32).astype(dtype)


def seen_in_a_run(source: Source, model: Any) -> dict[str, Seen]:
    """Return types and sizes of all tensors of a graph, as one run shows them.

    Inferring them leaves gaps in published files, and knows nothing behind operators of vendors.

    Raises
    ------
    InputError
        If ONNX Runtime does not take the model, or it cannot be run with inputs of these sizes.
    """
    import onnx

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    there = {each.name for each in exposed.graph.output}
    names = list(dict.fromkeys(name for name in _made(model) if name not in there))
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        session = open_session(exposed, level="none")
    except Exception as error:  # what compiled code raises is of every kind
        raise refused(source.path, error) from None
    entries = (*source.inputs, *source.state)
    feed = {each.name: numbers_for(each) for each in entries}
    try:
        found = _run(session, feed)
    except Exception as error:  # as above
        raise InputError(source.path, _cannot_run(source, error)) from None
    for name in _varying(session, exposed, found, entries):
        found[name] = replace(found[name], varies=True)
    return {name: Seen(str(each.dtype), each.shape) for name, each in feed.items()} | found


def _run(session: Any, feed: Mapping[str, NDArray[Any]]) -> dict[str, Seen]:
    """Return what a run shows of all outputs of a session."""
    import onnxruntime

    wanted = [each.name for each in session.get_outputs()]
    values = session.run_with_ort_values(
        wanted, {name: onnxruntime.OrtValue.ortvalue_from_numpy(each) for name, each in feed.items()}
    )
    return dict(zip(wanted, map(_seen, values), strict=True))


def _varying(session: Any, exposed: Any, found: Mapping[str, Seen], entries: Sequence[Entry]) -> set[str]:
    """Return the tensors whose sizes depend on numbers: those that two runs show so, and what operators say of theirs.

    That the sizes cannot be inferred says little by itself.
    """
    shapes = {each.name: each.shape for each in session.get_outputs()}
    unsure = {name for name, shape in shapes.items() if not shape or not all(isinstance(size, int) for size in shape)}
    if not unsure:
        return set()
    if not all(map(shapes.get, unsure)):  # NOTE ONNX Runtime shows no axes and axes of unknown number alike
        unsure -= _without_axes(exposed)
    return sized_by_numbers(exposed, unsure, _changing(session, found, entries))


def _changing(session: Any, found: Mapping[str, Seen], entries: Sequence[Entry]) -> list[str]:
    """Return the tensors that another run shows differently; whole numbers that do not fit are left as they were."""
    for whole in (0, 1):
        try:
            again = _run(session, {each.name: numbers_for(each, seed=1, whole=whole) for each in entries})
        except Exception as error:  # what compiled code raises is of every kind
            log.info("it does not run with other numbers: %s", error)
        else:
            return [name for name in found if again[name] != found[name]]
    return []


def _without_axes(exposed: Any) -> set[str]:
    """Return the tensors that are known to have no axes; large weights are taken out of the model."""
    import onnx

    for each in exposed.graph.initializer:
        if math.prod(each.dims) > _FEW:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                each.ClearField(field)
    try:
        graph = onnx.shape_inference.infer_shapes(exposed).graph
    except Exception as error:  # as above
        log.info("shapes cannot be inferred: %s", error)
        return set()
    kinds = {each.name: each.type.tensor_type for each in (*graph.value_info, *graph.output)}
    return {name for name, kind in kinds.items() if kind.HasField("shape") and not kind.shape.dim}


def _made(model: Any) -> Iterator[str]:
    for node in model.graph.node:
        yield from (name for name in node.output if name)


def _seen(value: Any) -> Seen:
    if value is None or not value.has_value() or not value.is_tensor():
        return Seen("", ())
    kind = _NUMPY.get(value.data_type().removeprefix("tensor(").removesuffix(")"), "")
    return Seen(kind, tuple(value.shape()))


_NUMPY: Mapping[str, str] = {
    "float": "float32",
    "double": "float64",
    "bool": "bool",
    "float16": "float16",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def _cannot_run(source: Source, error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = (lines or [type(error).__name__])[0].rpartition("Status Message: ")[2][:300]
    shown = ", ".join(f"{each.name}={'x'.join(map(str, each.sizes)) or 'scalar'}" for each in source.inputs)
    whole = [each.name for each in source.inputs if np.dtype(each.dtype).kind in "iu"]
    bound = " ".join(f"--bind {name}=0" for name in whole[len(whole) == len(source.inputs) :])  # one must take data
    also = f", or, as whole numbers were 1, say what they are ({bound})" if bound else ""
    if whole and not bound:
        also = ", or export the model so that it takes 1 for whole numbers"
    return f"cannot be run with {shown}: {said}; name other sizes with --input{also}"
