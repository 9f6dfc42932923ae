"""ONNX files: what is asked for, what is refused, and what is done with what a file says wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnx_models import constant, model, residual, saved, value, weight

from tiercut.errors import InputError, QuestionError, TiercutError, TiercutWarning
from tiercut.option_fields import options_of
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.onnx.graph_onnx import load_onnx
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.models.onnx.reading import read_onnx
from tiercut.profiling.record.settings import Settings, check_settings


def _relu(sizes: Any, **more: Any) -> Any:
    return model([helper.make_node("Relu", ["x"], ["out"])], [value("x", sizes, **more)], [value("out", None, **more)])


@pytest.mark.parametrize(
    ("sizes", "asked"),
    [
        (["batch", 3, "?", "?"], r"input 'x' has no size on axes 2, 3; say --input x=1x3xHxW"),
        ([-1, 3, 8, 0], r"input 'x' has no size on axis 3; say --input x=1x3x8xW"),
        ([1, None], r"input 'x' has no size on axis 1; say --input x=1xL"),
        (None, r"input 'x' \(float32\) has no shape; say --input x=..."),
    ],
)
def test_sizes_that_a_file_leaves_open_are_asked_for_in_one_line(sizes: Any, asked: str, tmp_path: Path) -> None:
    made = _relu([1, 1])
    if sizes is None:
        made.graph.input[0].type.tensor_type.ClearField("shape")
    else:
        made = _relu(["n"] * len(sizes))
        for axis, size in zip(made.graph.input[0].type.tensor_type.shape.dim, sizes, strict=True):
            axis.Clear()
            if isinstance(size, int):
                axis.dim_value = size
            elif size is not None:
                axis.dim_param = size
    with pytest.raises(QuestionError, match=asked) as caught:
        read_onnx(saved(tmp_path, made))
    assert "\n" not in str(caught.value)


def test_one_symbol_may_stand_for_two_sizes(tmp_path: Path) -> None:
    path = saved(tmp_path, residual(batch="?", size="?"))
    loaded = load_onnx(path, OnnxOptions(sizes={"x": (1, 3, 8, 12)}))
    assert loaded.graph.entries[0].sizes() == (1, 3, 8, 12)
    assert [step.output.sizes()[-2:] for step in loaded.graph.steps if step.name == "sum"] == [(8, 12)]


def test_a_free_first_axis_is_the_batch_and_other_sizes_are_of_the_file_or_named(tmp_path: Path) -> None:
    path = saved(tmp_path, residual())
    assert load_onnx(path).graph.batch == 1
    eight = load_onnx(path, batch=8)
    assert (eight.graph.batch, eight.graph.entries[0].nbytes) == (8, 3 * 64 * 4)
    one = load_onnx(path)
    assert [step.flops for step in eight.graph.steps] == [step.flops for step in one.graph.steps]
    with pytest.raises(QuestionError, match=r"has the sizes \?x3x8x8 \('\?' is free\), not 1x3x9x8"):
        read_onnx(path, OnnxOptions(sizes={"x": (1, 3, 9, 8)}))
    with pytest.raises(QuestionError, match="not 1x3"):
        read_onnx(path, OnnxOptions(sizes={"x": (1, 3)}))
    with pytest.raises(QuestionError, match="--batch 2 and --input x=1x3x8x8 differ"):
        read_onnx(path, OnnxOptions(sizes={"x": (1, 3, 8, 8)}), batch=2)
    named = read_onnx(path, OnnxOptions(sizes={"x": (5, 3, 8, 8)}))
    assert (named.batch, read_onnx(saved(tmp_path, residual(batch=1), "one.onnx")).batch) == (5, 1)
    with pytest.raises(QuestionError, match="has a batch of 1 in the file, not 2"):
        read_onnx(saved(tmp_path, residual(batch=1)), batch=2)


def test_an_input_can_be_bound_to_a_constant_and_one_that_nothing_reads_is_warned_of(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x", "scale"], ["out"])]
    inputs = [value("x", ["n", 4]), value("scale", []), value("unread", ["n", 2])]
    path = saved(tmp_path, model(nodes, inputs, [value("out", ["n", 4])]))
    with pytest.warns(TiercutWarning, match="no node reads the input 'unread'"):
        found = load_onnx(path, OnnxOptions(constants={"scale": (3.0,)}))
    assert [each.name for each in found.source.inputs] == ["x"]
    assert found.run(np.ones((1, 4), np.float32)).tolist() == [[3, 3, 3, 3]]
    with pytest.raises(QuestionError, match="--bind: there is no input 'scal'; did you mean 'scale'"):
        read_onnx(path, OnnxOptions(constants={"scal": (3.0,)}))
    with pytest.raises(QuestionError, match="is bound to a constant and given a size"):
        OnnxOptions(constants={"scale": (3.0,)}, sizes={"scale": ()})
    nothing = OnnxOptions(constants={"scale": (1.0,), "x": (1.0,)})
    with pytest.warns(TiercutWarning), pytest.raises(QuestionError, match="no input is left that takes data"):
        read_onnx(path, nothing)


def _faulty(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Return files that cannot be taken, and what must be said of each."""
    newer, later = residual(), residual()
    newer.ir_version = 99
    later.opset_import[0].version = 99
    text = model([helper.make_node("Identity", ["x"], ["out"])], [], [])
    text.graph.input.append(helper.make_tensor_value_info("x", TensorProto.STRING, [1]))
    text.graph.output.append(helper.make_tensor_value_info("out", TensorProto.STRING, [1]))
    own = model([helper.make_node("Fold", ["x"], ["out"], domain="mine")], [value("x", [1])], [value("out", [1])],
                domains=[("mine", 1)])  # fmt: skip
    apart = residual()
    apart.graph.initializer[0].ClearField("raw_data")
    apart.graph.initializer[0].data_location = TensorProto.EXTERNAL
    apart.graph.initializer[0].external_data.add(key="location", value="weights.data")
    sequence = model([helper.make_node("SequenceLength", ["x"], ["out"])], [], [value("out", [], "int64")])
    sequence.graph.input.append(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None))
    (tmp_path / "torn.onnx").write_bytes(residual().SerializeToString()[:-100])
    (tmp_path / "words.onnx").write_text("this is no model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "folder.onnx").mkdir()
    return {
        "newer": (saved(tmp_path, newer, "newer.onnx"), r"IR version 99 of ONNX, and the ONNX Runtime .* reads up to"),
        "opset": (saved(tmp_path, later, "later.onnx"), r"uses opset 99, and .* install a newer onnxruntime"),
        "text": (saved(tmp_path, text, "text.onnx"), "input 'x' is text"),
        "own": (saved(tmp_path, own, "own.onnx"), r"has the operator mine:Fold\(-1\), which .* does not know"),
        "apart": (saved(tmp_path, apart, "apart.onnx"), "its weights are in weights.data, which is not beside it"),
        "sequence": (saved(tmp_path, sequence, "sequence.onnx"), "input 'x' is no tensor"),
        "torn": (tmp_path / "torn.onnx", "is no ONNX file, or one that was cut short"),
        "words": (tmp_path / "words.onnx", "is no ONNX file"),
        "empty": (tmp_path / "empty.onnx", "is empty"),
        "folder": (tmp_path / "folder.onnx", "is no file"),
        "absent": (tmp_path / "absent.onnx", "there is no such file"),
    }


@pytest.mark.parametrize("which", ["newer", "opset", "text", "own", "apart", "sequence", "torn", "words", "empty",
                                   "folder", "absent"])  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_one_line(which: str, tmp_path: Path) -> None:
    path, said = _faulty(tmp_path)[which]
    with pytest.raises(InputError, match=said) as caught:
        load_onnx(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("sizes", ["x=1x0"], "--input is written NAME=1x3x224x224"),
        ("sizes", ["1x3"], "--input is written"),
        ("constants", ["sr"], "--bind is written NAME=NUMBER"),
        ("constants", ["sr=fast"], "--bind is written"),
        ("state", "h,,c", "--state is written as names"),
    ],
)
def test_options_that_are_written_wrongly_say_how_they_are_written(flag: str, text: Any, said: str) -> None:
    option = options_of(OnnxOptions)[flag]
    assert option.read is not None
    with pytest.raises(QuestionError, match=said):
        option.read(option.flag or "", text)


def test_options_come_back_from_the_command_line_that_they_are_written_as() -> None:
    options = OnnxOptions(
        sizes={"a=b": (1, 2), "s": ()}, constants={"sr": (16000,)}, state=("h", "c"), tensors=3, cuts=("t",),
        provider="cpu",
    )  # fmt: skip
    texts: dict[str, list[str]] = {}
    for word in options.command_line():
        flag, _, text = word.partition("=")
        texts.setdefault(flag, []).append(text)
    known = {each.flag: (name, each) for name, each in options_of(OnnxOptions).items()}
    values = {}
    for flag, given in texts.items():
        name, option = known[flag]
        raw = given if option.many else option.type(given[0])
        values[name] = option.read(flag, raw) if option.read else raw
    assert OnnxOptions(**values) == options


def test_options_of_other_models_are_refused_for_onnx_files_and_the_other_way_round() -> None:
    with pytest.raises(QuestionError, match=r"not for an ONNX file.*: --weights, --backend, --jit-compile; leave them"):
        check_settings("net.onnx", Settings(weights="imagenet", backend="jax", jit=True))
    with pytest.raises(QuestionError, match="--input NAME=1x3x224x224"):
        check_settings("net.onnx", Settings(size=(32, 32)))
    with pytest.raises(QuestionError, match=r"--tensors: these are for .onnx files, which 'resnet20' is not"):
        check_settings("resnet20", Settings(onnx=OnnxOptions(tensors=2)))


def _gated() -> Any:
    """Return a model with an If whose bodies read what is made outside."""
    body = helper.make_graph([helper.make_node("Mul", ["mid", "w"], ["inside"])], "yes", [], [value("inside", None)])
    other = helper.make_graph([helper.make_node("Neg", ["mid"], ["none"])], "no", [], [value("none", None)])
    nodes = [
        helper.make_node("Gemm", ["x", "w0"], ["mid"]),
        helper.make_node("ReduceMax", ["mid"], ["peak"], keepdims=0),
        helper.make_node("Greater", ["peak", "half"], ["which"]),
        helper.make_node("If", ["which"], ["chosen"], then_branch=body, else_branch=other),
        helper.make_node("Gemm", ["chosen", "w1"], ["out"]),
    ]
    weights = [weight("w0", 4, 4), weight("w", 4), weight("w1", 4, 4), constant("half", 0.5, "float32")]
    return model(nodes, [value("x", ["n", 4])], [value("out", ["n", 4])], weights)


def test_an_if_is_an_atom_that_reads_what_its_bodies_take_from_outside(tmp_path: Path) -> None:
    path = saved(tmp_path, _gated())
    with pytest.warns(TiercutWarning, match="the operations of If are not counted"):
        found = load_onnx(path)
    assert [block.name for block in find_blocks(found.graph)] == ["mid", "chosen", "out"]
    names = {step.name: place for place, step in enumerate(found.graph.steps)}
    data = np.random.default_rng(0).normal(size=(1, 4)).astype(np.float32)
    for sign in (data, -data):
        first = found.compile_piece(found.graph.last_input, names["mid"])(sign)
        second = found.compile_piece(names["mid"], names["out"])(first)
        np.testing.assert_allclose(second, found.run(sign), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mad", "there is no tensor 'mad'; did you mean 'mid'"),
        ("w0", "there is no cut after 'w0': it is a weight"),
        ("inside", "it is inside an If, Loop or Scan"),
        ("x", "it is an input"),
    ],
)
def test_a_cut_where_there_is_no_tensor_is_refused_with_what_is_there(name: str, said: str, tmp_path: Path) -> None:
    path, options = saved(tmp_path, _gated()), OnnxOptions(cuts=(name,))
    with pytest.raises(TiercutError, match=said):
        load_onnx(path, options)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.onnx"]
