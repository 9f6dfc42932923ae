"""The benchmark of hops times what it names, and an agent's own work is done for every frame."""

from __future__ import annotations

import pytest

from tiercut.offloader.transports.benchmark.own_work import can_time_own_work, own_work

pytest.importorskip("grpc", reason="needs the extra 'offload'")


@pytest.mark.skipif(not can_time_own_work(), reason="splits a network with onnx and onnxruntime")
def test_an_agents_own_work_is_less_than_a_millisecond() -> None:
    seconds = own_work(20)
    assert len(seconds) == 20
    assert 0 < min(seconds) < 1e-3
