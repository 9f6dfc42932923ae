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
from tiercut.profiling.codecs.retraining import retrain_transfer_exits, retrain_transfer_model
from tiercut.profiling.codecs.transfer_model import (
    insert_among_exits,
    insert_transfer_layer,
    split_transfer_model,
    without_transfer_layer,
)
from tiercut.profiling.data.datasets import split
from tiercut.profiling.exits.exit_files import ExitFile, load_exits
from tiercut.profiling.exits.exits import ExitModel, attach_exits
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


def branched() -> ExitModel:
    return attach_exits(small(), cuts=("first", "second"))


def answers(exits: ExitModel) -> list[Any]:
    return [np.asarray(each) for each in exits.model(IMAGES)]


def test_among_exits_the_block_ends_where_it_sends_and_its_exit_reads_what_is_sent() -> None:
    import keras

    exits = branched()
    there = insert_among_exits(exits, "first")
    assert [block.name for block in there.blocks] == ["transfer_down", "second", "flat"]
    assert there.present == exits.present == (0, 1, 2)
    sent = keras.Model(there.model.input, there.model.get_layer("transfer_down").output)(IMAGES)
    assert sent.shape[1:3] == (4, 4)
    head = exits.model.get_layer("exit1_classifier")
    first = np.asarray(head(np.asarray(sent).mean(axis=(1, 2))))
    np.testing.assert_allclose(answers(there)[0], first, rtol=1e-4, atol=1e-6)
    last = np.asarray(insert_transfer_layer(exits.backbone, "first")(IMAGES))
    np.testing.assert_allclose(answers(there)[-1], last, rtol=1e-4, atol=1e-6)


def test_an_exit_before_the_layer_stays_as_it_was() -> None:
    exits = branched()
    there = insert_among_exits(exits, "second")
    np.testing.assert_allclose(answers(there)[0], answers(exits)[0], rtol=1e-5)
    for again, before in zip(without_transfer_layer(there.model)(IMAGES), answers(exits), strict=True):
        np.testing.assert_allclose(np.asarray(again), before, rtol=1e-5)


def test_among_exits_a_layer_where_no_block_ends_is_refused() -> None:
    with pytest.raises(QuestionError, match=r"none ends with 'entry'; they end with first, second$"):
        insert_among_exits(branched(), "entry")
    there = insert_among_exits(branched(), "first")
    with pytest.raises(QuestionError, match="has a transfer layer already"):
        insert_among_exits(there, "second")


def test_retraining_with_exits_tells_what_each_is_right_about_and_is_a_network_with_exits_again(
    tmp_path: Path,
) -> None:
    data = split("spots", IMAGES, LABELS, seed=0)
    there = insert_among_exits(branched(), "second")
    names = [block.name for block in there.blocks]
    record = ExitFile(
        title="small",
        cuts=names,
        branches=[1, 2, 3],
        dataset="spots",
        seed=0,
        trained_on="0" * 64,
        temperature=[1.0, 1.0, 1.0],
    )
    output = tmp_path / "retrained.keras"
    made = retrain_transfer_exits(there, record, data, SCHEDULE, output)
    assert [each.block for each in made.exits] == names
    assert made.exits[-1].retrained == made.retrained
    assert made.exits[0].before == made.exits[0].inserted  # it stands before the layer
    assert made.losses[-1] < made.losses[0]
    loaded, found = load_exits(output)
    assert found.temperature is None
    assert "retrained with a transfer layer, 3 epochs" in found.origin
    for own, written in zip(answers(there), answers(loaded), strict=True):
        np.testing.assert_allclose(own, written, rtol=1e-5)
    assert [each["block"] for each in made.to_data()["exits"]] == names


def test_each_half_of_a_network_with_exits_has_its_own(tmp_path: Path) -> None:
    there = insert_among_exits(branched(), "first")
    device, edge = split_transfer_model(there, tmp_path / "halves")
    assert [each.shape for each in device.outputs] == [(1, 2), (1, 4, 4, 4)]
    assert [each.shape for each in edge.outputs] == [(1, 2), (1, 2)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*no better than chance")
def test_the_commands_do_the_same_for_a_network_with_exits(tmp_path: Path) -> None:
    trained, layered, again = (str(tmp_path / f"{name}.keras") for name in ("trained", "layered", "again"))

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    run("train", "lenet", "--dataset", "digits16", "--epochs", "2", "--shift", "1", "--output", trained)
    run("codec", "insert", trained, "conv1", layered)
    found = json.loads(run("codec", "train", layered, "--epochs", "2", "--json", "--output", again))
    assert found["exits"][0]["block"] == "transfer_down"
    assert "makes float32 [1, 10], float32 [1, " in run("codec", "split", again, str(tmp_path / "halves"))
    assert "exit after" in run("codec", "train", layered, "--epochs", "1", "--output", str(tmp_path / "table.keras"))
    profile = tmp_path / "profile.json"
    run("profile", again, "--output", str(profile), "--limit", "2 s")
    assert "transfer_down" in profile.read_text(encoding="utf-8")


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
