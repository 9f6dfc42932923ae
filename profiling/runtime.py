"""The framework that runs the models: started quietly, with a fixed number of threads, and described."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tiercut.errors import QuestionError
from tiercut.profiling.machine import cpu_count

__all__ = ["compile_call", "describe_framework", "start_framework"]

log = logging.getLogger(__name__)


def start_framework(threads: int | None = None) -> int:
    """Load Keras on TensorFlow without its chatter, and return the number of threads that one operation may use.

    Parameters
    ----------
    threads
        That number; by default one for each CPU that this process may use. TensorFlow takes it only before its
        first operation; later the earlier number stays, and the log says so.

    Raises
    ------
    QuestionError
        If TensorFlow is not installed, or Keras runs on another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _silence():
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()  # now, since TensorFlow grumbles where there is no GPU
    except ImportError:
        raise QuestionError("profiling needs TensorFlow; install it with: pip install 'tiercut[profiling]'") from None
    if keras.backend.backend() != "tensorflow":
        raise QuestionError(
            f"models are timed on TensorFlow, but Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )
    wanted = threads or cpu_count()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(wanted)
        tf.config.threading.set_inter_op_parallelism_threads(wanted)
    except RuntimeError:
        log.info("TensorFlow has started already; the number of its threads stays as it is")
    return int(tf.config.threading.get_intra_op_parallelism_threads()) or wanted


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


def compile_call(model: Any) -> Callable[[Any], Any]:
    """Return a model as a compiled function of one tensor, which returns when the result is there.

    Parameters
    ----------
    model
        A Keras model with one input; the function takes a batch of one, float32[1, ...].
    """
    import tensorflow as tf

    entry = model.inputs[0]
    signature = tf.TensorSpec((1, *entry.shape[1:]), entry.dtype)
    function = tf.function(lambda tensor: model(tensor, training=False), input_signature=[signature], autograph=False)
    compiled = function.get_concrete_function()
    if not tf.config.list_physical_devices("GPU"):
        return compiled  # type: ignore[no-any-return]  # NOTE on a CPU a compiled function returns with its result made

    def wait(tensor: Any) -> Any:
        result = compiled(tensor)
        tf.test.experimental.sync_devices()
        return result

    return wait


def describe_framework() -> str:
    """Return the versions of what runs the models, such as ``keras 3.15.1 on tensorflow 2.21.0, ...``."""
    tensorflow = next((found for name in ("tensorflow", "tensorflow-cpu") if (found := _version(name))), "unknown")
    python = platform.python_version()
    return f"keras {_version('keras')} on tensorflow {tensorflow}, numpy {_version('numpy')}, Python {python}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
