"""What is said of a profile with something wrong in it: where, what was expected, and what came."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.made import exits_data
from support.profile_files import GOOD, changed, dumped, refusal

import tiercut

Refused = Callable[[Any], str]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Write a profile (data, text or bytes), expect it to be refused, and return the message."""
    return partial(refusal, tmp_path / "profile.json")


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
