"""Temperature scaling of branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.data.datasets import Split, load_dataset
from tiercut.profiling.exits.calibration import calibrate, fit_temperature
from tiercut.profiling.exits.exits import attach_exits
from tiercut.profiling.exits.statistics import exits_record, record_samples
from tiercut.profiling.exits.training import Schedule, train_jointly
from tiercut.profiling.models.backbones import backbone


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("heat", [0.25, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(heat: float) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 2, (20_000, 4))
    labels = (_softmax(scores / heat).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert fit_temperature(_softmax(scores).astype(np.float32), labels) == pytest.approx(heat, rel=0.05)


def test_a_probability_of_0_for_the_right_class_does_no_harm() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert 1 < fit_temperature(sure, np.array([0, 1, 1])) <= 20.01


def test_calibrating_changes_how_sure_a_branch_is_and_none_of_its_answers(keras: Any, tiny: Callable[..., Any]) -> None:
    keras.utils.set_random_seed(3)
    network = tiny()
    exits = attach_exits(network.model, cuts=network.cuts, branches=[1])
    rng = np.random.default_rng(2)
    held = Split(np.arange(50), rng.random((50, 8, 8, 3), dtype=np.float32), rng.integers(0, 2, 50))
    before = [np.asarray(scores) for scores in exits.model(held.images)]
    found = calibrate(exits, held)
    assert found[1] is None
    after = [np.asarray(scores) for scores in exits.model(held.images)]
    for temperature, then, now in zip((found[0], found[2]), before, after, strict=True):
        assert temperature is not None
        np.testing.assert_allclose(now, _softmax(np.log(then) / temperature), atol=1e-5)
        np.testing.assert_array_equal(now.argmax(axis=1), then.argmax(axis=1))
    with pytest.raises(QuestionError, match="give held_out, such as"):
        calibrate(exits, held.part(np.arange(0)))


def test_scores_before_a_softmax_of_its_own_are_scaled_too_but_not_what_follows_something_else(keras: Any) -> None:
    from tiercut.profiling.exits.heads import scoring_layer

    k = keras.layers
    entry = keras.Input((3,))
    scored = k.Dense(2, name="scored")(entry)
    assert scoring_layer(entry, k.Activation("softmax")(k.Dropout(0.1)(scored))).name == "scored"
    with pytest.raises(QuestionError, match="cannot be scaled"):
        scoring_layer(entry, k.Softmax()(k.ReLU()(scored)))
    with pytest.raises(QuestionError, match="cannot be scaled"):
        scoring_layer(entry, k.Softmax()(k.Dense(2, activation="tanh")(entry)))
    with pytest.raises(QuestionError, match="no layer with weights"):
        scoring_layer(entry, k.Softmax()(entry))


@pytest.mark.slow
def test_temperatures_fitted_to_samples_held_out_hold_on_the_profile_split(keras: Any) -> None:
    pytest.importorskip("sklearn")
    data = load_dataset("digits16")
    keras.utils.set_random_seed(0)
    network = backbone("lenet", input_shape=(16, 16, 3))
    exits = attach_exits(network.model, cuts=network.cuts)
    schedule = Schedule(epochs=20, shift=1, held_out=0.2)
    train_jointly(exits, data.train, schedule)

    def errors() -> tuple[np.ndarray, np.ndarray]:
        record = exits_record(record_samples(exits, data.profile), [1.0])
        return np.array(record["accuracy"]), np.array(record["calibration_error"])

    accuracy, before = errors()
    calibrate(exits, schedule.divide(data.train)[1])
    again, after = errors()
    np.testing.assert_array_equal(again, accuracy)
    assert accuracy[-1] > 0.9
    assert after[2:].max() < 0.05 < before[2:].min()
