"""``tiercut import``: measurements that other tools made, as profiles and a topology."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.commands.record import import_links
from tiercut.cli.console import note

if TYPE_CHECKING:
    from tiercut.profiling import Machine, Profile

__all__ = ["app"]

app = typer.Typer(
    help="Turn what other tools measured into profiles and topologies.", no_args_is_help=True, add_completion=False
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds <tier>-<name>.dat, one for each machine.")]
Network = Annotated[
    Path, typer.Argument(metavar="NETWORK.csv", help="source,destination,ping(ms),bandwidth(mbps), by these names.")
]
Output = Annotated[Path, typer.Option("--output", metavar="DIR", help="Where to write the files.")]
Size = Annotated[str, typer.Option("--input", metavar="SIZE", help="Size of the input, which the files do not hold.")]
Source = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="The device where the input is born.", show_default="the first"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that hold something else.")]


@app.command("scission")
def scission(
    folder: Folder,
    network: Network,
    output: Output,
    input_bytes: Size = "150 KB",
    source: Source = None,
    overwrite: Overwrite = False,
) -> None:
    """Import benchmarks of Scission: a profile for each model, and a topology named like the network file.

    The files are pickles, and are read without running anything in them.
    """
    _import(folder, network, output, input_bytes, source, overwrite, transfer_layer=False)


@app.command("scissiontl")
def scissiontl(
    folder: Folder,
    network: Network,
    output: Output,
    input_bytes: Size = "150 KB",
    source: Source = None,
    overwrite: Overwrite = False,
) -> None:
    """Import benchmarks of ScissionTL: as for Scission, with its transfer layer as a codec of each profile."""
    _import(folder, network, output, input_bytes, source, overwrite, transfer_layer=True)


@app.command("portend")
def portend(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds a folder for each machine, and accuracy_exitrate.")
    ],
    output: Output,
    overwrite: Overwrite = False,
) -> None:
    """Import profiling results of PORTEND: a profile for each network, with its exits and every machine that has it.

    Sizes are those of pickled tensors, which PORTEND sends. The files are read without running anything in them.
    """
    from tiercut.profiling import read_portend

    profiles = {f"{each.model}-{each.dataset}".casefold(): each for each in read_portend(folder)}
    _write(_files(folder, output, profiles), overwrite)


app.command("links")(import_links.links)


def _import(
    folder: Path,
    network: Path,
    output: Path,
    input_bytes: str,
    source: str | None,
    overwrite: bool,
    *,
    transfer_layer: bool,
) -> None:
    from tiercut.profiling import profiles_of, read_benchmarks
    from tiercut.topologies import pipeline_text, read_network, topology_from_text

    machines = read_benchmarks(folder, transfer_layer=transfer_layer)
    profiles = profiles_of(machines, given.quantity("--input", input_bytes, "size") or 0.0, source=str(folder))
    pairs = [(machine.tier, machine.name) for machine in machines]
    text, left_out = pipeline_text(network.stem, pairs, read_network(network), source=source, origin=str(network))
    topology_from_text(text, str(network))
    texts = _files(folder, output, {profile.model: profile for profile in profiles})
    _write(texts | {output / f"{network.stem}.yaml": text}, overwrite)
    _tell(machines, left_out)


def _files(folder: Path, output: Path, profiles: "dict[str, Profile]") -> dict[Path, str]:
    """Return the text of a file for each profile, which is called like its key."""
    from tiercut.errors import InputError
    from tiercut.profiling import file_name, profile_text

    texts = {output / f"{file_name(name)}.json": profile_text(profile) for name, profile in profiles.items()}
    if len(texts) < len(profiles):
        raise InputError(str(folder), "two models have names that make one file name; rename one of them")
    return texts


def _write(texts: dict[Path, str], overwrite: bool) -> None:
    """Write files whole, once none of them would replace something that was measured."""
    from tiercut.documents import write_text
    from tiercut.errors import QuestionError

    taken = [path for path, text in texts.items() if path.exists() and _content(path) != text]
    if taken and not overwrite:
        names = ", ".join(str(path) for path in taken)
        raise QuestionError(f"{names}: there already, with other contents; name another --output, or say --overwrite")
    for path, text in texts.items():
        write_text(path, text)
        note(f"wrote {path}")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _tell(machines: "list[Machine]", left_out: tuple[str, ...]) -> None:
    if left_out:
        names = ", ".join(f"'{name}'" for name in left_out)
        note(f"the input is born on one device, so {names} is in the profiles alone; --source takes another device")
    models = dict.fromkeys(model for machine in machines for model in machine.models)
    for machine in machines:
        if lacks := [model for model in models if model not in machine.models]:
            note(f"warning: {machine.file} lacks {', '.join(lacks)}; rank them with --without {machine.name}")
