"""Training of each branch by itself, and of the configuration that a plan needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.data.datasets import Split
from tiercut.profiling.exits.configurations import fine_tune, separate_accuracies, train_separately
from tiercut.profiling.exits.exits import ExitModel, attach_exits
from tiercut.profiling.exits.training import Schedule

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
]


@pytest.fixture(scope="module")
def split() -> Split:
    """Thirty-two small pictures of two classes that differ in brightness."""
    rng = np.random.default_rng(6)
    labels = np.arange(32) % 2
    images = (rng.random((32, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.7).astype(np.float32)
    return Split(np.arange(32), images, labels)


@pytest.fixture(scope="module")
def exits(keras: Any, tiny: Callable[..., Any]) -> ExitModel:
    keras.utils.set_random_seed(7)
    network = tiny()
    return attach_exits(network.model, cuts=network.cuts, branches=[1])


def test_each_branch_is_trained_with_the_backbone_up_to_it_and_nothing_else(
    exits: ExitModel, split: Split, tmp_path: Path
) -> None:
    before = exits.model.get_weights()
    epochs: list[tuple[int, int]] = []
    schedule = Schedule(epochs=1, batch=8)
    found = dict(
        train_separately(exits, split, schedule, checkpoints=tmp_path, progress=lambda epoch: epochs.append(epoch[:2]))
    )
    assert [(block, alone.present, len(alone.blocks)) for block, alone in found.items()] == [(1, (0,), 1), (3, (2,), 3)]
    assert epochs == [(1, 2), (2, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone1.npz", "alone3.npz"]
    for own, then in zip(exits.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, then)
    accuracies = separate_accuracies(exits, split, split, schedule, checkpoints=tmp_path)  # goes on from what is kept
    assert accuracies[1] is None
    for block, alone in found.items():
        likeliest = np.argmax(alone.model.predict(split.images, verbose=0), axis=1)
        assert accuracies[block - 1] == np.mean(likeliest == split.labels)


def test_fine_tuning_begins_with_the_weights_of_the_network_or_with_fresh_ones(
    exits: ExitModel, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiercut.profiling.exits import configurations

    begun: list[np.ndarray] = []
    monkeypatch.setattr(
        configurations,
        "train_jointly",
        lambda part, *_, **__: begun.append(part.model.get_layer("first").kernel.numpy()),
    )
    for fresh in (False, True, True):
        assert fine_tune(exits, [1, 3], split, Schedule(), fresh=fresh).present == (0, 2)
    own = exits.model.get_layer("first").kernel.numpy()
    np.testing.assert_array_equal(begun[0], own)
    assert not np.array_equal(begun[1], own)
    np.testing.assert_array_equal(begun[1], begun[2])


def test_fine_tuning_lowers_the_loss_and_leaves_the_network_as_it_is(exits: ExitModel, split: Split) -> None:
    def loss(model: Any) -> float:
        scores = model.predict(split.images, verbose=0)
        return float(-np.log(scores[np.arange(len(split)), split.labels]).mean())

    before = exits.model.get_weights()
    untrained = fine_tune(exits, [1], split, Schedule(epochs=1, learning_rate=1e-9))
    tuned = fine_tune(exits, [1], split, Schedule(epochs=3, batch=8, shift=0, learning_rate=0.05))
    assert loss(tuned.model) < loss(untrained.model) - 0.1
    for own, then in zip(exits.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, then)


def test_a_branch_that_is_not_there_cannot_be_fine_tuned(exits: ExitModel, split: Split) -> None:
    with pytest.raises(QuestionError, match="no branch after block 2; there are branches after 1, 3"):
        fine_tune(exits, [2, 3], split, Schedule())
