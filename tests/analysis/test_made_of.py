"""An answer says what it was made of, and commands that take a plan find it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tiercut
import tiercut.profiling
from tiercut.analysis import load_answer
from tiercut.errors import InputError
from tiercut.topologies import ready_made, topology_data

RECORDED = Path(tiercut.profiling.__file__).parent / "recorded"


@pytest.mark.parametrize("name", ready_made())
def test_a_topology_comes_back_from_its_data(name: str) -> None:
    topology = tiercut.load_topology(name)
    assert tiercut.Topology.from_data(topology_data(topology)) == topology


def test_an_answer_holds_the_topology_with_all_changes(tmp_path: Path) -> None:
    answer = tiercut.solve("mobile", "resnet20-digits32", bandwidth={"watch-phone": "123 kb/s"}, source="phone")
    path = tmp_path / "answer.json"
    path.write_text(answer.to_json(), encoding="utf-8")
    topology, profile = load_answer(path).inputs()
    assert topology.hops["watch", "phone"].bandwidth == 123e3 / 8
    assert (topology.source, topology.destination) == ("phone", "phone")
    assert profile == tiercut.load_profile("resnet20-digits32")


def test_a_profile_that_has_changed_since_is_refused_until_it_is_named(tmp_path: Path) -> None:
    for suffix in (".json", ".samples.npz"):
        shutil.copy(RECORDED / f"resnet20-digits32{suffix}", tmp_path)
    file = tmp_path / "resnet20-digits32.json"
    path = tmp_path / "answer.json"
    path.write_text(tiercut.solve("mobile", file).to_json(), encoding="utf-8")
    assert load_answer(path).inputs()[1].name == "ResNet20/digits32"
    file.write_text(file.read_text(encoding="utf-8").replace("recorded by", "written by"), encoding="utf-8")
    with pytest.raises(InputError, match="which has changed since"):
        load_answer(path).inputs()
    assert load_answer(path).inputs(profile=file)[1].origin.startswith("written by")


def test_an_answer_that_does_not_say_what_it_was_made_of_needs_to_be_told(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    text = tiercut.solve("mobile", "resnet20-digits32").to_json().replace('"topology": {', '"was": {')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="name it with --topology"):
        load_answer(path).inputs()
    assert load_answer(path).inputs(topology="iot")[0].name == "iot"
