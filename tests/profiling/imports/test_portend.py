"""PORTEND's profiling results as profiles."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiercut import load_profile
from tiercut.cli import main
from tiercut.errors import InputError
from tiercut.profiling.imports.portend import read_portend

SPANS = {(1, 1): [0.9, 1.0, 0.8], (1, 2): [3.0], (1, 3): [6.0], (2, 2): [2.0], (2, 3): [5.0], (3, 3): [3.5]}
SENT = [[0, 1000, 0.4, 0.5], [1, 800, 0.3, 0.4], [2, 400, 0.2, 0.3]]
EXITS = {
    "[1, 1]": {0.0: [0, 0], 0.5: [40, 30], 1: [100, 60]},
    "[1, 2]": {0.0: [0, 0], 0.5: [70, 60], 1: [100, 80]},
    "[1, 3]": {0.0: [100, 90], 0.5: [100, 90], 1: [100, 90]},
}
EXITS_FILE = "accuracy_exitrate/profiling_exitrate_accuracy_partitionwise_model[Net]_dataset[Set]_validation.txt"


def times(spans: dict[tuple[int, int], Any]) -> str:
    columns = {
        "partition_start": [start for start, _ in spans],
        "partition_end": [end for _, end in spans],
        "latency_partition": list(spans.values()),
    }
    table = {name: {str(place): value for place, value in enumerate(each)} for name, each in columns.items()}
    return json.dumps(json.dumps(table))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Write the results of two machines, of which one is twice as quick."""
    folder = tmp_path / "results"
    for machine, factor in (("pi", 1.0), ("server", 0.5)):
        (folder / machine).mkdir(parents=True)
        spans = {blocks: [factor * each for each in means] for blocks, means in SPANS.items()}
        (folder / machine / "profiling_partition_Net_Set.txt").write_text(times(spans))
        (folder / machine / "profiling_pickle.pkl").write_bytes(pickle.dumps({"Net": SENT, "Other": []}))
    (folder / "accuracy_exitrate").mkdir()
    (folder / EXITS_FILE).write_bytes(pickle.dumps(EXITS))
    return folder


def test_spans_sizes_and_exits_become_a_profile(results: Path) -> None:
    (profile,) = read_portend(results)
    assert (profile.name, profile.block_count, profile.samples) == ("Net/Set", 3, 100)
    assert profile.payload_bytes == [1000, 800, 400, 0]
    assert profile.devices["pi"].span_s == [
        pytest.approx([0.001, 0.003, 0.006]), pytest.approx([0.002, 0.005]), pytest.approx([0.0035])
    ]  # fmt: skip
    assert profile.devices["server"].span_s is not None
    assert profile.devices["server"].span_s[0] == pytest.approx([0.0005, 0.0015, 0.003])
    assert profile.devices["pi"].encode_s == pytest.approx([4e-4, 3e-4, 2e-4])
    assert profile.devices["pi"].decode_s == pytest.approx([5e-4, 4e-4, 3e-4])
    assert profile.exits is not None
    assert profile.exits.thresholds == [0.0, 0.5, 1.0]
    assert profile.exits.accuracy == [0.6, 0.8, 0.9]
    assert profile.exits.exit_rate_alone == [[0, 0, 1], [0.4, 0.7, 1], [1, 1, 1]]
    assert profile.exits.hit_rate_alone == [[0, 0, 0.9], [0.3, 0.6, 0.9], [0.6, 0.8, 0.9]]


def test_without_its_exits_a_network_is_one_without_exits(results: Path) -> None:
    (results / EXITS_FILE).unlink()
    assert read_portend(results)[0].exits is None


def test_the_command_writes_a_profile_for_each_network(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tiercut", "import", "portend", str(results), "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert "wrote" in capsys.readouterr().err
    assert load_profile(tmp_path / "net-set.json") == read_portend(results)[0]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def replaced(value: object) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(value.encode() if isinstance(value, str) else pickle.dumps(value))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pi/profiling_partition_Net_Set.txt", cut, "not JSON"),
        ("pi/profiling_partition_Net_Set.txt", replaced("[1]"), "expected a table with the columns partition_start"),
        ("pi/profiling_partition_Net_Set.txt", replaced(times({(1, 2): [1.0]})), "has no time of blocks 1 to 1"),
        ("pi/profiling_partition_Net_Set.txt", replaced(times({(1, 1): ["x"]})), "a row of the table is broken"),
        ("pi/profiling_partition_Net_Set.txt", replaced(times({(1, 10**9): [1.0]})), "has times of 1000000000 blocks"),
        ("server/profiling_partition_Net_Set.txt", replaced(times({(1, 1): [1.0]})), "has 1 blocks, "),
        ("pi/profiling_pickle.pkl", cut, "broken|cut short|pickle|not enough|exhausted"),
        ("pi/profiling_pickle.pkl", replaced({"Net": SENT[:2]}), "expected 3 rows of 'Net'"),
        ("pi/profiling_pickle.pkl", replaced({}), "expected 3 rows of 'Net'"),
        ("pi/profiling_pickle.pkl", replaced(Path("x")), "names 'pathlib"),
        (EXITS_FILE, replaced({"[1, 1]": {1: [5, 5]}}), r"expected, for each branch '\[1, N\]'"),
        (EXITS_FILE, replaced(EXITS | {"[1, 2]": {1: [0, 0]}}), r"expected, for each branch '\[1, N\]'"),
        (EXITS_FILE, replaced([1]), "expected a dictionary"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(
    results: Path, name: str, change: Callable[[Path], None], message: str
) -> None:
    change(results / name)
    with pytest.raises(InputError, match=message) as caught:
        read_portend(results)
    assert caught.value.source == str(results / name)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="as PORTEND names them"):
        read_portend(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        read_portend(tmp_path / "nothing")
