"""The record that comes with the package is what it says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import tiercut.profiling
from tiercut.profiling.exits.statistics import exits_record
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.profile.schema import Device, Exits, Profile
from tiercut.profiling.timing.timing import P99_RUNS

FOLDER = Path(tiercut.profiling.__file__).parent / "recorded"
NAME = "resnet20-digits32"


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile(NAME)


@pytest.fixture(scope="module")
def exits(profile: Profile) -> Exits:
    assert profile.exits is not None
    return profile.exits


@pytest.fixture(scope="module")
def device(profile: Profile) -> Device:
    return profile.devices[profile.reference_device]


def test_it_holds_ten_blocks_and_twenty_thresholds(profile: Profile, exits: Exits) -> None:
    assert (profile.model, profile.dataset, profile.classes) == ("ResNet20", "digits32", 10)
    assert (profile.input_bytes, profile.result_bytes) == (12288, 40)
    assert (profile.block_count, len(exits.thresholds), len(exits.accuracy)) == (10, 20, 10)


def test_its_exit_rates_are_those_of_its_samples(profile: Profile, exits: Exits) -> None:
    samples = samples_of(profile)
    assert samples.entropy.shape == (profile.samples, 10)
    assert exits_record(samples, exits.thresholds) == exits.model_dump(exclude_none=True)


def test_it_is_tied_to_its_samples_by_their_hash(profile: Profile) -> None:
    assert profile.samples_sha256 == hashlib.sha256((FOLDER / str(profile.samples_file)).read_bytes()).hexdigest()


def test_its_rates_sum_to_1(exits: Exits) -> None:
    assert exits.exit_rate is not None
    np.testing.assert_allclose(np.sum(exits.exit_rate, axis=1), 1, rtol=0, atol=1e-9)


def test_its_accuracy_rises_with_depth_to_97_per_cent_and_more(exits: Exits) -> None:
    accuracy = np.array(exits.accuracy, dtype=float)
    assert accuracy[-1] >= 0.97
    assert accuracy[0] < 0.5
    assert np.all(np.diff(accuracy) > -0.01)


def test_its_times_are_all_there_and_rise_with_the_span(device: Device) -> None:
    assert device.block_s is not None
    assert device.span_s is not None
    assert device.branch_s is not None
    assert min(device.block_s) > 0
    for row in device.span_s:
        assert np.all(np.diff(row) > 0)
    assert device.block_s == device.block_p50_s


def test_one_call_for_several_blocks_takes_less_than_a_call_for_each(device: Device) -> None:
    assert device.block_s is not None
    assert device.span_s is not None
    assert device.whole_model_s is not None
    assert device.span_s[0][-1] < sum(device.block_s)
    assert device.span_s[0][-1] == pytest.approx(device.whole_model_s, rel=0.1)


def test_a_span_less_its_branch_is_the_block_without_it(device: Device) -> None:
    assert device.block_s is not None
    assert device.span_s is not None
    assert device.branch_s is not None
    single = np.array([row[0] for row in device.span_s]) - np.array(device.branch_s, dtype=float)
    np.testing.assert_allclose(single, device.block_s, rtol=0.05)


def test_it_says_who_measured_it_with_what_and_how(profile: Profile, device: Device) -> None:
    assert "recorded by tiercut" in profile.origin
    assert "keras" in device.framework
    assert "tensorflow" in device.framework
    assert "cores" in device.description
    assert device.statistic
    assert device.runs is not None
    assert device.runs >= 200


STUDIED = sorted((Path(__file__).parents[3] / "experiments" / "scission" / "profiles").glob("*.json"))


@pytest.mark.parametrize("path", [*STUDIED, *FOLDER.glob("*.json")], ids=lambda path: path.stem)
def test_no_shipped_profile_has_a_p99_of_fewer_runs_than_it_takes(path: Path) -> None:
    for device in load_profile(path).devices.values():
        tails = (device.block_p99_s, device.branch_p99_s, device.whole_model_p99_s)
        assert device.statistic == "p50"
        assert device.block_s == device.block_p50_s
        assert (device.runs or 0) >= P99_RUNS or tails == (None, None, None)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob(f"{NAME}.*")) < 2 << 20


def test_the_profile_of_the_made_data_set_is_tied_to_its_samples_and_rises_from_a_third_to_nine_tenths() -> None:
    clutter = load_profile("resnet20-clutter")
    assert clutter.exits is not None
    recorded, tested = samples_of(clutter), samples_of(clutter, "test")
    of_samples = exits_record(recorded, clutter.exits.thresholds)
    assert {name: getattr(clutter.exits, name) for name in of_samples} == of_samples
    accuracy = np.array(clutter.exits.accuracy, dtype=float)
    assert accuracy[0] < 0.4
    assert accuracy[-1] > 0.85
    assert np.all(np.diff(accuracy) > -0.01)
    np.testing.assert_allclose(tested.correct.mean(axis=0), accuracy, atol=0.03)
    assert clutter.devices == load_profile(NAME).devices
    assert sum(path.stat().st_size for path in FOLDER.glob("resnet20-clutter.*")) < 2 << 20


def test_inception_with_exits_is_tied_to_its_samples_small_and_right_four_times_out_of_five() -> None:
    inception = load_profile("inceptionv3half-clutter")
    assert inception.exits is not None
    recorded, tested = samples_of(inception), samples_of(inception, "test")
    of_samples = exits_record(recorded, inception.exits.thresholds)
    assert {name: getattr(inception.exits, name) for name in of_samples} == of_samples
    accuracy = np.array(inception.exits.accuracy, dtype=float)
    assert len(accuracy) == inception.block_count == 13
    assert accuracy[0] < 0.5
    assert accuracy.max() > 0.8
    np.testing.assert_allclose(tested.correct.mean(axis=0), accuracy, atol=0.03)
    assert sum(path.stat().st_size for path in FOLDER.glob("inceptionv3half-clutter.*")) < 1 << 19


def test_the_network_that_comes_with_its_weights_is_small_and_its_samples_are_those_that_were_recorded() -> None:
    found = load_profile("digits-onnx")
    assert (FOLDER / "digits-onnx.onnx").stat().st_size < 2 << 20
    with np.load(FOLDER / "digits-onnx.data.npz") as data:
        labels = data["labels"]
        assert data["images"].shape == (len(labels), 32, 32, 3)
    tested = samples_of(found, "test")
    assert len(tested.correct) == len(labels) == 246
    assert tested.correct[:, -1].mean() > 0.95
