"""How kernels are compiled and kept: read again without all that numba needs in order to compile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numba
import pytest
from support.checkout import ROOT

from tiercut import compiled
from tiercut.kernel_cache import _KNOWN

SOLVED = """
import sys
import tiercut
assert tiercut.solve("mobile", "resnet20-digits32").plans
print("numba" in sys.modules)
assert tiercut.solve("mobile", "resnet20-digits32", solver="labels").plans
print("numba.np.arraymath" in sys.modules, "scipy.linalg" in sys.modules)
"""


@pytest.mark.skipif(numba.version_info.short != _KNOWN, reason="what this numba needs to run is not known")
def test_a_small_question_loads_no_numba_and_what_is_compiled_is_read_without_what_it_needs_to_compile() -> None:
    calls = [
        subprocess.run([sys.executable, "-c", SOLVED], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    assert calls[0].stdout.split()[0] == "False"
    assert calls[-1].stdout.split() == ["False", "False", "False"]  # the first may have to compile


def test_a_kernel_that_was_held_on_to_calls_what_became_of_it() -> None:
    from tiercut.solvers.kernels import step_kernels

    waiting = compiled.compiled(_twice)
    _twice.__globals__["_one_more"] = compiled.compiled(_one_more)
    assert waiting(3) == 7
    assert type(step_kernels.passed) is type(globals()["_one_more"]) is not type(waiting)
    assert waiting(4) == 9
    assert waiting.py_func is _twice


def test_kernels_that_could_not_be_loaded_are_loaded_with_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    first, second = compiled.compiled(_three_less), compiled.compiled(_two_less)
    with monkeypatch.context() as broken:
        broken.setattr("tiercut.kernel_cache.attach", full)
        with pytest.raises(OSError, match="no space left"):
            first.py_func  # noqa: B018 what loads it
    assert first.py_func is _three_less
    assert second.__dict__["_dispatcher"] is not None


def _two_less(value: int) -> int:
    return value - 2


def _three_less(value: int) -> int:
    return value - 3


def _one_more(value: int) -> int:
    return value + 1


def _twice(value: int) -> int:
    return _one_more(2 * value)


@dataclass(frozen=True)
class Edit:
    """An edit of a file of kernels that changes what a program prints; the file is a callee's, where there is one."""

    folder: str
    file: str
    old: str
    new: str
    program: str
    printed: tuple[str, str]


_ARRAYS = "import numpy as np; ints = lambda *values: np.array(values, np.int64); "
EDITS = [
    Edit(
        "optimizer/samples",
        "replay_kernels.py",
        "left[k] += leaving",
        "left[k] += 2 * leaving",
        "from tiercut.optimizer.samples.replay_kernels import count_leaving\n"
        "entropy, correct, left = np.zeros((1, 3), np.float32), np.ones((1, 3), np.uint8), ints(0)\n"
        "count_leaving(entropy, correct, ints(0), np.ones(1, np.float32), ints(0, 1), left, ints(0)); print(left[0])",
        ("3", "6"),
    ),
    Edit(
        "solvers/kernels",
        "step_kernels.py",
        "np.empty((2 * rows.shape[0]",
        "np.empty((3 * rows.shape[0]",
        "from tiercut.solvers.kernels.keep_kernels import keep\n"
        "key, kept = ints(1, 0, 0), (np.zeros(1), np.zeros(1), np.ones((1, 3), np.int64), 1)\n"
        "print(len(keep(1.0, 1.0, key, True, False, *kept)[0]))",
        ("2", "3"),
    ),
    Edit(
        "solvers/labels",
        "label_kernels.py",
        "PARENT, NODE, BEGIN, ",
        "NODE, PARENT, BEGIN, ",
        "from tiercut.solvers.kernels.arguments import Places\n"
        "from tiercut.solvers.labels.label_kernels import prefix\n"
        "key = ints(0, 0, 0, 0, 0); prefix(0, ints([-1, -2, 0, 0, 1, 0, 1, 1, 0, 1, 0][:]).reshape(1, 11), "
        "Places(1, -1, -1, -1), key); print(key[2])",
        ("-2", "-1"),
    ),
    Edit(
        "solvers/labels/points",
        "peak_kernels.py",
        "least = max(least, sums",
        "least = max(least, 7.0 + sums",
        "from tiercut.solvers.labels.points.peak_kernels import peak_of; print(peak_of(np.ones(1), ints(0), 0.0))",
        ("1.0", "8.0"),
    ),
    Edit(
        "solvers/pipelines",
        "pipeline_kernels.py",
        "row[count] = v",
        "row[count] = v + 7",
        "from tiercut.solvers.pipelines.pipeline_kernels import furthest_blocks\n"
        "print(furthest_blocks(ints(1, 1).reshape(1, 2), ints(0), np.ones(2) - ints(0, 1), np.ones(1), ints(0))[0])",
        ("0", "7"),
    ),
    Edit(
        "solvers/cp_sat",
        "bound_kernels.py",
        "ahead[0, 0] = 0.0",
        "ahead[0, 0] = 5.0",
        "from tiercut.solvers.cp_sat.bound_kernels import shortest\n"
        "ahead, back, came = np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((2, 1), np.int64)\n"
        "print(shortest(ints(0), ints(1), np.ones(1), ints(0), ahead, back, came)[0])",
        ("1.0", "6.0"),
    ),
    Edit(
        "solvers/heuristics",
        "score_kernels.py",
        "return int(draw(state) * count)",
        "return int(draw(state) * count) + 100",
        "from tiercut.solvers.heuristics.move_kernels import _free_node\n"
        "state, nodes = np.ones(1, np.uint64), np.zeros((2, 1), np.int64)\n"
        "print(_free_node(ints(0, 0, 0, 0), 1, nodes, state, -1))",
        ("0", "100"),
    ),
    Edit(
        "solvers/kernels",
        "arguments.py",
        "    exits_at: int\n    thresholds_at: int\n",
        "    thresholds_at: int\n    exits_at: int\n",
        "from tiercut.solvers.kernels.arguments import Places\n"
        "from tiercut.solvers.kernels.step_kernels import write_exit\n"
        "key = ints(0, 0, 0, 0); write_exit(key, Places(1, 3, -1, -1), 0, 7, 5); print(key[3])",
        ("7", "5"),
    ),
    Edit(
        "analysis/sweeps",
        "batch_kernels.py",
        "float(seconds + (size",
        "float(1.0 + seconds + (size",
        "from tiercut.analysis.sweeps.arguments import Routes\n"
        "from tiercut.analysis.sweeps.batch_kernels import _rank\n"
        "print(_rank(6.0, 0, Routes(ints(0, 1), ints(0), False, 1500.0), np.ones(1), np.full(1, 2.0)))",
        ("4.0", "5.0"),
    ),
    Edit(
        "analysis/stream",
        "event_kernels.py",
        "return (sort << 60)",
        "return 1 + (sort << 60)",
        "from tiercut.analysis.stream.event_kernels import _key; print(_key(0, 0, 0, 8))",
        ("8", "9"),
    ),
]


def run(package: Path, program: str) -> str:
    """Run a program on a copy of the package in a process of its own, which keeps its compiled code beside the copy."""
    environment = os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()


def copy_package(to: Path) -> Path:
    """Copy the package with its rooms in the place of links to them."""
    shutil.copytree(ROOT / "src" / "tiercut", to / "tiercut", ignore=shutil.ignore_patterns("__pycache__"))
    return to / "tiercut"


def replace_once(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_every_folder_of_kernels_has_an_edit() -> None:
    files = [each for room in ("optimizer", "solvers", "analysis") for each in (ROOT / room).rglob("*kernels.py")]
    assert {each.parent.relative_to(ROOT).as_posix() for each in files} == {edit.folder for edit in EDITS}
    stamped = {name for name, *_ in compiled._stamp()}
    assert stamped == {f"{each.parent.name}/{each.name}" for each in files} | {
        "kernels/arguments.py",
        "stream/arguments.py",
        "sweeps/arguments.py",
    }


QUICK = {"solvers/labels", "solvers/heuristics", "analysis/stream"}
"""Folders of which one edit is tried always; the others' compile for minutes together."""


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(edit, id=f"{edit.folder}/{edit.file}", marks=() if edit.folder in QUICK else pytest.mark.slow)
        for edit in EDITS
    ],
)
def test_an_edited_kernel_is_compiled_anew_wherever_it_is_called(edit: Edit, tmp_path: Path) -> None:
    package, program = copy_package(tmp_path), _ARRAYS + edit.program
    assert run(package, program) == edit.printed[0]
    replace_once(package / edit.folder / edit.file, edit.old, edit.new)
    assert run(package, program) == edit.printed[1]


def test_compiled_code_that_names_a_class_that_is_gone_is_compiled_anew(tmp_path: Path) -> None:
    package, edit = copy_package(tmp_path), EDITS[-1]
    assert run(package, _ARRAYS + edit.program) == edit.printed[0]
    for file in package.rglob("*.py"):
        file.write_text(file.read_text(encoding="utf-8").replace("Places", "Offsets"), encoding="utf-8")
    assert run(package, _ARRAYS + edit.program.replace("Places", "Offsets")) == edit.printed[0]


@pytest.mark.slow
def test_a_stale_kernel_cannot_answer_a_question(tmp_path: Path) -> None:
    package = copy_package(tmp_path)
    program = (
        "import tiercut\n"
        "bounded = {'solver': 'exhaustive', 'bounds': ['bytes<=1 GB']}\n"
        "print(tiercut.solve('mobile', 'resnet20-digits32', **bounded).best.latency_s)"
    )
    before = float(run(package, program))
    kernels = package / "solvers" / "kernels" / "step_kernels.py"
    replace_once(kernels, "cost + weight * piece + leave * back", "cost + 2.0 * weight * piece + leave * back")
    assert float(run(package, program)) > before
