"""A whole training, small: two classes, three blocks, one epoch; and the profile of what was trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.profiling.data import datasets as data
from tiercut.profiling.data.datasets import Shares
from tiercut.profiling.exits import trainer
from tiercut.profiling.exits.exit_files import load_exits
from tiercut.profiling.exits.trainer import Trained, Training, train_network
from tiercut.profiling.exits.training import Epoch, Schedule
from tiercut.profiling.models import backbones
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.record.record import record_model
from tiercut.profiling.record.settings import EFFORT, Settings

pytestmark = [
    pytest.mark.usefixtures("small", "eager"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras, when it saves
    pytest.mark.filterwarnings("ignore:.* is no better than chance:tiercut.errors.TiercutWarning"),  # of one epoch
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
]

QUICK = Settings(effort=replace(EFFORT, runs=2, least=2))
SCHEDULE = Schedule(epochs=1, batch=16, shift=1, held_out=0.25)


def _bright_or_dark() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    labels = np.arange(80) % 2
    images = (rng.random((80, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.5).astype(np.float32)
    return images, labels


@pytest.fixture
def small(tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and a data set that take no time."""
    monkeypatch.setitem(backbones.BACKBONES, "tiny", tiny)
    monkeypatch.setattr(data, "DATASETS", {"bright": _bright_or_dark, "dark": lambda: _flipped(_bright_or_dark())})


def _flipped(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return 1 - pair[0], pair[1]


def _train(
    output: Path,
    *,
    name: str = "tiny",
    dataset: str | None = "bright",
    report: Any = None,
    redo: bool = False,
    **wanted: Any,
) -> Trained:
    training = Training(**{"schedule": SCHEDULE, "branches": [1]} | wanted)
    return train_network(name, dataset, training, output=output, redo=redo, **({"report": report} if report else {}))


def test_every_epoch_says_its_loss_and_a_branch_at_chance_is_named(tmp_path: Path) -> None:
    said: list[tuple[str, Epoch]] = []
    with pytest.warns(TiercutWarning, match=r"^Tiny: after block.* no better than chance \(50\.0%\);"):
        _train(
            tmp_path, schedule=replace(SCHEDULE, epochs=2, learning_rate=1e-12), report=lambda *each: said.append(each)
        )
    assert [(what, *epoch[:2]) for what, epoch in said] == [("jointly", 1, 2), ("jointly", 2, 2)]
    assert all(epoch.loss > 0 and epoch.held_loss for _, epoch in said)
    assert str(Epoch(1, 2, 0.5)) == "epoch 1 of 2: loss 0.5000"
    assert str(Epoch(2, 2, 0.25, 0.75)) == "epoch 2 of 2: loss 0.2500, 0.7500 on the samples held out"


def test_a_training_leaves_one_file_and_its_profile_has_all_that_was_recorded(tmp_path: Path) -> None:
    reported: list[tuple[str, int, int]] = []
    trained = _train(
        tmp_path, separately=True, temperature=True, report=lambda what, epoch: reported.append((what, *epoch[:2]))
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-bright.keras"]
    assert reported == [("jointly", 1, 1), ("separately", 1, 2), ("separately", 2, 2)]
    assert (trained.record.branches, trained.record.dataset, trained.accuracy[1]) == ([1, 3], "bright", None)

    profile = load_profile(record_model(str(trained.path), tmp_path, replace(QUICK, thresholds="quantiles:3")).path)
    assert profile.exits is not None
    assert profile.exits.accuracy == list(trained.accuracy)
    assert profile.exits.accuracy_separate == trained.record.accuracy_separate
    assert profile.exits.temperature == trained.record.temperature
    assert [each is None for each in profile.exits.calibration_error or ()] == [False, True, False]
    assert (profile.model, profile.dataset, profile.samples) == ("Tiny", "bright", 32)
    assert "28 samples of bright, seed 0; exits recorded on 32 others" in profile.origin
    assert [samples_of(profile, split).entropy.shape for split in ("profile", "test")] == [(32, 3), (12, 3)]


def test_a_trained_network_is_fine_tuned_to_a_configuration_on_the_same_splits(tmp_path: Path) -> None:
    whole = _train(tmp_path)
    part = _train(tmp_path, name=str(whole.path), dataset=None, configuration=(1,))
    assert part.path.name == "tiny-bright-1.keras"
    assert (part.record.cuts, part.record.branches, len(part.accuracy)) == (["first"], [1], 1)
    assert part.record.trained_on == whole.record.trained_on
    assert part.record.origin.count("trained by tiercut") == 2
    assert load_exits(part.path)[0].present == (0,)


def test_a_trained_network_is_not_written_over_unless_that_is_said(tmp_path: Path) -> None:
    trained = _train(tmp_path)
    before = trained.path.read_bytes()
    with pytest.raises(InputError, match=r"tiny-bright\.keras: is there already; name another --output, or .*--redo"):
        _train(tmp_path, branches=[1, 2])
    assert trained.path.read_bytes() == before
    assert _train(tmp_path, branches=[1, 2], redo=True).record.branches == [1, 2, 3]


def test_an_interrupted_training_goes_on_and_a_file_is_left_only_at_its_end(tmp_path: Path) -> None:
    def interrupt(what: str, epoch: Epoch) -> None:
        if (what, epoch.done) == ("separately", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, separately=True, report=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [".tiny-bright.partial"]
    reported: list[tuple[str, int, int]] = []
    _train(tmp_path, separately=True, report=lambda what, epoch: reported.append((what, *epoch[:2])))
    assert reported == [("separately", 2, 2)]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-bright.keras"]


def test_a_trained_network_is_measured_on_nothing_that_it_has_seen(tmp_path: Path) -> None:
    trained = _train(tmp_path)
    with pytest.raises(InputError, match="trained on other samples than the training split of 'dark' with the seed 0"):
        record_model(str(trained.path), tmp_path, replace(QUICK, dataset="dark"))
    with pytest.raises(QuestionError, match="was trained with the seed 0, on whose splits it has to stay"):
        _train(tmp_path, name=str(trained.path), configuration=(1,), schedule=Schedule(epochs=1, seed=1))
    with pytest.raises(QuestionError, match="trained already; name the exits of a configuration"):
        _train(tmp_path, name=str(trained.path))
    with pytest.raises(QuestionError, match="keeps the precision"):
        _train(tmp_path, name=str(trained.path), configuration=(1,), policy="mixed_float16")


def test_a_data_set_that_is_no_longer_known_by_name_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = _train(tmp_path)
    monkeypatch.setattr(data, "DATASETS", {})
    with pytest.raises(QuestionError, match=r"trained on 'bright': there is no data set .*; name it with"):
        record_model(str(trained.path), tmp_path, QUICK)


def test_any_model_is_trained_if_it_tells_as_many_classes_apart(
    keras: Any, tiny: Callable[..., Any], tmp_path: Path
) -> None:
    tiny().model.save(tmp_path / "plain.keras")
    trained = _train(tmp_path / "made.keras", name=str(tmp_path / "plain.keras"), branches="auto")
    assert trained.record.cuts == ["first", "second", "third"]
    tiny(classes=3).model.save(tmp_path / "plain.keras")
    with pytest.raises(QuestionError, match="tells 3 classes apart, but 'bright' has 2"):
        _train(tmp_path, name=str(tmp_path / "plain.keras"))


def test_half_precision_is_trained_and_the_policy_is_as_before(keras: Any, tmp_path: Path) -> None:
    trained = _train(tmp_path, policy="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    exits, _ = load_exits(trained.path)
    assert exits.runtime.graph.steps[exits.blocks[0].end].output.dtype == "bfloat16"
    assert all(0 <= each <= 1 for each in trained.accuracy if each is not None)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"policy": "float8"}, "one of mixed_float16"),
        ({"temperature": True, "schedule": Schedule()}, "give held_out"),
        ({"configuration": (1,), "separately": True}, "train its branches separately before"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(QuestionError, match=what):
        Training(**wrong)


def test_a_file_of_another_kind_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"a network is a \.keras file, or a folder"):
        _train(tmp_path / "it.h5")


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ("taken/it.keras", "cannot be written: '.*taken' is no folder; name another place"),
        ("taken/deep", "any.keras: cannot be written: '.*taken' is no folder"),
        ("folder.keras", "this is a directory; name a file in it"),
    ],
)
def test_a_network_that_cannot_be_written_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, fault: str
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the framework was loaded")

    monkeypatch.setattr(trainer, "start_framework", load)
    (tmp_path / "taken").write_text("")
    (tmp_path / "folder.keras" / "any.keras").mkdir(parents=True)
    with pytest.raises(InputError, match=fault):
        _train(tmp_path / output)


def test_a_released_network_is_frozen_and_a_new_one_is_not(
    keras: Any, tiny: Callable[..., Any], tmp_path: Path
) -> None:
    tiny().model.save(tmp_path / "plain.keras")
    frozen = replace(SCHEDULE, freeze=True)
    trained = _train(tmp_path / "out.keras", name=str(tmp_path / "plain.keras"), schedule=frozen)
    own, found = keras.saving.load_model(tmp_path / "plain.keras"), load_exits(trained.path)[0].backbone
    for before, after in zip(own.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(QuestionError, match="'tiny' begins with random weights; freeze a network that was trained"):
        _train(tmp_path, schedule=frozen)
    with pytest.raises(QuestionError, match="a frozen network keeps its weights"):
        Training(schedule=frozen, separately=True)


def test_shares_of_the_splits_can_be_set_and_stay_with_the_network(tmp_path: Path) -> None:
    trained = _train(tmp_path, shares=Shares(0.25, 0.25, 0.5))
    assert trained.record.shares == [0.25, 0.25, 0.5]
    profile = load_profile(record_model(str(trained.path), tmp_path, QUICK).path)
    assert profile.samples == 20
    assert [len(samples_of(profile, split).entropy) for split in ("profile", "test")] == [20, 40]
    part = _train(tmp_path, name=str(trained.path), dataset=None, configuration=(1,))
    assert (part.record.shares, part.record.trained_on) == (trained.record.shares, trained.record.trained_on)
    with pytest.raises(QuestionError, match="keeps the splits that it was trained with"):
        _train(tmp_path, name=str(trained.path), configuration=(1,), shares=Shares(0.4, 0.4, 0.2))
    with pytest.raises(QuestionError, match=r"whose sum is 1, such as 0\.45,0\.4,0\.15, not 0\.5,0\.5,0\.5"):
        _train(tmp_path, shares=Shares(0.5, 0.5, 0.5))
