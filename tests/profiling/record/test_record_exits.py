"""A network with exits is recorded as any other is, and what its exits do beside it; small: two classes, one epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.data import datasets as data
from tiercut.profiling.exits.statistics import exits_record
from tiercut.profiling.exits.trainer import Training, train_network
from tiercut.profiling.exits.training import Schedule
from tiercut.profiling.models import backbones
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.profile.schema import Profile
from tiercut.profiling.record import record
from tiercut.profiling.record.campaign import record_models
from tiercut.profiling.record.record import Recording, record_model
from tiercut.profiling.record.settings import EFFORT, Settings
from tiercut.profiling.record.worker import record_here
from tiercut.profiling.timing.spans import ALL_TIMED, TILED_BRANCHES, needed_spans

pytestmark = [
    pytest.mark.usefixtures("small", "eager"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras, when it saves
    pytest.mark.filterwarnings("ignore:.* is no better than chance:tiercut.errors.TiercutWarning"),  # of one epoch
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
]

QUICK = Settings(device="here", effort=replace(EFFORT, runs=2, least=2), thresholds="5")
TRAINING = replace(QUICK, dataset="bright", epochs=1)


def _bright_or_dark() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    labels = np.arange(40) % 2
    images = (rng.random((40, 8, 8, 3)) * 0.3 + labels[:, None, None, None] * 0.5).astype(np.float32)
    return images, labels


@pytest.fixture
def small(tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of three and of eight blocks, and a data set, that take no time."""

    def deep(*, classes: int = 2, input_shape: tuple[int, int, int] = (8, 8, 3)) -> Any:
        import keras

        entry = tensor = keras.Input(input_shape, name="input")
        names = tuple(f"conv{number}" for number in range(1, 9))
        for name in names:
            tensor = keras.layers.Conv2D(4, 1, activation="relu", name=name)(tensor)
        tensor = keras.layers.GlobalAveragePooling2D(name="pool")(tensor)
        scores = keras.layers.Dense(classes, activation="softmax", name="classifier")(tensor)
        return backbones.Backbone("Deep", keras.Model(entry, scores, name="deep"), names)

    monkeypatch.setitem(backbones.BACKBONES, "tiny", tiny)
    monkeypatch.setitem(backbones.BACKBONES, "deep", deep)
    monkeypatch.setattr(data, "DATASETS", {"bright": _bright_or_dark})


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The file of a network of three blocks with exits after the first and the last."""
    return _trained("tiny", tmp_path, [1])


def _trained(name: str, folder: Path, branches: list[int], seed: int = 0) -> Path:
    training = Training(schedule=Schedule(epochs=1, batch=8, seed=seed), branches=branches)
    return train_network(name, "bright", training, output=folder / f"{name}.keras", redo=True).path


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def _counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is trained and timed meanwhile."""
    done: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("train_jointly", "time_pieces"):
            original = getattr(record, name)
            patch.setattr(record, name, lambda *a, n=name, o=original, **k: done.append(n) or o(*a, **k))
        yield done


def test_a_backbone_is_trained_and_leaves_a_valid_profile_and_its_samples(tmp_path: Path) -> None:
    stages: list[str] = []
    out = tmp_path / "new folder"
    recording = record_model("tiny", out, TRAINING, progress=lambda stage, *_: stages.append(stage))
    assert recording == Recording(out / "tiny-bright.json", "Tiny/bright", 3, recording.whole_s, fresh=True)
    assert sorted(_files(out)) == ["tiny-bright.json", "tiny-bright.samples.npz", "tiny-bright.test.samples.npz"]
    assert list(dict.fromkeys(stages)) == ["load", "train", "exits", "build", "time"]
    profile = load_profile(recording.path)
    assert (profile.model, profile.dataset, profile.classes, profile.samples) == ("Tiny", "bright", 2, 16)
    assert (profile.input_bytes, profile.result_bytes, profile.rule) == (8 * 8 * 3 * 4, 2 * 4, "explicit")
    assert "1 epochs of joint training on 18 samples of bright, seed 0; exits recorded on 16 others" in profile.origin
    assert profile.exits is not None
    samples = samples_of(profile)
    assert exits_record(samples, profile.exits.thresholds) == profile.exits.model_dump(exclude_none=True)
    assert samples_of(profile, "test").entropy.shape == (6, 3)


def test_every_flag_of_timing_counts_for_a_network_with_exits(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[dict[str, float]] = []

    @contextmanager
    def stressed(shares: dict[str, float]) -> Iterator[None]:
        loads.append(shares)
        yield

    monkeypatch.setattr(record, "stressed", stressed)
    settings = Settings(
        device="pi", batch=2, threads=1, jit=True, stress={"cpu": 0.5}, statistic="p25", clock="cpu", trust=True,
        backend="tensorflow", effort=replace(EFFORT, runs=50, least=50, precision=0.0, limit_s=1e-9),
    )  # fmt: skip
    one = load_profile(record_model(str(trained), tmp_path / "one", QUICK).path)
    profile = load_profile(record_model(str(trained), tmp_path / "two", settings).path)
    pi = profile.devices["pi"]
    assert (pi.statistic, pi.clock, pi.jit_compile, pi.backend) == ("p25", "cpu", True, "tensorflow")
    assert (pi.stress, loads[-1]) == ({"cpu": 0.5}, {"cpu": 0.5})
    assert pi.runs == EFFORT.burst, "the limit ends it after the first round"
    assert "batches of 2 samples" in pi.description
    assert profile.batch == 2
    assert profile.payload_bytes == [2 * each for each in one.payload_bytes]
    assert profile.exits is not None
    assert one.exits is not None
    assert (one.exits.accuracy, one.exits.thresholds) == (profile.exits.accuracy, [0.2, 0.4, 0.6, 0.8, 1.0])
    assert len(profile.exits.thresholds) == 20


def test_spans_of_a_deep_network_with_exits_are_put_together_from_a_few_and_checked(tmp_path: Path) -> None:
    path = _trained("deep", tmp_path, [2, 5])
    here = load_profile(record_model(str(path), tmp_path, replace(QUICK, check=4)).path).devices["here"]
    assert here.span_method == TILED_BRANCHES
    assert [branch is not None for branch in here.branch_s or ()] == [
        False,
        True,
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    assert [len(row) for row in here.span_s or ()] == list(range(8, 0, -1))
    assert len(here.span_check) == 4
    for checked in here.span_check:
        first, last = checked.blocks
        assert (first - 1, last - 1) not in needed_spans(8)
        assert checked.predicted_s == (here.span_s or [])[first - 1][last - first]


def test_a_block_has_one_record_whether_its_network_has_exits_or_not(keras: Any, trained: Path, tmp_path: Path) -> None:
    plain = record_model("tiny", tmp_path / "plain", replace(QUICK, thresholds=None, size=(8, 8)))
    exits = record_model(str(trained), tmp_path / "exits", QUICK)
    bare, branched = (load_profile(each.path) for each in (plain, exits))
    assert branched.blocks == bare.blocks[:3]
    assert set(branched.devices["here"].model_dump(exclude_defaults=True)) - {
        "branch_s", "branch_mean_s", "branch_p50_s", "branch_p99_s", "branch_iqr_s",
    } == set(bare.devices["here"].model_dump(exclude_defaults=True))  # fmt: skip
    assert branched.devices["here"].span_method == bare.devices["here"].span_method == ALL_TIMED
    assert (branched.batch, branched.input_bytes) == (bare.batch, bare.input_bytes)


def test_nothing_that_was_measured_is_written_over_unless_that_is_said(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record_model(str(trained), tmp_path, QUICK).path
    before = _files(tmp_path)
    with _counted(monkeypatch) as done:
        assert not record_model(str(trained), tmp_path, QUICK).fresh
        assert not record_model(str(trained), tmp_path, replace(QUICK, thresholds=None)).fresh
        with pytest.raises(InputError, match=r"tiny\.json: has other exits: thresholds differs; .*--redo"):
            record_model(str(trained), tmp_path, replace(QUICK, thresholds="quantiles:3", device="edge"))
        with pytest.raises(InputError, match="recorded with statistic p50 and not p99"):
            record_model(str(trained), tmp_path, replace(QUICK, effort=None, statistic="p99"))
    assert not done
    assert _files(tmp_path) == before
    edge = replace(QUICK, device="edge", thresholds=None)
    assert record_model(str(trained), tmp_path, edge).fresh
    both, first = load_profile(path), Profile.from_data(json.loads(before["tiny.json"]))
    assert list(both.devices) == ["here", "edge"]
    assert (both.devices["here"], both.exits, both.origin) == (first.devices["here"], first.exits, first.origin)
    assert {name: each for name, each in _files(tmp_path).items() if name.endswith("npz")} == {
        name: each for name, each in before.items() if name.endswith("npz")
    }
    record_model(str(trained), tmp_path, replace(QUICK, thresholds="0.5", redo=True))
    again = load_profile(path)
    assert again.exits is not None
    assert again.exits.thresholds == [0.5]
    assert again.devices["edge"] == both.devices["edge"]
    assert again.devices["here"] != both.devices["here"]


def test_a_network_that_was_trained_anew_is_not_taken_for_the_one_that_is_recorded(
    trained: Path, tmp_path: Path
) -> None:
    record_model(str(trained), tmp_path, QUICK)
    before = _files(tmp_path)
    _trained("tiny", tmp_path, [2])
    with pytest.raises(InputError, match=r"has other exits: .* differs"):
        record_model(str(trained), tmp_path, replace(QUICK, device="edge"))
    assert {**_files(tmp_path), "tiny.keras": b""} == {**before, "tiny.keras": b""}


def test_a_backbone_that_is_recorded_is_not_trained_again_for_another_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record_model("tiny", tmp_path, TRAINING).path
    first = load_profile(path)
    before = _files(tmp_path)
    with _counted(monkeypatch) as done:
        assert not record_model("tiny", tmp_path, TRAINING).fresh
        for other in ({"seed": 3}, {"epochs": 2}):
            with pytest.raises(InputError, match=r"has other exits: they come from .*, seed 0; .* and .* here; name"):
                record_model("tiny", tmp_path, replace(TRAINING, **other))
        with pytest.raises(InputError, match="has other exits: thresholds"):
            record_model("tiny", tmp_path, replace(TRAINING, thresholds="0.5"))
        assert (done, _files(tmp_path)) == ([], before)
        assert record_model("tiny", tmp_path, replace(TRAINING, device="edge")).fresh
        assert done == ["time_pieces"]
        both = load_profile(path)
        assert (both.exits, both.devices["here"]) == (first.exits, first.devices["here"])
        assert record_model("tiny", tmp_path, replace(TRAINING, seed=3, redo=True)).fresh
        assert done == ["time_pieces", "train_jointly", "time_pieces"]
    assert "seed 3" in load_profile(path).origin


def test_an_interrupted_recording_goes_on_after_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record, "time_pieces", interrupt)
        with pytest.raises(KeyboardInterrupt):
            record_model("tiny", tmp_path / "it.json", TRAINING)
    assert not (tmp_path / "it.json").exists()
    stages: list[str] = []
    record_model("tiny", tmp_path / "it.json", TRAINING, progress=lambda stage, *_: stages.append(stage))
    assert "train" not in stages
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.json", "it.samples.npz", "it.test.samples.npz"]


def test_networks_with_exits_and_without_are_recorded_in_one_call(
    tiny: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    shares: list[float] = []
    tiny().model.save(tmp_path / "plain.keras")
    names, settings = [str(trained), str(tmp_path / "plain.keras")], replace(QUICK, thresholds=None)
    campaign = record_models(
        names, tmp_path / "out", settings, record=record_here, progress=lambda _, share: shares.append(share)
    )
    assert [step.recorded and step.recorded.model for step in campaign.steps] == ["Tiny/bright", "plain"]
    assert (shares[0], shares[-1], shares) == (0, 1, sorted(shares))
    assert [load_profile(tmp_path / "out" / f"{name}.json").exits is None for name in ("tiny", "plain")] == [
        False,
        True,
    ]


def test_progress_of_a_training_and_of_what_follows_never_falls(tmp_path: Path) -> None:
    shares: dict[float, str] = {}
    record_models(
        ["tiny"], tmp_path, replace(TRAINING, epochs=2), record=record_here,
        progress=lambda what, share: shares.update({share: what}),
    )  # fmt: skip
    assert list(shares) == sorted(shares)
    assert list(dict.fromkeys(shares.values())) == [
        f"tiny: {what}" for what in ("loading", "training", "recording exits", "compiling pieces", "timing")
    ]


def test_the_record_names_no_host_no_user_and_no_folder(tmp_path: Path) -> None:
    import getpass
    import platform

    text = record_model("tiny", tmp_path / "it.json", TRAINING).path.read_text(encoding="utf-8")
    for secret in (str(tmp_path), str(Path.home()), platform.node(), f"{getpass.getuser()}@"):
        assert secret in ("", "/") or secret not in text


def test_names_that_are_not_there_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"a profile is a \.json file"):
        record_model("tiny", tmp_path / "it.yaml", TRAINING)
    with pytest.raises(QuestionError, match="data set 'brigt'; did you mean 'bright'"):
        record_model("tiny", tmp_path, replace(TRAINING, dataset="brigt"))
    with pytest.raises(QuestionError, match="there is no backbone 'vgg'"):
        record_model("vgg", tmp_path, TRAINING)
    with pytest.raises(QuestionError, match="epochs"):
        replace(TRAINING, epochs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_cannot_be_written_is_refused_before_anything_is_loaded(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the framework was loaded")

    monkeypatch.setattr(record, "start_for", load)
    (tmp_path / "taken").write_text("")
    for name, settings in (("tiny", TRAINING), (str(trained), QUICK), ("VGG16", replace(QUICK, thresholds=None))):
        with pytest.raises(InputError, match=r"cannot be written: '.*taken' is no folder; name another place"):
            record_model(name, tmp_path / "taken" / "it.json", settings)
    with pytest.raises(QuestionError, match=r"not for a network with exits, .*: --rule, --seed; leave them out"):
        record_model(str(trained), tmp_path, replace(QUICK, rule="all", seed=1))
