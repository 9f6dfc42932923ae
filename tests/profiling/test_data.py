"""The digits and their splits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from tiercut.errors import QuestionError
from tiercut.profiling.data import Dataset, digits, load_dataset


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
    for split, share in ((loaded.train, 0.45), (loaded.profile, 0.40), (loaded.test, 0.15)):
        np.testing.assert_allclose(np.bincount(split.labels), share * whole, atol=1)


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


def test_an_unknown_data_set_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(QuestionError, match="did you mean 'digits32'"):
        load_dataset("digits")
