"""OR-tools beside TensorFlow: a message in place of a crash."""

from __future__ import annotations

import sys
import types

import pytest

import tiercut
from tiercut import Bound, Query, QuestionError


def test_cp_sat_refuses_to_load_after_tensorflow_instead_of_crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    monkeypatch.delitem(sys.modules, "ortools.sat.python.cp_model", raising=False)
    query = Query(min_accuracy=0.9, bounds=(Bound("bytes", at_most=20000.0),))
    with pytest.raises(QuestionError, match=r"before TensorFlow, or ask in a process of its own"):
        tiercut.ask("iot", "resnet20-digits32", query, solver="cp-sat")
