"""The framework that runs the models: started quietly, with a fixed number of threads, and described."""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.models.graph import Framework, tensors_of
from tiercut.profiling.models.keras_calls import build_piece, compute

__all__ = ["BACKENDS", "compile_piece", "framework", "start_framework"]

log = logging.getLogger(__name__)

BACKENDS = ("tensorflow", "jax", "torch")
"""What Keras can run on, by the names of its KERAS_BACKEND."""

_EXTRAS = {"tensorflow": "profiling"}
"""What installs a backend, where it is not called like it."""

_DISTRIBUTIONS = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax",), "torch": ("torch",)}


def start_framework(threads: int | None = None, *, backend: str | None = None) -> int:
    """Load Keras and its backend without their chatter, and return the number of threads that may compute.

    Parameters
    ----------
    threads
        That number; by default one for each CPU that this process may use. TensorFlow takes it only before its
        first operation; later the earlier number stays, and the log says so. JAX has no such setting: the process
        is bound to so many CPUs instead, where the system lets it.
    backend
        One of `BACKENDS`; by default what KERAS_BACKEND or Keras' own settings say, and TensorFlow otherwise.

    Raises
    ------
    QuestionError
        If the backend is unknown or not installed, or Keras runs on another one already.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    wanted = _chosen(backend)
    count = threads or cpu_count()
    if wanted == "jax" and threads and "jax" not in sys.modules and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        with _silence():
            import keras

            return _start(keras.backend.backend(), count)
    except ImportError as error:
        raise QuestionError(_missing(wanted or "tensorflow", error)) from None


def _missing(wanted: str, error: ImportError) -> str:
    """Say what has to be installed to run models, or to be named because it is there instead."""
    absent = [name for name in ("keras", wanted) if find_spec(name) is None]
    if not absent:
        return f"{wanted} cannot be loaded: {error}"
    message = f"models need {' and '.join(absent)}; install with: pip install 'tiercut[{_EXTRAS.get(wanted, wanted)}]'"
    others = [name for name in BACKENDS if name != wanted and find_spec(name) is not None]
    return message + (f", or set KERAS_BACKEND={others[0]}, which is installed" if others else "")


def _chosen(backend: str | None) -> str | None:
    """Tell Keras which backend to take, before it is loaded."""
    if backend is not None and backend not in BACKENDS:
        raise QuestionError(unknown_name("backend", backend, BACKENDS))
    if backend is not None and sys.modules.get("keras") is not None:
        running = sys.modules["keras"].backend.backend()
        if running != backend:
            raise QuestionError(f"Keras runs on {running} already; set KERAS_BACKEND={backend} before it is loaded")
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    return backend or os.environ.get("KERAS_BACKEND")


def _start(backend: str, threads: int) -> int:
    """Load the backend and set its threads; return how many it has."""
    if backend == "torch":
        import torch

        torch.set_num_threads(threads)
        return int(torch.get_num_threads())
    if backend == "jax":
        import jax

        jax.devices()  # now, since it looks for accelerators only at the first call
        return min(threads, cpu_count())
    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of many networks in a process, which is the task
    tf.config.list_physical_devices()  # now, since TensorFlow grumbles where there is no GPU
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        log.info("TensorFlow has started already; the number of its threads stays as it is")
    return int(tf.config.threading.get_intra_op_parallelism_threads()) or threads


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what compiled code writes to standard error while it loads, and which nothing else can turn off."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device, not a file of ours
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def compile_piece(start: Any, end: Any, *, batch: int | Sequence[int] = 1, jit: bool = False) -> Callable[[Any], Any]:
    """Return the layers between symbolic tensors as a compiled function, which returns when the result is there.

    Parameters
    ----------
    start
        The symbolic tensor that stands for the function's argument; or several, which it takes as one tuple.
    end
        The symbolic tensor that it computes, or a list of them.
    batch
        Samples in one call: the argument has the shape [batch, ...]. Of several, a number for each.
    jit
        Whether TensorFlow compiles it with XLA, and torch with its compiler; JAX always does.
    """
    import keras

    starts = list(start) if isinstance(start, list | tuple) else [start]
    ends = list(end) if isinstance(end, list | tuple) else [end]
    rows = [batch] * len(starts) if isinstance(batch, int) else batch
    shapes = [(first, *each.shape[1:]) for first, each in zip(rows, starts, strict=True)]
    backend = keras.backend.backend()
    if backend in ("jax", "torch"):
        model = build_piece(start, end)
        if backend == "jax":
            return _jax_piece(model)
        zeros = [keras.ops.zeros(shape, dtype=each.dtype) for shape, each in zip(shapes, starts, strict=True)]
        return _torch_piece(model, (zeros[0] if start is starts[0] else zeros) if jit else None)

    def run(values: Any) -> Any:
        results = compute(starts, values if isinstance(values, list | tuple) else [values], ends, call=_infer)
        return tuple(results) if isinstance(end, list | tuple) else results[0]

    import tensorflow as tf

    specs = tuple(tf.TensorSpec(shape, each.dtype) for shape, each in zip(shapes, starts, strict=True))
    return _tensorflow_piece(run, specs if isinstance(start, list | tuple) else specs[0], jit)


def _infer(layer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a layer as Keras does when a model predicts, whatever arguments it got when the model was built."""
    return layer(*args, **(kwargs | {"training": False} if "training" in kwargs else kwargs))


def _tensorflow_piece(run: Callable[[Any], Any], spec: Any, jit: bool) -> Callable[[Any], Any]:
    import tensorflow as tf

    function = tf.function(run, input_signature=[spec], autograph=False, jit_compile=jit or None)
    compiled = function.get_concrete_function()
    if not tf.config.list_physical_devices("GPU"):
        return compiled  # type: ignore[no-any-return]  # NOTE on a CPU a compiled function returns with its result made

    def wait(tensor: Any) -> Any:
        result = compiled(tensor)
        tf.test.experimental.sync_devices()
        return result

    return wait


def _jax_piece(model: Any) -> Callable[[Any], Any]:
    """Return a piece for JAX, whose weights are arguments: as constants they would be folded, and copied each time."""
    import jax

    learned = [each.value for each in model.trainable_variables]
    other = [each.value for each in model.non_trainable_variables]
    compiled = jax.jit(lambda *args: model.stateless_call(*args, training=False)[0])
    return lambda values: _as_values(jax.block_until_ready(compiled(learned, other, _as_inputs(values))))


def _torch_piece(model: Any, example: Any | None) -> Callable[[Any], Any]:
    """Return a piece for torch: compiled for tensors like `example`, or without one as Keras calls it."""
    import torch

    run = partial(model, training=False) if example is None else _torch_compiled(model, example)

    def call(values: Any) -> Any:
        with torch.no_grad():
            result = run(_as_inputs(values))
        device = tensors_of(values)[0].device.type
        if device != "cpu":
            getattr(torch, device).synchronize()
        return _as_values(result)

    return call


def _as_inputs(values: Any) -> Any:
    """Return what a piece is handed as a Keras model of one input or of several takes it."""
    return list(values) if isinstance(values, tuple) else values


def _as_values(result: Any) -> Any:
    """Return what Keras makes of one end or of several as pieces hand it on."""
    return tuple(result) if isinstance(result, list) else result


def _torch_compiled(model: Any, example: Any) -> Callable[[Any], Any]:
    """Return a piece compiled by torch, which shares its weights.

    NOTE it is exported first: torch keeps what it compiles by the code that runs, which is Keras' own for all pieces,
    and gives up after eight of them. An exported piece is code of its own, with none of Keras left in it.
    """
    import torch

    try:
        with torch.no_grad():
            compiled = torch.compile(torch.export.export(model, (example,), strict=False).module())
            compiled(example)
    except Exception as error:  # what torch raises, or its C++ compiler where there is none, is of every kind
        end = model.outputs[0].name
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise QuestionError(
            f"torch cannot compile the piece that ends in '{end}': {first}; leave out --jit-compile"
        ) from error
    return compiled  # type: ignore[no-any-return]


def framework() -> Framework:
    """Return what runs Keras models, such as ``keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6, Python 3.11.7``."""
    import keras

    backend = keras.backend.backend()
    found = next((each for name in _DISTRIBUTIONS[backend] if (each := _version(name))), "unknown")
    own = {"keras": _version("keras") or "unknown", backend: found, "numpy": _version("numpy") or "unknown"}
    python = platform.python_version()
    text = f"keras {own['keras']} on {backend} {found}, numpy {own['numpy']}, Python {python}"
    return Framework(text, backend, own | {"python": python})


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
