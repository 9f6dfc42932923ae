"""Profiles of several machines as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.profile.files import load_profile, save_profile
from tiercut.profiling.profile.merging import difference, merge, merge_files, replaced
from tiercut.profiling.profile.schema import FORMAT, Profile

EXITS = {"thresholds": [0.5], "exit_rate": [[0.25, 0.75]], "accuracy": [0.5, 0.75]}


def profile(device: str = "here", seconds: float = 1.0, **changes: Any) -> Profile:
    blocks = [{"name": "first", "output_bytes": 8.0}, {"name": "second", "output_bytes": 4.0}]
    data = {"format": FORMAT, "model": "small", "input_bytes": 16.0, "blocks": blocks}
    return Profile.from_data(data | {"devices": {device: {"block_s": [seconds, seconds]}}} | changes)


def test_devices_of_all_profiles_stand_in_one_and_the_first_stays_the_reference() -> None:
    one = merge({"a": profile("pi", 3.0), "b": profile("edge", 2.0), "c": profile("cloud", 1.0)})
    assert list(one.devices) == ["pi", "edge", "cloud"]
    assert [device.block_s for device in one.devices.values()] == [[3.0] * 2, [2.0] * 2, [1.0] * 2]
    assert one.reference_device == "pi"


def test_what_one_profile_alone_knows_is_kept() -> None:
    one = merge({"a": profile("pi"), "b": profile("edge", exits=EXITS, dataset="some", architecture="f" * 64)})
    assert one.exits is not None
    assert (one.dataset, one.architecture) == ("some", "f" * 64)


def test_the_same_device_may_stand_in_both_only_with_the_same_times() -> None:
    assert merge({"a": profile("pi"), "b": profile("pi")}).devices == profile("pi").devices
    with pytest.raises(InputError, match="b: there are other times for the device 'pi' already"):
        merge({"a": profile("pi"), "b": profile("pi", 2.0)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "other"}, "the model is small there and other here"),
        ({"input_bytes": 17.0}, "the bytes of the input are 16 there and 17 here"),
        ({"batch": 2}, "the batch is 1 there and 2 here"),
        (
            {"blocks": [{"name": "first", "output_bytes": 8.0}, {"name": "third", "output_bytes": 4.0}]},
            "block 2 differs first: there it is 'second' with 4 bytes, here 'third' with 4 bytes",
        ),
        (
            {"blocks": [{"name": "first", "output_bytes": 9.0}, {"name": "third", "output_bytes": 4.0}]},
            "block 1 differs first: there it is 'first' with 8 bytes, here 'first' with 9 bytes",
        ),
        (
            {"blocks": [{"name": "first", "output_bytes": 8.0}], "devices": {"pi": {"block_s": [1.0]}}},
            "block 2 differs first: only there is one, 'second' with 4 bytes",
        ),
    ],
)
def test_a_profile_of_other_blocks_is_refused_with_the_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        merge({"a.json": profile(), "b.json": profile("pi", **changes)})
    assert words in str(refused.value)
    assert "b.json: these are not the blocks of a.json" in str(refused.value)


def test_layers_that_changed_inside_blocks_of_the_same_names_are_reported() -> None:
    assert "layers in them have changed" in str(
        difference(profile(architecture="a" * 64), profile(architecture="b" * 64))
    )
    assert difference(profile(architecture="a" * 64), profile()) is None


def test_two_profiles_with_different_exits_are_refused() -> None:
    other = EXITS | {"accuracy": [0.5, 0.8]}
    with pytest.raises(InputError, match="exits: another profile says otherwise"):
        merge({"a": profile(exits=EXITS), "b": profile("pi", exits=other)})


def test_codecs_are_joined_device_by_device() -> None:
    def codec(device: str) -> dict[str, Any]:
        return {"small": {"bytes": [None, 2.0], "encode_s": {device: [None, 0.1]}}}

    one = merge({"a": profile("pi", codecs=codec("pi")), "b": profile("edge", codecs=codec("edge"))})
    assert one.codecs["small"].encode_s == {"pi": [None, 0.1], "edge": [None, 0.1]}


def test_a_device_that_is_timed_again_takes_the_place_of_its_old_record_alone() -> None:
    known = merge({"a": profile("pi", exits=EXITS), "b": profile("edge")})
    again = replaced(known, profile("pi", 9.0), names=("a", "b"))
    assert again.devices["pi"].block_s == [9.0, 9.0]
    assert again.devices["edge"] == known.devices["edge"]
    assert again.exits == known.exits


def test_files_are_merged_with_their_samples_beside_them(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    save_profile(profile("pi"), tmp_path / "pi.json")
    files = {"samples_file": "it.samples.npz", "test_samples_file": "it.test.samples.npz"}
    hashes = {"samples_sha256": "a" * 64, "test_samples_sha256": "b" * 64}
    save_profile(profile("edge", **files, **hashes), tmp_path / "far" / "edge.json")
    for name in files.values():
        (tmp_path / "far" / name).write_bytes(name.encode())
    both = merge_files([tmp_path / "pi.json", tmp_path / "far" / "edge.json"], tmp_path / "both.json")
    assert load_profile(tmp_path / "both.json") == both
    assert (both.samples_sha256, both.test_samples_sha256) == tuple(hashes.values())
    for name in files.values():
        assert (tmp_path / name).read_bytes() == name.encode()


def test_what_cannot_be_merged_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    save_profile(profile("pi"), tmp_path / "a.json")
    save_profile(profile("pi", 2.0), tmp_path / "b.json")
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(InputError, match="another name"):
        merge_files([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before
    with pytest.raises(QuestionError, match="at least two"):
        merge_files([tmp_path / "a.json"], tmp_path / "c.json")
    with pytest.raises(QuestionError, match=r"\.json file"):
        merge_files([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "c.yaml")
