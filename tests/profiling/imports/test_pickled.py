"""Pickles that hold tables are read; those that do anything else are refused, and nothing of them is run."""

from __future__ import annotations

import collections
import functools
import operator
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from support.scission_files import LayerBenchmark, block, dat_bytes, main_class

from tiercut.profiling.imports.pickled import Record, read_pickled

NUMBERS = (0.25, 3, -1, 2**40, np.float64(0.1), np.float32(0.5), np.int64(7), np.int32(-7), np.uint8(200), np.bool_(1))


def plain(value: Any) -> Any:
    """Return a value with the objects in it as their attributes, numbers of numpy as numbers."""
    if isinstance(value, Record | LayerBenchmark):
        return plain(value.fields if isinstance(value, Record) else value.__dict__)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(each) for each in value)
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_table_comes_back_as_pickle_wrote_it(protocol: int) -> None:
    numbers = [each for each in NUMBERS if protocol > 2 or not isinstance(each, np.generic)]
    models = {"a": [block(0, 1, each, each, text="ümlaut", none=None, true=True) for each in numbers], "b": []}
    got = plain(read_pickled(dat_bytes(models, protocol)))
    assert got == plain(models)
    assert [type(each["output_size"]) for each in got["a"]] == [type(plain(each)) for each in numbers]


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        ),
    ),
    st.sampled_from([2, 3, 4, 5]),
)
def test_any_plain_value_comes_back(value: dict[str, Any], protocol: int) -> None:
    assert read_pickled(pickle.dumps(value, protocol)) == value


def test_bytes_of_the_other_order_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    big = np.array(0.1, dtype=">f8")[()]
    assert read_pickled(pickle.dumps({"x": np.dtype(">f8").type(big)}, 3)) == {"x": 0.1}
    swapped = pickle.dumps({"x": np.float64(0.1)}, 3).replace(b"<", b">").replace(struct.pack("<d", 0.1), b"X" * 8)
    assert read_pickled(swapped.replace(b"X" * 8, struct.pack(">d", 0.1))) == {"x": 0.1}


class Calls:
    """Unpickles as the result of a call."""

    def __init__(self, *how: Any) -> None:
        self.how = how

    def __reduce__(self) -> tuple[Any, ...]:
        return self.how


def hostile(folder: Path) -> dict[str, bytes]:
    """Return pickles that would leave a file in the folder, or worse, were they loaded the usual way."""
    mark = f"touch {folder / 'ran'}"
    scalar, dtype = b"cnumpy.core.multiarray\nscalar\n", b"cnumpy\ndtype\n"
    text = lambda words: b"X" + struct.pack("<I", len(words)) + words.encode()  # noqa: E731
    f8 = dtype + text("f8") + b"\x85R"
    record = b"c__main__\nLayerBenchmark\n)\x81"
    return {
        "a system call": pickle.dumps(Calls(os.system, (mark,)), 3),
        "a system call in protocol 4": pickle.dumps(Calls(os.system, (mark,)), 4),
        "a system call in protocol 0": pickle.dumps(Calls(os.system, (mark,)), 0),
        "a builtin": pickle.dumps(Calls(eval, (f"__import__('os').system({mark!r})",)), 3),
        "a chain of builtins": pickle.dumps(Calls(getattr, (Calls(__import__, ("os",)), "system")), 3),
        "an attribute getter": pickle.dumps(operator.attrgetter("system"), 4),
        "a partial function": pickle.dumps(functools.partial(os.system, mark), 3),
        "a counter": pickle.dumps(collections.Counter("aab"), 3),
        "a call deep inside": dat_with(Calls(os.system, (mark,))),
        "a path": pickle.dumps({"a": Path("x")}, 3),
        "an array": pickle.dumps({"a": np.zeros(3)}, 3),
        "an array of objects": pickle.dumps({"a": np.array([Calls(os.system, (mark,))], dtype=object)}, 3),
        "a numpy record": pickle.dumps({"a": np.zeros(1, dtype="f8,f8")[0]}, 3),
        "another class of the module": b"\x80\x03c__main__\nOther\n)\x81.",
        "a dotted name": b"\x80\x04" + text("__main__") + text("LayerBenchmark.__init__.__globals__") + b"\x93.",
        "a name that is a list": b"\x80\x04]" + text("x") + b"\x93.",
        "arguments for the class": b"\x80\x03c__main__\nLayerBenchmark\nK\x01\x85\x81.",
        "a call of the class": b"\x80\x03c__main__\nLayerBenchmark\n)R.",
        "a new object of a function": b"\x80\x03" + scalar + b")\x81.",
        "a state for the class itself": b"\x80\x03c__main__\nLayerBenchmark\n}b.",
        "a state of attributes and slots": b"\x80\x03" + record + b"N}" + text("fields") + b"K\x01s\x86b.",
        "a second state": b"\x80\x03" + record + b"}b}b.",
        "a scalar of objects": b"\x80\x03" + scalar + dtype + text("O8") + b"\x85RC\x08" + b"a" * 8 + b"\x86R.",
        "a scalar of structures": b"\x80\x03" + scalar + dtype + text("V1000000000") + b"\x85RC\x01a\x86R.",
        "a scalar too short": b"\x80\x03" + scalar + f8 + b"C\x01a\x86R.",
        "a type with fields": b"\x80\x03" + f8 + b"(K\x03X\x01\x00\x00\x00<}NNK\x00K\x00K\x00tb.",
        "a type called as a number": b"\x80\x03" + f8 + f8 + b"C\x08" + b"a" * 8 + b"\x86R.",
        "an extension code": b"\x80\x02\x82\x01.",
        "a persistent name": b"\x80\x03X\x01\x00\x00\x00aQ.",
        "an instance by name": f"(S'{mark}'\nios\nsystem\n.".encode(),
        "a buffer outside": b"\x80\x05\x97.",
        "an empty stack": b"\x80\x03.",
        "no mark": b"\x80\x03t.",
        "a number below the mark": b"\x80\x03K\x01(\x85.",
        "an unknown memo": b"\x80\x03h\x05.",
        "a dictionary with a list for a key": b"\x80\x03}]K\x01s.",
        "an update of a list": b"\x80\x03]K\x01K\x02s.",
        "an append to a dictionary": b"\x80\x03}K\x01a.",
        "an unknown instruction": b"\x80\x03\xff.",
        "something after the end": b"\x80\x03}.}",
        "no end": b"\x80\x03}",
        "nothing": b"",
        "no pickle": b"PK\x03\x04 something else",
        "a long text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"a.",
        "long bytes that are not there": b"\x80\x03B" + struct.pack("<I", 2**32 - 1) + b"a.",
        "a long number that is not there": b"\x80\x03\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
        "a long number of many digits": b"L" + b"9" * 100_000 + b"L\n.",
        "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"(.",
    }


def dat_with(value: Any) -> bytes:
    with main_class():
        return pickle.dumps({"a": [LayerBenchmark(second_prediction=value)]}, 3)


@pytest.mark.parametrize("what", hostile(Path("nowhere")))
def test_a_pickle_that_does_anything_else_is_refused_and_not_run(what: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_pickled(hostile(tmp_path)[what])
    assert list(tmp_path.iterdir()) == []


def bombs() -> dict[str, tuple[bytes, Callable[[object], bool]]]:
    """Return small pickles that grow, and what may come of them."""
    nested = b"\x80\x03]q\x00" + b"".join(
        b"]q" + bytes([i + 1]) + b"(" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(200)
    )
    return {
        "a memo with a huge number": (b"\x80\x03}r\xff\xff\xff\x7f.", lambda value: value == {}),
        "lists that hold one another twice": (nested + b".", lambda value: isinstance(value, list)),
        "a list that holds itself": (b"\x80\x03]q\x00h\x00a.", lambda value: isinstance(value, list)),
        "a deep nest": (b"\x80\x03" + b"]" * 100_000 + b"a" * 99_999 + b".", lambda value: isinstance(value, list)),
    }


@pytest.mark.parametrize("what", bombs())
def test_what_grows_costs_no_more_than_its_length(what: str) -> None:
    data, fits = bombs()[what]
    assert fits(read_pickled(data))


def test_a_state_that_many_objects_share_is_not_copied() -> None:
    """Copied, ten thousand objects with a state of ten thousand entries would fill the memory."""
    data = b"\x80\x03}q\x00X\x01\x00\x00\x00aNs" + b"(c__main__\nLayerBenchmark\nq\x01)\x81h\x00bh\x01)\x81h\x00bt\x86."
    state, (_, first, second) = read_pickled(
        data.replace(b"(c__main__\nLayerBenchmark\nq\x01)", b"(c__main__\nLayerBenchmark\nq\x01h\x01)")
    )  # type: ignore[misc]
    assert first.fields is second.fields is state
