"""Other work for the machine while a model is timed: how long it takes where it is not alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError

__all__ = ["KINDS", "find_program", "parse_stress", "stressed"]

KINDS = ("cpu", "memory")
_SETTLING_S = 1.0


def parse_stress(text: str) -> dict[str, float]:
    """Return the shares, 0..1, that text such as ``cpu=50,memory=90`` gives in per cent.

    Raises
    ------
    QuestionError
        If it is no such text.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        kind, equals, percent = (each.strip() for each in part.partition("="))
        if not equals or kind not in KINDS or kind in shares or not percent.isdecimal() or not 0 < int(percent) <= 100:
            raise QuestionError(f"--stress is written cpu=50,memory=90, each from 1 to 100 per cent, not '{text}'")
        shares[kind] = int(percent) / 100
    return shares


def find_program() -> str:
    """Return where stress-ng is.

    Raises
    ------
    QuestionError
        If it is not installed.
    """
    program = shutil.which("stress-ng")
    if program is None:
        raise QuestionError(
            "a record under load needs stress-ng; install it with: apt install stress-ng (Debian, Ubuntu), "
            "dnf install stress-ng (Fedora) or brew install stress-ng (macOS)"
        )
    return program


@contextmanager
def stressed(shares: Mapping[str, float], *, processor: int | None = None) -> Iterator[None]:
    """Keep shares of processors and of the memory busy for as long as the block lasts.

    Processors by ``stress-ng --cpu``, memory by ``--vm``: the conditions that McNamee et al., "The case for adaptive
    deep neural networks in edge computing" (CLOUD 2021), section IV, vary.

    Parameters
    ----------
    shares
        Of ``cpu`` and ``memory``, above 0 and up to 1.
    processor
        The one whose load it is; None: all that the calling thread may use.

    Raises
    ------
    QuestionError
        If stress-ng is not installed, or ends before its time.
    """
    if not shares:
        yield
        return
    program = find_program()
    with _on(processor):  # which the program inherits
        process = subprocess.Popen(
            [program, *_arguments(shares)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    with process:
        try:
            time.sleep(_SETTLING_S)
            _check(process)
            yield
            _check(process)
        finally:
            process.terminate()


@contextmanager
def _on(processor: int | None) -> Iterator[None]:
    """Keep the calling thread, and what it starts, on a processor, where the system can."""
    if processor is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _arguments(shares: Mapping[str, float]) -> list[str]:
    arguments = ["--quiet"]
    if "cpu" in shares:
        # As many as there are processors to run on: stress-ng's own "all" counts those that it may not use too.
        arguments += ["--cpu", str(cpu_count()), "--cpu-load", f"{shares['cpu']:.0%}".removesuffix("%")]
    if "memory" in shares:
        arguments += ["--vm", "1", "--vm-bytes", f"{shares['memory']:.0%}", "--vm-keep"]
    return arguments


def _check(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        said = process.stderr.read().strip().splitlines() if process.stderr else []
        raise QuestionError(f"stress-ng ended with status {process.returncode}" + (f": {said[-1]}" if said else ""))
