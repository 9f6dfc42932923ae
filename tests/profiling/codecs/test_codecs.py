"""What a codec encodes comes back: exactly, or as near as its steps say; what is damaged is refused."""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.codec import CODEC_STEPS, TensorCoder, form_of, read_codec, read_codecs
from tiercut.profiling.codecs.form import layout_of

WITH_ZSTD = pytest.mark.skipif(find_spec("zstandard") is None, reason="needs the extra 'offload'")
EXACT = ["zlib", "shuffle-zlib", *(pytest.param(each, marks=WITH_ZSTD) for each in ("zstd", "shuffle-zstd"))]
HERE = ["transfer-layer", "float16", "int8", "int8-channel", "zlib", "int8+zlib", "transfer-layer+float16+shuffle-zlib"]

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=7)
LARGEST = float(np.finfo(np.float16).max)


def coder_of(name: str, numbers: NDArray[Any], layout: Literal["channels_first", "channels_last"]) -> TensorCoder:
    return read_codec(name).coder(numbers.shape, numbers.dtype, layout)


def back(name: str, numbers: NDArray[Any], layout: Literal["channels_first", "channels_last"]) -> NDArray[Any]:
    """Return what comes out of a codec, which writes the same bytes each time, and no more than it says."""
    coder = coder_of(name, numbers, layout)
    raw = coder.encode(numbers)
    assert raw == coder.encode(numbers.copy())
    assert len(raw) <= coder.most_bytes
    found = coder.decode(raw)
    assert (found.shape, found.dtype) == (numbers.shape, numbers.dtype)
    return found


def floats(width: Literal[16, 32, 64] = 32, **limits: Any) -> st.SearchStrategy[NDArray[Any]]:
    return arrays.arrays(np.dtype(f"float{width}"), SHAPES, elements=st.floats(width=width, **limits))


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_loses_nothing_gives_back_every_bit(name: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["float32", "float16", "float64", "int64", "uint8", "bool"]))
    numbers = data.draw(arrays.arrays(dtype, SHAPES))
    assert back(name, numbers, "channels_last").tobytes() == numbers.tobytes()


@settings(max_examples=80, deadline=None)
@given(numbers=floats(allow_nan=False))
def test_half_precision_is_off_by_half_a_step_of_it_and_ends_at_its_largest_number(numbers: NDArray[Any]) -> None:
    found = back("float16", numbers, "channels_last")
    finite = np.isfinite(numbers)
    kept = np.clip(numbers[finite].astype(np.float64), -LARGEST, LARGEST)
    step = np.maximum(2.0 ** np.floor(np.log2(np.maximum(np.abs(kept), 2.0**-14))) * 2.0**-10, 2.0**-24)
    assert np.all(np.abs(found[finite] - kept) <= 0.5 * step)
    assert np.all(np.abs(found[finite]) <= LARGEST)
    assert np.array_equal(found[~finite], numbers[~finite])


@pytest.mark.parametrize("name", ["int8", "int8-channel"])
@settings(max_examples=80, deadline=None)
@given(numbers=floats(allow_nan=False, allow_infinity=False, min_value=-(2.0**100), max_value=2.0**100))
def test_eight_bits_are_off_by_half_a_step_of_255(name: str, numbers: NDArray[Any]) -> None:
    form = form_of(numbers.shape, numbers.dtype, "channels_last")
    found = back(name, numbers, "channels_last").astype(np.float64)
    axis = form.channels if name == "int8-channel" else None
    others = tuple(each for each in range(numbers.ndim) if each != axis)
    exact = numbers.astype(np.float64)
    step = (exact.max(axis=others, keepdims=True) - exact.min(axis=others, keepdims=True)) / 255
    rounding = 1e-6 * np.abs(exact).max(axis=others, keepdims=True) + 1e-40
    assert np.all(np.abs(found - exact) <= 0.5 * step + rounding)


def test_channels_have_steps_of_their_own() -> None:
    numbers = np.random.default_rng(0).random((1, 8, 8, 3), np.float32) * np.float32([1, 100, 10000])
    off = {name: np.abs(back(name, numbers, "channels_last") - numbers)[..., 0] for name in ("int8", "int8-channel")}
    assert off["int8-channel"].max() <= 0.5 / 255 + 1e-6
    assert off["int8"].max() > 0.5
    first = np.ascontiguousarray(numbers.transpose(0, 3, 1, 2))
    assert np.abs(back("int8-channel", first, "channels_first") - first)[:, 0].max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_transfer_layer_hands_on_the_greatest_of_four_at_any_size(
    layout: Literal["channels_first", "channels_last"], data: st.DataObject
) -> None:
    rows, columns = data.draw(st.integers(1, 7)), data.draw(st.integers(2, 7))
    shape = (2, 3, rows, columns) if layout == "channels_first" else (2, rows, columns, 3)
    numbers = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(shape).astype(np.float32)
    coder = read_codec("transfer-layer").coder(shape, np.float32, layout)
    if coder.form.layout != layout:  # the sizes themselves say that it is the other one
        return
    found = coder.decode(coder.encode(numbers))
    last = numbers.transpose(0, 2, 3, 1) if layout == "channels_first" else numbers
    there = found.transpose(0, 2, 3, 1) if layout == "channels_first" else found
    for row in range(rows):
        for column in range(columns):
            top, left = row // 2 * 2, column // 2 * 2
            wanted = last[:, top : top + 2, left : left + 2].max(axis=(1, 2))
            assert np.array_equal(there[:, row, column], wanted)
    assert len(coder.encode(numbers)) == 2 * 3 * ((rows + 1) // 2) * ((columns + 1) // 2) * 4


def test_steps_follow_each_other() -> None:
    numbers = np.random.default_rng(1).random((1, 9, 9, 4), np.float32)
    pooled = back("transfer-layer", numbers, "channels_last")
    assert np.abs(back("transfer-layer+int8", numbers, "channels_last") - pooled).max() <= 0.5 / 255 + 1e-6
    assert len(coder_of("transfer-layer+int8", numbers, "channels_last").encode(numbers)) == 8 + 5 * 5 * 4
    assert np.array_equal(back("float16+shuffle-zlib", numbers, "channels_last"), numbers.astype(np.float16))


@WITH_ZSTD
def test_shuffling_makes_zeros_of_floats_smaller_and_zstd_after_eight_bits_too() -> None:
    numbers = np.maximum(np.random.default_rng(1).standard_normal((1, 32, 32, 16)), 0).astype(np.float32)
    size = {name: len(coder_of(name, numbers, "channels_last").encode(numbers)) for name in (
        "zstd", "shuffle-zstd", "int8", "int8+zstd", "float16+zstd"
    )}  # fmt: skip
    assert size["zstd"] < numbers.nbytes
    assert size["int8+zstd"] < size["int8"] < size["float16+zstd"] < size["shuffle-zstd"]


def test_numbers_that_do_not_get_smaller_are_sent_as_they_are_and_a_byte() -> None:
    numbers = np.frombuffer(np.random.default_rng(0).bytes(4096), np.uint8)
    assert len(coder_of("zlib", numbers, "channels_last").encode(numbers)) == 4097


@pytest.mark.parametrize("name", HERE)
def test_bytes_that_are_too_few_too_many_or_none_are_refused(name: str) -> None:
    numbers = np.random.default_rng(0).random((1, 6, 6, 4), np.float32)
    coder = coder_of(name, numbers, "channels_last")
    raw = coder.encode(numbers)
    for damaged in (b"", raw[:-1], raw + b"\0" * coder.most_bytes):
        with pytest.raises(QuestionError, match=r"expected .* bytes|ends too early|damaged"):
            coder.decode(damaged)


@pytest.mark.parametrize("name", ["zlib", pytest.param("zstd", marks=WITH_ZSTD)])
def test_a_packed_tensor_that_would_unpack_to_more_is_refused_before_it_does(name: str) -> None:
    coder = read_codec(name).coder((1, 8), "float32", "channels_last")
    bomb = zlib.compress(bytes(10**4), 9)
    if name == "zstd":
        import zstandard

        bomb = zstandard.ZstdCompressor().compress(bytes(10**8))
    with pytest.raises(QuestionError, match="expected"):
        coder.decode(b"\1" + bomb)
    with pytest.raises(QuestionError, match="damaged"):
        coder.decode(b"\1" + b"no")
    with pytest.raises(QuestionError, match="does not begin"):
        coder.decode(b"\7" + bytes(8))


def test_scales_that_are_no_numbers_are_refused_and_so_are_such_numbers() -> None:
    coder = read_codec("int8").coder((1, 8), "float32", "channels_last")
    with pytest.raises(QuestionError, match="scales that are no numbers"):
        coder.decode(np.float32([np.nan, 1]).tobytes() + bytes(8))
    with pytest.raises(QuestionError, match="no number"):
        coder.encode(np.full((1, 8), np.inf, np.float32))


def test_a_tensor_of_another_form_is_refused() -> None:
    coder = read_codec("int8").coder((1, 8), "float32", "channels_last")
    with pytest.raises(QuestionError, match=r"int8: expected float32 of \[1, 8\], got float64 of \[1, 8\]"):
        coder.encode(np.zeros((1, 8)))


def test_a_codec_is_for_a_cut_where_each_step_makes_something_less() -> None:
    image, row, whole = (form_of(*each, "channels_last") for each in (
        ((1, 8, 8, 4), "float32"), ((1, 64), "float32"), ((1, 8), "int64")
    ))  # fmt: skip
    assert read_codec("transfer-layer+int8").takes([image])
    assert not read_codec("transfer-layer").takes([row])
    assert not read_codec("int8-channel").takes([row])
    assert read_codec("int8").takes([row, whole])
    assert not read_codec("int8").takes([whole])
    assert read_codec("zlib").takes([whole])
    assert not read_codec("transfer-layer").takes([form_of((1, 1, 1, 64), "float32", "channels_last")])
    numbers = np.arange(8).reshape(1, 8)
    assert np.array_equal(back("int8+zlib", numbers, "channels_last"), numbers)  # as whole numbers, packed alone


def test_images_are_square_and_tell_where_their_channels_stand() -> None:
    assert layout_of((1, 32, 32, 3), "channels_first") == "channels_last"
    assert layout_of((1, 64, 8, 8), "channels_last") == "channels_first"
    assert layout_of((1, 8, 8, 8), "channels_first") == "channels_first"
    assert layout_of((1, 24, 80, 3), "channels_last") == "channels_last"


def test_names_that_are_none_are_refused_with_what_there_is() -> None:
    with pytest.raises(QuestionError, match="int8"):
        read_codec("int9")
    with pytest.raises(QuestionError, match="the transfer layer comes first"):
        read_codec("zlib+int8")
    with pytest.raises(QuestionError, match="comes first"):
        read_codec("float16+int8")
    with pytest.raises(QuestionError, match="named twice"):
        read_codecs("int8, zlib,int8")
    assert [each.name for each in read_codecs("int8 + zlib,transfer-layer")] == ["int8+zlib", "transfer-layer"]
    assert all(read_codec(each).name == each for each in CODEC_STEPS)
