"""Benchmarks of Scission and ScissionTL become profiles and a topology that rank plans as they did."""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.published import read_json, scission_pipeline
from support.scission_files import LayerBenchmark, block, blocks_of, dat_bytes, main_class, write_network

import tiercut

Call = Callable[..., tuple[int, str, str]]
NAMES = {"raspi4": "device", "edge-2500": "edge", "edge-vm2core": "edge", "cloud-gpu": "cloud", "cloud-cpu": "cloud"}
ROWS = [("pi", "box", 10, 8), ("pi", "big", 30, 8), ("box", "big", 20.5, 80)]
SMALL = [block(0, 1, 0.5, 4000), block(2, 2, 0.25, 2000), block(3, 5, 1.0, 100)]
TL = {"tl_output_size": 500, "downsample_time": 0.25, "upsample_time": 0.5, "dataconvert_time": 0.125}
NO_TL = dict.fromkeys(TL, -1)


def slower(blocks: list[dict[str, Any]], factor: float) -> list[dict[str, Any]]:
    return [each | {"second_prediction": factor * each["second_prediction"]} for each in blocks]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of a device, an edge machine and a cloud, with one model of three blocks, and their network."""
    for name, factor in {"device-pi": 4.0, "edge-box": 2.0, "cloud-big": 1.0}.items():
        (tmp_path / f"{name}.dat").write_bytes(dat_bytes({"net": slower(SMALL, factor)}))
    write_network(tmp_path / "wired.csv", ROWS)
    return tmp_path


def importing(shell_call: Call, folder: Path, *more: object, tool: str = "scission") -> tuple[int, str, str]:
    return shell_call("import", tool, folder, folder / "wired.csv", "--output", folder / "out", *more)


def refused(shell_call: Call, folder: Path, *more: object, tool: str = "scission") -> str:
    """Return the message of an import that must fail, with status 2 and nothing written."""
    status, out, err = importing(shell_call, folder, *more, tool=tool)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert not (folder / "out").exists()
    return err


def test_a_profile_and_a_topology_are_written(shell_call: Call, folder: Path) -> None:
    status, out, err = importing(shell_call, folder, "--input", "8 kB")
    assert (status, out) == (0, "")
    assert err.count("wrote ") == 2
    profile = tiercut.load_profile(folder / "out/net.json")
    assert profile.devices["pi"].block_s == [2.0, 1.0, 4.0]
    assert profile.devices["big"].block_s == [0.5, 0.25, 1.0]
    assert profile.payload_bytes == [8000, 4000, 2000, 100]
    assert [(each.first_layer, each.last_layer) for each in profile.blocks] == [(0, 1), (2, 2), (3, 5)]
    topology = tiercut.load_topology(folder / "out/wired.yaml")
    assert topology.node_names == ("pi", "box", "big")
    assert topology.tiers == ("device", "edge", "cloud")
    assert (topology.source, topology.destination, topology.one_partition_per) == ("pi", "anywhere", "tier")
    assert topology.order == "forward"
    assert topology.hops["box", "big"].latency == pytest.approx(0.0205, rel=1e-15)
    assert topology.hops["box", "big"].bandwidth == 1e7


def test_the_cost_of_an_imported_plan_is_the_one_worked_out_by_hand(shell_call: Call, folder: Path) -> None:
    importing(shell_call, folder)
    plan = tiercut.plan(folder / "out/wired.yaml", folder / "out/net.json", partition=[1, 3], placement=["box", "big"])
    there = 0.010 + 150_000 / 1e6
    assert plan.latency_s == pytest.approx(there + 1.0 + (0.0205 + 4000 / 1e7) + 1.25, rel=1e-12)


def test_spaces_in_the_network_file_change_nothing(shell_call: Call, folder: Path) -> None:
    importing(shell_call, folder)
    write_network(folder / "wired.csv", ROWS, spaces=True)
    status, _, err = importing(shell_call, folder)
    assert status == 0, err


def test_blank_lines_a_mark_of_byte_order_and_other_line_ends_change_nothing(shell_call: Call, folder: Path) -> None:
    importing(shell_call, folder)
    path = folder / "wired.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n\n").rstrip())
    status, _, err = importing(shell_call, folder)
    assert status == 0, err


def test_numbers_may_be_those_of_numpy(shell_call: Call, folder: Path) -> None:
    importing(shell_call, folder)
    numpy = [
        each
        | {key: np.int64(each[key]) for key in ("input_layer", "output_layer", "output_size")}
        | {"second_prediction": np.float64(each["second_prediction"] * 4)}
        for each in SMALL
    ]
    (folder / "device-pi.dat").write_bytes(dat_bytes({"net": numpy}))
    status, _, err = importing(shell_call, folder)
    assert status == 0, err


def test_the_transfer_layer_becomes_a_codec(shell_call: Call, folder: Path) -> None:
    coded = [SMALL[0] | TL, SMALL[1] | NO_TL, SMALL[2] | NO_TL]
    for path in folder.glob("*.dat"):
        path.write_bytes(dat_bytes({"net": coded}))
    status, _, err = importing(shell_call, folder, tool="scissiontl")
    assert status == 0, err
    codec = tiercut.load_profile(folder / "out/net.json").codecs["transfer-layer"]
    assert codec.bytes == [None, 500, None, None]
    assert codec.encode_s["pi"] == [None, 0.375, None, None]
    assert codec.decode_s["box"] == [None, 0.625, None, None]


def test_files_of_scissiontl_can_be_imported_without_the_transfer_layer(shell_call: Call, folder: Path) -> None:
    for path in folder.glob("*.dat"):
        path.write_bytes(dat_bytes({"net": [each | TL for each in SMALL]}))
    assert importing(shell_call, folder)[0] == 0
    assert tiercut.load_profile(folder / "out/net.json").codecs == {}


def test_other_devices_stay_in_the_profile_and_can_be_the_source(shell_call: Call, folder: Path) -> None:
    (folder / "device-watch.dat").write_bytes(dat_bytes({"net": slower(SMALL, 40.0)}))
    write_network(folder / "wired.csv", [*ROWS, ("watch", "box", 5, 1), ("watch", "big", 9, 1)])
    status, _, err = importing(shell_call, folder)
    assert status == 0
    assert "'watch' is in the profiles alone" in err
    assert tiercut.load_topology(folder / "out/wired.yaml").node_names == ("pi", "box", "big")
    assert "watch" in tiercut.load_profile(folder / "out/net.json").devices
    assert importing(shell_call, folder, "--source", "watch", "--overwrite")[0] == 0
    assert tiercut.load_topology(folder / "out/wired.yaml").source == "watch"
    assert "there is no device 'wach'; did you mean 'watch'?" in importing(shell_call, folder, "--source", "wach")[2]


def test_a_model_that_a_machine_lacks_is_told(shell_call: Call, folder: Path) -> None:
    (folder / "cloud-big.dat").write_bytes(dat_bytes({"net": SMALL, "other/net 2": SMALL}))
    status, _, err = importing(shell_call, folder)
    assert status == 0
    assert "warning: device-pi.dat lacks other/net 2; rank them with --without pi" in err
    assert list(tiercut.load_profile(folder / "out/other_net_2.json").devices) == ["big"]


def test_names_that_yaml_reads_as_something_else_are_quoted(shell_call: Call, folder: Path) -> None:
    (folder / "cloud-big.dat").rename(folder / "cloud-2500.dat")
    (folder / "edge-box.dat").rename(folder / "edge-on.dat")
    rows = [tuple({"big": "2500", "box": "on"}.get(str(cell), cell) for cell in row) for row in ROWS]
    write_network(folder / "wired.csv", rows)  # type: ignore[arg-type]
    status, _, err = importing(shell_call, folder)
    assert status == 0, err
    assert tiercut.load_topology(folder / "out/wired.yaml").node_names == ("pi", "on", "2500")


def test_nothing_that_was_written_before_is_replaced_unasked(shell_call: Call, folder: Path) -> None:
    importing(shell_call, folder)
    kept = folder / "out/net.json"
    kept.write_text(kept.read_text() + " ")
    status, _, err = importing(shell_call, folder)
    assert status == 2
    assert f"{kept}: there already, with other contents" in err
    assert kept.read_text().endswith(" ")
    assert importing(shell_call, folder, "--overwrite")[0] == 0
    assert not kept.read_text().endswith(" ")


DAT = {
    "[]": "it holds no dictionary of models",
    "{}": "it holds no dictionary of models",
    "{'net': 3}": "model 'net' has no list of objects of __main__.LayerBenchmark",
    "{'net': []}": "model 'net' has no list of objects",
    "{'net': [1.0]}": "model 'net' has no list of objects",
    "{'a\\x1b[2J': []}": "a model's name is empty, too long or not printable",
}


@pytest.mark.parametrize("value", DAT)
def test_a_file_that_holds_something_else_is_refused(shell_call: Call, folder: Path, value: str) -> None:
    (folder / "edge-box.dat").write_bytes(pickle.dumps(ast.literal_eval(value), 3))
    assert f"edge-box.dat: is no benchmark file of Scission, or is damaged: {DAT[value]}" in refused(shell_call, folder)


def test_a_file_of_another_class_is_refused(shell_call: Call, folder: Path) -> None:
    data = (folder / "edge-box.dat").read_bytes().replace(b"c__main__\nLayerBenchmark", b"cposix\nsystem")
    (folder / "edge-box.dat").write_bytes(data)
    assert "names 'posix.system'; such a file holds objects of __main__.LayerBenchmark" in refused(shell_call, folder)


def test_a_file_that_is_cut_short_or_empty_is_refused(shell_call: Call, folder: Path) -> None:
    data = (folder / "edge-box.dat").read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        (folder / "edge-box.dat").write_bytes(data[:length])
        assert "edge-box.dat: is no benchmark file of Scission, or is damaged" in refused(shell_call, folder)


def test_a_file_that_is_too_large_is_refused(shell_call: Call, folder: Path) -> None:
    (folder / "edge-box.dat").write_bytes(b"\x80\x03" + b"}" * (3 << 20))
    assert "edge-box.dat: the file has 3,145,730 bytes; one of its kind may have 2,097,152" in refused(
        shell_call, folder
    )


def test_one_list_that_stands_for_many_models_is_bounded(shell_call: Call, folder: Path) -> None:
    with main_class():
        shared = [LayerBenchmark(**block(layer, layer, 0.5, 1)) for layer in range(300)]
        data = pickle.dumps({f"net{number}": shared for number in range(1000)}, 3)
    (folder / "edge-box.dat").write_bytes(data)
    assert "edge-box.dat: is no benchmark file of Scission, or is damaged: it has more than 100,000" in refused(
        shell_call, folder
    )


BLOCKS: dict[str, tuple[dict[str, Any], str]] = {
    "a missing time": ({"second_prediction": None}, "block 2: 'second_prediction' is not a finite number"),
    "a negative time": ({"second_prediction": -0.5}, "block 2: 'second_prediction' is -0.5, less than 0"),
    "no number": ({"second_prediction": float("nan")}, "block 2: 'second_prediction' is not a finite number"),
    "an endless time": ({"second_prediction": np.float64("inf")}, "block 2: 'second_prediction' is not a finite"),
    "a time of text": ({"second_prediction": "0.5"}, "block 2: 'second_prediction' is not a finite number"),
    "a truth for a time": ({"second_prediction": True}, "block 2: 'second_prediction' is not a finite number"),
    "half a byte": ({"output_size": 0.5}, "block 2: 'output_size' is 0.5, not a whole number"),
    "a gap": ({"input_layer": 3, "output_layer": 3}, "block 2: layer 3 does not follow on layer 1"),
    "an end before the beginning": ({"output_layer": 1}, "block 2: ends before it begins, layers 2-1"),
    "other bytes": ({"output_size": 5}, "block 2 is layer 2 with 2,000 bytes in device-pi.dat, but layer 2 with 5 byt"),
    "other layers": ({"output_layer": 5}, "block 2 is layer 2 with 2,000 bytes in device-pi.dat, but layers 2-5 with"),
}


@pytest.mark.parametrize("what", BLOCKS)
def test_a_block_that_is_wrong_is_named(shell_call: Call, folder: Path, what: str) -> None:
    change, message = BLOCKS[what]
    blocks = [SMALL[0], SMALL[1] | change]
    if "output_layer" not in change:
        blocks.append(SMALL[2] | {"input_layer": 4} if what == "a gap" else SMALL[2])
    (folder / "edge-box.dat").write_bytes(dat_bytes({"net": blocks}))
    said = refused(shell_call, folder)
    assert message in said
    assert "'net'" in said


def test_a_missing_key_is_named(shell_call: Call, folder: Path) -> None:
    (folder / "edge-box.dat").write_bytes(dat_bytes({"net": [{"input_layer": 0, "output_layer": 1}]}))
    assert "model 'net', block 1: 'second_prediction' is missing" in refused(shell_call, folder)
    message = refused(shell_call, folder, tool="scissiontl")
    assert "'tl_output_size' is missing; files without it come from Scission: 'tiercut import scission'" in message


def test_fewer_blocks_on_a_machine_are_told(shell_call: Call, folder: Path) -> None:
    (folder / "edge-box.dat").write_bytes(dat_bytes({"net": SMALL[:2]}))
    assert "model 'net': device-pi.dat has 3 blocks, edge-box.dat 2" in refused(shell_call, folder)


def test_names_of_files_are_checked(shell_call: Call, folder: Path) -> None:
    (folder / "edge-box.dat").rename(folder / "fog-box.dat")
    assert "fog-box.dat: its name is not <tier>-<name>.dat with a tier of device, edge, cloud" in refused(
        shell_call, folder
    )
    (folder / "fog-box.dat").rename(folder / "cloud-pi.dat")
    assert "cloud-pi.dat and device-pi.dat are both called 'pi'" in refused(shell_call, folder)


def test_a_folder_without_files_is_refused(shell_call: Call, tmp_path: Path) -> None:
    write_network(tmp_path / "wired.csv", ROWS)
    assert "holds no .dat file; Scission names them <tier>-<name>.dat" in refused(shell_call, tmp_path)
    status, _, err = shell_call(
        "import", "scission", tmp_path / "none", tmp_path / "wired.csv", "--output", tmp_path / "out"
    )
    assert status == 2
    assert "there is no such folder" in err


CSV = {
    "device-pi,edge-box,10,8\n": "its rows name 'device-pi', 'edge-box'; the machines are 'pi', 'box', 'big', each",
    "a,b,c,d\n": "wired.csv:1: expected the columns source,destination,ping(ms),bandwidth(mbps), got a,b,c,d",
    "pi,box,10,8\nbox,big,20,80\n": "there is no row from 'pi' to 'big', every machine needs one to each farther tier",
    "pi,box,10,8\nbig,pi,30,8\nbox,big,20,80\n": "from 'pi' to 'big'; there is one for the other way, but",
    "pi,box,ten,8\n": "wired.csv:2: ping(ms): expected a number, got 'ten'",
    "pi,box,-1,8\n": "wired.csv:2: ping(ms): expected a finite number that is 0 or more, got '-1'",
    "pi,box,10,nan\n": "wired.csv:2: bandwidth(mbps): expected a finite number that is 0 or more, got 'nan'",
    "pi,box,10,0\n": "wired.csv:2: a bandwidth of 0 carries nothing",
    "pi,box,10\n": "wired.csv:2: expected 4 cells, got 3",
    "pi,,10,8\n": "wired.csv:2: expected the names of two machines",
    "pi,pi,10,8\n": "wired.csv:2: expected the names of two machines, got 'pi' and 'pi'",
    "pi,box,10,8\npi,box,10,9\n": "wired.csv:3: the row from 'pi' to 'box' stands here a second time",
}


@pytest.mark.parametrize("rows", CSV)
def test_a_network_file_that_is_wrong_is_refused(shell_call: Call, folder: Path, rows: str) -> None:
    head = "" if rows.startswith("a,b") else "source,destination,ping(ms),bandwidth(mbps)\n"
    (folder / "wired.csv").write_text(head + rows)
    assert CSV[rows] in refused(shell_call, folder)


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of times that are exactly 0
@pytest.mark.parametrize("network", ["3g", "wired"])
def test_what_scission_published_ranks_the_same_after_an_import(
    shell_call: Call, data_folder: Path, tmp_path: Path, network: str
) -> None:
    profiles = {path.stem: read_json(path) for path in sorted((data_folder / "scission").glob("*.json"))}
    for name, tier in NAMES.items():
        models = {model: blocks_of(profile, name) for model, profile in profiles.items()}
        (tmp_path / f"{tier}-{name}.dat").write_bytes(dat_bytes(models))
    rows = [
        (a, b, hop.latency * 1e3, hop.bandwidth * 8 / 1e6)
        for (a, b), hop in scission_pipeline(network, list(NAMES)).hops.items()
    ]
    write_network(tmp_path / "wired.csv", rows, spaces=network == "3g")
    status, _, err = importing(shell_call, tmp_path)
    assert status == 0, err
    ranking = read_json(data_folder / "scission-ranking.json")
    assert set(ranking) == set(profiles)
    for model, wanted in ranking.items():
        arguments = ("rank", tmp_path / "out/wired.yaml", tmp_path / f"out/{model}.json", "--order", "forward")
        status, out, err = shell_call(*arguments, "--json")
        assert status == 0, err
        got = json.loads(out)
        assert got["problem"]["decisions"] == wanted["plans"]
        assert len(got["plans"]) == len(wanted[network]) == 5
        for plan, each in zip(got["plans"], wanted[network], strict=True):
            assert plan["latency_s"] == pytest.approx(each["latency_s"], abs=1e-9)
            assert plan["bytes_sent"] == pytest.approx(each["bytes_sent"], abs=1e-9)
            assert (plan["partition"], plan["placement"]) == (each["partition"], each["placement"])


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
def test_what_scissionlite_published_comes_back_from_its_files(
    shell_call: Call, data_folder: Path, tmp_path: Path
) -> None:
    profiles = {path.stem: read_json(path) for path in sorted((data_folder / "scissionlite").glob("*.json"))}
    machines = {"tx2-gpu": "device", "edge-ampere": "edge", "edge-titan-cpu": "edge"}
    for name, tier in machines.items():
        models = {model: blocks_of(profile, name) for model, profile in profiles.items()}
        (tmp_path / f"{tier}-{name}.dat").write_bytes(dat_bytes(models))
    write_network(tmp_path / "wired.csv", [("tx2-gpu", name, 27.4, 58.8) for name in machines if name != "tx2-gpu"])
    status, _, err = importing(shell_call, tmp_path, tool="scissiontl")
    assert status == 0, err
    for model, profile in profiles.items():
        imported = tiercut.load_profile(tmp_path / f"out/{model}.json")
        published = tiercut.Profile.from_data(profile)
        assert imported.codecs == published.codecs
        assert imported.payload_bytes == published.payload_bytes
        assert {name: each.block_s for name, each in imported.devices.items()} == {
            name: each.block_s for name, each in published.devices.items()
        }
