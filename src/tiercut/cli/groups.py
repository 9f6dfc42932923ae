"""Groups of options as flags: a command declares one parameter for a group, and is handed one object.

A parameter counts as a group where its type is a dataclass whose fields are made by `tiercut.option_fields.option`. The
decorator puts a flag for each of the fields into the signature that typer reads, and collects the values again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from inspect import Parameter, Signature
from types import GenericAlias, MappingProxyType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import typer

from tiercut.option_fields import Option, options_of

__all__ = ["Shown", "grouped"]


class Shown(NamedTuple):
    """How one command shows a group: stands in `Annotated` beside the group's type.

    Parameters
    ----------
    leave_out
        Fields that the command does not take; they keep their defaults.
    hide
        Fields that it takes, to say why they do not belong, but does not show.
    help
        What to say of a field in place of what the group says.
    """

    leave_out: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    help: Mapping[str, str] = MappingProxyType({})


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the fields of its groups as flags.

    Parameters
    ----------
    command
        Takes whatever typer can read, and groups.

    Raises
    ------
    TypeError
        If two of its parameters have one name.
    """
    parameters: list[Parameter] = []
    groups: dict[str, tuple[type, dict[str, Option]]] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        group, shown = _group_of(parameter.annotation)
        if group is None:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
            continue
        groups[name] = group, {key: each for key, each in options_of(group).items() if key not in shown.leave_out}
        parameters += [_parameter(group, key, key in shown.hide, shown.help.get(key)) for key in groups[name][1]]
    names = [each.name for each in parameters]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TypeError(f"{command.__name__}(): two options are called {', '.join(twice)}")

    @wraps(command)
    def run(**values: Any) -> None:
        collected = {name: _collected(group, taken, values) for name, (group, taken) in groups.items()}
        command(**values, **collected)

    del run.__wrapped__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _group_of(annotation: Any) -> tuple[type | None, Shown]:
    """Return the group that a parameter stands for, if it is one, and how to show it."""
    shown = Shown()
    if get_origin(annotation) is Annotated:
        annotation, *beside = get_args(annotation)
        shown = next((each for each in beside if isinstance(each, Shown)), shown)
    is_group = isinstance(annotation, type) and is_dataclass(annotation) and bool(options_of(annotation))
    return (annotation if is_group else None), shown


@cache
def _parameter(group: type, name: str, hidden: bool, instead: str | None) -> Parameter:
    """Return what typer reads of a field; commands share it, as typer copies what it changes."""
    option = options_of(group)[name]
    default = next(each.default for each in fields(group) if each.name == name)
    said: dict[str, Any] = {
        "metavar": option.metavar,
        "help": option.help if instead is None else instead,
        "rich_help_panel": option.panel,
        "show_default": option.show_default,
        "min": option.least,
        "hidden": hidden,
    }
    info = typer.Option(option.flag, **said) if option.flag else typer.Argument(**said)
    value: Any = GenericAlias(list, option.type) if option.many else option.type
    annotation: Any = Annotated[value | None if default is None else value, info]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _collected(group: type, taken: Mapping[str, Option], values: dict[str, Any]) -> Any:
    """Return the object of a group, and take the values of its flags out of all."""
    given = {name: values.pop(name) for name in taken}
    for name, option in taken.items():
        if option.many and not given[name]:
            given[name] = None
        elif option.read is not None and given[name] is not None:
            given[name] = option.read(option.flag or name, given[name])
    return group(**given)
