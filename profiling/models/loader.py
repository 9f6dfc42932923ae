"""Models by name: one of Keras Applications, a ``.keras`` or ``.onnx`` file, or ``module:function``.

A file is only data here: what is in it cannot run, unless it is trusted. A function of one's own is code anyway.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from tiercut.documents.archives import FAULTS, check_unpacked
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.profiling.models.backbones import BACKBONES
from tiercut.profiling.models.exporting.from_keras import export_keras
from tiercut.profiling.models.exporting.from_torch import exported_from_torch, is_torch
from tiercut.profiling.models.graph import Model, sizes_of_axes
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.nested import flatten
from tiercut.profiling.models.onnx.graph_onnx import load_onnx
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions, is_onnx
from tiercut.profiling.models.onnx.reading import check_onnx
from tiercut.profiling.models.onnx.sessions import start_onnx
from tiercut.profiling.models.runtime import start_framework
from tiercut.profiling.record.module_names import imported_packages, module_spec

__all__ = [
    "BESIDES",
    "LoadedModel",
    "Runtime",
    "applications",
    "check_file",
    "folded",
    "kind_of",
    "load_keras",
    "load_model",
    "no_such_function",
    "no_such_module",
    "read_model",
    "runs_on_onnx",
    "start_for",
    "working_directory_first",
]

BESIDES = "a model may also be a .keras file, an .onnx file or module:function"
"""What to say after the names that are known."""

Runtime = Literal["keras", "onnx"]
"""What runs a model."""

_HDF5 = (".h5", ".hdf5")
_CONFIG = "config.json"
_LARGEST_CONFIG = 256 << 20


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can be cut.

    Parameters
    ----------
    title
        What a profile calls it.
    model
        The model, whose graph has no models inside.
    layers
        How many layers it has.
    """

    title: str
    model: Model
    layers: int


def load_model(
    name: str,
    *,
    size: Sequence[int] | None = None,
    weights: str | None = None,
    trust: bool = False,
    onnx: OnnxOptions = NO_ONNX_OPTIONS,
    batch: int | None = None,
    runtime: Runtime | None = None,
) -> LoadedModel:
    """Return a model by its name, ready to be cut: an ``.onnx`` file, or what `load_keras` takes.

    Parameters
    ----------
    name, size, weights, trust
        See `load_keras`; the last three say nothing of an ONNX file.
    onnx, batch
        See `tiercut.profiling.models.onnx.graph_onnx.load_onnx`; they say nothing of other models.
    runtime
        ``onnx``: a Keras model is exported to ONNX; by default Keras runs it.
    """
    if is_onnx(name):
        return _onnx(Path(name), onnx, batch)
    made = None
    if kind_of(name) == "function":
        _forget_names()
        made = _from_function(name)
        if is_torch(made):
            start_onnx()
            with exported_from_torch(name.rpartition(":")[2], made, batch) as path:
                return _onnx(path, onnx, batch)
    title, source = (name.rpartition(":")[2], made) if made is not None else _source(name, size, weights, trust)
    model = _flattened(name, source, size)
    if runtime == "onnx":
        with tempfile.TemporaryDirectory(prefix="tiercut-") as folder:
            path = Path(folder) / f"{title}.onnx"
            export_keras(model, path)
            return _onnx(path, onnx, batch)
    whole = None if size is not None and kind_of(name) != "name" else source  # it may take its own size alone
    return LoadedModel(title, KerasModel(model, whole=whole), len(model.layers))


def _onnx(path: Path, options: OnnxOptions, batch: int | None) -> LoadedModel:
    model = load_onnx(path, options, batch=batch, exits=options.exits or ())
    return LoadedModel(path.stem, model, len({step.index for step in model.graph.steps}))


def runs_on_onnx(name: str) -> bool:
    """Return whether ONNX Runtime runs a model, as far as its name, or the source of its module, tells.

    That is an ``.onnx`` file, or a ``module:function`` whose module imports torch, and no Keras: a PyTorch model.
    """
    if is_onnx(name):
        return True
    if kind_of(name) != "function":
        return False
    with working_directory_first():
        spec = module_spec(name.rpartition(":")[0])
    imported = set() if spec is None else imported_packages(spec)
    return "torch" in imported and not imported & {"keras", "tensorflow"}


def start_for(
    name: str, *, threads: int | None = None, backend: str | None = None, runtime: Runtime | None = None
) -> int:
    """Load what runs a model, and return the number of threads that may compute.

    Parameters
    ----------
    name
        The model's name.
    threads, backend
        See `tiercut.profiling.models.runtime.start_framework`; ONNX Runtime has no backend.
    runtime
        See `load_model`.
    """
    if runs_on_onnx(name):
        return start_onnx(threads)
    count = start_framework(threads, backend=backend)
    return start_onnx(threads) if runtime == "onnx" else count


def load_keras(
    name: str, *, size: Sequence[int] | None = None, weights: str | None = None, trust: bool = False
) -> tuple[str, Any]:
    """Return the title and the functional Keras model, without models inside, that a name means.

    Parameters
    ----------
    name
        A name of Keras Applications or of `tiercut.profiling.models.backbones`, in which case, ``_`` and ``-`` do not
        count; the path of a ``.keras`` file; or ``module:function``, a function without arguments that returns the
        model (modules in the working directory are found).
    size
        Sizes of the input's axes beside batch and channels, in place of the model's own: height and width of an
        image, or one number for both.
    weights
        What Keras Applications take: None for random ones, ``imagenet`` (which are downloaded), or a file.
    trust
        Whether layers in a file may run code from it (``Lambda``).

    Raises
    ------
    QuestionError
        If there is no such model, or it is not functional.
    InputError
        If the file is cut short, of another kind, or holds what is not trusted.
    """
    title, source = _source(name, size, weights, trust)
    return title, _flattened(name, source, size)


def _source(name: str, size: Sequence[int] | None, weights: str | None, trust: bool) -> tuple[str, Any]:
    """Return a model's title, and the model as it is; of those by name in that size."""
    _forget_names()
    kind = kind_of(name)
    if kind == "file":
        return Path(name).stem, read_model(Path(name), trust=trust)
    if kind == "function":
        return name.rpartition(":")[2], _from_function(name)
    title, build = _by_name(name)
    return title, _built(title, build, size, weights)


def _forget_names() -> None:
    """Let names that Keras makes up count from 1 again, where it is loaded: the same model, the same names."""
    if (keras := sys.modules.get("keras")) is not None:
        keras.utils.clear_session()


def _flattened(name: str, source: Any, size: Sequence[int] | None) -> Any:
    return flatten(source, size=None if kind_of(name) == "name" else size)


def kind_of(name: str) -> Literal["file", "function", "name"]:
    """Return the kind of a model's name; see `load_model`."""
    path = Path(name)
    if path.suffix.lower() in (".keras", ".onnx", *_HDF5) or path.is_file() or path.name != name:
        return "file"
    return "function" if ":" in name else "name"


def folded(name: str) -> str:
    """Return a name without what does not count in it."""
    return name.casefold().replace("_", "").replace("-", "")


def applications() -> dict[str, Callable[..., Any]]:
    """Return the functions of Keras Applications that build a model, by name."""
    import keras

    found = {name: getattr(keras.applications, name) for name in dir(keras.applications)}
    return {name: each for name, each in found.items() if callable(each) and not isinstance(each, type)}


def _by_name(name: str) -> tuple[str, Callable[..., Any]]:
    known = applications()
    for title, build in known.items():
        if folded(title) == folded(name):
            return title, build
    for key in BACKBONES:
        if folded(key) == folded(name):
            return key, _backbone(key)
    ours = [key for key in BACKBONES if key not in {folded(title) for title in known}]
    raise QuestionError(f"{unknown_name('model', name, [*known, *ours])}; {BESIDES}")


def _backbone(key: str) -> Callable[..., Any]:
    def build(*, weights: None = None, input_shape: tuple[int, int, int] | None = None) -> Any:
        if weights is not None:
            raise ValueError("there are no trained weights of this model")
        shape = {} if input_shape is None else {"input_shape": input_shape}
        return BACKBONES[key](**shape).model

    return build


def _built(title: str, build: Callable[..., Any], size: Sequence[int] | None, weights: str | None) -> Any:
    shape = {} if size is None else {"input_shape": _image_shape(sizes_of_axes(size, 2))}
    try:
        return build(weights=weights, **shape)
    except (ValueError, OSError) as error:
        what = f"{title}" + (f" with an input of {'x'.join(map(str, size))}" if size else "")
        raise QuestionError(f"{what} cannot be built: {_sentence(error)}") from None


def _image_shape(size: Sequence[int]) -> tuple[int, ...]:
    import keras

    return (3, *size) if keras.config.image_data_format() == "channels_first" else (*size, 3)


def _from_function(name: str) -> Any:
    module, _, attribute = name.rpartition(":")
    try:
        with working_directory_first():
            found = import_module(module)
            build = getattr(found, attribute, None)
            if not callable(build):
                known = [each for each, value in vars(found).items() if callable(value) and not each.startswith("_")]
                raise QuestionError(no_such_function(name, known))
            model = build()
    except QuestionError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise QuestionError(no_such_module(name)) from None
        raise QuestionError(f"'{name}' gives no model: {_sentence(error)}") from error
    except Exception as error:  # the code is the user's own: whatever it raises is reported as its error
        raise QuestionError(f"'{name}' gives no model: {type(error).__name__}: {_sentence(error)}") from error
    return model


def no_such_module(name: str) -> str:
    """Return a message for a ``module:function`` whose module is not there."""
    return f"'{name}': there is no module '{name.rpartition(':')[0]}', neither installed nor in the working directory"


def no_such_function(name: str, known: Iterable[str]) -> str:
    """Return a message for a ``module:function`` whose module has other functions."""
    return f"'{name}': {unknown_name('function', name.rpartition(':')[2], known)}"


@contextmanager
def working_directory_first() -> Iterator[None]:
    """Let modules in the working directory be found."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path.remove(str(Path.cwd()))


def read_model(path: Path, *, trust: bool = False) -> Any:
    """Return the Keras model in a ``.keras`` file, which may run nothing unless it is trusted.

    Raises
    ------
    InputError
        If the file is cut short, of another kind, or holds what is not trusted.
    """
    import keras

    check_file(path, trust=trust)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:  # what Keras raises for a damaged file is of every kind
        raise InputError(
            str(path),
            f"Keras cannot load this model: {_sentence(error)}; a model with layers of your own can be named as "
            "module:function",
        ) from error


def check_file(path: Path, *, trust: bool = False) -> None:
    """Make sure of all that can be checked of a model's file without loading it.

    Raises
    ------
    InputError
        If it is cut short, of another kind, or holds what is not trusted.
    """
    if is_onnx(path.name):
        check_onnx(path)
        return
    if path.suffix.lower() in _HDF5:
        raise InputError(
            str(path), "files in HDF5 can hold code that runs when they are read; save the model as .keras"
        )
    try:
        code = next(_lambdas(_read_config(path)), None)
    except RecursionError:
        raise InputError(str(path), f"its {_CONFIG} is nested too deeply; no model is") from None
    if code is not None and not trust:
        raise InputError(str(path), f"layer '{code}' is a Lambda, which runs code from the file; if you trust whoever "
                         "made it, say --trust-model")  # fmt: skip


def _read_config(path: Path) -> Any:
    """Return the settings that a ``.keras`` file holds, without loading it."""
    if not path.exists():
        raise InputError(str(path), "there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(_CONFIG)
            if info.file_size > _LARGEST_CONFIG:
                raise InputError(str(path), f"its {_CONFIG} has {info.file_size:,} bytes, which no model needs")
            check_unpacked(archive, sys.maxsize)
            return json.loads(archive.read(info))
    except RecursionError:  # a RuntimeError
        raise
    except FAULTS:
        raise InputError(str(path), "this is no .keras file, or one that was cut short; save the model again") from None
    except (KeyError, ValueError):
        raise InputError(str(path), f"there is no model in it ({_CONFIG} is missing or damaged)") from None


def _lambdas(config: Any) -> Iterator[str]:
    """Yield the names of the layers in a model's settings that run code from them."""
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            inner = config.get("config")
            yield str(inner.get("name", "lambda") if isinstance(inner, dict) else "lambda")
        for each in config.values():
            yield from _lambdas(each)
    elif isinstance(config, list):
        for each in config:
            yield from _lambdas(each)


def _sentence(error: Exception) -> str:
    """Return the first line of what an error says, without the full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
