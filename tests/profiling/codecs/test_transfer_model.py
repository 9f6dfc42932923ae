"""A transfer layer in a Keras model does what the codec does, is retrained with it, and splits the model there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tiercut.cli.app import app
from tiercut.errors import QuestionError
from tiercut.profiling.codecs.codec import read_codec
from tiercut.profiling.codecs.retraining import retrain_transfer_model
from tiercut.profiling.codecs.transfer_model import (
    insert_transfer_layer,
    split_transfer_model,
    without_transfer_layer,
)
from tiercut.profiling.data.datasets import split
from tiercut.profiling.exits.training import Epoch, Schedule
from tiercut.profiling.models.piece_files import open_piece

pytestmark = [
    pytest.mark.usefixtures("keras", "eager"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of Keras itself
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
]

RNG = np.random.default_rng(4)
IMAGES = RNG.random((160, 7, 7, 2)).astype(np.float32)
LABELS = (IMAGES[:, 2:5, 2:5].mean(axis=(1, 2, 3)) > 0.5).astype(np.int64)
SCHEDULE = Schedule(epochs=3, batch=16, learning_rate=0.05, shift=0)


def small(*, last: str | None = "softmax") -> Any:
    import keras

    keras.utils.set_random_seed(1)
    entry = keras.Input((7, 7, 2), name="entry")
    tensor = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(entry)
    tensor = keras.layers.Conv2D(4, 3, activation="relu", name="second")(tensor)
    tensor = keras.layers.Flatten(name="flat")(tensor)
    return keras.Model(entry, keras.layers.Dense(2, activation=last, name="out")(tensor), name="small")


def test_the_layer_does_what_the_codec_does_at_odd_sizes() -> None:
    import keras

    model = small()
    there = insert_transfer_layer(model, "first")
    before = keras.Model(model.input, model.get_layer("first").output)(IMAGES[:5])
    coder = read_codec("transfer-layer").coder((5, 7, 7, 4), "float32", "channels_last")
    crossed = coder.decode(coder.encode(np.asarray(before)))
    after = keras.Model(there.input, there.get_layer("transfer_crop").output)(IMAGES[:5])
    np.testing.assert_array_equal(np.asarray(after), crossed)
    rest = keras.Model(model.get_layer("first").output, model.output)(crossed)
    np.testing.assert_allclose(np.asarray(there(IMAGES[:5])), np.asarray(rest), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(without_transfer_layer(there)(IMAGES)), np.asarray(model(IMAGES)), rtol=1e-5)


def test_what_cannot_have_a_layer_is_refused() -> None:
    model = small()
    with pytest.raises(QuestionError, match=r"'flat' makes \(100,\), and a transfer layer is for images"):
        insert_transfer_layer(model, "flat")
    with pytest.raises(QuestionError, match="third"):
        insert_transfer_layer(model, "third")
    there = insert_transfer_layer(model, "first")
    with pytest.raises(QuestionError, match="has a transfer layer already"):
        insert_transfer_layer(there, "second")
    with pytest.raises(QuestionError, match="has no transfer layer; put one in with"):
        without_transfer_layer(model)


def test_an_interrupted_retraining_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    data = split("spots", IMAGES, LABELS, seed=0)
    whole = retrain_transfer_model(insert_transfer_layer(small(), "first"), data, SCHEDULE, tmp_path / "whole.keras")

    def stop(epoch: Epoch) -> None:
        if epoch.done == 2:
            raise KeyboardInterrupt

    output = tmp_path / "parts.keras"
    with pytest.raises(KeyboardInterrupt):
        retrain_transfer_model(insert_transfer_layer(small(), "first"), data, SCHEDULE, output, progress=stop)
    seen: list[int] = []
    again = retrain_transfer_model(
        insert_transfer_layer(small(), "first"), data, SCHEDULE, output, progress=lambda each: seen.append(each.done)
    )
    assert seen == [3]
    assert again.losses == pytest.approx(whole.losses)
    assert (again.before, again.inserted, again.retrained) == (whole.before, whole.inserted, whole.retrained)
    assert again.seconds > 0
    assert whole.losses[-1] < whole.losses[0]
    assert whole.before.top5 is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["parts.keras", "whole.keras"]


def test_scores_that_are_no_probabilities_are_retrained_as_such(tmp_path: Path) -> None:
    data = split("spots", IMAGES, LABELS, seed=0)
    found = retrain_transfer_model(
        insert_transfer_layer(small(last=None), "first"), data, SCHEDULE, tmp_path / "logits.keras", momentum=0.9
    )
    assert found.losses[-1] < found.losses[0]


def test_images_with_other_axes_than_the_model_takes_are_refused(tmp_path: Path) -> None:
    data = split("flat", IMAGES.reshape(160, -1), LABELS, seed=0)
    with pytest.raises(QuestionError, match=r"takes images of \(7, 7, 2\), and 'flat' has \(98,\)"):
        retrain_transfer_model(small(), data, SCHEDULE, tmp_path / "never.keras")


def test_a_model_that_is_split_answers_as_before_from_a_quarter_of_the_numbers(tmp_path: Path) -> None:
    there = insert_transfer_layer(small(), "first")
    device, edge = split_transfer_model(there, tmp_path / "halves")
    assert device.outputs[0].shape[1:] == edge.inputs[0].shape[1:] == (4, 4, 4)
    crossing = open_piece(device.files["keras"])([IMAGES[:1]])
    answer = open_piece(edge.files["keras"])(crossing)[0]
    np.testing.assert_allclose(answer, np.asarray(there(IMAGES[:1])), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_commands_insert_retrain_and_split(tmp_path: Path) -> None:
    small().save(tmp_path / "small.keras")
    np.savez(tmp_path / "spots.npz", x=IMAGES, y=LABELS)
    layered, trained = str(tmp_path / "layered.keras"), str(tmp_path / "trained.keras")
    run = CliRunner().invoke
    done = run(app, ["codec", "insert", str(tmp_path / "small.keras"), "first", layered], catch_exceptions=False)
    assert done.exit_code == 0
    options = ["--dataset", str(tmp_path / "spots.npz"), "--epochs", "2", "--json", "--output", trained]
    done = run(app, ["codec", "train", layered, *options], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["format"] == "tiercut.retrained/1"
    assert found["epochs"] == 2
    assert set(found["before"]) == {"top1", "top5"}
    done = run(app, ["codec", "split", trained, str(tmp_path / "halves")], catch_exceptions=False)
    assert "makes float32 [1, 4, 4, 4]" in done.stdout
    with pytest.raises(QuestionError, match=r"ends with \.keras"):
        run(app, ["codec", "insert", layered, "second", "x.h5"], catch_exceptions=False)
