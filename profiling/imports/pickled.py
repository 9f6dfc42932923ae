"""The values of a benchmark file of Scission or PORTEND, read without running anything that stands in it.

Such a file is a pickle, and a pickle is a program: loaded the usual way it may call whatever it names. Here its
instructions are read by `pickletools`, and the two dozen that a table of numbers needs are carried out on plain
values. Nothing is looked up, imported or called; every other instruction, class or function is refused by name. (A
restricted `pickle.Unpickler` would still let a file of ten bytes ask for gigabytes, by the number of its memo.)
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["CLASS", "Record", "read_pickled"]

CLASS = "__main__.LayerBenchmark"
"""The one class that a file may hold objects of."""

_DTYPE = "numpy.dtype"
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_KNOWN = (CLASS, _DTYPE, *_SCALARS)
_STRUCTS = {"f2": "e", "f4": "f", "f8": "d", "b1": "?"} | {
    f"{sign}{size}": (code if sign == "i" else code.upper())
    for sign in "iu"
    for size, code in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
}


@dataclass(slots=True)
class Record:
    """An object of `CLASS`: its attributes by name, once they are set."""

    fields: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class _Named:
    """A class or function that the file names; no more than its name is known of it."""

    name: str


@dataclass(slots=True)
class _Dtype:
    """The type of a numpy scalar: its letter and size, and its byte order once that is set."""

    code: str
    order: str = "<"


_Mark: TypeAlias = int
_Argument: TypeAlias = object


def read_pickled(data: bytes, *, keys: tuple[type, ...] = (str,)) -> object:
    """Return the value of a pickle of protocol 2 to 5 that holds dicts, lists, texts, numbers and records.

    Parameters
    ----------
    data
        The whole file; the time and the memory taken are in proportion to its length.
    keys
        What keys of dictionaries may be: text, and numbers where they are named here.

    Raises
    ------
    ValueError
        If it is cut short, or names or does anything but that; the message says what.
    """
    machine, end = _Machine(keys), 0
    for instruction, argument, position in pickletools.genops(data):
        end = (position or 0) + 1
        if instruction.name == "STOP":
            break
        machine.carry_out(instruction.name, argument)
    if end != len(data):
        raise ValueError(f"has {len(data) - end:,} bytes after its end")
    return machine.pop()


class _Machine:
    """The stack, the marks in it and the memo of a pickle."""

    def __init__(self, keys: tuple[type, ...]) -> None:
        self.keys = keys
        self.stack: list[object] = []
        self.marks: list[_Mark] = []
        self.memo: dict[int, object] = {}

    def carry_out(self, name: str, argument: _Argument) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise ValueError(f"uses the instruction {name}, which has no place in a table of benchmarks")

    def pop(self) -> object:
        if not self.stack or (self.marks and len(self.stack) <= self.marks[-1]):
            raise ValueError("is broken: an instruction lacks its operand")
        return self.stack.pop()

    def top(self) -> object:
        self.stack.append(value := self.pop())
        return value

    def pop_to_mark(self) -> list[object]:
        if not self.marks:
            raise ValueError("is broken: an instruction lacks its mark")
        begin = self.marks.pop()
        values = self.stack[begin:]
        del self.stack[begin:]
        return values


def _ignore(_: _Machine, __: _Argument) -> None:
    """Pass over what says nothing about values: the protocol, and how the bytes are framed."""


def _mark(machine: _Machine, _: _Argument) -> None:
    machine.marks.append(len(machine.stack))


def _put(machine: _Machine, argument: _Argument) -> None:
    machine.memo[len(machine.memo) if argument is None else int(str(argument))] = machine.top()


def _get(machine: _Machine, argument: _Argument) -> None:
    place = int(str(argument))
    if place not in machine.memo:
        raise ValueError("is broken: it refers to a value that it does not have")
    machine.stack.append(machine.memo[place])


def _tuple(machine: _Machine, _: _Argument) -> None:
    machine.stack.append(tuple(machine.pop_to_mark()))


def _short_tuple(count: int) -> Callable[[_Machine, _Argument], None]:
    def make(machine: _Machine, _: _Argument) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(reversed(values)))

    return make


def _append(machine: _Machine, _: _Argument) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: _Machine, _: _Argument) -> None:
    _extend(machine, machine.pop_to_mark())


def _extend(machine: _Machine, values: list[object]) -> None:
    if not isinstance(target := machine.top(), list):
        raise ValueError("is broken: it appends to what is no list")
    target.extend(values)


def _setitem(machine: _Machine, _: _Argument) -> None:
    value, key = machine.pop(), machine.pop()
    _update(machine, [key, value])


def _setitems(machine: _Machine, _: _Argument) -> None:
    _update(machine, machine.pop_to_mark())


def _update(machine: _Machine, flat: list[object]) -> None:
    target = machine.top()
    if not isinstance(target, dict) or len(flat) % 2 or not all(type(key) in machine.keys for key in flat[::2]):
        known = "text" if machine.keys == (str,) else "text or numbers"
        raise ValueError(f"is broken: it needs a dictionary whose keys are {known}")
    target.update(zip(flat[::2], flat[1::2], strict=True))


def _global(machine: _Machine, argument: _Argument) -> None:
    _name(machine, str(argument).replace(" ", ".", 1))


def _stack_global(machine: _Machine, _: _Argument) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise ValueError("is broken: the name of a class is no text")
    _name(machine, f"{module}.{name}")


def _name(machine: _Machine, name: str) -> None:
    if name not in _KNOWN:
        raise ValueError(f"names '{_short(name)}'; such a file holds objects of {CLASS} and plain numbers alone")
    machine.stack.append(_Named(name))


def _newobj(machine: _Machine, _: _Argument) -> None:
    arguments, cls = machine.pop(), machine.pop()
    if cls != _Named(CLASS) or arguments != ():
        raise ValueError(f"makes an object of what is not {CLASS}, or with arguments")
    machine.stack.append(Record())


def _reduce(machine: _Machine, _: _Argument) -> None:
    """Make a numpy type or number, the only calls that a file may ask for; nothing is called."""
    arguments, function = machine.pop(), machine.pop()
    match function, arguments:
        case _Named(name=name), (str() as code, *_) if name == _DTYPE and code in _STRUCTS:
            machine.stack.append(_Dtype(code))
        case _Named(name=name), (_Dtype() as dtype, bytes() as raw) if name in _SCALARS:
            machine.stack.append(_number(dtype, raw))
        case _:
            what = function.name if isinstance(function, _Named) else "something that is no function"
            raise ValueError(f"calls {what} with arguments that make no number")


def _number(dtype: _Dtype, raw: bytes) -> float | int:
    form = dtype.order + _STRUCTS[dtype.code]
    if len(raw) != struct.calcsize(form):
        raise ValueError(f"holds a numpy number of type {dtype.code} in {len(raw):,} bytes")
    value: float | int = struct.unpack(form, raw)[0]
    return value


def _build(machine: _Machine, _: _Argument) -> None:
    state, target = machine.pop(), machine.top()
    match target, state:
        case Record(fields=None), dict():
            target.fields = state
        case _Dtype(), (3, "<" | ">" | "|" as order, None, None, None, -1, -1, 0):
            target.order = "<" if order == "|" else order
        case _:
            raise ValueError("sets the state of what has none, or in another way than a benchmark is stored")


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:57]}..."


_LITERALS = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
    ]
)
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_ACTIONS: dict[str, Callable[[_Machine, _Argument], None]] = {
    "PROTO": _ignore,
    "FRAME": _ignore,
    "MARK": _mark,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "TUPLE": _tuple,
    "TUPLE1": _short_tuple(1),
    "TUPLE2": _short_tuple(2),
    "TUPLE3": _short_tuple(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _setitem,
    "SETITEMS": _setitems,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "NEWOBJ": _newobj,
    "REDUCE": _reduce,
    "BUILD": _build,
}
