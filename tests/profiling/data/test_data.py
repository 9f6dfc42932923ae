"""The digits and their splits."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.profiling.data.datasets import Dataset, Shares, load_dataset, split
from tiercut.profiling.data.sources import digits


@pytest.fixture(scope="module")
def loaded() -> Dataset:
    return load_dataset("digits32", seed=0)


def test_splits_are_disjoint_and_cover_every_sample(loaded: Dataset) -> None:
    parts = [loaded.train.indices, loaded.profile.indices, loaded.test.indices]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together) == 1797


def test_no_image_stands_in_two_splits(loaded: Dataset) -> None:
    seen = [{image.tobytes() for image in split.images} for split in (loaded.train, loaded.profile, loaded.test)]
    assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])


def test_every_class_is_divided_alike(loaded: Dataset) -> None:
    whole = np.bincount(digits()[1])
    for part, share in ((loaded.train, 0.45), (loaded.profile, 0.40), (loaded.test, 0.15)):
        np.testing.assert_allclose(np.bincount(part.labels), share * whole, atol=1)


def test_the_profile_split_is_large_enough_for_a_99th_percentile(loaded: Dataset) -> None:
    assert len(loaded.profile) >= 662


def test_images_are_32_by_32_by_3_in_single_precision_from_0_to_1(loaded: Dataset) -> None:
    images = loaded.train.images
    assert images.shape[1:] == (32, 32, 3)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert 0.9 < images.max() <= 1


def test_enlarging_keeps_the_picture() -> None:
    from sklearn.datasets import load_digits

    shrunk = digits()[0][..., 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    small = load_digits().images / 16
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.97


def test_the_seed_alone_decides_the_splits(loaded: Dataset) -> None:
    np.testing.assert_array_equal(load_dataset("digits32", seed=0).test.indices, loaded.test.indices)
    assert not np.array_equal(load_dataset("digits32", seed=1).test.indices, loaded.test.indices)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def _assert_apart(found: Dataset) -> None:
    parts = [found.train, found.profile, found.test]
    indices = np.concatenate([part.indices for part in parts])
    assert len(np.unique(indices)) == len(indices)
    pictures = [{image.tobytes() for image in part.images} for part in parts]
    assert sum(map(len, pictures)) == len(set.union(*pictures)) == len(indices)


def test_whole_numbers_become_0_to_1_and_floats_stay() -> None:
    images, labels = _noise(40, 4, 4, 3), np.arange(40) % 2
    whole = split("it", images, labels, seed=0).train
    np.testing.assert_allclose(whole.images, images[whole.indices] / 255, atol=1e-7)
    floats = split("it", images * 2.0 - 7, labels, seed=0).train
    np.testing.assert_allclose(floats.images, images[floats.indices] * 2.0 - 7)


@pytest.mark.parametrize(
    ("dtype", "greatest", "white"),
    [
        ("uint8", 255, 255), ("uint16", 65535, 65535), ("uint16", 200, 65535), ("int16", 32767, 32767),
        ("int64", 255, 255), ("uint32", 65535, 65535), ("int32", 2**31 - 1, 2**31 - 1),
    ],
)  # fmt: skip
def test_whole_numbers_are_divided_by_the_greatest_value_of_their_type_or_of_the_one_that_they_were_read_from(
    dtype: str, greatest: int, white: int
) -> None:
    images = np.random.default_rng(2).integers(0, greatest, (40, 4, 4, 3), endpoint=True).astype(dtype)
    images[0] = greatest
    train = split("it", images, np.arange(40) % 2, seed=0).train
    np.testing.assert_allclose(train.images, images[train.indices] / white, rtol=1e-6)


def test_images_of_16_bits_are_scaled_to_another_size_as_those_of_8_bits(keras: Any, tmp_path: Path) -> None:
    images, labels = _noise(40, 6, 6, 3), np.arange(40) % 2
    np.savez(tmp_path / "shallow.npz", images=images, labels=labels)
    np.savez(tmp_path / "deep.npz", images=images.astype(np.uint16) * 257, labels=labels)
    shallow, deep = (load_dataset(str(tmp_path / f"{name}.npz"), size=(3, 3)).train for name in ("shallow", "deep"))
    np.testing.assert_allclose(deep.images, shallow.images, atol=1e-6)


def test_of_exact_copies_one_is_used_so_that_no_split_holds_a_picture_of_another() -> None:
    images, labels = np.repeat(_noise(30, 4, 4, 1), 2, axis=0), np.repeat(np.arange(30) % 2, 2)
    with pytest.warns(
        TiercutWarning, match="30 images of the data set 'it' are exact copies of others; each is used once"
    ):
        found = split("it", images, labels, seed=0)
    _assert_apart(found)
    assert len(found.train) + len(found.profile) + len(found.test) == 30


def test_samples_set_apart_for_testing_are_the_test_split_whole(tmp_path: Path) -> None:
    train, test = _noise(60, 5, 5), _noise(66, 5, 5)[60:]
    labels = np.arange(60) % 3
    np.savez(tmp_path / "mine.npz", x_train=train, y_train=labels[:, None], x_test=test, y_test=labels[:6])
    found = load_dataset(str(tmp_path / "mine.npz"))
    assert (found.name, found.classes) == ("mine", 3)
    assert [len(part) for part in (found.train, found.profile, found.test)] == [54, 6, 6]
    np.testing.assert_array_equal(found.test.indices, np.arange(60, 66))
    assert found.test.images.shape == (6, 5, 5, 1)
    _assert_apart(found)


def test_images_are_scaled_and_given_channels_on_request(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=_noise(40, 6, 6, 3), labels=np.arange(40) % 2)
    plain = load_dataset(str(tmp_path / "mine.npz")).train
    grey = load_dataset(str(tmp_path / "mine.npz"), size=(3, 3), channels=1).train
    np.testing.assert_array_equal(grey.indices, plain.indices)
    means = plain.images.reshape(-1, 3, 2, 3, 2, 3).mean(axis=(2, 4, 5))
    np.testing.assert_allclose(grey.images[..., 0], means, atol=1e-5)
    with pytest.raises(QuestionError, match="1 or 3 channels, not 2"):
        load_dataset("digits8", channels=2)


def test_a_folder_of_images_has_a_class_for_each_folder_in_it(keras: Any, tmp_path: Path) -> None:
    for place, image in enumerate(_noise(24, 8, 8, 3)):
        name = tmp_path / "pets" / ("cats", "dogs")[place % 2] / f"{place}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(name, image, scale=False)
    found = load_dataset(str(tmp_path / "pets"), size=(8, 8))
    assert (found.name, found.classes, len(found.test)) == ("pets", 2, 4)
    _assert_apart(found)
    cat = next(iter(found.train.images[found.train.labels == 0]))
    assert any(np.array_equal(np.round(cat * 255), image) for image in _noise(24, 8, 8, 3)[::2])
    with pytest.raises(QuestionError, match="size has to be named, such as 64x64"):
        load_dataset(str(tmp_path / "pets"))
    (tmp_path / "pets" / "cats" / "0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0\.png: cannot be read as an image"):
        load_dataset(str(tmp_path / "pets"), size=(8, 8))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: expected one folder of image files for each class"):
        load_dataset(str(tmp_path / "empty"), size=(8, 8))


def test_hidden_and_empty_folders_are_no_classes(keras: Any, tmp_path: Path) -> None:
    from tiercut.profiling.data.sources import from_folder

    for number, name in enumerate((".cache", "__MACOSX", "bird", "cat", "dog", "zebra")):
        (tmp_path / name).mkdir()
        if name not in ("bird", "zebra"):
            keras.utils.save_img(tmp_path / name / "one.png", np.full((4, 4, 3), number, dtype=np.uint8), scale=False)
    with pytest.warns(TiercutWarning, match="no images in bird, zebra"):
        found = from_folder(tmp_path, (4, 4))
    assert found.labels.tolist() == [0, 1]
    assert found.images[:, 0, 0, 0].tolist() == [3, 4]


def test_folders_of_folders_are_no_classes(keras: Any, tmp_path: Path) -> None:
    from tiercut.profiling.data.sources import from_folder

    for name in ("train/cat", "train/dog", "val/cat", "val/dog"):
        (tmp_path / name).mkdir(parents=True)
        keras.utils.save_img(tmp_path / name / "one.PNG", np.zeros((4, 4, 3), dtype=np.uint8), scale=False)
    with pytest.raises(InputError, match=r"but train, val hold folders of them; name one of these, such as .*/train$"):
        from_folder(tmp_path, (4, 4))
    assert from_folder(tmp_path / "train", (4, 4)).labels.tolist() == [0, 1]
    for name in ("bird", "fish"):
        (tmp_path / name).mkdir()
        keras.utils.save_img(tmp_path / name / "one.png", np.full((4, 4, 3), len(name)), scale=False)
    with pytest.warns(TiercutWarning, match="no images in train, val"):
        assert from_folder(tmp_path, (4, 4)).labels.tolist() == [0, 1]


def test_a_folder_of_images_says_what_to_install_where_keras_runs_without_tensorflow(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("This requires the tensorflow module")

    monkeypatch.setattr(keras.utils, "image_dataset_from_directory", missing)
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "one.png").write_bytes(b"")
    with pytest.raises(QuestionError, match=r"Keras reads by TensorFlow; install it .*, or give a \.npz file"):
        load_dataset(str(tmp_path), size=(8, 8))


def test_cifar_100_is_read_from_an_archive_in_the_cache_of_keras(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.datasets import cifar100
    from keras.src.utils.file_utils import get_file

    _archive(tmp_path / "datasets" / "cifar-100-python-target_archive", classes=100)
    monkeypatch.setattr(
        cifar100, "get_file", lambda file_hash, **rest: get_file(**rest, cache_dir=tmp_path)
    )  # the real one, without the hash of the real archive
    found = load_dataset("CIFAR-100")
    assert (found.name, found.classes) == ("cifar100", 100)
    assert [len(part) for part in (found.train, found.profile, found.test)] == [900, 100, 200]
    assert found.train.images.shape[1:] == (32, 32, 3)
    _assert_apart(found)


def _archive(path: Path, *, classes: int) -> None:
    """Write ten training and two test images of every class as the authors of CIFAR-100 do: planes in pickles."""
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        for part, count in (("train", 10), ("test", 2)):
            pixels = np.random.default_rng(count).integers(0, 256, (count * classes, 3072), dtype=np.uint8)
            fine = [place % classes for place in range(count * classes)]
            _add(archive, f"cifar-100-python/{part}", {b"data": pixels, b"fine_labels": fine, b"coarse_labels": fine})


def _add(archive: tarfile.TarFile, name: str, content: dict[bytes, Any]) -> None:
    data = pickle.dumps(content, protocol=4)
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def test_cifar_10_is_read_from_an_archive_in_the_cache_of_keras(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.datasets import cifar10
    from keras.src.utils.file_utils import get_file

    from tiercut.profiling.data.sources import from_keras

    path = tmp_path / "datasets" / "cifar-10-batches-py-target_archive"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        for place, part in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
            # one image for each batch of 10,000, which Keras repeats
            _add(archive, f"cifar-10-batches-py/{part}", {b"data": _noise(6, 3072)[[place]], b"labels": [place]})
    monkeypatch.setattr(cifar10, "get_file", lambda file_hash, **rest: get_file(**rest, cache_dir=tmp_path))
    found = from_keras("cifar10")
    assert (found.images.shape, found.tests) == ((50_001, 32, 32, 3), 1)
    np.testing.assert_array_equal(found.labels[[0, 10_000, 49_999, 50_000]], [0, 1, 4, 5])
    np.testing.assert_array_equal(found.images[-1], _noise(6, 3072)[5].reshape(3, 32, 32).transpose(1, 2, 0))


def test_a_data_set_that_cannot_be_fetched_says_how_to_get_it(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline() -> None:
        raise Exception("URL fetch failure on somewhere: None -- no route")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", offline)
    with pytest.raises(QuestionError, match=r"'cifar10' is not in Keras' cache .* no route; fetch it where"):
        load_dataset("cifar10")


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"pictures": np.zeros(3)}, r"expected the arrays images and labels, x and y, .* got pictures"),
        ({"x": np.zeros((4, 8)), "y": np.arange(4)}, r"expected images as numbers .* float64 of the shape \(4, 8\)"),
        ({"x": np.zeros((4, 2, 2, 1)), "y": np.arange(3)}, r"expected 4 labels .* got int64 of the shape \(3,\)"),
        ({"x": np.zeros((4, 2, 2, 1)), "y": np.zeros(4)}, "expected 4 labels as whole numbers from 0, got float64"),
        ({"x": np.array(["a"]), "y": np.zeros(1)}, "expected images as numbers"),
    ],
)
def test_an_archive_without_images_and_labels_is_refused(tmp_path: Path, arrays: Any, what: str) -> None:
    np.savez(tmp_path / "it.npz", **arrays)
    with pytest.raises(InputError, match=what):
        load_dataset(str(tmp_path / "it.npz"))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_dataset(str(tmp_path / "it.npz"))
    (tmp_path / "it.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="is no archive of arrays"):
        load_dataset(str(tmp_path / "it.npz"))
    np.savez(tmp_path / "it.npz", x=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(InputError, match="is no archive of arrays"):
        load_dataset(str(tmp_path / "it.npz"))


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.ones(40, dtype=int), "labels of 'it' are 1; number the classes 0, 1, 2"),
        (np.zeros(40, dtype=int), "the train split of 'it' has one class only, 0"),
        (np.arange(40) % 2 * 5, "labels of 'it' are 0, 5; number the classes"),
        (np.arange(40) - 1, "are -1, 0, 1, 2, 3, ...; number the classes"),
        (np.arange(40), "the train split of 'it' is empty"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(labels: np.ndarray, what: str) -> None:
    with pytest.raises(QuestionError, match=what):
        split("it", _noise(40, 2, 2, 3), labels, seed=0)


def test_a_data_set_without_samples_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 4, 4, 1), np.uint8), labels=np.zeros(0, int))
    with pytest.raises(QuestionError, match="the data set 'none' holds no samples"):
        load_dataset(str(tmp_path / "none.npz"))


def test_values_that_are_no_numbers_are_refused() -> None:
    images = _noise(40, 2, 2, 3) / 255
    images[3, 0, 0, 0] = np.nan
    with pytest.raises(QuestionError, match="'it' has values that are no finite numbers"):
        split("it", images, np.arange(40) % 2, seed=0)


def test_an_unknown_data_set_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(QuestionError, match=r"did you mean 'digits\d+'.*may also be a \.npz file, or a folder"):
        load_dataset("digits")


def test_images_that_are_all_alike_are_said_to_be_so() -> None:
    with (
        pytest.warns(TiercutWarning, match="39 images of the data set 'it' are exact copies"),
        pytest.raises(QuestionError, match="the train split of 'it' is empty: of its 40 images only 1 differ"),
    ):
        split("it", np.ones((40, 4, 4, 3), dtype=np.uint8), np.arange(40) % 2, seed=0)


def test_shares_of_a_data_set_with_a_test_split_of_its_own_cannot_be_chosen(tmp_path: Path) -> None:
    images, labels = _noise(60, 5, 5), np.arange(60) % 3
    np.savez(tmp_path / "mine.npz", x_train=images[6:], y_train=labels[6:], x_test=images[:6], y_test=labels[:6])
    with pytest.raises(QuestionError, match="has a test split of its own, so its shares cannot be chosen"):
        load_dataset(str(tmp_path / "mine.npz"), shares=Shares(0.5, 0.3, 0.2))
