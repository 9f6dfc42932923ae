"""Where images come from: scikit-learn's digits, Keras' data sets, ``.npz`` archives and folders of image files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError, QuestionError, TiercutWarning

__all__ = ["DIGITS", "KERAS_DATASETS", "Pictures", "digits", "from_archive", "from_folder", "from_keras", "resized"]

KERAS_DATASETS = ("cifar10", "cifar100", "fashion_mnist", "mnist")
"""Image data sets that Keras fetches once and keeps in its cache."""

_PAIRS = (("images", "labels"), ("x", "y"))
_FOUR = ("x_train", "y_train", "x_test", "y_test")
_CHUNK = 1024

_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""What the names of image files that Keras reads end in."""

UNPACKED_LIMIT = 8 << 30
"""Most bytes that an archive of images may unpack to; less where there is less memory."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images as they come, before they are split.

    Parameters
    ----------
    images
        [n, height, width, channels]; whole numbers of any type, or floats, in 0..1 unless the source says otherwise.
    labels
        int64[n], from 0.
    tests
        How many of the last samples their authors set apart for testing.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    tests: int = 0


def digits(size: int = 32) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scikit-learn's 1797 handwritten digits (8x8 grey values), scaled to size x size x 3 in 0..1.

    Enlarged by bilinear interpolation; the three channels are alike.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise QuestionError(
            "the digits come with scikit-learn; install it with: pip install 'tiercut[profiling]'"
        ) from None
    bunch: Any = load_digits()
    small = bunch.images.astype(np.float64) / 16
    scale = _bilinear(8, size)
    large = np.einsum("ri,nij,cj->nrc", scale, small, scale)
    images = np.repeat(large[..., None], 3, axis=-1).astype(np.float32)
    return np.clip(images, 0.0, 1.0), bunch.target.astype(np.int64)


def _bilinear(small: int, large: int) -> NDArray[np.float64]:
    """Return the matrix [large, small] that interpolates between the centres of pixels."""
    centre = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    return np.maximum(0.0, 1.0 - np.abs(centre[:, None] - np.arange(small)))


def from_keras(name: str) -> Pictures:
    """Return one of Keras' data sets, which it fetches where there is internet and keeps in its cache.

    Raises
    ------
    QuestionError
        If it is not in the cache and cannot be fetched.
    """
    import keras

    try:
        (first, first_labels), (last, last_labels) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises bare ones
        raise QuestionError(
            f"the data set '{name}' is not in Keras' cache (~/.keras/datasets) and cannot be fetched: "
            f"{_sentence(error)}; fetch it where there is internet, or give a .npz file"
        ) from None
    return _joined(name, first, first_labels, last, last_labels)


def from_archive(path: Path) -> Pictures:
    """Return what a ``.npz`` holds: ``images`` and ``labels``, ``x`` and ``y``, or Keras' ``x_train``, ... ``y_test``.

    Raises
    ------
    InputError
        If the file is missing, no such archive, or its arrays do not fit.
    """
    source = str(path)
    with open_arrays(path, source, what="arrays", limit=UNPACKED_LIMIT) as archive:
        held = {name: archive[name] for name in archive.names}
    if set(_FOUR) <= set(held):
        return _joined(source, *(held[name] for name in _FOUR))
    for images, labels in _PAIRS:
        if {images, labels} <= set(held):
            return Pictures(_images(source, held[images]), _labels(source, held[labels], len(held[images])))
    raise InputError(
        source,
        f"expected the arrays images and labels, x and y, or {', '.join(_FOUR)}, got {', '.join(sorted(held))}",
    )


def _joined(source: str, first: Any, first_labels: Any, last: Any, last_labels: Any) -> Pictures:
    images = [_images(source, first), _images(source, last)]
    labels = [_labels(source, first_labels, len(first)), _labels(source, last_labels, len(last))]
    if images[0].shape[1:] != images[1].shape[1:]:
        raise InputError(source, f"images for training and testing differ: {first.shape[1:]} and {last.shape[1:]}")
    return Pictures(np.concatenate(images), np.concatenate(labels), len(last))


def _images(source: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:] or images.dtype.kind not in "uif":
        raise InputError(source, f"expected images as numbers [n, height, width, channels], got {_kind(images)}")
    return images


def _labels(source: str, labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (count,) or labels.dtype.kind not in "ui":
        raise InputError(source, f"expected {count} labels as whole numbers from 0, got {_kind(labels)}")
    return labels.astype(np.int64)


def _kind(array: NDArray[Any]) -> str:
    return f"{array.dtype} of the shape {array.shape}"


def from_folder(path: Path, size: tuple[int, int], channels: int = 3) -> Pictures:
    """Return the image files of a folder that has one folder for each class; labels follow the names' order.

    Parameters
    ----------
    path
        The folder.
    size
        Height and width that every image is scaled to.
    channels
        3 for colours, 1 for grey values.

    Raises
    ------
    InputError
        If there are no images, or only in folders of folders (such as train and val), or one cannot be read.
    QuestionError
        If TensorFlow, by which Keras reads them whatever it runs on, is not installed.
    """
    folders = _folders(path)
    classes = [each for each in folders if _has_images(each)]
    if not classes:
        raise InputError(str(path), _no_classes(path, folders))
    if empty := [each.name for each in folders if each not in classes]:
        warnings.warn(
            TiercutWarning(f"'{path}': there are no images in {', '.join(empty)}", "these folders are no classes"),
            stacklevel=2,
        )
    kept = [_images_in(each, size, channels) for each in classes]
    labels = np.repeat(np.arange(len(kept)), [len(images) for images in kept])
    return Pictures(np.concatenate(kept), labels.astype(np.int64))


def _folders(path: Path) -> list[Path]:
    """Return the folders in a folder, by their names, but for those that are hidden or that archivers leave."""
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith((".", "__MACOSX")))


def _has_images(folder: Path) -> bool:
    """Return whether image files lie in a folder itself, not in folders in it."""
    return any(each.suffix.casefold() in _FORMATS and each.is_file() for each in folder.iterdir())


def _no_classes(path: Path, folders: Sequence[Path]) -> str:
    expected = "expected one folder of image files for each class"
    nested = [each for each in folders if any(map(_has_images, _folders(each)))]
    if not nested:
        return f"{expected}: no images found"
    names = ", ".join(each.name for each in nested)
    return f"{expected}, but {names} hold folders of them; name one of these, such as {path / nested[0].name}"


def _images_in(folder: Path, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """Return the images of one class, uint8[images, height, width, channels]."""
    import keras

    try:
        found = keras.utils.image_dataset_from_directory(
            folder,
            labels=None,
            image_size=size,
            color_mode="grayscale" if channels == 1 else "rgb",
            shuffle=False,
            batch_size=_CHUNK,
            verbose=False,
        )
    except ValueError as error:
        raise InputError(str(folder), f"expected image files: {_sentence(error)}") from None
    except ImportError:
        raise QuestionError(
            f"'{folder.parent}' is a folder of images, which Keras reads by TensorFlow; install it with: pip install "
            "'tiercut[profiling]', or give a .npz file"
        ) from None
    try:
        batches = [images.numpy() for images in found]
    except Exception as error:  # TensorFlow's own, which does not name the file
        culprit = next((each for each in found.file_paths if not _can_be_read(each)), str(folder))
        raise InputError(culprit, f"cannot be read as an image: {_sentence(error)}") from None
    return np.concatenate(batches).round().astype(np.uint8)


def _can_be_read(path: str) -> bool:
    import tensorflow as tf

    try:
        tf.io.decode_image(tf.io.read_file(path), expand_animations=False)
    except tf.errors.OpError:
        return False
    return True


def resized(images: NDArray[Any], size: tuple[int, int], channels: int) -> NDArray[np.float32]:
    """Return images scaled to a height and width by bilinear interpolation, with 1 or 3 channels, as float32."""
    import keras

    parts = []
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK].astype(np.float32)
        if channels != part.shape[-1]:
            grey = part.mean(axis=-1, keepdims=True)
            part = np.repeat(grey, channels, axis=-1)
        if part.shape[1:3] != size:
            part = keras.ops.convert_to_numpy(keras.ops.image.resize(part, size, data_format="channels_last"))
        parts.append(np.asarray(part, dtype=np.float32))
    return np.concatenate(parts)


def _sentence(error: Exception) -> str:
    """Return the first line of what a library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]


def _digits(size: int) -> Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]:
    return lambda: digits(size)


DIGITS: Mapping[str, Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]] = {
    f"digits{size}": _digits(size) for size in (8, 16, 28, 32)
}
"""scikit-learn's digits in the sizes that backbones take."""
