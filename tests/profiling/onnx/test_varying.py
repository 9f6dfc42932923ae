"""No cut stands where sizes depend on numbers, however they come to: each cut is tried with numbers of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnx_models import constant, model, saved, value, weight

from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.graph import tensors_of
from tiercut.profiling.models.onnx import folding
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel, load_onnx
from tiercut.profiling.models.onnx.varying import sized_by_numbers

pytestmark = pytest.mark.filterwarnings("ignore:.* are not counted:tiercut.errors.TiercutWarning")

node = helper.make_node

_HELD = (constant("one", [1]), constant("five", 5, "float32"), constant("zero", 0), constant("step", 1),
         constant("start", [0]), constant("yes", True, "bool"))  # fmt: skip
_PLACES = (node("Greater", ["rest", "five"], ["high"]), node("NonZero", ["high"], ["places"]))
_END = (node("Exp", ["end"], ["raised"]), node("Sqrt", ["raised"], ["root"]),
        node("ReduceSum", ["root"], ["out"], keepdims=0))  # fmt: skip


def _numbers(*more: Any, **others: Any) -> Any:
    """Return a network of numbers that ends in a sum over `end`."""
    nodes = [node("Gemm", ["x", "w"], ["dense"]), node("Relu", ["dense"], ["rest"]), *more, *_END]
    return model(nodes, [value("x", ["n", 8])], [value("out", None)], [weight("w", 8, 8), *_HELD], **others)


def _body(name: str, nodes: list[Any], inputs: tuple[Any, ...] = (), outputs: tuple[Any, ...] = ()) -> Any:
    return helper.make_graph(nodes, name, [*inputs], [*outputs] or [value(name, None, "int64")])


def _squeezed() -> Any:
    return _numbers(*_PLACES, node("Gather", ["places", "one"], ["row"], axis=0), node("Squeeze", ["row"], ["flat"]),
                    node("Cast", ["flat"], ["end"], to=TensorProto.FLOAT))  # fmt: skip


def _counted() -> Any:
    return _numbers(
        *_PLACES, node("Shape", ["places"], ["count"], start=1), node("ConstantOfShape", ["count"], ["end"])
    )


def _by_words() -> Any:
    nodes = [node("ReduceMax", ["ids"], ["most"], keepdims=0), node("Range", ["zero", "most", "step"], ["range"]),
             node("Cast", ["range"], ["end"], to=TensorProto.FLOAT)]  # fmt: skip
    return model([*nodes, *_END], [value("ids", ["n", 4], "int64")], [value("out", None)], _HELD)


def _told(*told: Any) -> Any:
    """Return a network that a number of the data tells how much to make: the same for small and for close numbers."""
    few = [node("ReduceMax", ["rest"], ["peak"], keepdims=0), node("Div", ["peak", "five"], ["share"]),
           node("Cast", ["share"], ["whole"], to=TensorProto.INT64),
           node("Add", ["whole", "one"], ["count"])]  # fmt: skip
    return _numbers(*few, *told)


def _in_branches() -> Any:
    branches = {name: _body(name, [*_PLACES[:1], node("NonZero", ["high"], [name])]) for name in ("left", "right")}
    return _numbers(node("ReduceMax", ["rest"], ["peak"], keepdims=0), node("Greater", ["peak", "five"], ["which"]),
                    node("If", ["which"], ["chosen"], then_branch=branches["left"], else_branch=branches["right"]),
                    node("Cast", ["chosen"], ["end"], to=TensorProto.FLOAT))  # fmt: skip


def _turned() -> Any:
    """Return a network with a loop that goes on for as long as the data says."""
    turn = _body("turn", [node("Identity", ["go"], ["on"]), node("Identity", ["rest"], ["part"])],
                 (value("number", [], "int64"), value("go", [], "bool")),
                 (value("on", [], "bool"), value("part", [1, 8])))  # fmt: skip
    return _told(node("Loop", ["count", "yes"], ["end"], body=turn))


def _in_a_function() -> Any:
    found = _numbers(node("Places", ["rest", "five"], ["end"], domain="mine"), domains=[("mine", 1)])
    inner = [node("Greater", ["a", "b"], ["c"]), node("NonZero", ["c"], ["d"]), node("Cast", ["d"], ["e"], to=1)]
    found.functions.append(
        helper.make_function("mine", "Places", ["a", "b"], ["e"], inner, [helper.make_opsetid("", 20)])
    )
    return found


_NETWORKS: dict[str, Callable[[], Any]] = {
    "an axis that is taken away": _squeezed,
    "a shape": _counted,
    "whole numbers": _by_words,
    "branches": _in_branches,
    "a loop": _turned,
    "a function": _in_a_function,
    "tiles": lambda: _told(
        node("Concat", ["count", "one"], ["times"], axis=0), node("Tile", ["rest", "times"], ["end"])
    ),
    "a slice": lambda: _told(node("Slice", ["rest", "start", "count", "one"], ["end"])),
}


def _tried(found: OnnxModel, feeds: list[Any]) -> None:
    """Run the pieces of every cut one after the other, and hold them against the whole."""
    graph = found.graph
    for block in find_blocks(graph)[:-1]:
        first = found.compile_piece(graph.last_input, block.end)
        second = found.compile_piece(block.end, len(graph.steps) - 1)
        for feed in feeds:
            made, whole = tensors_of(second(first(feed))), tensors_of(found.run(feed))
            for here, there in zip(made, whole, strict=True):
                np.testing.assert_allclose(here, there, rtol=1e-4)


@pytest.mark.parametrize("network", _NETWORKS)
def test_pieces_take_whatever_sizes_numbers_lead_to(tmp_path: Path, network: str) -> None:
    found = load_onnx(saved(tmp_path, _NETWORKS[network]()))
    assert found.seen["end"].varies
    assert len(find_blocks(found.graph)) > 1
    rng, (entry,) = np.random.default_rng(0), found.source.inputs
    whole = entry.dtype == "int64"
    _tried(found, [rng.integers(1, 9, (1, 4)) if whole else 30 * rng.random((1, 8), np.float32) for _ in range(4)])


def test_a_loop_of_a_fixed_number_of_turns_makes_what_it_makes(tmp_path: Path) -> None:
    turn = _body("turn", [node("Identity", ["go"], ["on"]), node("Relu", ["before"], ["after"]),
                          node("Concat", ["after", "rest"], ["grown"], axis=0)],
                 (value("number", [], "int64"), value("go", [], "bool"), value("before", None)),
                 (value("on", [], "bool"), value("grown", None)))  # fmt: skip
    found = load_onnx(saved(tmp_path, _numbers(node("Loop", ["step", "yes", "rest"], ["end"], body=turn))))
    assert not any(each.varies for each in found.seen.values())
    assert "end" in {step.name for step in found.graph.steps if step.cuttable}


def test_a_size_that_has_no_axes_is_known_from_one_of_which_nothing_is_known(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, _counted()))
    assert found.seen["out"].sizes == ()
    assert not found.seen["out"].varies


def test_a_sum_over_all_that_there_is_has_no_axes_however_many_the_data_has(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, _squeezed()))
    assert {name for name, seen in found.seen.items() if seen.varies} >= {"flat", "end", "root"}
    assert not found.seen["out"].varies
    network = _squeezed()
    del network.graph.output[:]
    network.graph.node.extend([node("Mul", ["out", "rest"], ["scaled"]), node("Relu", ["scaled"], ["last"])])
    network.graph.output.append(value("last", None))
    found = load_onnx(saved(tmp_path, network))
    assert {step.name for step in found.graph.steps if step.cuttable} >= {"scaled", "last"}
    _tried(found, [30 * np.random.default_rng(seed).random((1, 8), np.float32) for seed in range(4)])


@pytest.mark.parametrize("how", [{}, {"axes": [0]}, {"noop_with_empty_axes": 1, "keepdims": 0}])
def test_a_sum_that_keeps_axes_of_unknown_number_keeps_what_they_depend_on(how: dict[str, Any]) -> None:
    made = model([node("NonZero", ["x"], ["places"]), node("ReduceSum", ["places"], ["out"], **how)],
                 [value("x", [4])], [value("out", None)])  # fmt: skip
    assert "out" in sized_by_numbers(made, {"places", "out"})


def test_another_run_has_other_whole_numbers_unless_they_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "sized_by_numbers", lambda model, unsure, seen: set(seen))
    found = load_onnx(saved(tmp_path, _by_words()))
    assert {name for name, seen in found.seen.items() if seen.varies} == {"range", "end", "raised", "root"}
    made = _told(node("Add", ["rest", "row"], ["sum"]), node("Mul", ["sum", "hundred"], ["more"]),
                 node("ReduceMax", ["more"], ["most"], keepdims=0), node("Cast", ["most"], ["many"], to=7),
                 node("Range", ["zero", "many", "step"], ["range"]), node("Cast", ["range"], ["end"], to=1),
                 node("Sub", ["kind", "one"], ["less"]), node("Mul", ["less", "nine"], ["place"]),
                 node("Gather", ["kinds", "place"], ["row"], axis=0))  # fmt: skip
    made.graph.initializer.extend([constant("hundred", 100, "float32"), constant("nine", 9), weight("kinds", 1, 8)])
    made.graph.input.append(value("kind", ["n"], "int64"))
    found = load_onnx(saved(tmp_path, made))  # of the only kind there is, 1
    assert {name for name, seen in found.seen.items() if seen.varies} == {"range", "end", "raised", "root"}


@pytest.mark.parametrize("told", [True, False])
def test_what_operators_say_goes_through_every_body(told: bool) -> None:
    inner = _body("inner", [node("Identity" if not told else "NonZero", ["x"], ["inner"])])
    outer = _body("outer", [node("If", ["yes"], ["outer"], then_branch=inner, else_branch=inner)])
    made = model([node("If", ["yes"], ["mid"], then_branch=outer, else_branch=outer), node("Shape", ["mid"], ["long"]),
                  node("ConstantOfShape", ["long"], ["out"])],
                 [value("x", [4])], [value("out", None)], [constant("yes", True, "bool")])  # fmt: skip
    assert sized_by_numbers(made, {"mid", "out"}) == ({"mid", "out"} if told else set())
    assert sized_by_numbers(made, {"mid", "out"}, ["mid"]) == {"mid", "out"}


@pytest.mark.parametrize("added", ["x", "step"])
def test_what_a_turn_of_a_loop_or_scan_makes_of_the_data_tells_the_next_how_much_to_make(added: str) -> None:
    turn = [node("Add", ["before", added], ["after"]), node("Range", ["zero", "before", "step"], ["range"]),
            node("ReduceMax", ["range"], ["most"], keepdims=0), node("Expand", ["step", "most"], ["part"])]  # fmt: skip
    whole, ends = value("before", [], "int64"), (value("after", [], "int64"), value("part", None, "int64"))
    go = (value("number", [], "int64"), value("go", [], "bool"))
    loop = _body("loop", [*turn, node("Identity", ["go"], ["on"])], (*go, whole), (value("on", [], "bool"), *ends))
    scan = _body("scan", turn, (whole, value("each", [], "int64")), ends)
    for each in (node("Loop", ["step", "yes", "step"], ["last", "out"], body=loop),
                 node("Scan", ["step", "one"], ["last", "out"], body=scan, num_scan_inputs=1)):  # fmt: skip
        made = model([each], [value("x", [], "int64")], [value("out", None, "int64")], _HELD)
        assert sized_by_numbers(made, {"out"}) == ({"out"} if added == "x" else set())


def test_operators_that_a_file_defines_are_looked_into() -> None:
    assert {"end", "raised"} <= sized_by_numbers(_in_a_function(), {"end", "raised"})
    assert not sized_by_numbers(_in_a_function(), {"dense"})


@pytest.mark.parametrize("asked", ["x", "five"])
def test_a_loop_that_ends_itself_makes_as_much_as_the_data_says(asked: str) -> None:
    turn = _body("turn", [node("Greater", [asked, "five"], ["on"]), node("Identity", ["five"], ["part"])],
                 (value("number", [], "int64"), value("go", [], "bool")),
                 (value("on", [], "bool"), value("part", [])))  # fmt: skip
    made = model([node("Loop", ["step", "yes"], ["out"], body=turn)], [value("x", [])], [value("out", None)], _HELD)
    assert sized_by_numbers(made, {"out"}) == ({"out"} if asked == "x" else set())
