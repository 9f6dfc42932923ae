"""Profile files: what is read and written, and what is said of one that is no file of its kind, or is doubtful."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.made import exits_data
from support.profile_files import FULL, GOOD, changed, dumped, refusal

import tiercut
from tiercut.errors import InputError, TiercutWarning

Refused = Callable[[Any], str]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Write a profile (data, text or bytes), expect it to be refused, and return the message."""
    return partial(refusal, tmp_path / "profile.json")


# Right ones


def test_every_key_of_the_format_is_read_written_and_read_again(tmp_path: Path) -> None:
    profile = tiercut.Profile.from_data(FULL)
    tiercut.save_profile(profile, tmp_path / "again.json")
    assert tiercut.load_profile(tmp_path / "again.json") == profile
    assert json.loads((tmp_path / "again.json").read_text(encoding="utf-8")) == FULL


def test_only_five_keys_are_required() -> None:
    blocks = [{"name": "all", "output_bytes": None}]
    data = {"format": "tiercut.profile/1", "model": "m", "input_bytes": 1, "blocks": blocks}
    profile = tiercut.Profile.from_data({**data, "devices": {"d": {"block_s": [1]}}})
    assert (profile.block_count, profile.result_bytes, profile.exits, profile.name) == (1, 0.0, None, "m")


@pytest.mark.parametrize("key", ["format", "model", "input_bytes", "blocks", "devices"])
def test_each_of_the_five_is_missed_by_name(refused: Refused, key: str) -> None:
    message = refused(changed(key, drop=True))
    assert key in message
    assert "missing" in message


def test_a_profile_is_called_after_its_model_and_dataset() -> None:
    assert tiercut.Profile.from_data(FULL).name == "ResNet20/CIFAR10"


def test_the_reference_is_the_first_device_unless_another_is_named() -> None:
    data = deepcopy(GOOD)
    data["devices"]["e"] = {"block_s": [1, 1, 1]}
    assert tiercut.Profile.from_data(data).reference_device == "d"
    assert tiercut.Profile.from_data({**data, "reference": "e"}).reference_device == "e"


@pytest.mark.parametrize("count", [3, 4])
def test_coding_times_are_as_long_as_blocks_with_or_without_the_last(count: int) -> None:
    tiercut.Profile.from_data(changed("devices", "d", "encode_s", value=[0.1] * count))


def test_a_row_of_rates_may_miss_1_by_rounding() -> None:
    tiercut.Profile.from_data(changed("exits", "exit_rate", 0, value=[0.5, 0.25, 0.2500009]))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("\ufeff" + dumped(GOOD), encoding="utf-8")
    assert tiercut.load_profile(path).block_count == 3


def test_saving_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    tiercut.save_profile(tiercut.Profile.from_data(GOOD), tmp_path / "deep" / "profile.json")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["profile.json"]


def test_a_profile_that_cannot_be_written_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "profile.json"
    tiercut.save_profile(tiercut.Profile.from_data(GOOD), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(tiercut.InputError, match=r"profile\.json: cannot be written: no space left"):
        tiercut.save_profile(tiercut.Profile.from_data(FULL), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_every_recorded_profile_loads_without_a_doubt() -> None:
    names = tiercut.recorded()
    assert names
    for name in names:
        assert tiercut.load_profile(name).origin


# Wrong as files


def test_a_repeated_key_is_refused_by_name(refused: Refused) -> None:
    message = refused('{"format": "tiercut.profile/1", "model": "a", "model": "b"}')
    assert "model: the key stands twice" in message


def test_a_file_that_is_not_utf_8_is_refused_with_the_byte(refused: Refused) -> None:
    message = refused(b'{\n"format": "\xff"}')
    assert "profile.json:2:" in message
    assert "byte 13 (0xff) is not UTF-8" in message


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_refused(refused: Refused, content: bytes) -> None:
    assert "the file is empty" in refused(content)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused_where_it_ends(refused: Refused, share: float) -> None:
    text = dumped(GOOD)
    message = refused(text[: int(len(text) * share)])
    assert "not JSON" in message
    assert "profile.json:" in message


def test_nesting_without_end_is_refused(refused: Refused) -> None:
    assert "nested too deeply" in refused("[" * 100_000)


def test_a_file_of_200_megabytes_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.touch()
    os.truncate(path, 200 << 20)
    with pytest.raises(InputError, match="the file has 209,715,200 bytes"):
        tiercut.load_profile(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: there is no such file"):
        tiercut.load_profile(tmp_path / "none.json")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        tiercut.load_profile(tmp_path)


def test_an_unknown_recorded_profile_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="there is no recorded profile 'resnet20-digit32'; did you mean"):
        tiercut.load_profile("resnet20-digit32")


# Doubtful


def doubts(data: dict[str, Any], path: Path) -> list[TiercutWarning]:
    path.write_text(dumped(data))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tiercut.load_profile(path)
    return [each.message for each in caught if isinstance(each.message, TiercutWarning)]


def test_a_good_profile_raises_no_doubt(tmp_path: Path) -> None:
    assert doubts(GOOD, tmp_path / "profile.json") == []


def test_a_time_of_exactly_0_is_doubted_with_a_remedy(tmp_path: Path) -> None:
    (doubt,) = doubts(changed("devices", "d", "block_s", value=[0.0, 2.0, 0.0]), tmp_path / "profile.json")
    assert "times of exactly 0: block 1, 3 on 'd'" in doubt.message
    assert "more runs" in doubt.remedy


def test_exit_rates_alone_that_fall_with_depth_are_doubted_with_a_remedy(tmp_path: Path) -> None:
    """Branch 2 lets fewer go than branch 1 at 0.1, and branch 3 fewer than 2 at 0.2."""
    data = changed("exits", value=exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.9], [0.6, 0.7, 0.65], alone=True))
    (doubt,) = doubts(data, tmp_path / "profile.json")
    assert "the exit rate falls with depth at branch 2, 3" in doubt.message
    assert "train" in doubt.remedy


def test_a_block_without_a_branch_does_not_count_as_a_fall(tmp_path: Path) -> None:
    data = changed("exits", value=exits_data([0.5, None, 0.9], [0.5, 0.0, 0.9], alone=True))
    assert doubts(data, tmp_path / "profile.json") == []


def test_rates_alone_are_not_doubted_where_others_count(tmp_path: Path) -> None:
    data = changed("exits", "exit_rate_alone", value=[[0.5, 0.25, 0.9]] * 2)
    assert doubts(data, tmp_path / "profile.json") == []


# Accuracies of branches that were trained alone


def test_accuracies_of_branches_trained_alone_take_the_place_of_the_others_on_request() -> None:
    data = changed("exits", "accuracy_separate", value=[0.625, 0.75, 0.875])
    alone = tiercut.Profile.from_data(data).with_separate_accuracies()
    assert alone.exits is not None
    assert alone.exits.accuracy == [0.625, 0.75, 0.875]
    with pytest.raises(tiercut.QuestionError, match="record them with tiercut train --separately"):
        tiercut.Profile.from_data(GOOD).with_separate_accuracies()


@pytest.mark.parametrize("key", ["accuracy_separate", "calibration_error", "temperature"])
def test_what_is_recorded_of_branches_has_a_value_for_each(tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path / "profile.json", changed("exits", key, value=[0.5]))
    assert f"exits.{key}: expected 3 values" in message


def test_a_hash_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "samples_sha256" in refusal(tmp_path / "profile.json", changed("samples_sha256", value="abc"))
