from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from tiercut import units


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("8 b/s", "bandwidth", 1.0),
        ("500 kb/s", "bandwidth", 62_500.0),
        ("10 Mb/s", "bandwidth", 1.25e6),
        ("10 Mbps", "bandwidth", 1.25e6),
        ("10 Mbit/s", "bandwidth", 1.25e6),
        ("1 Gb/s", "bandwidth", 1.25e8),
        ("10 MB/s", "bandwidth", 1e7),
        ("94.1 Mbits/sec", "bandwidth", 94.1e6 / 8),
        ("97.2 Kbits/sec", "bandwidth", 97.2e3 / 8),
        ("1.2 Gbits/sec", "bandwidth", 1.5e8),
        ("20mbit", "bandwidth", 2.5e6),
        ("20Mbit", "bandwidth", 2.5e6),
        ("512kbit", "bandwidth", 64_000.0),
        ("1gbit", "bandwidth", 1.25e8),
        ("250 Kbps", "bandwidth", 31_250.0),
        ("7 \u00b5s", "time", 7e-6),
        ("7 \u03bcs", "time", 7e-6),
        ("0.35 msec", "time", 3.5e-4),
        ("3 kB/s", "bandwidth", 3000.0),
        ("40 ms", "time", 0.04),
        ("7 us", "time", 7e-6),
        ("2 s", "time", 2.0),
        ("150 KB", "size", 150_000.0),
        ("150 kB", "size", 150_000.0),
        ("2 MB", "size", 2e6),
        ("2 KiB", "size", 2048.0),
        ("16 GiB", "size", 16 * 2.0**30),
        ("250 W", "power", 250.0),
        ("3 J", "energy", 3.0),
        ("3.6 $/h", "price per time", 0.001),
        ("2 $/GB", "price per size", 2e-9),
        ("30 fps", "rate", 30.0),
        (" 1.5e3ms ", "time", 1.5),
        (".5 s", "time", 0.5),
        ("+4 s", "time", 4.0),
    ],
)
def test_a_small_b_is_a_bit_a_capital_one_a_byte_and_ki_a_power_of_1024(text: str, kind: str, value: float) -> None:
    assert units.parse(text, kind) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["10 mb/s", "10 MBps", "10 mbps", "10 Kb/s", "10 s", "10 fps", "10 Mb", "10 Mb/s/s"])
def test_a_unit_that_is_not_one_of_the_kind_is_named_with_those_that_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"whose unit '.*' is none of b/s .*Mb/s"):
        units.parse(text, "bandwidth")


@pytest.mark.parametrize("value", [10, 10.0, True, None, float("nan"), ["10 Mb/s"]])
def test_a_bare_value_is_refused_with_an_example_of_what_is_wanted(value: object) -> None:
    with pytest.raises(ValueError, match=r"such as '10 Mb/s', got the bare value"):
        units.parse(value, "bandwidth")


def test_a_number_without_a_unit_is_refused_even_as_text() -> None:
    with pytest.raises(ValueError, match="'40', which has no unit"):
        units.parse("40", "time")


@pytest.mark.parametrize(
    "text", ["nan Mb/s", "inf Mb/s", "", "Mb/s", "1,5 Mb/s", "1e Mb/s", "--1 Mb/s", "0x10 b/s", "\u0661 b/s"]
)
def test_what_begins_with_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a bandwidth with its unit"):
        units.parse(text, "bandwidth")


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        units.parse("1e400 s", "time")


def test_negative_is_refused_always_and_zero_where_it_must_be_positive() -> None:
    assert units.parse("0 s", "time") == 0
    with pytest.raises(ValueError, match="a time must be 0 or more, got '-1 s'"):
        units.parse("-1 s", "time")
    with pytest.raises(ValueError, match="a bandwidth must be greater than 0, got '0 Mb/s'"):
        units.parse("0 Mb/s", "bandwidth", positive=True)


@given(kind=st.sampled_from(sorted(units.UNITS)), value=st.floats(0, 1e12), data=st.data())
def test_a_number_with_a_unit_is_that_many_times_the_unit(kind: str, value: float, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(units.UNITS[kind])))
    text = f"{value!r} {unit}"
    assert units.parse(text, kind) == value * units.UNITS[kind][unit]
    assert re.search(units.pattern(kind), text)


@given(
    st.text(alphabet="0123456789.eE+- kKMGiBbps/stmu\u00b5\u03bcWJ$hfec", max_size=12),
    st.sampled_from(sorted(units.UNITS)),
)
def test_editors_are_told_the_same_grammar_as_is_read(text: str, kind: str) -> None:
    try:
        units.parse(text, kind)
    except ValueError as error:
        if "must be" in str(error) or "too large" in str(error):
            return  # a matter of range, not of grammar
        assert not re.search(units.pattern(kind), text)
    else:
        assert re.search(units.pattern(kind), text)


@given(st.floats(1e-9, 1e6))
def test_a_time_is_written_with_four_digits_and_read_back(seconds: float) -> None:
    assert units.parse(units.format_seconds(seconds), "time") == pytest.approx(seconds, rel=6e-4)


@given(st.floats(1e-3, 1e15))
def test_a_bandwidth_is_written_with_four_digits_and_read_back(rate: float) -> None:
    assert units.parse(units.format_bandwidth(rate), "bandwidth") == pytest.approx(rate, rel=6e-4)


@given(st.floats(0, 1e15))
def test_a_size_is_written_with_four_digits_and_read_back(size: float) -> None:
    assert units.parse(units.format_bytes(size), "size") == pytest.approx(size, rel=6e-4)


def test_what_people_read_has_the_unit_that_fits() -> None:
    assert [units.format_seconds(value) for value in (2.5, 0.0249, 3e-6, 0.0)] == ["2.5 s", "24.9 ms", "3 us", "0 s"]
    assert [units.format_bytes(value) for value in (12, 150_000, 2.5e6, 3e9)] == ["12 B", "150 kB", "2.5 MB", "3 GB"]
    assert [units.format_bandwidth(value) for value in (1.25e8, 1.25e6, 62_500, 1)] == [
        "1 Gb/s", "10 Mb/s", "500 kb/s", "8 b/s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (170_000, "170,000"),
        (10**15 - 1, "999,999,999,999,999"),
        (10**15, "1.0 x 10^15"),
        (21 * 10**411, "2.1 x 10^412"),
        (10**400 - 1, "1.0 x 10^400"),
    ],
)
def test_a_count_of_many_digits_is_a_power_of_ten(count: int, shown: str) -> None:
    assert units.format_count(count) == shown


def test_a_count_of_more_digits_than_python_writes_is_shown_too() -> None:
    assert units.format_count(998 * 10**5000) == "1.0 x 10^5003"
