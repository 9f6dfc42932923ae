"""Messages are those of the Open Inference Protocol, byte for byte, and nothing is made of what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import TensorSpec
from tiercut.offloader.protocol.channels import address_of
from tiercut.offloader.protocol.messages import message, methods
from tiercut.offloader.protocol.tensors import (
    DATATYPES,
    describe,
    put,
    put_parameters,
    take,
    take_parameters,
)
from tiercut.offloader.protocol.wire import _apart, opened, serialised, size_of


def field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field as protobuf writes it."""
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def test_a_request_is_written_as_the_protocol_says() -> None:
    request = message("ModelInferRequest", model_name="m", id="7")
    put(request, {"x": np.array([[1.5]], np.float32)})
    put_parameters(request, {"exit": 3})
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, bytes([1, 1]))
    parameter = field(1, b"exit") + field(2, bytes([2 << 3, 3]))
    wanted = field(1, b"m") + field(3, b"7") + field(4, parameter) + field(5, tensor)
    assert request.SerializeToString() == wanted + field(7, np.float32(1.5).tobytes())


def test_a_response_is_written_as_the_protocol_says() -> None:
    response = message("ModelInferResponse", model_name="m")
    put(response, {"y": np.array([2], np.int64)})
    put_parameters(response, {"entropy": "0.5"})
    parameter = field(1, b"entropy") + field(2, field(3, b"0.5"))
    tensor = field(1, b"y") + field(2, b"INT64") + field(3, bytes([1]))
    wanted = field(1, b"m") + field(4, parameter) + field(5, tensor) + field(6, np.int64(2).tobytes())
    assert response.SerializeToString() == wanted


def test_calls_have_the_paths_of_the_protocol() -> None:
    assert methods()["ModelInfer"].path == "/inference.GRPCInferenceService/ModelInfer"


def test_messages_leave_the_default_pool_to_others() -> None:
    from google.protobuf import descriptor_pool

    message("ModelInferRequest")
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")


@given(
    dtype=st.sampled_from(sorted(DATATYPES)),
    shape=st.lists(st.integers(0, 4), max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_tensors_come_back_as_they_were_put(dtype: str, shape: list[int], seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    request = message("ModelInferRequest")
    put(request, {"a": numbers})
    back = methods()["ModelInfer"].request.FromString(request.SerializeToString())
    found = take(back, [TensorSpec(name="a", dtype=dtype, shape=shape)])["a"]
    assert found.dtype == numbers.dtype
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize("name", ["ModelInferRequest", "ModelInferResponse"])
@given(sizes=st.lists(st.sampled_from([0, 1, 127, 128, 16383, 16384]), max_size=3))
def test_contents_that_are_joined_to_a_message_are_what_it_would_hold(name: str, sizes: list[int]) -> None:
    tensors = {f"t{place}": np.arange(size, dtype=np.uint8) for place, size in enumerate(sizes)}
    whole, head = message(name, id="7"), message(name, id="7")
    put(whole, tensors)
    contents = describe(head, tensors)
    assert len(serialised(head, contents)) == size_of(head, contents)
    assert type(whole).FromString(serialised(head, contents)) == whole


@pytest.mark.parametrize("name", ["ModelInferRequest", "ModelInferResponse"])
@settings(max_examples=15)
@given(sizes=st.lists(st.sampled_from([0, 1, 9, 65536, 65551]), min_size=1, max_size=3), word=st.text(max_size=20))
@example(sizes=[65536, 65551], word="12")
@example(sizes=[65536], word="x" * 99)
def test_large_tensors_are_read_where_they_came(name: str, sizes: list[int], word: str) -> None:
    tensors = {f"t{place}": np.arange(size, dtype=np.uint8) for place, size in enumerate(sizes)}
    whole, head = (message(name, id=word, model_version=word) for _ in range(2))
    put(whole, tensors)
    raw = serialised(head, describe(head, tensors))
    assert type(whole).FromString(raw) == whole
    found, contents = opened(type(head), raw)
    assert [bytes(each) for each in contents] == [each.tobytes() for each in tensors.values()]
    assert found == head
    if len(raw) < 65536:
        return
    here = np.frombuffer(raw, np.uint8)
    for each in map(np.asarray, contents):
        assert np.shares_memory(each, here) or not each.size
        assert each.size < 65536 or (each.ctypes.data - here.ctypes.data) % 16 == 0


@given(place=st.integers(0, 120), bits=st.integers(1, 255), cut=st.integers(0, 130))
def test_what_is_read_apart_is_what_protobuf_reads(place: int, bits: int, cut: int) -> None:
    from google.protobuf.message import DecodeError

    request = message("ModelInferRequest", model_name="m", id="7")
    contents = describe(request, {"a": np.arange(5, dtype=np.int16), "b": np.ones(3, np.float32)})
    put_parameters(request, {"exit": 3, "note": "x"})
    raw = bytearray(serialised(request, contents))
    raw[place % len(raw)] ^= bits
    spoilt, kind = bytes(raw[: cut if cut < len(raw) else None]), type(request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiercut.offloader.protocol.wire._LARGE", 0)
        try:
            wanted = kind.FromString(spoilt)
        except DecodeError:
            with pytest.raises(DecodeError):
                opened(kind, spoilt)
            return
        if _apart(spoilt, 0x3A) is None:  # a field of another sort, which protobuf skips
            with pytest.raises(DecodeError, match="512 fields"):
                opened(kind, spoilt)
            return
        found, there = opened(kind, spoilt)
    if found != wanted:  # its tensors are beside it
        found.raw_input_contents.extend(bytes(each) for each in there)
    assert found == wanted
    assert [bytes(each) for each in there] == list(wanted.raw_input_contents)


@pytest.mark.parametrize(
    "beside",
    [b"\x1a\x00" * 600, b"\x50\x01", b"\x2a\x84\x80\x04" + b"\x2a\x00" * 0x8002],
    ids=["many fields", "an odd field", "a large input"],
)
def test_of_a_large_message_protobuf_reads_little(beside: bytes) -> None:
    from google.protobuf.message import DecodeError

    request = message("ModelInferRequest", model_name="m")
    raw = serialised(request, describe(request, {"a": np.ones(1 << 16, np.uint8)}))
    assert opened(type(request), raw).message == request
    with pytest.raises(DecodeError, match="512 fields, and 64 KiB beside its raw contents"):
        opened(type(request), raw + beside)


def test_a_tensor_that_begins_anywhere_is_read_all_the_same() -> None:
    numbers = np.arange(1 << 15, dtype=np.float32)
    request = message("ModelInferRequest")
    contents = describe(request, {"a": numbers})
    raw = serialised(request, contents)
    spec = TensorSpec(name="a", dtype="float32", shape=[1 << 15])
    for shift in range(4):
        moved, there = opened(type(request), request.SerializeToString() + b"\x12\x01 \x12" + bytes([shift])
                              + b" " * shift + raw[-numbers.nbytes - 4:])  # fmt: skip
        found = take(moved, [spec], there)["a"]
        assert found.flags.aligned
        np.testing.assert_array_equal(found, numbers)


SPEC = TensorSpec(name="a", dtype="float32", shape=[1, 2])


def one(numbers: np.ndarray[Any, Any], name: str = "a") -> Any:
    request = message("ModelInferRequest")
    put(request, {name: numbers})
    return request


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (one(np.zeros((1, 3), np.float32)), r"tensor 'a': expected FP32 of \[1, 2\], got FP32 of \[1, 3\]"),
        (one(np.zeros((1, 2), np.float64)), "expected FP32 of .* got FP64"),
        (one(np.zeros((1, 2), np.float32), "b"), "there is no tensor 'a' among b"),
        (message("ModelInferRequest"), r"expected 1 tensors \(a\) with raw contents, got 0 with 0"),
    ],
)
def test_what_does_not_fit_is_refused(request_: Any, said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        take(request_, [SPEC])


@pytest.mark.parametrize("size", [0, 7, 9, 1000])
def test_truncated_and_oversized_contents_are_refused(size: int) -> None:
    request = one(np.zeros((1, 2), np.float32))
    request.raw_input_contents[0] = bytes(size)
    with pytest.raises(QuestionError, match=f"expected 8 bytes, got {size}"):
        take(request, [SPEC])


def test_numbers_of_parameters_and_their_lengths_are_bounded() -> None:
    request = message("ModelInferRequest")
    put_parameters(request, {"note": "x" * 5000})
    with pytest.raises(QuestionError, match="4096 characters at most"):
        take_parameters(request)
    request = message("ModelInferRequest")
    put_parameters(request, {str(place): place for place in range(300)})
    with pytest.raises(QuestionError, match="256 parameters at most, not 300"):
        take_parameters(request)


@pytest.mark.parametrize("text", ["", "8001", ":8001", "host:", "host:x", "host:99999", "unix:/tmp/x:1", "a:-1"])
def test_an_address_is_a_host_and_a_port(text: str) -> None:
    with pytest.raises(QuestionError, match="is written HOST:PORT"):
        address_of(text, what="--listen")
