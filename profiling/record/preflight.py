"""What can be checked before anything is timed: models that are not there, profiles that cannot be written.

Nothing is imported for it, neither a framework, which takes seconds, nor a module of the user's, which may do anything.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tiercut.documents import check_writable
from tiercut.errors import InputError, QuestionError, TiercutError, TiercutWarning, nearest, unknown_name
from tiercut.profiling.models.backbones import BACKBONES
from tiercut.profiling.models.loader import (
    BESIDES,
    check_file,
    folded,
    kind_of,
    no_such_function,
    no_such_module,
    working_directory_first,
)
from tiercut.profiling.profile.files import load_profile, profile_path
from tiercut.profiling.record.module_names import bound_names, module_spec
from tiercut.profiling.record.settings import DEFAULTS, Settings, check_settings, profile_stem, subject_kind

__all__ = ["application_names", "prepared"]


def prepared(
    names: Sequence[str],
    output: str | os.PathLike[str],
    settings: Settings = DEFAULTS,
    *,
    elsewhere: bool = False,
) -> tuple[str, ...]:
    """Return what is to be recorded, each model once, or refuse with all faults at once.

    Parameters
    ----------
    names
        See `tiercut.profiling.record.record.record_model`.
    output
        The folder of the profiles, or the profile of a single model.
    settings
        How they will be recorded.
    elsewhere
        Whether the models are recorded on another machine, which alone knows what names and modules it has: files
        are sent there, so they are looked at here.

    Raises
    ------
    QuestionError
        With every model that is not there or cannot be loaded, settings that cannot count for it, two that would have
        one profile, and every profile that cannot be written.

    Warns
    -----
    TiercutWarning
        If a model is named more than once.
    """
    if not names:
        raise QuestionError("name at least one model")
    once = _once(names)
    if len(once) > 1 and profile_path(output, "any") == Path(output):
        raise QuestionError(f"{len(once)} models cannot be written to one file; name a folder, not '{output}'")
    targets = {name: profile_path(output, profile_stem(name, settings.dataset)) for name in once}
    wrong = {name: fault for name in once if (fault := _fault(name, settings, elsewhere))}
    faults = [*wrong.values(), *_choice(wrong, settings), *_clashes(targets), *_unwritable(targets.values())]
    if faults and len(once) > 1:
        faults.append("nothing was timed" + (f"; mend these or leave them out: {', '.join(wrong)}" if wrong else ""))
    if faults:
        raise QuestionError("\n".join(dict.fromkeys(faults)))
    return once


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Return each model once, by the name under which it was named first."""
    kept: dict[str, str] = {}
    again: list[str] = []
    for name in names:
        if (identity := _identity(name)) in kept:
            again.append(name)
        kept.setdefault(identity, name)
    if again:
        warnings.warn(TiercutWarning(f"named again: {', '.join(again)}", "each model is recorded once"), stacklevel=3)
    return tuple(kept.values())


def _identity(name: str) -> str:
    kind = kind_of(name)
    if kind == "file":
        return os.path.realpath(name)
    return name if kind == "function" else folded(name)


def _fault(name: str, settings: Settings, elsewhere: bool) -> str | None:
    """Return what is wrong with a model, or with its settings."""
    found = None
    if not elsewhere or kind_of(name) == "file":
        to_train = subject_kind(name, settings.dataset) == "to train"
        found = _backbone_fault(name) if to_train else _model_fault(name, settings.trust)
    if found is not None:
        return found
    try:
        check_settings(name, settings)
    except QuestionError as error:
        return str(error)
    return None


def _backbone_fault(name: str) -> str | None:
    if kind_of(name) == "file" and Path(name).exists():
        return f"{name}: has no exits in it; make them with tiercut train, then record what that wrote"
    known = folded(name) in map(folded, BACKBONES)
    return None if known else unknown_name("backbone", name, BACKBONES)


def _model_fault(name: str, trust: bool) -> str | None:
    kind = kind_of(name)
    if kind == "name":
        return _name_fault(name)
    try:
        if kind == "file":
            check_file(Path(name), trust=trust)
            return None
        return _function_fault(name)
    except InputError as error:
        return str(error)


def _name_fault(name: str) -> str | None:
    known = _known_names()
    if folded(name) in map(folded, known) or not application_names():
        return None
    guess = nearest(name, known)
    return f"there is no model '{name}'" + (f"; did you mean '{guess}'?" if guess else "")


def _known_names() -> tuple[str, ...]:
    known = application_names()
    return (*known, *(key for key in BACKBONES if key not in map(folded, known)))


def application_names() -> tuple[str, ...]:
    """Return the names of Keras Applications as Keras' own list of them says; none where Keras is not installed."""
    spec = module_spec("keras.applications")
    found = bound_names(spec) if spec is not None else None
    return tuple(sorted(name for name in found.every if name[0].isupper())) if found is not None else ()


def _choice(wrong: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Yield what there is, once, where names were wrong."""
    plain = [name for name in wrong if subject_kind(name, settings.dataset) == "plain" and kind_of(name) == "name"]
    if any(_name_fault(name) for name in plain):
        yield f"known are {', '.join(_known_names())}; {BESIDES}"


def _function_fault(name: str) -> str | None:
    """Return what is wrong with a ``module:function``, as far as the source of the module tells."""
    module, _, function = name.rpartition(":")
    with working_directory_first():
        spec = module_spec(module)
    if spec is None:
        return no_such_module(name)
    found = bound_names(spec)
    if found is None or found.open or function in found.every:
        return None
    return no_such_function(name, [each for each in found.functions if each[0] != "_"])


def _clashes(targets: Mapping[str, Path]) -> Iterator[str]:
    """Yield which models would share one profile."""
    for path in dict.fromkeys(targets.values()):
        same = [f"'{name}'" for name, target in targets.items() if target == path]
        if len(same) > 1:
            yield f"{' and '.join(same)} would both be written to {path}; record them by themselves, with --output"


def _unwritable(paths: Iterable[Path]) -> Iterator[str]:
    """Yield which profiles cannot be written, or would be added to a file that is none."""
    for path in paths:
        try:
            check_writable(path)
            if path.exists():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", TiercutWarning)  # shown when it is read to be added to
                    load_profile(path)
        except TiercutError as error:
            yield str(error)
            if not path.exists():
                return  # it is the folder, which the others share
