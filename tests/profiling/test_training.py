"""Training of a backbone with its branches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.data import Split
from tiercut.profiling.exits import ExitModel, attach_exits
from tiercut.profiling.training import Schedule, train_jointly


@pytest.fixture(scope="module")
def split() -> Split:
    """Sixteen small pictures of two classes that differ in brightness."""
    rng = np.random.default_rng(6)
    labels = np.arange(16) % 2
    images = (rng.random((16, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.5).astype(np.float32)
    return Split(np.arange(16), images, labels)


def _fresh(keras: Any, tiny: Callable[..., Any]) -> ExitModel:
    keras.utils.set_random_seed(7)
    made = tiny()
    return attach_exits(made.model, cuts=made.cuts)


def test_the_same_seed_trains_the_same_weights_and_the_loss_falls(
    keras: Any, tiny: Callable[..., Any], split: Split
) -> None:
    weights, calls = [], []
    for _ in range(2):
        exits = _fresh(keras, tiny)
        losses = train_jointly(
            exits, split, Schedule(epochs=4, batch=8, shift=1), progress=lambda done, most: calls.append((done, most))
        )
        weights.append(exits.model.get_weights())
    assert losses[-1] < losses[0]
    assert calls[:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_number_stops_the_training(
    keras: Any, tiny: Callable[..., Any], split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits = _fresh(keras, tiny)
    losses = iter([2.0, math.nan, 1.0])
    monkeypatch.setattr(exits.model, "train_on_batch", lambda *_: [next(losses), 0.0])
    with pytest.raises(QuestionError, match="the loss is nan after epoch 2"):
        train_jointly(exits, split, Schedule(epochs=3, batch=16))


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"shift": -1}])
def test_a_schedule_that_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match=next(iter(wrong))):
        Schedule(**wrong)
