"""Cuts of ONNX networks: where they are, what crosses them, and that pieces answer as the whole does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from onnx import helper
from support.onnx_models import constant, model, published, pyramid, residual, saved, u_net, value, weight

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.blocks import cut_places, find_blocks
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph import tensors_of
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel, load_onnx
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.models.onnx.orders import orders
from tiercut.profiling.models.onnx.pieces import extract
from tiercut.profiling.record.agreement import agreeing


def furthest(found: OnnxModel, tensors: int, *, against: str) -> float:
    """Return how far two pieces lie from the whole, for the worst cut, as a share of the whole's largest number."""
    graph = found.graph
    start, end = graph.last_input, graph.path()[-1]
    batch = graph.batch or 1
    data = CutNetwork("", "all", found, find_blocks(graph, tensors=tensors)).example(batch)
    whole = found.run(data) if against == "published" else found.compile_piece(start, end, batch=batch)(data)
    worst = 0.0
    for place in cut_places(graph, tensors=tensors):
        between = found.compile_piece(start, place, batch=batch)(data)
        answers = found.compile_piece(place, end, batch=batch)(between)
        for own, other in zip(tensors_of(answers), tensors_of(whole), strict=True):
            worst = max(worst, float(np.abs(own - other).max() / max(np.abs(other).max(), 1e-30)))
            assert worst > 1e-4 or np.array_equal(own.reshape(-1).argmax(), other.reshape(-1).argmax())
    return worst


def test_blocks_end_after_activations_with_constants_shapes_and_aliases_folded(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, residual()))
    blocks = find_blocks(found.graph)
    assert [block.name for block in blocks] == ["/stem/act/Mul_output_0", "rest", "flat", "out"]
    assert [block.output_bytes for block in blocks] == [6 * 64 * 4, 6 * 64 * 4, 6 * 4, 16]
    assert [block.flops for block in blocks] == [2 * 162 * 64, 2 * 324 * 64, 0, 2 * 24]
    assert blocks[0].parameter_bytes == (162 + 6) * 4
    assert sum(block.parameter_bytes for block in blocks) == (162 + 6 + 324 + 24 + 4) * 4 + 2 * 8  # the last: a form
    several = find_blocks(found.graph, tensors=2)
    assert [len(block.outputs) for block in several] == [1, 2, 1, 1, 1]


@pytest.mark.parametrize("tensors", [1, 2])
def test_pieces_answer_as_the_whole_and_bit_for_bit_where_nothing_is_optimised(tensors: int, tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, residual()), OnnxOptions(tensors=tensors), batch=3)
    assert furthest(found.with_level("none"), tensors, against="pieces") == 0
    assert furthest(found, tensors, against="published") < 1e-4
    with pytest.raises(QuestionError, match="was loaded for batches of 3, not 1"):
        found.compile_piece(0, 2)


def _detector() -> Any:
    """Return a network of two inputs and two outputs, one of which is there early, and a tensor that skips far."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        node("Split", ["a"], ["b", "c"], axis=1, num_outputs=2),
        node("Conv", ["b", "w2"], ["d"], pads=[1, 1, 1, 1]),
        node("Mul", ["d", "y"], ["e"]),
        node("Concat", ["e", "c"], ["f"], axis=1),
        node("Conv", ["f", "w1b"], ["boxes"], pads=[1, 1, 1, 1]),
        node("Conv", ["boxes", "w3"], ["g"], pads=[1, 1, 1, 1]),
        node("Add", ["g", "a"], ["scores"]),
    ]
    weights = [weight("w1", 4, 3, 3, 3), weight("w2", 2, 2, 3, 3), weight("w1b", 4, 4, 3, 3), weight("w3", 4, 4, 3, 3)]
    inputs = [value("x", ["n", 3, 6, 6]), value("y", ["n", 1, 1, 1])]
    return model(nodes, inputs, [value("boxes", None), value("scores", None)], weights)


def test_several_inputs_outputs_and_tensors_cross_each_once_until_they_are_read(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, _detector()), OnnxOptions(tensors=4))
    graph = found.graph
    names = {step.name: place for place, step in enumerate(graph.steps)}
    crossing = {name: {graph.steps[each].name for each in graph.crossing(place)} for name, place in names.items()}
    assert crossing["a"] == {"a", "y"}
    assert crossing["c"] == {"a", "b", "c", "y"}
    assert crossing["boxes"] == {"a", "boxes"}
    assert crossing["scores"] == {"boxes", "scores"}
    assert names["b"] not in cut_places(graph, tensors=4)
    assert sum(block.flops for block in find_blocks(graph, tensors=4)) == 2 * 36 * (108 + 36 + 144 + 144)
    assert furthest(found.with_level("none"), 4, against="pieces") == 0
    assert furthest(found, 4, against="published") < 1e-4


def _recurrent() -> Any:
    """Return a voice model: convolution, an LSTM whose state comes in and goes out in one tensor, and a classifier."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["spectrum"], strides=[4]),
        node("Relu", ["spectrum"], ["energy"]),
        node("Transpose", ["energy"], ["steps"], perm=[2, 0, 1]),
        node("Split", ["state"], ["h", "c"], axis=0, num_outputs=2),
        node("LSTM", ["steps", "wi", "wr", "", "", "h", "c"], ["all", "hn", "cn"], hidden_size=5),
        node("Concat", ["hn", "cn"], ["stateN"], axis=0),
        node("Squeeze", ["hn", "axis"], ["last"]),
        node("Gemm", ["last", "wo"], ["scores"]),
        node("Sigmoid", ["scores"], ["out"]),
    ]
    weights = [weight("w", 6, 1, 4), weight("wi", 1, 20, 6), weight("wr", 1, 20, 5), weight("wo", 5, 1),
               constant("axis", [0])]  # fmt: skip
    inputs = [value("x", ["n", 1, 32]), value("state", [2, "n", 5])]
    return model(nodes, inputs, [value("out", ["n", 1]), value("stateN", [2, "n", 5])], weights)


def test_state_stays_with_its_piece_which_makes_the_state_after_it_too(tmp_path: Path) -> None:
    path = saved(tmp_path, _recurrent())
    sizes = {"state": (2, 1, 5)}
    beside = load_onnx(path, OnnxOptions(sizes=sizes))
    assert len(find_blocks(beside.graph)) < 3
    found = load_onnx(path, OnnxOptions(sizes=sizes, state=("state",)))
    assert (found.source.outputs, found.source.state_outputs) == (("out",), ("stateN",))
    blocks = find_blocks(found.graph)
    assert [block.name for block in blocks] == ["steps", "last", "out"]
    assert [block.state_bytes for block in blocks] == [0, 40, 0]
    assert blocks[1].flops == 2 * 8 * (20 * 6 + 20 * 5)
    assert furthest(found, 1, against="published") < 1e-4
    pieces = [
        extract(found.wiring, found.seen, [before], [after], state_outputs=("stateN",), main=found._main, first=first)
        for before, after, first in (("x", "steps", True), ("steps", "last", False), ("last", "out", False))
    ]
    assert [[each.name for each in piece.model.graph.output] for piece in pieces] == [
        ["steps"], ["last", "stateN"], ["out"]
    ]  # fmt: skip
    assert [piece.state for piece in pieces] == [(), ("state",), ()]


def test_the_quantised_side_of_a_cut_is_taken_and_its_operations_are_counted(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("QLinearConv", ["xq", "s", "z", "w", "s", "wz", "s", "z"], ["aq"], pads=[1, 1, 1, 1]),
        node("DequantizeLinear", ["aq", "s", "z"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("QuantizeLinear", ["b", "s", "z"], ["bq"]),
        node("DequantizeLinear", ["bq", "s", "z"], ["c"]),
        node("Conv", ["c", "wf"], ["out"]),
    ]
    weights = [constant("s", 0.05, "float32"), constant("z", 128, "uint8"), constant("wz", 0, "int8"),
               constant("w", np.arange(-54, 54).reshape(4, 3, 3, 3), "int8"), weight("wf", 2, 4, 1, 1)]  # fmt: skip
    found = load_onnx(saved(tmp_path, model(nodes, [value("x", [1, 3, 4, 4])], [value("out", None)], weights)))
    blocks = find_blocks(found.graph)
    assert [(block.name, block.output_bytes) for block in blocks] == [("xq", 48), ("bq", 64), ("out", 128)]
    assert [block.flops for block in blocks] == [0, 2 * 108 * 16, 2 * 8 * 16]
    assert furthest(found, 1, against="published") < 1e-4


def test_operators_that_are_not_counted_are_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Einsum", ["x", "w"], ["a"], equation="nc,cd->nd"),
        helper.make_node("FusedGemm", ["a", "w"], ["b"], domain="com.microsoft", activation="Relu"),
        helper.make_node("Reshape", ["b", "form"], ["square"]),
        helper.make_node("Inverse", ["square"], ["d"], domain="com.microsoft"),
        helper.make_node("Identity", ["d"], ["out"]),
    ]
    made = model(nodes, [value("x", [1, 4])], [value("out", None)], [weight("w", 4, 4), constant("form", [2, 2])],
                 domains=[("com.microsoft", 1)])  # fmt: skip
    with pytest.warns(TiercutWarning, match=r"the operations of Einsum, com.microsoft:Inverse are not counted"):
        found = load_onnx(saved(tmp_path, made))
    assert sum(step.flops for step in found.graph.steps) == 2 * 16


def test_a_wrong_cut_is_dropped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_onnx(saved(tmp_path, residual()))
    cut = CutNetwork("net", "all", found, find_blocks(found.graph))
    assert agreeing(cut) is cut
    whole = found.compile_piece
    place = cut.blocks[1].end

    def broken(start: int, end: int, **more: Any) -> Any:
        piece = whole(start, end, **more)
        return (lambda values: piece(values) + 1) if end == place else piece

    monkeypatch.setattr(found, "compile_piece", broken)
    again = CutNetwork("net", "all", found, cut.blocks)
    with pytest.warns(TiercutWarning, match="net is not cut after 'rest'"):
        assert [block.name for block in agreeing(again).blocks] == ["/stem/act/Mul_output_0", "flat", "out"]


def test_weights_beyond_what_one_message_holds_go_into_a_file_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiercut.profiling.models.onnx import sessions

    monkeypatch.setattr(sessions, "_FULL", 500)
    path = tmp_path / "large.onnx"
    sessions.save_model(residual(), path)
    assert (tmp_path / "large.onnx.data").exists()
    assert len(find_blocks(load_onnx(path).graph)) == 4
    assert furthest(load_onnx(path), 1, against="published") < 1e-4


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_order_has_each_node_once_and_after_what_it_reads(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    parents = {
        node: sorted(data.draw(st.sets(st.integers(0, node - 1), max_size=3))) if node else [] for node in range(count)
    }
    sizes = {node: data.draw(st.integers(1, 5)) for node in range(count)}
    found = orders(parents, sizes)
    assert found[0] == list(range(count))
    for order in found:
        assert sorted(order) == list(range(count))
        at = {node: place for place, node in enumerate(order)}
        assert all(at[above] < at[node] for node in parents for above in parents[node])


def test_an_order_that_finishes_one_branch_first_leaves_fewer_tensors_alive(tmp_path: Path) -> None:
    node = helper.make_node
    heads = [f"h{number}" for number in range(4)]
    nodes = [node("Gemm", ["x", "w"], ["stem"])]
    nodes += [node("Gemm", ["stem", f"w{head}"], [f"a{head}"]) for head in heads]
    nodes += [node("Gemm", [f"a{head}", "v"], [head]) for head in heads]
    nodes += [node("Concat", heads, ["joined"], axis=1)]
    nodes += [node("Gemm", ["joined", "u"], ["out"])]
    weights = [weight("w", 64, 64), weight("v", 64, 2), weight("u", 8, 2)]
    weights += [weight(f"w{head}", 64, 64) for head in heads]
    path = saved(tmp_path, model(nodes, [value("x", ["n", 64])], [value("out", None)], weights))
    found = load_onnx(path, OnnxOptions(tensors=3))
    parents = found.wiring.parents(found._main)
    depth: dict[int, int] = {}
    for place in found._main:
        depth[place] = 1 + max((depth[each] for each in parents[place]), default=0)
    level_by_level = find_blocks(found._graph(sorted(found._main, key=lambda place: depth[place])), tensors=3)
    chosen = find_blocks(found.graph, tensors=3)
    assert max(block.flops for block in chosen) < max(block.flops for block in level_by_level)
    assert furthest(found.with_level("none"), 3, against="pieces") == 0


@pytest.mark.parametrize(
    ("make", "counts", "shares"),
    [(u_net, [5, 12, 19, 26], [78, 53, 28, 18]), (pyramid, [2, 5, 8, 15], [86, 64, 44, 18])],
)
def test_several_tensors_cut_networks_that_keep_early_maps_for_late_layers(
    make: Callable[[], Any], counts: list[int], shares: list[int], tmp_path: Path
) -> None:
    path = saved(tmp_path, make())
    seen = []
    for tensors in (1, 2, 3, 4):
        found = load_onnx(path, OnnxOptions(tensors=tensors))
        operations = [block.flops for block in find_blocks(found.graph, tensors=tensors)]
        largest = round(100 * max(operations) / sum(operations))
        seen.append((len(cut_places(found.graph, tensors=tensors)), largest))
    assert seen == list(zip(counts, shares, strict=True))
    assert furthest(found.with_level("none"), 4, against="pieces") == 0
    assert furthest(found, 4, against="published") < 1e-4


VOICE = {"state": (2, 1, 128), "input": (1, 576)}
CASES: dict[str, OnnxOptions] = {
    "320n": OnnxOptions(sizes={"images": (1, 3, 320, 320)}),
    "det": OnnxOptions(sizes={"x": (1, 3, 320, 320)}),
    "cls": OnnxOptions(sizes={"x": (1, 3, 48, 192)}),
    "rec": OnnxOptions(sizes={"x": (1, 3, 48, 320)}),
    "magika": OnnxOptions(),
    "vad": OnnxOptions(sizes=VOICE, constants={"sr": (16000,)}, state=("state",)),
    "vad_op15": OnnxOptions(sizes=VOICE, constants={"sr": (16000,)}, state=("state",)),
    "vad_sequence": OnnxOptions(state=("h", "c")),
}
COUNTS = {"320n": 17, "det": 48, "cls": 44, "rec": 210, "magika": 24, "vad": 23, "vad_op15": 23, "vad_sequence": 20}
"""Places that one tensor crosses, once sizes are fixed, constants folded, and state kept where it is."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
@pytest.mark.parametrize("key", CASES)
def test_every_cut_of_a_published_network_answers_as_the_whole(key: str) -> None:
    found = load_onnx(published(key), CASES[key])
    assert len(cut_places(found.graph)) == COUNTS[key]
    assert furthest(found.with_level("none"), 1, against="pieces") == 0
    assert furthest(found, 1, against="published") < 1e-4


@pytest.mark.slow
def test_several_tensors_cut_a_detector_that_one_cannot() -> None:
    found = load_onnx(published("320n"), CASES["320n"])
    counts, shares = [], []
    for tensors in (1, 2, 3, 4):
        found.choose_order(tensors)
        counts.append(len(cut_places(found.graph, tensors=tensors)))
        blocks = find_blocks(found.graph, tensors=tensors)
        shares.append(round(100 * max(block.flops for block in blocks) / sum(block.flops for block in blocks)))
    assert counts == [17, 42, 103, 174]
    assert shares == [81, 70, 24, 6]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["320n", "det", "cls", "rec"])
def test_all_places_that_four_tensors_cross_are_found_within_a_second(key: str) -> None:
    found = load_onnx(published(key), CASES[key])
    _ = found.graph, found.fingerprint
    fastest = min(_seconds(lambda: find_blocks(found.graph, tensors=4)) for _ in range(3))
    assert fastest < 1


def _seconds(call: Any) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def test_networks_are_told_apart_by_what_counts_and_not_by_names_or_weights(tmp_path: Path) -> None:
    named = residual()
    for node in named.graph.node:
        node.name = f"other {node.output[0]}"
    heavier = residual()
    heavier.graph.initializer[0].CopyFrom(weight("w1", 6, 3, 3, 3, seed=1))
    wider = residual(size=9)
    stepped = residual()
    stepped.graph.node[-1].attribute[0].i = 1
    prints = [load_onnx(saved(tmp_path, each)).fingerprint for each in (residual(), named, heavier, wider, stepped)]
    assert prints[0] == prints[1] == prints[2]
    assert all(a != b for a, b in itertools.combinations([prints[0], *prints[3:]], 2))
