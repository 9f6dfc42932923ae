"""Profile files: what is read and written, and what is said of one that is wrong or doubtful."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from support.made import exits_data, profile_data

import tiercut
from tiercut.errors import InputError, TiercutWarning

GOOD: dict[str, Any] = profile_data(
    [1.5, 2.5, 4.5],
    [12.0, 8.0, 4.0, 2.0],
    branch_s=[0.5, 0.5, 0.5],
    exits=exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]),
)

FULL: dict[str, Any] = {
    "format": "tiercut.profile/1",
    "model": "ResNet20",
    "dataset": "CIFAR10",
    "classes": 10,
    "samples": 5000,
    "origin": "made up, ü included",
    "input_bytes": 12288,
    "result_bytes": 16,
    "blocks": [
        {
            "name": "block1",
            "output_bytes": 65536,
            "first_layer": 0,
            "last_layer": 6,
            "parameter_bytes": 1792,
            "activation_bytes": 70000,
            "flops": 884736,
        },
        {"name": "block2", "output_bytes": None},
    ],
    "accuracy": 0.91,
    "exits": {
        "thresholds": [0.0, 0.1],
        "exit_rate": [[0.0, 1.0], [0.1, 0.9]],
        "exit_rate_alone": [[0.0, 1.0], [0.1, 1.0]],
        "hit_rate_alone": [[0.0, 0.87], [0.09, 0.9]],
        "accuracy": [0.41, 0.87],
    },
    "samples_file": "resnet20-cifar10.samples.npz",
    "reference": "a100",
    "devices": {
        "a100": {
            "description": "a card",
            "framework": "keras 3",
            "statistic": "p99",
            "runs": 100,
            "block_s": [0.0001, 0.0002],
            "branch_s": [0.00002, 0.00001],
            "block_mean_s": [0.0001, 0.0002],
            "block_p50_s": [0.0001, 0.0002],
            "branch_mean_s": [0.00002, None],
            "branch_p50_s": [0.00002, None],
            "span_s": [[0.0001, 0.0002], [0.0001]],
            "encode_s": [0.0, 1e-5, None],
            "decode_s": [0.0, 1e-5],
            "whole_model_s": 0.0011,
        }
    },
    "codecs": {
        "transfer-layer": {
            "bytes": [None, 16384],
            "encode_s": {"a100": [None, 1e-5]},
            "decode_s": {"a100": [None, 1e-5, None]},
            "accuracy_drop": [None, 0.009],
        }
    },
}


def changed(*keys: Any, value: Any = None, drop: bool = False) -> dict[str, Any]:
    """Return the good profile with the value at a key path replaced, added, or dropped."""
    data = deepcopy(GOOD)
    place: Any = data
    for key in keys[:-1]:
        place = place[key]
    if drop:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return data


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Any], str]:
    """Write a profile (data, text or bytes), expect it to be refused, and return the message."""

    def refuse(content: Any) -> str:
        path = tmp_path / "profile.json"
        raw = (
            content
            if isinstance(content, bytes)
            else (content if isinstance(content, str) else dumped(content)).encode()
        )
        path.write_bytes(raw)
        with pytest.raises(InputError) as raised:
            tiercut.load_profile(path)
        message = str(raised.value)
        assert message.startswith(str(path))
        return message

    return refuse


def dumped(data: Any) -> str:
    return json.dumps(data, indent=1)


Refused = Callable[[Any], str]


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
    with pytest.raises(OSError, match="no space left"):
        tiercut.save_profile(tiercut.Profile.from_data(FULL), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_every_recorded_profile_loads_without_a_doubt() -> None:
    names = tiercut.recorded()
    assert names
    for name in names:
        assert tiercut.load_profile(name).origin


# Wrong in form


def test_another_version_is_refused_with_the_one_that_is_read(refused: Refused) -> None:
    message = refused(changed("format", value="tiercut.profile/2"))
    assert "format: expected 'tiercut.profile/1', got 'tiercut.profile/2'" in message


def test_a_file_of_another_kind_is_refused_by_its_format(refused: Refused) -> None:
    message = refused(changed("format", value="tiercut.topology/1"))
    assert "format: expected" in message
    assert "'tiercut.profile/1'" in message
    assert "'tiercut.topology/1'" in message


@pytest.mark.parametrize(("content", "what"), [([1, 2], "a list"), (3, "3"), ("null", "nothing")])
def test_what_is_no_mapping_is_refused_by_what_it_is(refused: Refused, content: Any, what: str) -> None:
    message = refused(content)
    assert "expected a mapping" in message
    assert what in message


@pytest.mark.parametrize(
    ("keys", "guess"),
    [
        (("acuracy",), "accuracy"),
        (("devices", "d", "blok_s"), "block_s"),
        (("exits", "treshold"), "thresholds"),
        (("blocks", 0, "output_byte"), "output_bytes"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    refused: Refused, keys: tuple[Any, ...], guess: str
) -> None:
    message = refused(changed(*keys, value=1))
    assert f"unknown key '{keys[-1]}'; did you mean '{guess}'?" in message


def test_an_unknown_key_unlike_any_is_refused_with_all_that_are_known(refused: Refused) -> None:
    message = refused(changed("blocks", 0, "zzz", value=1))
    assert all(name in message for name in ("blocks[0].zzz", "name", "output_bytes", "flops"))


def test_a_fault_is_placed_by_line_and_key(refused: Refused) -> None:
    data = changed("devices", "d", "block_s", 1, value=-2.5)
    line = next(number for number, text in enumerate(dumped(data).splitlines(), 1) if "-2.5" in text)
    assert f"profile.json:{line}:" in refused(data)
    assert "devices.d.block_s[1]: " in refused(data)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(refused: Refused, constant: str) -> None:
    message = refused(dumped(GOOD).replace("2.5", constant, 1))
    assert constant in message
    assert "finite" in message


def test_a_number_too_large_to_be_one_is_refused(refused: Refused) -> None:
    message = refused(dumped(GOOD).replace("2.5", "1e999", 1))
    assert "devices.d.block_s[1]: expected a finite number" in message


@pytest.mark.parametrize(
    "keys",
    [
        ("devices", "d", "block_s", 1),
        ("devices", "d", "branch_s", 1),
        ("input_bytes",),
        ("result_bytes",),
        ("blocks", 1, "output_bytes"),
        ("exits", "exit_rate", 0, 1),
        ("exits", "accuracy", 1),
        ("exits", "thresholds", 0),
    ],
)
def test_a_negative_number_is_refused(refused: Refused, keys: tuple[Any, ...]) -> None:
    message = refused(changed(*keys, value=-0.5))
    assert "at least 0" in message or "greater than or equal to 0" in message
    assert "-0.5" in message


@pytest.mark.parametrize("value", ["2.5", True, [2.5], {}])
def test_what_only_looks_like_a_number_is_refused(refused: Refused, value: Any) -> None:
    message = refused(changed("devices", "d", "block_s", 1, value=value))
    assert "devices.d.block_s[1]: expected a" in message
    assert "number" in message


def test_a_time_that_is_missing_is_refused(refused: Refused) -> None:
    assert "devices.d.block_s[1]" in refused(changed("devices", "d", "block_s", 1, value=None))


# Wrong between keys


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("block_s", [1.0, 2.0], "expected 3 values, one for each of the blocks, got 2"),
        ("branch_s", [1.0] * 4, "expected 3 values, one for each of the blocks, got 4"),
        ("block_mean_s", [1.0], "expected 3 values, one for each of the blocks, got 1"),
        ("branch_p50_s", [], "expected 3 values, one for each of the blocks, got 0"),
        ("encode_s", [1.0, 2.0], "expected 4 or 3 values, one for each of the input and blocks, got 2"),
        ("decode_s", [1.0] * 5, "expected 4 or 3 values, one for each of the input and blocks, got 5"),
        ("span_s", [[1.0] * 3, [1.0] * 2], "expected 3 values, one for each of the blocks, got 2"),
    ],
)
def test_a_list_of_another_length_is_refused(refused: Refused, key: str, value: Any, words: str) -> None:
    assert f"devices.d.{key}: {words}" in refused(changed("devices", "d", key, value=value))


def test_a_row_of_spans_of_another_length_is_refused(refused: Refused) -> None:
    message = refused(changed("devices", "d", "span_s", value=[[1.0] * 3, [1.0] * 3, [1.0]]))
    assert "devices.d.span_s[1]: expected 2 values" in message
    assert "block 2" in message


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("exit_rate", 1), [0.5, 0.5], "exit_rate[1]: expected 3 values"),
        (("exit_rate",), [[0.5, 0.25, 0.25]], "exit_rate: expected 2 values, one for each of the thresholds, got 1"),
        (("exit_rate_alone",), [[0.5] * 3], "exit_rate_alone: expected 2 values"),
        (("hit_rate_alone",), [[0.5] * 3, [0.5] * 2], "hit_rate_alone[1]: expected 3 values"),
        (("accuracy",), [0.5, 0.9], "accuracy: expected 3 values, one for each of the branches, got 2"),
    ],
)
def test_exits_of_another_size_are_refused(refused: Refused, keys: tuple[Any, ...], value: Any, words: str) -> None:
    assert f"exits.{words}" in refused(changed("exits", *keys, value=value))


def test_rates_that_do_not_sum_to_1_are_refused_with_their_sum(refused: Refused) -> None:
    message = refused(changed("exits", "exit_rate", 1, value=[0.25, 0.25, 0.25]))
    assert "exits.exit_rate[1]: the rates of one threshold must sum to 1, these sum to 0.75" in message


def test_rates_that_miss_1_by_little_show_the_digit_that_is_wrong(refused: Refused) -> None:
    assert "these sum to 1.000002" in refused(changed("exits", "exit_rate", 1, value=[0.25, 0.25, 0.500002]))


@pytest.mark.parametrize("value", [1.01, 87])
def test_an_accuracy_above_1_is_refused(refused: Refused, value: float) -> None:
    message = refused(changed("exits", "accuracy", 1, value=value))
    assert "exits.accuracy[1]" in message
    assert "1" in message
    assert str(value) in message


def test_the_accuracy_of_the_whole_network_is_a_share_too(refused: Refused) -> None:
    assert "accuracy: " in refused(changed("accuracy", value=1.5))


def test_the_last_branch_must_have_an_accuracy(refused: Refused) -> None:
    assert "exits.accuracy[2]: the last branch is the backbone's own" in refused(
        changed("exits", "accuracy", 2, value=None)
    )


@pytest.mark.parametrize("value", [[0.2, 0.1], [0.2, 0.2]])
def test_thresholds_out_of_order_are_refused(refused: Refused, value: list[float]) -> None:
    message = refused(changed("exits", "thresholds", value=value))
    assert f"exits.thresholds[1]: thresholds must rise, but {value[1]} follows 0.2" in message


def test_a_threshold_above_1_is_refused(refused: Refused) -> None:
    assert "exits.thresholds[1]" in refused(changed("exits", "thresholds", value=[0.2, 1.2]))


def test_exits_without_rates_are_refused_with_both_ways_to_give_them(refused: Refused) -> None:
    message = refused(changed("exits", "exit_rate", drop=True))
    assert "exits: give 'exit_rate'" in message
    assert "'exit_rate_alone'" in message


@pytest.mark.parametrize("key", ["exit_rate", "exit_rate_alone", "hit_rate_alone"])
def test_samples_that_leave_by_a_branch_that_is_not_there_are_refused(refused: Refused, key: str) -> None:
    data = changed("exits", value=exits_data([0.5, None, 0.9], [0.5, 0.0, 0.5]))
    data["exits"][key] = [[0.25, 0.25, 0.5]]
    assert f"exits.{key}[0][1]: block 2 has no branch" in refused(data)


def test_a_device_without_times_is_refused_with_the_keys_to_give(refused: Refused) -> None:
    message = refused(changed("devices", "d", value={"description": "idle"}))
    assert "devices.d: the device has no times; give 'block_s'" in message
    assert "'span_s'" in message


@pytest.mark.parametrize(("key", "value"), [("devices", {}), ("blocks", [])])
def test_an_empty_collection_is_refused(refused: Refused, key: str, value: Any) -> None:
    assert f"{key}: expected 1 or more" in refused(changed(key, value=value))


def test_an_unknown_reference_is_refused_with_the_devices_there_are(refused: Refused) -> None:
    assert "reference: there is no device 'a10'" in refused(changed("reference", value="a10"))
    assert "known: d" in refused(changed("reference", value="a10"))


def test_only_the_last_block_may_have_no_output(refused: Refused) -> None:
    tiercut.Profile.from_data(changed("blocks", 2, "output_bytes", value=None))
    message = refused(changed("blocks", 1, "output_bytes", value=None))
    assert "blocks[1].output_bytes: only the last block's output may be null" in message


@pytest.mark.parametrize(
    ("codec", "words"),
    [
        ({"bytes": [None, 3.0]}, "codecs.half.bytes: expected 4 or 3 values"),
        ({"encode_s": {"d": [None, 3.0]}}, "codecs.half.encode_s.d: expected 4 or 3 values"),
        ({"decode_s": {"d": [None] * 5}}, "codecs.half.decode_s.d: expected 4 or 3 values"),
        ({"accuracy_drop": [None, 0.1]}, "codecs.half.accuracy_drop: expected 4 or 3 values"),
        ({"encode_s": {"gpu": [None] * 4}}, "codecs.half.encode_s.gpu: there is no device 'gpu'"),
        ({"accuracy_drop": [None, 5.0, None, None]}, "codecs.half.accuracy_drop[1]: expected a number"),
        ({"bytes": [None, -3.0, None, None]}, "codecs.half.bytes[1]: expected a number"),
        ({"byte": [None] * 4}, "unknown key 'byte'; did you mean 'bytes'?"),
    ],
)
def test_a_codec_that_does_not_fit_the_blocks_is_refused(refused: Refused, codec: dict[str, Any], words: str) -> None:
    assert words in refused(changed("codecs", value={"half": {"bytes": [None, 3.0, 2.0, None], **codec}}))


def test_several_faults_are_told_at_once(refused: Refused) -> None:
    data = changed("devices", "d", "block_s", value=[1.0])
    data["exits"]["thresholds"] = [0.2, 0.1]
    message = refused(data)
    assert "devices.d.block_s" in message
    assert "exits.thresholds[1]" in message


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
    assert "device 'd' has a time of exactly 0 for block 1, 3" in doubt.message
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
