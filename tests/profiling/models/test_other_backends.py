"""Torch and JAX in the place of TensorFlow, where they are installed; each run is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pytest
from support.checkout import ROOT

RUNS = [
    pytest.param(("torch",), id="torch"),
    pytest.param(("torch", "--jit-compile"), id="torch-compiled", marks=pytest.mark.slow),
    pytest.param(("jax",), id="jax"),
]


@pytest.fixture(scope="module", params=RUNS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `support/on_backend.py` tells, and what the framework said meanwhile."""
    backend, *options = request.param
    if find_spec("keras") is None or find_spec(backend) is None:  # to import it here could upset TensorFlow
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, str(ROOT / "tests" / "support" / "on_backend.py"), backend, *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "KERAS_BACKEND": backend}
    folder = tmp_path_factory.mktemp(backend)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"backend": backend, "jit": bool(options), "said": done.stderr}


def test_two_pieces_give_the_answer_of_the_whole_for_every_cut(ran: dict[str, Any]) -> None:
    assert ran["blocks"] == 10
    assert ran["furthest"] <= 1e-6


def test_pieces_share_the_weights_of_the_model(ran: dict[str, Any]) -> None:
    assert ran["shared"]
    if ran["backend"] == "torch":
        assert ran["moved"] > 0.01
        assert ran["furthest_then"] <= 1e-6


def test_pieces_neither_drop_anything_out_nor_keep_gradients(ran: dict[str, Any]) -> None:
    assert ran["alike"]
    assert not ran["gradients"]


def test_a_record_says_what_ran_it_and_has_every_time(ran: dict[str, Any]) -> None:
    device, backend = ran["device"], ran["backend"]
    assert (ran["threads"], device["threads"], device["backend"]) == (1, 1, backend)
    assert (device["jit_compile"], device["versions"][backend]) == (ran["jit"], version(backend))
    assert backend in device["framework"]
    assert [len(row) for row in device["span_s"]] == list(range(10, 0, -1))
    assert min([*device["block_s"], *device["encode_s"], *device["decode_s"], device["whole_model_s"]]) > 0
    assert len(device["span_check"]) == 3


def test_no_piece_is_left_uncompiled_because_there_are_many(ran: dict[str, Any]) -> None:
    assert "recompile" not in ran["said"]
