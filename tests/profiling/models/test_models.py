"""Models by name, from a file, and from a function; and models inside models."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.keras_models import answer, blocks_of

from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.profiling.models.fingerprint import fingerprint
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.loader import load_model
from tiercut.profiling.models.nested import flatten

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves


@pytest.fixture
def saved(diamond: Any, tmp_path: Path) -> Path:
    """The diamond as a file."""
    diamond.save(tmp_path / "diamond.keras")
    return tmp_path / "diamond.keras"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of one's own, whose modules are forgotten afterwards."""
    import sys

    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_names_of_keras_applications_ignore_case_and_dashes(keras: Any) -> None:
    loaded = load_model("MOBILENET_v-2", size=(32, 32))
    assert loaded.title == "MobileNetV2"
    assert loaded.model.graph.entries[0].shape == (None, 32, 32, 3)


def test_the_backbones_that_come_with_tiercut_have_names_too(keras: Any) -> None:
    loaded = load_model("ResNet-20", size=(16, 24))
    assert (loaded.title, loaded.model.graph.entries[0].shape) == ("resnet20", (None, 16, 24, 3))


def test_an_unknown_name_is_refused_with_the_nearest_and_what_else_there_may_be(keras: Any) -> None:
    with pytest.raises(QuestionError, match=r"did you mean 'MobileNetV2'.*or module:function"):
        load_model("MobilNetV2")


def test_a_size_that_a_network_does_not_take_is_refused_by_name(keras: Any) -> None:
    with pytest.raises(QuestionError, match="Xception with an input of 20x20 cannot be built"):
        load_model("Xception", size=(20, 20))


def test_a_file_gives_the_model_that_was_saved(saved: Path, diamond: Any) -> None:
    loaded = load_model(str(saved))
    assert loaded.title == "diamond"
    data = np.random.default_rng(1).random((2, 4), dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(loaded.model.run(data)), np.asarray(diamond(data)))
    assert loaded.model.fingerprint == fingerprint(diamond)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_file_that_was_cut_short_is_refused(saved: Path, share: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="cut short"):
        load_model(str(saved))


def test_a_file_whose_inside_is_damaged_is_refused(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, content, words in (
        ("config.json", b"{", "damaged"),
        ("config.json", b'{"module": "os", "class_name": "system", "config": {}}', "Keras cannot load"),
        ("model.weights.h5", b"", "Keras cannot load"),
    ):
        with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
            for part, old in parts.items():
                archive.writestr(part, content if part == name else old)
        with pytest.raises(InputError, match=words):
            load_model(str(tmp_path / "bad.keras"))


def test_what_is_no_model_file_is_refused(keras: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="HDF5 can hold code"):
        load_model("old.h5")
    with pytest.raises(InputError, match="no such file"):
        load_model("none.keras")
    with pytest.raises(InputError, match=r"no \.keras file"):
        load_model(str(tmp_path))


def test_a_lambda_is_refused_by_name_unless_the_file_is_trusted(keras: Any, tmp_path: Path) -> None:
    entry = keras.Input((4,), name="entry")
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda each: each * 2, name="doubling")])
    keras.Model(entry, inner(entry)).save(tmp_path / "it.keras")
    with pytest.raises(InputError, match=r"'doubling' is a Lambda.*--trust-model"):
        load_model(str(tmp_path / "it.keras"))
    model = load_model(str(tmp_path / "it.keras"), trust=True).model
    np.testing.assert_array_equal(np.asarray(model.run(np.ones((1, 4), np.float32))), np.full((1, 4), 2))


def test_a_function_of_a_module_in_the_working_directory_gives_a_model(keras: Any, here: Path) -> None:
    (here / "mine_a.py").write_text(
        "import keras\n"
        "def small():\n"
        "    entry = keras.Input((4,))\n"
        "    return keras.Model(entry, keras.layers.Dense(2)(entry))\n"
        "def nothing():\n    return None\n"
        "def broken():\n    raise RuntimeError('no disk')\n"
    )
    assert load_model("mine_a:small").title == "small"
    with pytest.raises(QuestionError, match="did you mean 'small'"):
        load_model("mine_a:smal")
    with pytest.raises(QuestionError, match="RuntimeError: no disk"):
        load_model("mine_a:broken")
    with pytest.raises(QuestionError, match="expected a functional Keras model, got NoneType"):
        load_model("mine_a:nothing")
    with pytest.raises(QuestionError, match="there is no module 'mine_b', neither installed nor in the working"):
        load_model("mine_b:small")
    (here / "mine_c.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(QuestionError, match="'mine_c:small' gives no model: No module named 'not_installed_anywhere'"):
        load_model("mine_c:small")


def test_the_fingerprint_tells_architectures_apart_but_not_weights(keras: Any) -> None:
    def network(units: int, activation: str | None = None) -> Any:
        entry = keras.Input((4,), name="entry")
        return keras.Model(entry, keras.layers.Dense(units, activation, name="end")(entry))

    prints = [fingerprint(model) for model in (network(2), network(2), network(3), network(2, "relu"))]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert len(prints[0]) == 64


def _backbone(keras: Any, name: str, layer: str) -> Any:
    entry = keras.Input((4,), name=f"{name}_entry")
    return keras.Model(
        entry, keras.layers.Dense(4, name=layer)(keras.layers.ReLU(name=f"{name}_relu")(entry)), name=name
    )


def test_a_model_inside_another_is_written_out_and_can_be_cut(keras: Any) -> None:
    inner = _backbone(keras, "inner", "inner_dense")
    outer = keras.Sequential([keras.Input((4,)), inner, keras.layers.Softmax(name="end")], name="outer")
    model = flatten(outer)
    assert [block.name for block in blocks_of(model)] == ["inner_relu", "inner_dense", "end"]
    data = np.random.default_rng(2).random((3, 4), dtype=np.float32)
    np.testing.assert_allclose(np.asarray(model(data)), np.asarray(outer(data)), atol=1e-6)
    assert {id(each) for each in model.weights} == {id(each) for each in outer.weights}
    between = answer(KerasModel(model), blocks_of(model), 0, 0, data)
    after = answer(KerasModel(model), blocks_of(model), 1, 2, between)
    np.testing.assert_allclose(after, np.asarray(outer(data)), atol=1e-6)


def test_a_model_that_is_called_twice_inside_shares_its_weights(keras: Any) -> None:
    inner = _backbone(keras, "inner", "inner_dense")
    entry = keras.Input((4,), name="entry")
    outer = keras.Model(entry, inner(inner(entry)))
    blocks = blocks_of(flatten(outer))
    assert [block.name for block in blocks] == ["inner_relu", "inner_dense"] * 2
    assert [block.parameter_bytes for block in blocks] == [0, 80, 0, 0]


def test_models_inside_whose_layers_have_one_name_stay_whole_with_a_warning(keras: Any) -> None:
    first, second = _backbone(keras, "one", "dense"), _backbone(keras, "two", "dense")
    entry = keras.Input((4,), name="entry")
    outer = keras.Model(entry, second(first(entry)))
    with pytest.warns(TiercutWarning, match="'one', 'two'.*called 'dense'"):
        model = flatten(outer)
    assert [block.name for block in blocks_of(model)] == ["one", "two"]


def test_a_model_without_models_inside_is_left_alone(diamond: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert flatten(diamond) is diamond


def test_another_size_of_input_is_given_to_the_same_layers(keras: Any) -> None:
    entry = keras.Input((None, None, 3), name="entry")
    model = keras.Model(entry, keras.layers.Conv2D(2, 3, name="convolution")(entry))
    assert blocks_of(flatten(model, size=(6, 7)))[0].output_bytes == 4 * 5 * 2 * 4
    vector = keras.Input((4,), name="vector")
    with pytest.raises(QuestionError, match="the input has no size, not 6x7"):
        flatten(keras.Model(vector, keras.layers.ReLU()(vector)), size=(6, 7))
