"""What is reported of models and of the output before the first model is timed; no framework is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.checkout import ROOT

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.record.preflight import application_names, prepared
from tiercut.profiling.record.settings import Settings


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keras_file(path: Path, config: object = None) -> None:
    """Write what looks like a model's file, as far as can be checked without Keras."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config or {"class_name": "Functional"}))


def faults(*names: str, output: str = "out", elsewhere: bool = False, **wanted: Any) -> list[str]:
    with pytest.raises(QuestionError) as caught:
        prepared(names, output, Settings(**wanted), elsewhere=elsewhere)
    return str(caught.value).splitlines()


def test_models_that_are_there_come_back_as_they_were_named(here: Path) -> None:
    keras_file(here / "net.keras")
    (here / "mine.py").write_text("import nothing_of_that_name\ndef small(): ...\n")
    names = ("resnet-20", "net.keras", "mine:small")
    assert prepared(names, "out/deep") == names
    assert not (here / "out").exists()


def test_names_of_keras_applications_are_read_from_keras_without_loading_it() -> None:
    pytest.importorskip("keras")
    from tiercut.profiling.models.loader import applications

    assert set(application_names()) == set(applications())


def test_all_that_is_wrong_is_told_at_once_with_the_models_to_mend(here: Path) -> None:
    pytest.importorskip("keras")
    (here / "short.keras").write_bytes(b"PK\x03\x04")
    lines = faults("MobilNetV2", "resnet20", "none.keras", "short.keras", "old.h5", "nowhere:net", "Foo")
    assert lines[0] == "there is no model 'MobilNetV2'; did you mean 'MobileNetV2'?"
    assert lines[1] == "none.keras: there is no such file"
    assert "cut short" in lines[2]
    assert "save the model as .keras" in lines[3]
    assert lines[4] == "'nowhere:net': there is no module 'nowhere', neither installed nor in the working directory"
    assert lines[5] == "there is no model 'Foo'"
    assert lines[6].startswith("known are ConvNeXt")
    assert lines[7:] == [
        "nothing was timed; mend these or leave them out: MobilNetV2, none.keras, short.keras, old.h5, nowhere:net, Foo"
    ]


def test_what_a_file_would_run_is_refused_unless_it_is_trusted(here: Path) -> None:
    keras_file(here / "net.keras", {"class_name": "Lambda", "config": {"name": "doubling"}})
    (line,) = faults("net.keras")
    assert "'doubling' is a Lambda" in line
    assert prepared(["net.keras"], "out", Settings(trust=True)) == ("net.keras",)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def small(): ...", "'mine:net': there is no function 'net' (known: small)"),
        ("def nets(): ...\ndef _hidden(): ...", "there is no function 'net'; did you mean 'nets'? (known: nets)"),
        ("def net(:", "mine.py:1: is no Python"),
        ("async def other():\n    net = 1", "there is no function 'net' (known: none)"),
    ],
)
def test_a_function_that_is_not_in_the_module_is_told_from_its_source(here: Path, source: str, fault: str) -> None:
    (here / "mine.py").write_text(source)
    (line,) = faults("mine:net")
    assert fault in line


@pytest.mark.parametrize(
    "source",
    [
        "def net(): ...",
        "from elsewhere import net",
        "from elsewhere import other as net",
        "import functools\nnet = functools.partial(print)",
        "try:\n    import fast as net\nexcept ImportError:\n    def net(): ...",
        "from elsewhere import *",
        "def __getattr__(name): ...",
    ],
)
def test_a_function_that_a_module_has_in_any_way_is_let_through_and_nothing_runs(here: Path, source: str) -> None:
    (here / "mine.py").write_text(f"raise SystemExit('this ran')\n{source}\n")
    assert prepared(["mine:net"], "out") == ("mine:net",)


def test_modules_in_packages_are_found_without_running_the_package(here: Path) -> None:
    (here / "nets").mkdir()
    (here / "nets" / "__init__.py").write_text("raise SystemExit('this ran')\n")
    (here / "nets" / "small.py").write_text("def net(): ...\n")
    assert prepared(["nets.small:net"], "out") == ("nets.small:net",)
    assert "there is no module 'nets.smal'" in faults("nets.smal:net")[0]


@pytest.mark.parametrize(
    ("names", "again"),
    [
        (("resnet20", "lenet", "ResNet-20"), "ResNet-20"),
        (("net.keras", "./net.keras", "lenet"), "./net.keras"),
        (("lenet", "lenet", "lenet"), "lenet, lenet"),
    ],
)
def test_a_model_that_is_named_again_is_recorded_once(here: Path, names: tuple[str, ...], again: str) -> None:
    keras_file(here / "net.keras")
    with pytest.warns(TiercutWarning, match=f"named again: {again}; each model is recorded once"):
        once = prepared(names, "out")
    assert once == tuple(dict.fromkeys(name for name in names if name not in again.split(", ") or name == "lenet"))


def test_two_models_that_would_share_a_profile_are_refused(here: Path) -> None:
    for folder in ("a", "b"):
        (here / folder).mkdir()
        keras_file(here / folder / "net.keras")
    (first, last) = faults("a/net.keras", "lenet", "b/net.keras")
    assert first.startswith("'a/net.keras' and 'b/net.keras' would both be written to out/net.json")
    assert last == "nothing was timed"


def test_several_models_for_one_file_and_none_at_all_are_refused() -> None:
    assert faults("lenet", "alexnet", output="it.json") == [
        "2 models cannot be written to one file; name a folder, not 'it.json'"
    ]
    assert faults() == ["name at least one model"]
    assert faults("lenet", output="it.yaml")[0].startswith("a profile is a .json file")


def test_a_profile_that_cannot_be_written_is_told(here: Path) -> None:
    (here / "taken").write_text("")
    assert faults("lenet", "alexnet", output="taken")[0].startswith(
        "taken/lenet.json: cannot be written: 'taken' is no"
    )
    (here / "it.json").mkdir()
    (here / "it.json" / "lenet.json").mkdir()
    assert faults("lenet", output="it.json") == ["it.json/lenet.json: this is a directory; name a file in it"]


def test_a_file_that_is_no_profile_is_told_before_a_device_would_be_added_to_it(here: Path) -> None:
    (here / "it.json").write_text("{}")
    assert "tiercut.profile/1" in faults("lenet", output="it.json")[0]
    assert (here / "it.json").read_text() == "{}"


def test_of_models_for_another_machine_only_the_files_are_looked_at(here: Path) -> None:
    names = ("OnlyThere", "there:net", "none.keras")
    assert faults(*names, elsewhere=True) == [
        "none.keras: there is no such file",
        "nothing was timed; mend these or leave them out: none.keras",
    ]
    assert prepared(names[:2], "out", elsewhere=True) == names[:2]


def test_looking_at_models_loads_no_framework() -> None:
    program = (
        "import sys\nfrom tiercut.profiling.record.preflight import prepared\n"
        "try: prepared(['VGG16', 'Foo', 'none.keras'], 'out')\nexcept Exception: pass\n"
        "assert not {'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT / "src"
    )
    assert done.returncode == 0, done.stderr


def trained_file(path: Path) -> None:
    """Write what looks like a network that was trained with exits."""
    keras_file(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("tiercut.json", "{}")


def test_settings_that_cannot_count_for_a_network_are_refused_all_at_once(here: Path) -> None:
    trained_file(here / "net.keras")
    keras_file(here / "plain.keras")
    assert faults("net.keras", rule="all", size=(8, 8), weights="imagenet", epochs=3, seed=1) == [
        "not for a network with exits, which keeps what it was trained with: --rule, --input-size, --weights, "
        "--epochs, --seed; leave them out"
    ]
    assert faults("plain.keras", "net.keras", thresholds="5") == [
        "not without --dataset: --thresholds; leave it out",
        "nothing was timed; mend these or leave them out: plain.keras",
    ]
    assert faults("lenet", dataset="digits8", rule="scission") == ["not with --dataset: --rule; leave it out"]
    assert prepared(["net.keras", "plain.keras"], "out", Settings(batch=2, jit=True, check=3, redo=True))
    assert prepared(["lenet"], "out", Settings(dataset="digits8", size=(16, 16), epochs=3, seed=1))


def test_what_a_data_set_makes_of_a_name_is_known_before_anything_is_loaded(here: Path) -> None:
    keras_file(here / "plain.keras")
    (wrong, last) = faults("lenet", "lenot", "plain.keras", dataset="digits8")[::2]
    assert wrong.startswith("there is no backbone 'lenot'; did you mean 'lenet'")
    assert last.startswith("nothing was timed")
    assert "has no exits in it; make them with tiercut train" in faults("plain.keras", dataset="digits8")[0]
    trained_file(here / "Net.keras")
    (here / "it").mkdir()
    (here / "it" / "Net.json").write_text("{}")
    (here / "it" / "lenet-digits8.json").write_text("{}")
    assert faults("Net.keras", output="it")[0].startswith("it/Net.json:")
    assert faults("lenet", output="it", dataset="digits8")[0].startswith("it/lenet-digits8.json:")
