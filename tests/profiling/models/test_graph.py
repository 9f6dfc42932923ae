"""Graphs without a framework: where they may be cut, and a profile that is recorded of one."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.checkout import ROOT
from support.graphs import NumpyModel, graph

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import Block, compile_span, find_blocks, partition_points
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph import Graph, Model, Step, Tensor, dtype_bytes
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.record import record
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.record.subject import Subject
from tiercut.profiling.timing.timing import Effort

PACKAGE = ROOT / "src" / "tiercut"
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch", "onnx", "onnxruntime")
ROOMS = ("profiling/models/", "profiling/exits/")
"""Where models are run and trained; nothing else may touch a framework ..."""
DATA = "profiling/data/sources.py"
"""... but for the file that fetches, decodes and scales pictures by Keras; it sees no model."""
CODECS = tuple(f"profiling/codecs/{name}.py" for name in ("form", "retraining", "transfer_model"))
"""The transfer layer is a layer of Keras and is trained as part of its model, and Keras says how channels stand."""
OF_KERAS = {"graph_keras", "keras_calls", "nested", "flops", "fingerprint"}

CHAIN = graph({"in": [], "a": ["in"], "b": ["a"], "out": ["b"]})
RESIDUAL = graph({"in": [], "stem": ["in"], "inner": ["stem"], "add": ["inner", "stem"], "out": ["add"]})
DIAMOND = graph(
    {"in": [], "fan": ["in"], "left": ["fan"], "right": ["fan"], "join": ["left", "right"], "out": ["join"]}
)
PAST_EVERYTHING = graph({"in": [], "a": ["in"], "b": ["a"], "out": ["b", "in"]})
SPLIT = graph({"in": [], "a": ["in"], "split": ["a"], "join": ["split", "split"], "out": ["join"]}, uncut=["split"])
WITH_EXITS = graph(
    {"in": [], "a": ["in"], "early": ["a"], "b": ["a"], "pool": ["b"], "late": ["pool"], "out": ["b"]},
    outputs=["out"],
    exits=["early", "late", "out"],
)


@pytest.mark.parametrize(
    ("drawn", "everywhere", "counted"),
    [
        pytest.param(CHAIN, ("a", "b"), ("a", "b"), id="chain"),
        pytest.param(RESIDUAL, ("stem", "add"), ("add",), id="residual"),
        pytest.param(DIAMOND, ("fan", "join"), ("join",), id="diamond"),
        pytest.param(PAST_EVERYTHING, (), (), id="skip over everything"),
        pytest.param(SPLIT, ("a", "join"), ("a", "join"), id="a step that makes two tensors"),
        pytest.param(WITH_EXITS, ("a", "b"), ("a", "b"), id="early exits"),
    ],
)
def test_a_graph_is_cut_where_every_path_runs_through(
    drawn: Graph, everywhere: tuple[str, ...], counted: tuple[str, ...]
) -> None:
    assert partition_points(drawn) == everywhere
    assert partition_points(drawn, "scission") == counted
    assert [block.name for block in find_blocks(drawn)] == [*everywhere, "out"]


def test_blocks_add_up_what_their_steps_hold() -> None:
    drawn = graph(
        {"in": [], "fan": ["in"], "left": ["fan"], "right": ["fan"], "join": ["left", "right"], "out": ["join"]},
        sizes={"in": 9, "right": 7},
    )
    first, middle, last = find_blocks(drawn)
    assert first == Block("fan", ("in", "fan"), 0, 1, 16, 36, 4, 1, 0, 1, (drawn.steps[1].output,))
    assert (middle.layers, middle.activation_bytes, middle.parameter_bytes) == (("left", "right", "join"), 28, 36)
    assert (middle.flops, middle.start, middle.end) == (9, 1, 4)
    assert (last.start, last.end, last.output_bytes) == (4, 5, 16)


def test_steps_of_early_exits_belong_to_no_block() -> None:
    blocks = find_blocks(WITH_EXITS)
    assert [block.layers for block in blocks] == [("in", "a"), ("b",), ("out",)]
    assert WITH_EXITS.path() == (0, 1, 3, 6)
    assert (WITH_EXITS.entries[0].name, WITH_EXITS.results[-1].name) == ("in", "out")


def test_what_is_read_later_and_results_that_are_there_cross_every_cut_on_their_way() -> None:
    drawn = graph(
        {"one": [], "two": [], "a": ["one"], "b": ["a"], "c": ["b", "two"], "d": ["c", "a"], "out": ["d"]},
        outputs=["b", "out"],
    )
    names = [{drawn.steps[each].name for each in crossing} for crossing in drawn.crossings(range(1, 7))]
    assert names == [
        {"one", "two"}, {"two", "a"}, {"two", "a", "b"}, {"a", "b", "c"}, {"b", "d"}, {"b", "out"}
    ]  # fmt: skip
    assert partition_points(drawn, tensors=2) == ("a", "d")
    assert partition_points(drawn, tensors=3) == ("a", "b", "c", "d")
    with pytest.raises(QuestionError, match="1 to 4 tensors may cross a cut, not 5"):
        find_blocks(drawn, tensors=5)


def test_of_cuts_that_differ_by_activations_alone_the_last_of_the_fewest_bytes_is_taken() -> None:
    sizes = {"in": 8, "conv": 4, "sigmoid": 4, "times": 4, "quarter": 1, "form": 1, "full": 4, "other": 4, "soft": 4}
    chain = {"in": [], "conv": ["in"], "sigmoid": ["conv"], "times": ["conv", "sigmoid"], "quarter": ["times"],
             "form": ["quarter"], "full": ["form"], "other": ["full"], "soft": ["other"]}  # fmt: skip
    light = {"sigmoid", "times", "quarter", "form", "full", "soft"}
    assert partition_points(graph(chain, sizes=sizes, light=light)) == ("form",)
    assert partition_points(graph(chain, sizes=sizes, light=light - {"full"})) == ("form", "full")
    assert partition_points(graph(chain, sizes=sizes)) == ("conv", "times", "quarter", "form", "full", "other")


def test_no_cut_takes_from_an_exit_what_it_reads() -> None:
    drawn = graph(
        {"in": [], "a": ["in"], "b": ["a"], "c": ["b"], "exit": ["a", "c"], "d": ["c"], "out": ["d"]}, exits=["exit"]
    )
    assert partition_points(drawn) == ("a", "c", "d")  # after b, a would be gone


def test_a_graph_that_hands_on_its_input_is_refused() -> None:
    with pytest.raises(QuestionError, match="'drawn' has no layers between its input and its output"):
        find_blocks(graph({"in": []}))


def test_a_graph_whose_steps_stand_before_their_parents_is_refused() -> None:
    tensor = Tensor("t", (None, 1))
    with pytest.raises(QuestionError, match="'second' of model 'wrong' reads a step that is not before it"):
        Graph("wrong", (Step("first", "Input", (), tensor), Step("second", "Add", (1,), tensor)), (0,), (1,))


def test_a_tensor_has_the_bytes_of_one_sample() -> None:
    assert Tensor("map", (None, 3, 5)).nbytes == 60
    assert Tensor("batch of 8", (8, 3, 5), "float16").nbytes == 30
    assert Tensor("windows", (None, 16, 6), rows=4).nbytes == 4 * 16 * 6 * 4
    with pytest.raises(QuestionError, match="'free' has no fixed size"):
        _ = Tensor("free", (None, None, 5)).nbytes
    sizes = {"float64": 8, "bfloat16": 2, "float8_e4m3fn": 1, "uint8": 1, "bool": 1, "string": 1}
    assert {dtype: dtype_bytes(dtype) for dtype in sizes} == sizes


def test_two_pieces_of_a_graph_answer_as_the_whole_does() -> None:
    model: Model = NumpyModel(DIAMOND)
    blocks = find_blocks(model.graph)
    data = model.to_tensor(np.array([[1.0, 2.0]], dtype=np.float32))
    for cut in range(len(blocks) - 1):
        between = compile_span(model, blocks, 0, cut)(data)
        assert (compile_span(model, blocks, cut + 1, 2)(between) == model.run(data)).all()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_names(path: Path) -> Iterator[str]:
    """Yield the names and attributes that a file reads."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id


def _outside() -> Iterator[Path]:
    for path in sorted(ROOT.glob("**/*.py")):
        name = path.relative_to(ROOT).as_posix()
        rooms = ("analysis/", "optimizer/", "profiling/", "report/", "solvers/", "topologies/", "src/tiercut/")
        if name.startswith(rooms) and not name.startswith(ROOMS) and name not in (DATA, *CODECS):
            yield path


def test_nothing_outside_models_and_exits_touches_a_framework() -> None:
    files = list(_outside())
    assert len(files) > 100
    for path in files:
        for name in _imports(path):
            assert name.split(".")[0] not in FRAMEWORKS, f"{path} imports {name}"
            inside = name.startswith("tiercut.profiling.models.") and name.split(".")[3] in OF_KERAS
            assert not inside, f"{path} imports {name}, behind tiercut.profiling.models.graph"
        for name in _own_names(path):
            assert name not in {"keras", "tf", "KerasModel", "KerasTensor"}, f"{path} names {name}"
            assert not name.startswith("_keras"), f"{path} names {name}"


def test_the_graph_its_blocks_and_the_cut_network_know_no_framework() -> None:
    for name in ("graph", "blocks", "cut"):
        found = set(_imports(ROOT / "profiling" / "models" / f"{name}.py"))
        assert not {each for each in found if each.split(".")[0] in FRAMEWORKS or each.split(".")[-1] in OF_KERAS}


@pytest.fixture
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every import of a framework fail."""
    for name in FRAMEWORKS:
        monkeypatch.setitem(sys.modules, name, None)


def test_a_model_of_no_framework_is_recorded_like_any_other(no_framework: None, tmp_path: Path) -> None:
    model: Model = NumpyModel(RESIDUAL)
    cut = CutNetwork("Drawn", "all", model, find_blocks(model.graph))
    settings = Settings(device="here", effort=Effort(runs=4, least=4), batch=2)
    recording = record(Subject(cut, "drawn by hand"), tmp_path / "drawn.json", settings, threads=1)
    profile = load_profile(recording.path)
    assert [block.name for block in profile.blocks] == ["stem", "add", "out"]
    assert (profile.model, profile.architecture, profile.input_bytes) == ("Drawn", "f" * 64, 2 * 16)
    here = profile.devices["here"]
    assert [len(row) for row in here.span_s or ()] == [3, 2, 1]
    assert (here.framework, here.backend) == ("numpy alone", "numpy")
    assert len(here.encode_s or ()) == 4


def test_early_exits_of_no_framework_are_timed_by_what_they_add(no_framework: None, tmp_path: Path) -> None:
    model = NumpyModel(WITH_EXITS)
    early, late, last = WITH_EXITS.exits
    cut = CutNetwork("Drawn", "all", model, find_blocks(model.graph), (early, late, last))
    settings = Settings(device="here", effort=Effort(runs=4, least=4))
    record(Subject(cut, "drawn by hand"), tmp_path / "drawn.json", settings, threads=1)
    here = load_profile(tmp_path / "drawn.json").devices["here"]
    assert here.branch_s is not None
    assert len(here.branch_s) == 3
    assert {(1, early), (0, early), (1, late)} >= {piece for piece in model.compiled if piece[1] == early}
