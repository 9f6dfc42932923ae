"""Freed memory is kept where that was asked for, so that it need not be fetched from the system again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
from tiercut.memory import keep_freed

if sys.argv[1] == "kept":
    keep_freed()
for turn in range(20):
    if turn == 2:  # fresh memory is zero already, and not touched before it is used again
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [bytes(1 << 20) for _ in range(12)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks the C library of GNU")
def test_memory_that_is_kept_is_not_fetched_again_page_by_page() -> None:
    said = [
        subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True).stdout
        for how in ("kept", "given back")
    ]
    kept, given_back = map(int, said)
    assert kept < given_back / 4
