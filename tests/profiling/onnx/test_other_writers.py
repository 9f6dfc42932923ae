"""What writers of ONNX files do that is legal and rare: it is taken as it is meant, or refused with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnx_models import constant, model, residual, saved, value, weight

from tiercut.errors import InputError, TiercutWarning
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.onnx import folding
from tiercut.profiling.models.onnx.architecture import architecture
from tiercut.profiling.models.onnx.graph_onnx import load_onnx
from tiercut.profiling.models.onnx.nodes import captured, held_bytes
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.models.onnx.reading import files_beside, read_onnx

node = helper.make_node

_HALF = constant("half", 0.5, "float32")
_WHICH = (node("ReduceMax", ["rest"], ["peak"], keepdims=0), node("Greater", ["peak", "half"], ["which"]))


def _dense(*more: Any, outputs: list[Any], weights: tuple[Any, ...] = (), **others: Any) -> Any:
    """Return a dense layer with a ReLU, ``rest``, and what stands behind it."""
    nodes = [node("Gemm", ["x", "w"], ["dense"]), node("Relu", ["dense"], ["rest"]), *more]
    return model(nodes, [value("x", ["n", 8])], outputs, [weight("w", 8, 8), *weights], **others)


def _gated(*which: Any, weights: tuple[Any, ...]) -> Any:
    """Return a network with an If, whose bodies hold a weight each."""
    bodies = {
        name: helper.make_graph([node("Gemm", ["rest", name], [f"{name}_out"])], name, [],
                                [value(f"{name}_out", None)], [weight(name, 8, 8)])
        for name in ("left", "right")
    }  # fmt: skip
    nodes = [*which, node("If", ["which"], ["chosen"], then_branch=bodies["left"], else_branch=bodies["right"]),
             node("Relu", ["chosen"], ["out"])]  # fmt: skip
    return _dense(*nodes, outputs=[value("out", None)], weights=weights)


def test_a_weight_that_is_declared_as_an_input_too_is_folded_as_any_other(tmp_path: Path) -> None:
    made = _gated(weights=(constant("which", True, "bool"),))
    made.graph.input.extend([value("which", [], "bool"), value("w", [8, 8])])
    found = load_onnx(saved(tmp_path, made))
    assert [entry.name for entry in found.source.inputs] == ["x"]
    assert "If" not in {each.op_type for each in found.wiring.nodes}
    assert [each.name for each in found.source.published.graph.input] == ["x"]


def test_nodes_that_stand_before_what_they_read_are_put_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_, turned = residual(), residual()
    nodes = list(turned.graph.node)[::-1]
    del turned.graph.node[:]
    turned.graph.node.extend(nodes)
    monkeypatch.setattr(folding, "_optimised", lambda _: None)  # which would order them
    first, second = (load_onnx(saved(tmp_path, each)) for each in (sorted_, turned))
    assert [each.name for each in find_blocks(second.graph)] == [each.name for each in find_blocks(first.graph)]
    assert second.graph.steps[-1].name == "out"


def test_nodes_of_a_body_are_put_in_order_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _gated(*_WHICH, weights=(_HALF,))
    for attribute in made.graph.node[4].attribute:
        name = attribute.g.output[0].name
        attribute.g.node.insert(0, node("Neg", [name], ["turned"]))
        attribute.g.output[0].name = "turned"
    monkeypatch.setattr(folding, "_optimised", lambda _: None)
    with pytest.warns(TiercutWarning, match="of If are not counted"):
        found = load_onnx(saved(tmp_path, made))
    (chosen,) = (each for each in found.wiring.nodes if each.op_type == "If")
    assert captured(chosen) == ("rest",)


def test_operators_that_a_file_defines_are_run_and_count_in_its_fingerprint(tmp_path: Path) -> None:
    def made(inner: str, alpha: float) -> Any:
        body = [node(inner, ["a"], ["b"]), node("LeakyRelu", ["b"], ["c"])]
        body[1].attribute.add(name="alpha", ref_attr_name="slope", type=1)
        found = _dense(node("Mine", ["rest"], ["out"], domain="mine", slope=alpha),
                       outputs=[value("out", None)], domains=[("mine", 1)])  # fmt: skip
        versions = [helper.make_opsetid("", 20)]
        found.functions.append(helper.make_function("mine", "Mine", ["a"], ["c"], body, versions, ["slope"]))
        return found

    sin, neg, steep = (load_onnx(saved(tmp_path, made(*each))) for each in (("Sin", 0.1), ("Neg", 0.1), ("Sin", 0.2)))
    assert len({each.fingerprint for each in (sin, neg, steep)}) == 3
    ends = [found.compile_piece(found.graph.last_input, len(found.graph.steps) - 1) for found in (sin, neg)]
    data = np.ones((1, 8), np.float32)
    assert not np.allclose(ends[0](data), ends[1](data))
    np.testing.assert_allclose(ends[0](data), sin.run(data), rtol=1e-5)


def test_what_a_defined_operator_takes_by_default_and_which_of_its_kinds_is_called_count_in_fingerprints(
    tmp_path: Path,
) -> None:
    def made(default: float, called: str) -> Any:
        call = node("Mine", ["rest"], ["out"], domain="mine", overload=called)
        found = _dense(call, outputs=[value("out", None)], domains=[("mine", 1)])
        for overload in ("one", "other"):
            body = [node("LeakyRelu", ["a"], ["b"])]
            body[0].attribute.add(name="alpha", ref_attr_name="slope", type=1)
            function = helper.make_function("mine", "Mine", ["a"], ["b"], body, [helper.make_opsetid("", 20)],
                                            attribute_protos=[helper.make_attribute("slope", default)],
                                            overload=overload)  # fmt: skip
            found.functions.append(function)
        return found

    kinds = [(0.1, "one"), (0.2, "one"), (0.1, "other")]
    assert len({architecture(read_onnx(saved(tmp_path, made(*each)))) for each in kinds}) == 3


def test_no_cut_stands_where_sizes_depend_on_numbers(tmp_path: Path) -> None:
    nodes = [node("NonZero", ["rest"], ["places"]), node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
             node("ReduceSum", ["numbers"], ["sum"], keepdims=0), node("Sqrt", ["sum"], ["out"])]  # fmt: skip
    found = load_onnx(saved(tmp_path, _dense(*nodes, outputs=[value("out", None)])))
    assert {name for name, seen in found.seen.items() if seen.varies} == {"places", "numbers"}
    assert [each.name for each in find_blocks(found.graph)] == ["rest", "out"]


def test_sizes_that_change_from_run_to_run_are_noticed_whatever_makes_them(tmp_path: Path) -> None:
    nodes = [node("ReduceSum", ["rest"], ["sum"], keepdims=0), node("Mul", ["sum", "many"], ["more"]),
             node("Cast", ["more"], ["count"], to=TensorProto.INT64),
             node("Range", ["zero", "count", "one"], ["range"]),
             node("ReduceMax", ["range"], ["out"], keepdims=0)]  # fmt: skip
    held = (constant("many", 1000, "float32"), constant("zero", 0), constant("one", 1))
    found = load_onnx(saved(tmp_path, _dense(*nodes, outputs=[value("out", None, "int64")], weights=held)))
    assert {name for name, seen in found.seen.items() if seen.varies} == {"range"}


def _with_words(*, numbers: bool) -> Any:
    made = _dense(
        node("ArgMax", ["rest"], ["class"], axis=1, keepdims=0),
        node("LabelEncoder", ["class"], ["word"], domain="ai.onnx.ml", keys_int64s=[*range(8)],
             values_strings=[*"abcdefgh"]),
        outputs=[value("rest", None)] if numbers else [],
        domains=[("ai.onnx.ml", 2)],
    )  # fmt: skip
    made.graph.output.append(helper.make_tensor_value_info("word", TensorProto.STRING, None))
    return made


def test_an_output_that_is_no_tensor_of_numbers_is_left_out_or_refused(tmp_path: Path) -> None:
    with pytest.warns(TiercutWarning, match=r"the output 'word' is no tensor of numbers .* it is not sent"):
        found = load_onnx(saved(tmp_path, _with_words(numbers=True)))
    assert [found.graph.steps[each].name for each in found.graph.outputs] == ["rest"]
    with pytest.raises(InputError, match=r"the output 'word' is no tensor of numbers .* let it end in such"):
        load_onnx(saved(tmp_path, _with_words(numbers=False)))
    pieces = _dense(node("SplitToSequence", ["rest"], ["out"], axis=1), outputs=[])
    pieces.graph.output.append(helper.make_tensor_sequence_value_info("out", TensorProto.FLOAT, None))
    with pytest.raises(InputError, match="'out' is no tensor of numbers"):
        load_onnx(saved(tmp_path, pieces))
    with pytest.raises(InputError, match="the output 'word' is no tensor of numbers"):
        load_onnx(saved(tmp_path, _with_words(numbers=True)), exits=("rest", "word"))


def test_of_an_output_that_is_left_out_it_is_warned_once(tmp_path: Path) -> None:
    with pytest.warns(TiercutWarning, match="the output 'word' is no tensor"):
        found = load_onnx(saved(tmp_path, _with_words(numbers=True)))
    other = found.with_level("basic")
    assert (found.level, other.level, other.graph) == ("all", "basic", found.graph)


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "int4"])
def test_an_input_of_a_type_that_numpy_lacks_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    which = getattr(TensorProto, kind.replace("_", "").upper())
    given = helper.make_tensor_value_info("x", which, [1, 4])
    made = model([node("Cast", ["x"], ["out"], to=TensorProto.FLOAT)], [given], [value("out", None)], opset=21)
    with pytest.raises(InputError, match=rf"input 'x' is of the type {kind}, .* let the model begin with a Cast"):
        load_onnx(saved(tmp_path, made))


def test_an_input_with_a_number_in_the_file_is_one_where_it_is_named(tmp_path: Path) -> None:
    made = _dense(node("Mul", ["rest", "k"], ["out"]), outputs=[value("out", None)],
                  weights=(constant("k", 2, "float32"),))  # fmt: skip
    made.graph.input.append(value("k", [], "float32"))
    path, data = saved(tmp_path, made), np.ones((1, 8), np.float32)
    twice, thrice = (load_onnx(path, OnnxOptions(constants=each)) for each in ({}, {"k": (3,)}))
    assert [[each.name for each in found.source.inputs] for found in (twice, thrice)] == [["x"], ["x"]]
    np.testing.assert_allclose(thrice.run(data), 1.5 * twice.run(data), rtol=1e-6)
    assert [each.name for each in load_onnx(path, OnnxOptions(state=("k",))).source.state] == ["k"]
    assert [each.name for each in load_onnx(path, OnnxOptions(sizes={"k": ()})).source.inputs] == ["x", "k"]


def test_whole_numbers_that_do_not_fit_are_asked_for(tmp_path: Path) -> None:
    nodes = [node("Gather", ["kinds", "kind"], ["row"]), node("Add", ["rest", "row"], ["out"])]
    made = _dense(*nodes, outputs=[value("out", None)], weights=(weight("kinds", 1, 8),))
    made.graph.input.append(value("kind", ["n"], "int64"))
    path = saved(tmp_path, made)
    with pytest.raises(InputError, match=r"out of data bounds.* as whole numbers were 1, .* \(--bind kind=0\)"):
        load_onnx(path)
    assert [each.name for each in load_onnx(path, OnnxOptions(constants={"kind": (0,)})).source.inputs] == ["x"]
    alone = model([node("Gather", ["kinds", "kind"], ["out"])], [value("kind", ["n"], "int64")], [value("out", None)],
                  [weight("kinds", 1, 8)])  # fmt: skip
    with pytest.raises(InputError, match=r"--input, or export the model so that it takes 1 for whole numbers$"):
        load_onnx(saved(tmp_path, alone))


def test_bytes_count_whatever_a_node_holds_and_numbers_of_four_bits_as_half_a_byte(tmp_path: Path) -> None:
    made = _gated(*_WHICH, weights=(_HALF,))
    with pytest.warns(TiercutWarning, match="of If are not counted"):
        found = load_onnx(saved(tmp_path, made))
    assert sum(step.parameter_bytes for step in found.graph.steps) == 3 * 256 + 4
    four = helper.make_tensor("four", TensorProto.INT4, [8, 3], [number % 8 for number in range(24)])
    nodes = [node("DequantizeLinear", ["four", "scale"], ["numbers"]), node("MatMul", ["rest", "numbers"], ["out"])]
    made = _dense(*nodes, outputs=[value("out", None)], weights=(four, constant("scale", 0.1, "float32")), opset=21)
    found = load_onnx(saved(tmp_path, made))
    assert sum(step.parameter_bytes for step in found.graph.steps) == 256 + 12 + 4
    trees = node("TreeEnsembleRegressor", ["rest"], ["out"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0] * 3,
                 nodes_nodeids=[0, 1, 2], nodes_featureids=[0] * 3, nodes_values=[0.5, 0.0, 0.0],
                 nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
                 target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
                 target_weights=[0.0, 1.0])  # fmt: skip
    found = load_onnx(saved(tmp_path, _dense(trees, outputs=[value("out", None)], domains=[("ai.onnx.ml", 3)])))
    numbers = 4 * (3 + 2) + 8 * (5 * 3 + 3 * 2) + len("BRANCH_LEQ" + "LEAF" + "LEAF")
    assert sum(step.parameter_bytes for step in found.graph.steps) == 256 + numbers
    inner = helper.make_graph([trees], "inner", [], [value("out", None)])
    outer = helper.make_graph([node("If", ["b"], ["out"], then_branch=inner, else_branch=inner)], "outer", [],
                              [value("out", None)])  # fmt: skip
    assert held_bytes(node("If", ["a"], ["out"], then_branch=outer, else_branch=inner)) == 3 * numbers


def test_bytes_count_what_nodes_hold_that_make_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [node("Constant", [], ["held"], value=weight("held", 8, 4)), node("Neg", ["held"], ["turned"]),
            node("MatMul", ["rest", "turned"], ["out"])]  # fmt: skip
    monkeypatch.setattr(folding, "_optimised", lambda _: None)  # which would make a weight of it
    found = load_onnx(saved(tmp_path, _dense(*held, outputs=[value("out", None)])))
    assert sum(step.parameter_bytes for step in found.graph.steps) == 256 + 128


def test_products_with_weights_of_a_few_bits_are_counted(tmp_path: Path) -> None:
    nodes = [node("MatMulNBits", ["rest", "four", "scales"], ["out"], domain="com.microsoft", K=8, N=3, bits=4,
                  block_size=16)]  # fmt: skip
    held = (constant("four", np.ones((3, 1, 8)), "uint8"), constant("scales", np.ones(3), "float32"))
    made = _dense(*nodes, outputs=[value("out", None)], weights=held, domains=[("com.microsoft", 1)])
    found = load_onnx(saved(tmp_path, made))
    assert [step.flops for step in found.graph.steps if step.name == "out"] == [2 * 8 * 3]


def test_weights_of_constants_and_bodies_that_lie_in_files_beside_are_known(tmp_path: Path) -> None:
    def apart(tensor: Any, name: str) -> Any:
        (tmp_path / name).write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        return tensor

    made = _gated(node("Cast", ["one"], ["which"], to=TensorProto.BOOL), weights=(constant("one", 1),))
    apart(made.graph.node[3].attribute[0].g.initializer[0], "body.data")
    made.graph.node.insert(0, node("Constant", [], ["unused"], value=apart(weight("c", 2, 2), "constant.data")))
    called = [node("Constant", [], ["own"], value=apart(weight("f", 2, 2), "function.data"))]
    made.functions.append(helper.make_function("mine", "Mine", [], ["own"], called, [helper.make_opsetid("", 20)]))
    path = saved(tmp_path, made)
    assert [each.name for each in files_beside(path)] == ["body.data", "constant.data", "function.data"]
    (tmp_path / "body.data").unlink()
    with pytest.raises(InputError, match=r"its weights are in body.data, which is not beside it"):
        load_onnx(path)
