"""Which names a module has, read in its source: nothing of it, nor of what it imports, runs."""

from __future__ import annotations

import ast
import symtable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import decode_source, find_spec
from pathlib import Path

from tiercut.errors import InputError

__all__ = ["BoundNames", "bound_names", "imported_packages", "module_spec"]


@dataclass(frozen=True, slots=True)
class BoundNames:
    """What a module binds at its top level.

    Parameters
    ----------
    every
        All names: of functions and classes, assigned and imported ones.
    functions
        Those of functions that are written in it.
    open
        Whether there may be others, known only when it runs (``from x import *``, ``__getattr__``).
    """

    every: frozenset[str]
    functions: tuple[str, ...]
    open: bool


def module_spec(module: str) -> ModuleSpec | None:
    """Return where a module lies, or None where it is not there; unlike `find_spec` without importing its packages."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # an empty name, or a module that was never a file
        return None
    for place in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([top, *rest[: place + 1]]), list(spec.submodule_search_locations))
    return spec


def bound_names(spec: ModuleSpec) -> BoundNames | None:
    """Return the names of a module, or None where it has no source to read.

    Raises
    ------
    InputError
        If its source is no Python.
    """
    if spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        source = decode_source(Path(spec.origin).read_bytes())
        tree = ast.parse(source, spec.origin)
        table = symtable.symtable(source, spec.origin, "exec")
    except SyntaxError as error:
        raise InputError(f"{spec.origin}:{error.lineno}", f"is no Python: {error.msg}") from None
    except (OSError, ValueError):  # reported when it is imported
        return None
    bound = [each for each in table.get_symbols() if each.is_assigned() or each.is_imported() or each.is_namespace()]
    every = frozenset(each.get_name() for each in bound)
    functions = tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    starred = any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree))
    return BoundNames(every, functions, starred or "__getattr__" in every)


def imported_packages(spec: ModuleSpec) -> set[str]:
    """Return the packages that a module imports anywhere in its source; none where it has no source to read."""
    if spec.origin is None or not spec.origin.endswith(".py"):
        return set()
    try:
        tree = ast.parse(decode_source(Path(spec.origin).read_bytes()), spec.origin)
    except (SyntaxError, OSError, ValueError):  # reported when it is imported
        return set()
    names = [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}
