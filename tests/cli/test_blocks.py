"""``tiercut blocks`` as a command: what it prints, and what it says of a wrong call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from tiercut.profiling.exits.exit_files import ExitFile, save_exits
from tiercut.profiling.exits.exits import attach_exits
from tiercut.profiling.models.backbones import backbone
from tiercut.profiling.models.loader import load_keras


@pytest.fixture
def call(shell_call: Any) -> Any:
    """List blocks; return status, standard output and standard error."""
    return lambda *arguments: shell_call("blocks", *arguments)


def test_json_lists_the_blocks_of_a_model_as_the_format_says(call: Any) -> None:
    status, out, err = call("mobile-net_v2", "--input-size", "32", "--json")
    made = json.loads(out)
    assert (status, err) == (0, "")
    assert list(made) == ["model", "rule", "blocks"]
    assert (made["model"], made["rule"], len(made["blocks"])) == ("MobileNetV2", "all", 75)
    assert list(made["blocks"][0]) == ["name", "layers", "output_bytes", "parameter_bytes", "flops"]
    assert made["blocks"][0]["layers"] == ["input_layer", "Conv1"]
    assert made["blocks"][0]["output_bytes"] == 16 * 16 * 32 * 4
    layers = [name for block in made["blocks"] for name in block["layers"]]
    assert layers == [layer.name for layer in load_keras("MobileNetV2", size=(32, 32))[1].layers]


def test_the_table_names_every_block_and_marks_where_less_than_the_input_is_sent(call: Any) -> None:
    status, out, _ = call("resnet20", "--rule", "scission")
    rows = [line.split() for line in out.splitlines()]
    assert status == 0
    assert "resnet20: 14 blocks (rule scission)" in out
    assert [row[0] for row in rows if row and row[0].isdecimal()] == [str(number) for number in range(1, 15)]
    marked = [line for line in out.splitlines() if " * " in line and "than the input" not in line]
    assert marked
    assert "* less than the input leaves this block" in out
    assert all("kB" not in line.split("*")[0] or float(line.split("kB")[0].split()[-1]) < 12.288 for line in marked)


def test_a_network_of_one_block_is_not_called_blocks_and_explains_no_mark_that_is_not_there(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_alone.py").write_text(
        "import keras\n\ndef net():\n    x = keras.Input((8,))\n    return keras.Model(x, keras.layers.Dense(64)(x))\n"
    )
    monkeypatch.chdir(tmp_path)
    status, out, _ = call("made_alone:net")
    lines = [line.strip() for line in out.splitlines()]
    assert status == 0
    assert lines[0].endswith(": 1 block (rule all), 2 layers")
    assert lines[1] == "input 32 B, parameters 2.304 kB, 1.02 k floating-point operations"
    assert "less than the input" not in out


def test_the_input_of_a_video_takes_three_sizes(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clips_for_tests.py").write_text(
        "import keras\n\ndef net():\n    x = keras.Input((4, 8, 8, 3))\n"
        "    return keras.Model(x, keras.layers.AveragePooling3D(2)(x))\n"
    )
    monkeypatch.chdir(tmp_path)
    status, out, _ = call("clips_for_tests:net", "--input-size", "2x4x6", "--json")
    assert status == 0
    assert [block["output_bytes"] for block in json.loads(out)["blocks"]] == [1 * 2 * 3 * 3 * 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Xceptoin"], "there is no model 'Xceptoin'; did you mean 'Xception'"),
        (
            ["VGG16", "--input-size", "big"],
            "--input-size is written 224 or HEIGHTxWIDTH, a size for each axis, not 'big'",
        ),
        (["VGG16", "--input-size", "0"], "--input-size is written"),
        (["none.keras"], "none.keras: there is no such file"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_and_status_2(call: Any, arguments: list[str], words: str) -> None:
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_model_with_two_inputs_is_listed_with_the_bytes_of_both(call: Any, keras_file: Path) -> None:
    status, out, _ = call(str(keras_file))
    assert status == 0
    assert "input 16 B" in out
    made = json.loads(call(str(keras_file), "--json")[1])
    assert [each["layers"] for each in made["blocks"]] == [["left", "right", "sum"]]


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    import keras

    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    keras.Model([left, right], keras.layers.Add(name="sum")([left, right])).save(tmp_path / "two.keras")
    return tmp_path / "two.keras"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_a_network_with_exits_lists_its_blocks_with_their_branches(call: Any, tmp_path: Path) -> None:
    network = backbone("lenet", input_shape=(16, 16, 3))
    exits = attach_exits(network.model, cuts=network.cuts, branches=[2])
    record = ExitFile(
        title="LeNet", cuts=[each.name for each in exits.blocks], branches=[place + 1 for place in exits.present],
        dataset="d", seed=0, trained_on="0" * 64,
    )  # fmt: skip
    path = tmp_path / "len.keras"
    save_exits(exits, record, path)
    status, out, err = call(str(path), "--json")
    data = json.loads(out)
    assert (status, err, data["model"], data["rule"]) == (0, "", "LeNet", "explicit")
    assert [block["name"] for block in data["blocks"]] == record.cuts
    last = len(record.cuts)
    assert [block["branch"] for block in data["blocks"]] == [None, "exit2", *[None] * (last - 3), f"exit{last}"]
    assert [block["flops"] for block in data["blocks"]] == [block.flops for block in exits.blocks]
    status, out, _ = call(str(path))
    assert status == 0
    assert f"LeNet: {last} blocks (rule explicit)" in out
    assert [line.split()[-1] for line in out.splitlines() if line.split()[:1] == ["2"]] == ["exit2"]
    assert "leave --rule and --input-size out" in call(str(path), "--rule", "scission")[2]
