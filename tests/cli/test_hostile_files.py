"""Files that promise too much, hold markup, or name what is none of their business: one line and the right status."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.made import both, profile_data, topology_data

from tiercut import documents, load_profile, load_samples, samples_of
from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError
from tiercut.memory import check_room
from tiercut.optimizer import build
from tiercut.profiling.data.sources import from_archive
from tiercut.profiling.models.loader import check_file
from tiercut.profiling.profile import samples as samples_module
from tiercut.report.safe_table import SafeTable

RATES = [[0.5, 0.5], [1.0, 0.0]]


def npy(shape: str, data: bytes = bytes(100), kind: str = "<f4") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (64 - (11 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def archive(folder: Path, **members: bytes) -> Path:
    path = folder / "made.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(f"{name}.npy", data)
    return path


@pytest.mark.parametrize("shape", ["(1000000000000, 10)", "(26, 1)", "(2147483648, 2147483648, 4294967296)"])
def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path, shape: str) -> None:
    path = archive(tmp_path, **dict.fromkeys(("entropy", "correct", "x", "y"), npy(shape)))
    for read in (load_samples, from_archive):
        with pytest.raises(InputError, match=r"promises .* bytes, the file holds 100 of them"):
            read(path)


@pytest.mark.parametrize("data", [npy("(5,)", kind="|O"), npy("(5,)", kind="<U0"), npy("(-5, -5)"), b"text", b""])
def test_arrays_of_anything_but_plain_numbers_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match=r"is no archive of samples"):
        load_samples(archive(tmp_path, entropy=data, correct=data))


def test_an_archive_that_unpacks_to_more_than_allowed_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, x=npy("(1000000,)", bytes(4_000_000)))
    assert path.stat().st_size < 10_000
    with (
        pytest.raises(InputError, match=r"it unpacks to 4,000,\d+ bytes, and one of its kind may to 1,000,000"),
        open_arrays(path, "made.npz", what="arrays", limit=1_000_000),
    ):
        pass


def test_archives_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    tables = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3)), "c": np.array(5)}
    np.savez_compressed(tmp_path / "good.npz", **tables)
    with open_arrays(tmp_path / "good.npz", "good.npz", what="arrays", limit=10_000) as found:
        assert found.names == ("a", "b", "c")
        assert all(np.array_equal(found[name], table) for name, table in tables.items())


def damaged(folder: Path) -> Path:
    path = archive(folder, entropy=npy("(25, 1)"), correct=npy("(25, 1)"))
    held = bytearray(path.read_bytes())
    held[60] ^= 0xFF
    path.write_bytes(held)
    return path


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no archive of samples"):
        load_samples(damaged(tmp_path))


def profile_file(folder: Path, **more: Any) -> Path:
    exits = {"thresholds": [0.5, 1.0], "accuracy": [0.5, 0.9], "exit_rate": RATES}
    path = folder / "profile.json"
    path.write_text(json.dumps(profile_data([1.0, 2.0], [12.0, 8.0, 4.0], exits=exits) | more))
    return path


@pytest.mark.parametrize("key", ["samples_file", "test_samples_file"])
@pytest.mark.parametrize("name", ["/dev/zero", "../x", "a/b", "a\0b", "", ".", "..", "C:x", "a\\b"])
def test_a_profile_names_no_file_but_one_beside_it(tmp_path: Path, key: str, name: str) -> None:
    with pytest.raises(InputError, match=f"{key}: expected the name of a file beside the profile"):
        load_profile(profile_file(tmp_path, **{key: name}))


def test_samples_are_a_regular_file_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile(profile_file(tmp_path, samples_file="x"))
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="names as its samples_file, is no regular file"):
        samples_of(profile)
    (tmp_path / "x").rmdir()
    os.mkfifo(tmp_path / "x")
    with pytest.raises(InputError, match="names as its samples_file, is no regular file"):
        samples_of(profile)
    (tmp_path / "x").unlink()
    (tmp_path / "x").write_bytes(bytes(2000))
    monkeypatch.setattr(samples_module, "SIZE_LIMIT", 1000)
    with pytest.raises(InputError, match="the file has 2,000 bytes; one of its kind may have 1,000 at most"):
        samples_of(profile)


def keras_file(folder: Path, config: bytes) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("config.json", config)
    return path


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_a_model_nested_without_end_is_one_error(tmp_path: Path, depth: int) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        check_file(keras_file(tmp_path, b"[" * depth + b"]" * depth))


def test_reading_asks_for_no_more_memory_than_the_file_has(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert documents.read_bytes(tmp_path / "x", limit=1 << 60) == b"abc"
    with pytest.raises(InputError, match="goes on and on"):
        documents.read_bytes("/dev/zero", limit=3_000_000)


def test_too_little_memory_is_one_line(shell_call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 23.8 GiB")

    monkeypatch.setattr(documents, "load", full)
    status, out, err = shell_call("show", "mobile")
    assert (status, out) == (2, "")
    assert err == (
        "error: there is too little memory for this: unable to allocate 23.8 GiB; ask for less, or use a machine with "
        "more\n"
    )


def test_tables_that_can_never_fit_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryError, match=r"^many numbers need 1e\+09 GB, and .* GB may be used$"):
        check_room(1e18, "many numbers")
    monkeypatch.setattr(build, "check_room", lambda size, what: pytest.fail(f"{what}: {size}"))
    with pytest.raises(pytest.fail.Exception, match=r"spans of 3 blocks on 2 devices .*: 468\.0"):
        build._spans([object(), object()], np.ones(2), 3)  # type: ignore[list-item]


NAMES = "[/]", "[b]", "[bold red]x[/bold red]", ":smile:", "a\x1b[31mb"
SHOWN = (*NAMES[:-1], "a\\x1b[31mb")


def test_tables_show_text_as_it_is_in_every_place() -> None:
    out = Console(file=io.StringIO(), width=200)
    for name, shown in zip(NAMES, SHOWN, strict=True):
        table = SafeTable(title=f"{name} 1", caption=f"{name} 2")
        table.add_column(f"{name} 3")
        table.add_row(f"{name} 4")
        with out.capture() as caught:
            out.print(table)
        assert all(f"{shown} {place}" in caught.get() for place in range(1, 5))


@pytest.mark.parametrize("name", ["[/]", "[b]", ":smile:"])
def test_names_of_nodes_blocks_and_devices_are_shown_as_they_are(shell_call: Any, tmp_path: Path, name: str) -> None:
    topology, profile = tmp_path / "topology.json", profile_file(tmp_path)
    nodes = [{"name": "a", "slowdown": 40.0}, {"name": name, "slowdown": 2.0}]
    topology.write_text(json.dumps(topology_data(nodes, [both("a", name, 1, 4)])))
    data = json.loads(profile.read_text())
    data["blocks"][0]["name"] = f"{name}1"
    data["devices"] = {name: next(iter(data["devices"].values()))}
    data.pop("reference", None)
    profile.write_text(json.dumps(data))
    for arguments in (
        ("solve", str(topology), str(profile), "--include", name, "--quiet"),
        ("explain", str(topology), str(profile), "--why", "--include", name),
        ("show", str(topology)),
        ("show", str(profile)),
    ):
        status, out, err = shell_call(*arguments)
        assert (status, err) == (0, ""), err
        assert name in out
