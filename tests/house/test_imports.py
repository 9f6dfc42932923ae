"""Who imports whom and through which door, and what is not imported before something needs it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.checkout import ROOT, project_files, rooms
from typer.core import TyperGroup
from typer.main import get_command

import tiercut
from tiercut.cli.app import app
from tiercut.cli.root import Later

PACKAGE = ROOT / "src" / "tiercut"
BELOW = {
    "topologies": set[str](),
    "profiling": set[str](),
    "optimizer": {"topologies", "profiling"},
    "solvers": {"optimizer"},
    "analysis": {"topologies", "profiling", "optimizer", "solvers"},
    "report": {"topologies", "profiling", "optimizer", "solvers", "analysis", "offloader"},
    "offloader": {"topologies", "profiling", "optimizer"},
}
"""The rooms, and from which others each may take; all take from the ground, which is the rest of src/tiercut."""

ROOMS = set(rooms())
ABOVE = {"api", "cli", "plots", "__main__", ""}
"""What stands above all rooms; "" is the package itself."""

FULL = 14
"""Files that a folder may hold, its __init__ and its data aside."""

HEAVY = {
    "numba",
    "pandas",
    "matplotlib",
    "networkx",
    "tensorflow",
    "keras",
    "torch",
    "jax",
    "sklearn",
    "ortools",
    "moocore",
    "pymoo",
    "grpc",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "joblib",
    "distributed",
    "simpy",
    "zstandard",
    "optuna",
    "mlflow",
}
EXTRAS = {
    *("tensorflow", "torch", "jax", "keras", "sklearn", "scipy", "pymoo", "grpc"),
    *("onnx", "onnxruntime", "pyarrow", "joblib", "distributed", "simpy", "zstandard"),
    *("optuna", "mlflow"),
}
"""What a base install does not bring."""


def modules() -> dict[str, Path]:
    """Return the file of every module of the package by the module's name."""
    found = {}
    for folder, _, names in os.walk(PACKAGE, followlinks=True):
        for name in names:
            if name.endswith(".py"):
                path = Path(folder, name)
                found[".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def part(module: str) -> str:
    """Return the room of a module, or what it is called beside the rooms."""
    return ".".join(module.split(".")[1:2])


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a file imports, also under TYPE_CHECKING and in functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def own_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of what a file imports from the package, but for its version, which anyone may know."""
    for line, name in imports(path):
        if name.split(".")[0] == "tiercut" and name != "tiercut.__version__":
            yield line, name


def offered(room: str) -> dict[str, str]:
    """Return what the door of a room offers: the module of each name, below the room."""
    found = {}
    for node in ast.parse((PACKAGE / room / "__init__.pyi").read_text(encoding="utf-8")).body:
        assert isinstance(node, ast.ImportFrom), "a door lists names, no more"
        assert node.level == 1
        assert all(alias.asname == alias.name for alias in node.names)
        home = ".".join(("tiercut", room, *filter(None, [node.module])))
        found |= {alias.name: home for alias in node.names}
    return found


DOORS = {room: offered(room) for room in sorted(ROOMS)}


def taken() -> Iterator[tuple[Path, int, str, str]]:
    """Yield what modules import across rooms: file, line, room, and what is imported below `tiercut.ROOM`."""
    for module, path in MODULES.items():
        for line, name in own_imports(path):
            room, _, rest = name.removeprefix("tiercut.").partition(".")
            if room in ROOMS and room != part(module):
                yield path, line, room, rest


TAKEN = list(taken())


def published(room: str) -> set[str]:
    """Return what the package itself offers of a room, by its own door and as pictures."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    lines = (node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module == room)
    return {alias.name for node in lines for alias in node.names}


def run(program: str, **environment: str) -> list[str]:
    """Run a program in a fresh interpreter and return the words that it printed."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def imported_by(program: str) -> set[str]:
    """Return the packages that a program has imported at its end."""
    end = "\nfinally: sys.stdout = stdout; print(*{name.partition('.')[0] for name in sys.modules})"
    start = "import os, sys\nstdout, sys.stdout = sys.stdout, open(os.devnull, 'w', encoding='utf-8')\n"
    return set(run(f"{start}try: {program}{end}"))


def test_every_room_is_known_and_linked() -> None:
    at_root = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "experiments"}
    assert at_root == ROOMS
    assert set(BELOW) >= ROOMS
    for room in ROOMS:
        assert (PACKAGE / room).readlink() == Path("..", "..", room)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_imports_only_what_its_room_may(module: str) -> None:
    own = part(module)
    if own in ABOVE:
        return
    allowed = BELOW[own] | {own} if own in ROOMS else set()
    wrong = [
        f"{line}: {name}" for line, name in own_imports(MODULES[module]) if part(name) in (ROOMS | ABOVE) - allowed
    ]
    assert not wrong, f"{MODULES[module]}: {own} may import from the ground and from {sorted(allowed)}"


def test_rooms_take_from_each_other_only_what_a_door_offers() -> None:
    wrong = [f"{path}:{line}: tiercut.{room}.{name}" for path, line, room, name in TAKEN if name not in DOORS[room]]
    assert not wrong, "write 'from tiercut.ROOM import NAME', and let ROOM/__init__.pyi name it"


@pytest.mark.parametrize("room", sorted(DOORS))
def test_doors_offer_what_is_there_and_what_somebody_takes(room: str) -> None:
    door = import_module(f"tiercut.{room}")
    for name, module in DOORS[room].items():
        home = import_module(module)
        assert getattr(door, name) is (import_module(f"{module}.{name}") if home is door else getattr(home, name))
    used = {name for _, _, other, name in TAKEN if other == room}
    assert set(DOORS[room]) == used | published(room)


def test_no_folder_is_too_full_to_read() -> None:
    counts: dict[Path, int] = {}
    for path in project_files():
        if path.suffix == ".py" and path.name != "__init__.py":
            counts[path.parent] = counts.get(path.parent, 0) + 1
    assert not {str(folder): count for folder, count in counts.items() if count > FULL}


def test_every_command_is_found_in_the_file_called_like_it() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert len(group.commands) > 10
    for name, command in group.commands.items():
        assert isinstance(command, Later), name
        assert command.load().params or name in ("import", "codec")


def test_the_list_of_commands_says_of_each_what_its_own_help_says() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    listed = group.commands["import"]
    assert isinstance(listed, Later)
    assert listed.help == listed.load().help


def test_nothing_imports_a_room_by_its_bare_name() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path in project_files()
        if path.suffix == ".py"
        for line, name in imports(path)
        if name.split(".")[0] in ROOMS | {""}
    ]
    assert not wrong, "write import tiercut.optimizer, not import optimizer, and no relative imports"


def test_experiments_use_the_public_names_alone() -> None:
    public = {"tiercut", *(f"tiercut.{name}" for name in tiercut.__all__)}
    wrong = [
        f"{path}:{line}: {name}"
        for path in sorted((ROOT / "experiments").rglob("*.py"))
        for line, name in imports(path)
        if name.split(".")[0] == "tiercut" and name not in public
    ]
    assert not wrong


def test_import_tiercut_costs_nothing() -> None:
    packages = imported_by("import tiercut")
    assert not packages & (HEAVY | {"numpy", "pydantic", "ruamel", "typer", "rich"})


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    packages = imported_by(f"from tiercut.cli import main; sys.argv = ['tiercut', *{arguments}]; main()")
    assert "typer" in packages
    assert not packages & (HEAVY | {"numpy"})


@pytest.mark.parametrize(("arguments", "commands"), [(["--help"], set()), (["show", "--help"], {"ask", "show"})])
def test_a_command_is_imported_where_it_is_run(arguments: list[str], commands: set[str]) -> None:
    program = "\n".join(
        [
            "import os, sys",
            "from tiercut.cli import main",
            f"sys.argv, stdout, sys.stdout = ['tiercut', *{arguments}], sys.stdout, open(os.devnull, 'w')",
            "try: main()",
            "finally: print(*(each.split('.')[-1] for each in sys.modules if 'cli.commands.' in each), file=stdout)",
        ]
    )
    assert set(run(program)) == commands


def test_every_module_can_be_imported_without_the_extras() -> None:
    names = sorted(name for name in MODULES if not name.endswith("__main__"))
    program = f"""
import sys
from importlib import import_module
sys.modules |= dict.fromkeys({sorted(EXTRAS)})
for name in {names}:
    import_module(name)
"""
    run(program)


SMALL = ("solve", "rank", "frontier", "explain")
"""Commands that answer a question about a recorded network without numba."""


@pytest.mark.parametrize("command", ["show", *SMALL])
def test_a_small_question_imports_nothing_heavy_and_reads_about_no_package(command: str) -> None:
    arguments = [command, "mobile", *["resnet20-digits32"] * (command in SMALL)]
    looks = "import importlib.metadata as known; known.distributions = known.entry_points = None"
    packages = imported_by(f"{looks}; from tiercut.cli import main; sys.argv = ['tiercut', *{arguments}]; main()")
    assert packages >= {"rich", "pydantic"}
    assert not packages & HEAVY


@pytest.mark.parametrize("said", [None, "logfire-plugin"])
def test_plugins_of_pydantic_are_the_users_own_once_a_document_is_read(said: str | None) -> None:
    program = f"""
import os, sys
said = {said!r}
os.environ.pop("PYDANTIC_DISABLE_PLUGINS", None)
if said: os.environ["PYDANTIC_DISABLE_PLUGINS"] = said
sys.argv, stdout, sys.stdout = ["tiercut", "show", "mobile"], sys.stdout, open(os.devnull, "w")
from tiercut.cli import main
try: main()
finally: print(os.environ.get("PYDANTIC_DISABLE_PLUGINS"), "pydantic" in sys.modules, file=stdout)
"""
    assert run(program) == [str(said), "True"]


def test_documents_are_compiled_by_pydantic_when_one_is_read() -> None:
    program = "from tiercut.topologies.schema import Topology; print(Topology.__pydantic_complete__)"
    assert run(program) == ["False"]


def test_what_goes_with_the_process_is_not_looked_through_for_rubbish_first() -> None:
    program = """
import gc, sys
from tiercut.cli import main
class Swept:
    def __del__(self): print("swept", file=sys.stderr)
held = Swept()
held.itself = held
del held
sys.argv = ['tiercut', '--version']
main()
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr


def test_solving_imports_neither_frameworks_nor_plots(tmp_path: Path) -> None:
    profile = tmp_path / "small.json"
    blocks = [{"name": "a", "output_bytes": 10}, {"name": "b", "output_bytes": 10}]
    devices = {"here": {"block_s": [0.1, 0.1], "branch_s": [None, 0.1]}}
    content = {"format": "tiercut.profile/1", "model": "small", "input_bytes": 10, "blocks": blocks, "devices": devices}
    profile.write_text(json.dumps(content))
    packages = imported_by(f"import tiercut; tiercut.solve('mobile', {str(profile)!r}, solver='labels')")
    assert "numba" in packages
    assert not packages & {"tensorflow", "keras", "sklearn", "ortools", "moocore", "pymoo", "grpc", "matplotlib"}
