"""A model whose graph shows its cuts: constants, shape arithmetic and aliases folded by ONNX Runtime's basic level.

Published files hide their cuts behind paths of shapes and runs of identities. The higher levels are not taken: they put
operators of one vendor and layouts of one processor into the graph. It is folded twice, before sizes are set and after:
with sizes, ONNX Runtime cannot write out some conditions (If) that constants decide. That is done in a process of its
own, since compiled code that fails there may take its process with it; then the graph stays as it was published.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import InputError
from tiercut.profiling.models.onnx.nodes import reads
from tiercut.profiling.models.onnx.reading import Entry, Source
from tiercut.profiling.models.onnx.sessions import open_session, refused, save_model

__all__ = ["Seen", "folded", "numbers_for", "seen_in_a_run"]

log = logging.getLogger(__name__)

_LONGEST_S = 600.0

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


def numbers_for(entry: Entry, seed: int = 0) -> NDArray[Any]:
    """Return numbers for an input: in 0..1, or ones where numbers are whole."""
    dtype = np.dtype(entry.dtype)
    if dtype.kind in "iub":
        return np.ones(entry.sizes, dtype=dtype)
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
    unsure = {each.name for each in session.get_outputs() if not all(isinstance(size, int) for size in each.shape)}
    for name in _varying(session, model, unsure, found, entries) if unsure else ():
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


_SIZED_BY_VALUES = ("NonZero", "Compress", "Unique", "NonMaxSuppression")
"""Operators that make as much as the numbers that they read say."""


def _varying(
    session: Any, model: Any, unsure: Collection[str], found: Mapping[str, Seen], entries: Sequence[Entry]
) -> set[str]:
    """Return the tensors whose sizes depend on numbers: those that two runs show so, and what operators say of theirs.

    Two runs may agree by chance (no detection in either). That the sizes cannot be inferred says little by itself.
    """
    behind: set[str] = set()
    for node in model.graph.node:
        if node.op_type in _SIZED_BY_VALUES or any(name in behind for name in reads(node)):
            behind.update(name for name in node.output if name in unsure)
    try:
        again = _run(session, {each.name: numbers_for(each, seed=1) for each in entries})
    except Exception as error:  # what compiled code raises is of every kind
        log.info("it does not run with other numbers: %s", error)
        return behind
    return behind | {name for name in unsure if again[name] != found[name]}


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
    whole = " ".join(f"--bind {each.name}=0" for each in source.inputs if np.dtype(each.dtype).kind in "iu")
    also = f", or, as whole numbers were 1, say what they are ({whole})" if whole else ""
    return f"cannot be run with {shown}: {said}; name other sizes with --input{also}"
