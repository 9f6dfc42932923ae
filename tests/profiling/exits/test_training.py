"""Training of a backbone with its branches."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data.datasets import Split
from tiercut.profiling.exits.exits import ExitModel, attach_exits, configuration
from tiercut.profiling.exits.training import Epoch, Schedule, train_jointly

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")


@pytest.fixture(scope="module")
def split() -> Split:
    """Sixteen small pictures of two classes that differ in brightness."""
    rng = np.random.default_rng(6)
    labels = np.arange(16) % 2
    images = (rng.random((16, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.5).astype(np.float32)
    return Split(np.arange(16), images, labels)


def _fresh(keras: Any, tiny: Callable[..., Any]) -> ExitModel:
    keras.utils.set_random_seed(7)
    network = tiny()
    return attach_exits(network.model, cuts=network.cuts)


@pytest.fixture
def random(keras: Any, tiny: Callable[..., Any]) -> Callable[..., ExitModel]:
    """A function that makes the tiny backbone with a random layer in its head, always with the same weights."""

    def make() -> ExitModel:
        keras.utils.set_random_seed(7)
        backbone = tiny().model
        tensor = keras.layers.Dropout(0.3, name="drop")(backbone.get_layer("pool").output)
        scores = keras.layers.Dense(2, activation="softmax", name="scores")(tensor)
        return attach_exits(keras.Model(backbone.inputs[0], scores), cuts=("first", "second", "third"))

    return make


def _assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_seed_trains_the_same_weights_and_the_loss_falls(
    keras: Any, tiny: Callable[..., Any], split: Split
) -> None:
    weights, calls = [], []
    for _ in range(2):
        exits = _fresh(keras, tiny)
        losses = train_jointly(
            exits, split, Schedule(epochs=4, batch=8, shift=1), progress=lambda epoch: calls.append(epoch[:2])
        )
        weights.append(exits.model.get_weights())
    assert losses[-1] < losses[0]
    assert calls[:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    _assert_same(*weights)


class StopHere(Exception):  # noqa: N818 - it is no error
    """What stands for Ctrl-C; a test that fails must not end the run."""


@pytest.mark.usefixtures("eager")
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    keras: Any, random: Callable[..., ExitModel], split: Split, tmp_path: Path
) -> None:
    schedule = Schedule(epochs=3, batch=8, shift=1, flip=True, held_out=0.25, patience=3)
    whole = random()
    losses = train_jointly(whole, split, schedule)

    def stop(epoch: Epoch) -> None:
        if epoch.done == 2:
            raise StopHere

    with pytest.raises(StopHere):
        train_jointly(random(), split, schedule, checkpoint=tmp_path / "it.npz", progress=stop)
    resumed, epochs = random(), []
    again = train_jointly(
        resumed, split, schedule, checkpoint=tmp_path / "it.npz", progress=lambda epoch: epochs.append(epoch.done)
    )
    assert epochs == [3]
    assert again == losses
    _assert_same(resumed.model.get_weights(), whole.model.get_weights())


@pytest.mark.usefixtures("eager")
def test_a_finished_training_is_not_done_again_but_another_one_is(
    keras: Any, random: Callable[..., ExitModel], split: Split, tmp_path: Path
) -> None:
    epochs: list[int] = []

    def train(schedule: Schedule, on: Split) -> None:
        train_jointly(
            random(), on, schedule, checkpoint=tmp_path / "it.npz", progress=lambda epoch: epochs.append(epoch.done)
        )

    schedule = Schedule(epochs=1, batch=16)
    train(schedule, split)
    train(schedule, split)
    assert epochs == [1]
    train(replace(schedule, learning_rate=1e-3), split)
    train(replace(schedule, learning_rate=1e-3), split.part(np.arange(12)))
    assert epochs == [1, 1, 1]


@pytest.mark.usefixtures("eager")
def test_in_half_precision_losses_are_scaled_also_for_a_configuration_and_training_is_resumed(
    keras: Any, tiny: Callable[..., Any], split: Split, tmp_path: Path
) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        whole = _fresh(keras, tiny)
    finally:
        keras.config.set_dtype_policy("float32")
    epochs: list[int] = []
    for _ in range(2):
        part = configuration(whole, [2])
        train_jointly(
            part,
            split,
            Schedule(epochs=1),
            checkpoint=tmp_path / "it.npz",
            progress=lambda epoch: epochs.append(epoch.done),
        )
        assert type(part.model.optimizer).__name__ == "LossScaleOptimizer"
    assert epochs == [1]


@pytest.mark.usefixtures("eager")
def test_training_stops_when_the_samples_held_out_say_so_and_takes_the_best_weights(
    keras: Any, tiny: Callable[..., Any], split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits = _fresh(keras, tiny)
    held = iter([3.0, 1.0, 2.0, 2.5])
    seen: list[list[np.ndarray]] = []

    def evaluate(*_: object, **__: object) -> list[float]:
        seen.append(exits.model.get_weights())
        return [next(held)]

    monkeypatch.setattr(exits.model, "test_on_batch", evaluate)
    assert len(train_jointly(exits, split, Schedule(epochs=9, held_out=0.25, patience=2))) == 4
    _assert_same(exits.model.get_weights(), seen[1])


def test_samples_held_out_are_a_share_of_every_class_and_are_not_fitted(split: Split) -> None:
    fitted, held = Schedule(held_out=0.25).divide(split)
    assert np.bincount(held.labels).tolist() == [2, 2]
    np.testing.assert_array_equal(np.union1d(fitted.indices, held.indices), split.indices)
    assert not np.intersect1d(fitted.indices, held.indices).size
    with pytest.raises(QuestionError, match=r"a share of 0\.01 of 16 samples holds none out"):
        Schedule(held_out=0.01).divide(split)


@pytest.mark.usefixtures("eager")
def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_last_good_weights(
    keras: Any, tiny: Callable[..., Any], split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits, path, good = _fresh(keras, tiny), tmp_path / "it.npz", []
    step = exits.model.train_on_batch

    def train_on_batch(images: np.ndarray, labels: list[np.ndarray]) -> Any:
        if good:
            layer = exits.model.get_layer("third")
            layer.kernel.assign(layer.kernel * np.nan)
        return step(images, labels)

    monkeypatch.setattr(exits.model, "train_on_batch", train_on_batch)
    with pytest.raises(
        QuestionError, match=r"the loss is nan in epoch 2; the weights of epoch 1 are kept in .*it\.npz;"
    ):
        train_jointly(
            exits,
            split,
            Schedule(epochs=3),
            checkpoint=path,
            progress=lambda *_: good.extend(exits.model.get_weights()),
        )
    _assert_same(exits.model.get_weights(), good)
    with np.load(path) as kept:
        assert kept["losses"].shape == (1,)
        assert all(np.all(np.isfinite(kept[name])) for name in kept.files if name.startswith("state"))


@pytest.mark.usefixtures("eager")
def test_a_full_disk_is_said_and_keeps_the_last_good_checkpoint(
    keras: Any, tiny: Callable[..., Any], split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it.npz"

    def fill_up(_: Epoch) -> None:
        monkeypatch.setattr(np, "savez", full)

    def full(stream: Any, **_: Any) -> None:
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        InputError, match=r"it\.npz: cannot be written: No space left .*; the checkpoint of epoch 1 is kept;"
    ):
        train_jointly(_fresh(keras, tiny), split, Schedule(epochs=3), checkpoint=path, progress=fill_up)
    with np.load(path) as kept:
        assert kept["losses"].shape == (1,)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("eager")
def test_the_weights_of_the_losses_say_what_counts(keras: Any, tiny: Callable[..., Any], split: Split) -> None:
    exits = _fresh(keras, tiny)
    before = [exits.model.get_layer(name).kernel.numpy() for name in ("exit1_classifier", "third")]
    train_jointly(exits, split, Schedule(epochs=1), weights=[1, 0, 0])
    after = [exits.model.get_layer(name).kernel.numpy() for name in ("exit1_classifier", "third")]
    assert not np.array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], before[1])
    for wrong in ([1.0], [0.0, 0.0, 0.0], [1.0, -1.0, 1.0], [1.0, math.nan, 1.0]):
        with pytest.raises(QuestionError, match="weight"):
            train_jointly(exits, split, Schedule(epochs=1), weights=wrong)


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([0, 2] * 8, "has the label 2, but the model tells 2 classes apart"),
        ([-1, 1] * 8, "label -1"),
        ([1] * 16, "one class only, 1"),
    ],
)
def test_labels_that_a_model_cannot_learn_are_refused(
    keras: Any, tiny: Callable[..., Any], split: Split, labels: list[int], what: str
) -> None:
    wrong = Split(split.indices, split.images, np.array(labels))
    with pytest.raises(QuestionError, match=what):
        train_jointly(_fresh(keras, tiny), wrong, Schedule(epochs=1))
    with pytest.raises(QuestionError, match="the training split is empty"):
        train_jointly(_fresh(keras, tiny), split.part(np.arange(0)), Schedule(epochs=1))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"held_out": 0.9}, "held_out"),
        ({"patience": 3}, "give held_out"),
        ({"learning_rate": math.nan}, "learning_rate"),
    ],
)
def test_a_schedule_that_contradicts_itself_is_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(QuestionError, match=what):
        Schedule(**wrong)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"shift": -1}])
def test_a_schedule_that_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match=next(iter(wrong))):
        Schedule(**wrong)


def test_a_frozen_network_keeps_all_that_is_its_own_and_its_branches_learn(
    keras: Any, tiny: Callable[..., Any], split: Split
) -> None:
    exits = _fresh(keras, tiny)
    before = {layer.name: layer.get_weights() for layer in exits.model.layers}
    train_jointly(exits, split, Schedule(epochs=2, batch=8, freeze=True))
    changed = {
        layer.name
        for layer in exits.model.layers
        if any((left != right).any() for left, right in zip(layer.get_weights(), before[layer.name], strict=True))
    }
    assert changed == {f"exit{block + 1}_classifier" for block in exits.present[:-1]}
    assert all(layer.trainable for layer in exits.model.layers), "the file can be trained further"


def test_a_frozen_network_with_nothing_to_train_is_refused(keras: Any, tiny: Callable[..., Any], split: Split) -> None:
    network = tiny()
    exits = attach_exits(network.model, cuts=network.cuts, branches=[])
    with pytest.raises(QuestionError, match="a frozen network without branches before its end has nothing to train"):
        train_jointly(exits, split, Schedule(epochs=1, freeze=True))
