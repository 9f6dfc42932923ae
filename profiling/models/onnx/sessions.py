"""ONNX Runtime: started quietly with a number of threads, its sessions, and its errors in one line."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tiercut.cpus import cpu_count
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.profiling.models.graph import Framework

__all__ = ["Level", "model_bytes", "onnx_framework", "open_session", "providers", "refused", "save_model", "start_onnx"]

Level = Literal["none", "basic", "all"]
"""How far ONNX Runtime changes a graph before it runs it; it runs it with ``all`` unless told otherwise."""

_LEVELS = {"none": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "all": "ORT_ENABLE_ALL"}
_CPU = "CPUExecutionProvider"
_FULL = 2_000_000_000
"""Bytes that one message of protobuf holds at most, and a little less."""

_threads: list[int] = []
"""How many threads compute, once that is settled."""


def start_onnx(threads: int | None = None) -> int:
    """Load ONNX Runtime without its chatter, and return the number of threads that may compute.

    Each piece of a network is a session: with threads of their own they would be thousands. So all share one pool; with
    one thread a session computes in the thread that calls it. ONNX Runtime settles that when it starts: later calls
    leave the number as it is.

    Raises
    ------
    QuestionError
        If onnx or onnxruntime is not installed.
    """
    absent = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if absent:
        raise QuestionError(f"ONNX files need {' and '.join(absent)}; install with: pip install 'tiercut[onnx]'")
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    if not _threads:
        _threads.append(threads or cpu_count())
        if _threads[0] > 1:
            onnxruntime.set_global_thread_pool_sizes(_threads[0], 1)
    return _threads[0]


def providers(named: str | None) -> tuple[str, ...]:
    """Return the execution providers that a name means, the processor behind it for what it cannot run.

    Raises
    ------
    QuestionError
        If this ONNX Runtime has no such provider.
    """
    if named is None or named.casefold() in ("cpu", _CPU.casefold()):
        return (_CPU,)
    import onnxruntime

    known = onnxruntime.get_available_providers()
    short = {each.removesuffix("ExecutionProvider").casefold(): each for each in known}
    found = short.get(named.casefold().removesuffix("executionprovider"))
    if found is None:
        raise QuestionError(
            unknown_name("execution provider of the ONNX Runtime installed here,", named, sorted(short))
        )
    return (found, _CPU)


def open_session(
    model: Any, *, level: Level = "all", provider: str | None = None, optimised: Path | None = None
) -> Any:
    """Return a session of ONNX Runtime for a model.

    Parameters
    ----------
    model
        The model, a message of ``onnx``, or the file that it is in.
    level
        How far the graph may be changed.
    provider
        See `providers`.
    optimised
        Where to write the graph as it was changed.
    """
    import onnxruntime

    threads = start_onnx()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.use_per_session_threads = threads == 1
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[level])
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1048576")
    chosen = list(providers(provider))
    if isinstance(model, str | Path):
        return onnxruntime.InferenceSession(str(model), options, providers=chosen)
    if model_bytes(model) < _FULL:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=chosen)
    with tempfile.TemporaryDirectory(prefix="tiercut-") as folder:
        path = Path(folder) / "model.onnx"
        save_model(model, path)
        return onnxruntime.InferenceSession(str(path), options, providers=chosen)


def model_bytes(model: Any) -> int:
    """Return the bytes of a model as one message; more than such a message holds, where that is too much for one."""
    try:
        return int(model.ByteSize())
    except Exception:  # protobuf raises an error of its own kind for what is too large to be counted
        return sys.maxsize


def save_model(model: Any, path: Path) -> None:
    """Write a model; weights that do not fit into one file of protobuf (2 GB) go into a file beside it."""
    import onnx

    if model_bytes(model) < _FULL:
        path.write_bytes(model.SerializeToString())
        return
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # onnx moves the weights out of what it is given
    beside = f"{path.name}.data"
    onnx.save_model(copy, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=beside)


_IR = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
_OPSET = re.compile(r"Opset (\d+) is under development.*?till opset (\d+)", re.DOTALL)
_NO_OPERATOR = re.compile(r"(?:Fatal error: )?([\w.:]+\(-?\d+\)) is not a registered function/op")
_NOT_IMPLEMENTED = re.compile(r"NOT_IMPLEMENTED : (Could not find an implementation for \S+)")


def refused(source: str, error: Exception) -> InputError:
    """Return why ONNX Runtime does not take a model, in one line that says what to do."""
    text = str(error)
    installed = f"the ONNX Runtime installed here ({version('onnxruntime')})"
    if found := _IR.search(text):
        return InputError(
            source,
            f"is written in IR version {found[1]} of ONNX, and {installed} reads up to {found[2]}: install a newer "
            f"onnxruntime, or export it with an older onnx (model.ir_version = {found[2]} may be enough)",
        )
    if found := _OPSET.search(text):
        return InputError(
            source,
            f"uses opset {found[1]}, and {installed} has operators up to opset {found[2]}: install a newer "
            f"onnxruntime, or export it with opset_version={found[2]}",
        )
    if found := _NO_OPERATOR.search(text):
        return InputError(
            source,
            f"has the operator {found[1]}, which {installed} does not know: it comes with a library of its own; export "
            "the model with operators of ONNX",
        )
    if found := _NOT_IMPLEMENTED.search(text):
        return InputError(source, f"cannot be run by {installed}: {found[1]}; export it with another opset")
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first.strip())
    return InputError(source, f"{installed} does not take it: {said[:300]}")


def onnx_framework(provider: str | None) -> Framework:
    """Return what runs ONNX models, such as ``onnxruntime 1.32.0 (CPU), onnx 1.23.2, numpy 2.4.6, Python 3.11.7``."""
    own = {name: version(name) for name in ("onnxruntime", "onnx", "numpy")}
    python = platform.python_version()
    shown = providers(provider)[0].removesuffix("ExecutionProvider")
    text = f"onnxruntime {own['onnxruntime']} ({shown}), onnx {own['onnx']}, numpy {own['numpy']}, Python {python}"
    return Framework(text, "onnxruntime", own | {"python": python})
