"""What all tests share: the helpers of `support`, and the folder of published measurements, where there is one."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import ortools.sat.python.cp_model  # noqa: F401  # before TensorFlow: loaded after it, OR-tools crashes the process
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # so that every test finds `support`
os.environ.pop("COLUMNS", None)  # which pytest-xdist sets for its workers: tables are as wide as in any pipe

settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # a slow or busy one shows no fault of ours, and all see the same examples


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> None:
    """Let a test be interrupted as a program is.

    A shell's background job inherits that Ctrl-C is ignored, and a command that was interrupted in this process leaves
    the next Ctrl-C to end it at once.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _kernels_answer_whether_or_not_they_are_compiled() -> None:
    """Ask what is meant even where nothing is compiled yet and NumPy would answer."""
    from tiercut.solvers import registry

    registry.MOST_UNCOMPILED = 0


@pytest.fixture(autouse=True, scope="session")
def _onnx_runtime_has_one_thread() -> None:
    """Settle that before whichever test starts it in this process, as it is settled once."""
    from tiercut.profiling.models.onnx import sessions

    sessions._threads.append(1)


@pytest.fixture(autouse=True, scope="module")
def _what_is_there_already_is_not_searched_for_garbage() -> None:
    """Keep collections of garbage quick: Keras asks for one wherever it forgets its names, and so do our timings."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def shell_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process as the shell does; return status, standard output and standard error."""
    from tiercut.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tiercut", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests that load TensorFlow to one process, which then loads it once (with ``--dist loadgroup``)."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "profiling" / "onnx"):
            item.add_marker(pytest.mark.xdist_group("onnx"))
        elif item.path.is_relative_to(ROOT / "tests" / "profiling"):
            item.add_marker(pytest.mark.xdist_group("tensorflow"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", metavar="FOLDER", help="published measurements; default: TIERCUT_DATA, or beside us")


@pytest.fixture(scope="session")
def data_folder(pytestconfig: pytest.Config) -> Path:
    """The folder of published measurements; the test is skipped where there is none."""
    named = pytestconfig.getoption("--data") or os.environ.get("TIERCUT_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("there is no folder of published measurements (name it with --data or TIERCUT_DATA)")
    return folder
