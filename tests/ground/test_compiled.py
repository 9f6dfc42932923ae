"""How kernels are compiled and kept: read again without all that numba needs in order to compile."""

from __future__ import annotations

import subprocess
import sys

SOLVED = """
import sys
import tiercut
assert tiercut.solve("mobile", "resnet20-digits32").plans
print("numba.np.arraymath" in sys.modules, "scipy.linalg" in sys.modules)
"""


def test_what_is_compiled_already_is_read_without_what_numba_needs_to_compile() -> None:
    calls = [
        subprocess.run([sys.executable, "-c", SOLVED], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    assert calls[-1].stdout.split() == ["False", "False"]  # the first may have to compile
