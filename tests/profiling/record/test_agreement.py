"""Cuts at which the pieces answer something else than the whole are found before anything is timed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.graphs import NumpyModel, graph

from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.agreement import agreeing
from tiercut.profiling.record.failures import first_line
from tiercut.profiling.record.record import record
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.record.subject import Subject
from tiercut.profiling.timing.timing import Effort

CHAIN = graph({"in": [], "a": ["in"], "b": ["a"], "c": ["b"], "out": ["c"]})
SETTINGS = Settings(device="here", effort=Effort(runs=3, least=3))


def cut(*forgets: str, ends: tuple[int | None, ...] = (), **named: Any) -> CutNetwork:
    """The chain, cut everywhere; a step that forgets answers otherwise in pieces that begin after the input."""
    model = NumpyModel(CHAIN, forgets=forgets, **named)
    return CutNetwork("Chain", "all", model, find_blocks(CHAIN), ends)


def names(network: CutNetwork) -> list[str]:
    return [block.name for block in network.blocks]


def test_a_network_that_answers_alike_is_left_alone_and_compiled_once() -> None:
    uncut = cut()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert agreeing(uncut) is uncut
    assert uncut.model.compiled == [(0, 1), (1, 2), (2, 3), (3, 4)]  # type: ignore[attr-defined]


def test_a_cut_after_which_something_is_missing_is_dropped_by_name() -> None:
    with pytest.warns(TiercutWarning, match="Chain is not cut after 'a': the pieces would answer something else"):
        found = agreeing(cut("b"))
    assert names(found) == ["b", "c", "out"]
    assert [(block.start, block.end, block.flops) for block in found.blocks] == [(0, 2, 3), (2, 3, 3), (3, 4, 4)]
    with pytest.warns(TiercutWarning, match="not cut after 'a', 'b', 'c'"):
        assert names(agreeing(cut("out"))) == ["out"]


def test_a_cut_whose_pieces_cannot_be_run_is_dropped() -> None:
    class Fails(NumpyModel):
        def compile_piece(self, start: int, end: int, **named: Any) -> Any:
            if start == 2:
                raise RuntimeError("no shape")
            return super().compile_piece(start, end, **named)

    with pytest.warns(TiercutWarning, match="not cut after 'b'"):
        assert names(agreeing(replace(cut(), model=Fails(CHAIN)))) == ["a", "c", "out"]


def test_memory_that_runs_out_says_nothing_of_a_cut() -> None:
    class Full(NumpyModel):
        def compile_piece(self, start: int, end: int, **named: Any) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError):
        agreeing(replace(cut(), model=Full(CHAIN)))


def test_a_network_that_is_wrong_in_one_piece_cannot_be_cut() -> None:
    class Other(NumpyModel):
        def run(self, tensor: Any) -> Any:
            return 2 * super().run(tensor)

    with pytest.raises(QuestionError, match="even in one piece"):
        agreeing(replace(cut(), model=Other(CHAIN)))


def test_a_network_that_answers_otherwise_each_time_is_not_tried() -> None:
    class Dice(NumpyModel):
        def run(self, tensor: Any) -> Any:
            self.compiled.append((-1, -1))
            return super().run(tensor) + len(self.compiled)

    uncut = replace(cut(), model=Dice(CHAIN))
    assert agreeing(uncut) is uncut


def test_a_network_with_exits_after_such_a_cut_is_refused_by_name() -> None:
    drawn = graph(
        {"in": [], "a": ["in"], "early": ["a"], "b": ["a"], "out": ["b"]}, outputs=["out"], exits=["early", "out"]
    )
    model = NumpyModel(drawn, forgets=("b",))
    network = CutNetwork("Chain", "all", model, find_blocks(drawn, end="b"), (2, 4))
    with pytest.raises(QuestionError, match="Chain: cut after 'a', its pieces answer something else"):
        agreeing(network)


def test_a_profile_has_the_blocks_that_are_left_and_takes_another_device(tmp_path: Path) -> None:
    target = tmp_path / "chain.json"
    with pytest.warns(TiercutWarning, match="not cut after 'a'"):
        record(Subject(cut("b"), ""), target, SETTINGS, threads=1)
    assert [block.name for block in load_profile(target).blocks] == ["b", "c", "out"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not record(Subject(cut("b"), ""), target, SETTINGS, threads=1).fresh
        assert record(Subject(cut("b"), ""), target, replace(SETTINGS, device="there"), threads=1).fresh
    assert list(load_profile(target).devices) == ["here", "there"]
    other = CutNetwork("Chain", "all", NumpyModel(CHAIN, fingerprint="0" * 64), find_blocks(CHAIN))
    with pytest.raises(InputError, match="layers in them have changed"):
        record(Subject(other, ""), target, replace(SETTINGS, device="third"), threads=1)


def test_what_a_keras_layer_hands_on_beside_its_tensor_is_found(keras: Any) -> None:
    from tiercut.profiling.models.graph_keras import KerasModel

    class Beside(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Tells the layer behind it, by itself, what to add."""

        def call(self, tensor: Any) -> Any:
            result = tensor * 1.0
            result.beside = 1.0
            return result

    class Adds(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, tensor: Any) -> Any:
            return tensor + getattr(tensor, "beside", 0.0)

    entry = keras.Input((4,))
    tensor = keras.layers.Dense(4, name="before")(entry)
    model = KerasModel(
        keras.Model(entry, keras.layers.Dense(2, name="end")(Adds(name="adds")(Beside(name="b")(tensor))))
    )
    with pytest.warns(TiercutWarning, match="not cut after 'b'"):
        found = agreeing(CutNetwork("Own", "all", model, find_blocks(model.graph)))
    assert names(found) == ["before", "adds", "end"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Graph execution error:\n\nDetected at node 'x' defined at\n\nExpected shape [1,2]", "Expected shape [1,2]"),
        ("Exception encountered when calling LSTM.call().\n\n\x1b[1mBatch must be 8\x1b[0m\n", "Batch must be 8"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_an_error_is_told_with_the_line_that_says_what_is_wrong(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line
