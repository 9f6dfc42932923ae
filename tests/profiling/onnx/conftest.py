"""What the tests of ONNX files share: ONNX Runtime with one thread."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    from tiercut.profiling.models.onnx.sessions import start_onnx

    start_onnx(1)
