"""The generated data set: seeded, balanced, and the harder the less its edges say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tiercut.errors import QuestionError
from tiercut.profiling.data import datasets as data
from tiercut.profiling.data.clutter import SHAPES, clutter


@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 60), difficulty=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_images_are_in_single_precision_from_0_to_1_and_classes_are_balanced(
    count: int, difficulty: float, seed: int
) -> None:
    images, labels = clutter(count, difficulty=difficulty, seed=seed)
    assert images.shape == (count, 32, 32, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    frequency = np.bincount(labels, minlength=len(SHAPES))
    assert len(frequency) == len(SHAPES)
    assert np.ptp(frequency) <= 1


def test_the_seed_alone_decides_every_image() -> None:
    first, again, other = (clutter(30, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.any(np.all(first[0] == other[0], axis=(1, 2, 3)))


def test_a_class_is_where_its_shape_is_and_no_other_shape_is_there() -> None:
    axis = np.linspace(-1, 1, 65, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    covered = np.stack([inside(x, y) > 0 for inside in SHAPES.values()]).reshape(len(SHAPES), -1)
    shared = (covered[:, None] & covered).sum(axis=-1) / (covered[:, None] | covered).sum(axis=-1)
    assert np.all(covered.mean(axis=-1) > 0.1)
    assert np.all(shared[~np.eye(len(SHAPES), dtype=bool)] < 0.85)


def edges(images: np.ndarray) -> np.ndarray:
    """Return how strong an image's edges are in each of 16 directions, of length 1: what a first layer can see."""
    down, right = np.gradient(images.mean(axis=-1), axis=(1, 2))
    direction = np.floor((np.arctan2(down, right) / np.pi + 1) * 8).astype(int) % 16
    strength = np.hypot(down, right)
    found = np.stack([(strength * (direction == each)).sum(axis=(1, 2)) for each in range(16)], axis=1)
    shares: np.ndarray = np.sqrt(found / found.sum(axis=1, keepdims=True))
    return shares


def test_edges_say_less_of_the_class_the_greater_the_difficulty() -> None:
    right = []
    for difficulty in (0.0, 0.3, 1.0):
        images, labels = clutter(800, difficulty=difficulty, seed=2)
        known, tested = np.split(edges(images), 2)
        nearest = np.square(tested[:, None] - known).sum(axis=-1).argmin(axis=1)
        right.append((labels[:400][nearest] == labels[400:]).mean())
    assert right[0] > right[1] + 0.05 > right[2] + 0.1
    assert right[2] > 0.05


def test_grounds_have_hues_that_tell_neighbours_apart_only_sometimes() -> None:
    images, labels = clutter(1000, difficulty=0.3, seed=3)
    background = images[:, :2].mean(axis=(1, 2))
    hues = background - background.mean(axis=1, keepdims=True)
    middles = np.stack([hues[:500][labels[:500] == label].mean(axis=0) for label in range(len(SHAPES))])
    nearest = np.square(hues[500:, None] - middles).sum(axis=-1).argmin(axis=1)
    assert 0.25 < (nearest == labels[500:]).mean() < 0.5


def test_it_is_loaded_by_name_in_disjoint_and_balanced_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CLUTTERED", 400)
    loaded = data.load_dataset("clutter", seed=1)
    parts = (loaded.train, loaded.profile, loaded.test)
    assert [len(part) for part in parts] == [200, 100, 100]
    assert len({image.tobytes() for part in parts for image in part.images}) == 400
    assert all(np.ptp(np.bincount(part.labels)) == 0 for part in parts)
    assert loaded.classes == len(SHAPES)


def test_the_name_may_carry_the_difficulty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CLUTTERED", 40)
    usual, same, easy = (
        data.load_dataset(name).test.images for name in ("clutter", f"clutter-{data.DIFFICULTY}", "clutter-0")
    )
    np.testing.assert_array_equal(usual, same)
    assert np.abs(np.diff(easy, axis=1)).mean() < np.abs(np.diff(usual, axis=1)).mean() / 2


@pytest.mark.parametrize(
    ("name", "says"),
    [("clutter-hard", "names no difficulty"), ("clutter-1.5", "in 0..1"), ("cluter", "clutter")],
)
def test_a_name_that_cannot_be_is_refused(name: str, says: str) -> None:
    with pytest.raises(QuestionError, match=says):
        data.load_dataset(name)


def test_no_images_at_all_are_refused() -> None:
    with pytest.raises(QuestionError, match="at least 1 image"):
        clutter(0)
