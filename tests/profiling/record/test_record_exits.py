"""A whole recording, small: two classes, three blocks, one epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data import datasets as data
from tiercut.profiling.exits.statistics import exits_record
from tiercut.profiling.models import backbones
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.record import profiler

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves


def _bright_or_dark() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    labels = np.arange(40) % 2
    images = (rng.random((40, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.5).astype(np.float32)
    return images, labels


@pytest.fixture
def small(tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and a data set that take no time."""
    monkeypatch.setitem(backbones.BACKBONES, "tiny", tiny)
    monkeypatch.setattr(data, "DATASETS", {"bright": _bright_or_dark})


def _record(output: Path, **options: Any) -> Any:
    wanted = {"epochs": 1, "runs": 2, "thresholds": 5, "device": "here"} | options
    return profiler.profile_backbone("tiny", "bright", output=output, **wanted)


@pytest.mark.usefixtures("small")
def test_a_recording_leaves_a_valid_profile_and_its_samples(tmp_path: Path) -> None:
    stages: list[str] = []
    tmp_path /= "new folder"
    made = _record(tmp_path, progress=lambda stage, done, most: stages.append(stage))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny-bright.json",
        "tiny-bright.samples.npz",
        "tiny-bright.test.samples.npz",
    ]
    profile = load_profile(tmp_path / "tiny-bright.json")
    assert profile == made
    assert (profile.model, profile.dataset, profile.classes, profile.samples) == ("Tiny", "bright", 2, 16)
    assert (profile.input_bytes, profile.result_bytes) == (8 * 8 * 3 * 4, 2 * 4)
    assert profile.devices["here"].runs == 2
    assert list(dict.fromkeys(stages)) == ["train", "build", "time"]
    samples = samples_of(profile)
    assert exits_record(samples, profile.exits.thresholds) == profile.exits.model_dump(exclude_none=True)
    assert samples_of(profile, "test").entropy.shape == (6, 3)


@pytest.mark.usefixtures("small")
def test_an_interrupted_recording_goes_on_after_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(profiler, "time_exits", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _record(tmp_path / "it.json")
    assert not (tmp_path / "it.json").exists()
    stages: list[str] = []
    _record(tmp_path / "it.json", progress=lambda stage, done, most: stages.append(stage))
    assert "train" not in stages
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.json", "it.samples.npz", "it.test.samples.npz"]


@pytest.mark.usefixtures("small")
def test_a_named_folder_keeps_the_training_for_the_same_settings_only(tmp_path: Path) -> None:
    work, stages = tmp_path / "kept", []
    first = _record(tmp_path / "first.json", work=work)
    second = _record(tmp_path / "second.json", work=work, progress=lambda stage, *_: stages.append(stage))
    assert "train" not in stages
    assert second.exits == first.exits
    _record(tmp_path / "third.json", work=work, seed=3, progress=lambda stage, *_: stages.append(stage))
    assert "train" in stages


@pytest.mark.usefixtures("small")
def test_the_record_names_no_host_no_user_and_no_folder(tmp_path: Path) -> None:
    import getpass
    import platform

    _record(tmp_path / "it.json")
    text = (tmp_path / "it.json").read_text(encoding="utf-8")
    for secret in (str(tmp_path), str(Path.home()), platform.node(), f"{getpass.getuser()}@"):
        assert secret in ("", "/") or secret not in text


@pytest.mark.usefixtures("small")
def test_names_that_are_not_there_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"a profile is a \.json file"):
        _record(tmp_path / "it.yaml")
    with pytest.raises(QuestionError, match="data set 'brigt'; did you mean 'bright'"):
        profiler.profile_backbone("tiny", "brigt", output=tmp_path)
    with pytest.raises(QuestionError, match="there is no backbone 'vgg'"):
        profiler.profile_backbone("vgg", "bright", output=tmp_path)
    with pytest.raises(QuestionError, match="epochs"):
        _record(tmp_path, epochs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_cannot_be_written_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the framework was loaded")

    monkeypatch.setattr(profiler, "start_framework", load)
    (tmp_path / "taken").write_text("")
    for record in (profiler.profile_backbone, profiler.profile_exits):
        with pytest.raises(InputError, match=r"cannot be written: '.*taken' is no folder; name another place"):
            record("tiny", "bright", output=tmp_path / "taken" / "it.json")
