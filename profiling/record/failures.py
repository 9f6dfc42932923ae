"""Errors of a framework, as one line that names the cause."""

from __future__ import annotations

__all__ = ["first_line", "out_of_memory"]

_SAYS_NOTHING = ("Exception encountered when calling", "Graph execution error", "Traceback", "Detected at node")


def first_line(error: BaseException) -> str:
    """Return the first line of an error that says what is wrong; empty where none does."""
    lines = [line.strip().removeprefix("\x1b[1m").removesuffix("\x1b[0m") for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith(_SAYS_NOTHING)), "")


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out: Python's, TensorFlow's, JAX's or torch's."""
    names = {each.__name__ for each in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}) or any(
        word in str(error) for word in ("RESOURCE_EXHAUSTED", "out of memory", "can't allocate memory")
    )
