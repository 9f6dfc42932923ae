"""``tiercut report``: everything about a problem as one page."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.analysis import SolverOptions
from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, note
from tiercut.cli.groups import Shown, grouped
from tiercut.cli.questions import QueryName, conditions_of, query_of, read_query
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions, QuestionOptions
from tiercut.option_fields import flags_of

if TYPE_CHECKING:
    from tiercut.report import Rows

__all__ = ["report"]


def _page(path: Path) -> Path:
    """Return the place of the page; refuse another ending before anything is solved."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise QuestionError(f"--output is one HTML page, such as report.html, not '{path}'")
    return path


def _side_by_side(paths: list[Path]) -> "list[Rows]":
    """Return what was recorded besides as tables: a table for each kind of file."""
    from tiercut.report import comparison_rows, read_compared

    files = [read_compared(path) for path in paths]
    kinds = {each.kind: [other for other in files if other.kind == each.kind] for each in files}
    return [rows for alike in kinds.values() for rows in comparison_rows(alike, every=True)]


@grouped
def report(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.html", help="Where to.", callback=_page)
    ] = Path("report.html"),
    query: QueryName = None,
    question: Annotated[QuestionOptions, Shown(leave_out=("objective", "over", "top", "all_decisions"))],
    changes: Annotated[
        bool,
        typer.Option("--changes/--no-changes", help="Look where the best plan changes, by exact solves."),
    ] = True,
    recorded: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="FILE", help="Show a run, replay, stream, sensitivity or answer (JSON) too."),
    ] = None,
    conditions: Conditions,
    who: Annotated[SolverOptions, Shown(leave_out=("evaluate", "split", "certify"))],
) -> None:
    """Write everything about a problem as one page to explore, which works offline.

    It shows the frontier, every plan as a pipeline, and where the best one changes. Sliders for the least accuracy and
    for every link and node move the best plan at once: the page scores plans by itself.
    """
    from tiercut.documents import check_writable
    from tiercut.optimizer import merged
    from tiercut.profiling import load_profile
    from tiercut.report import Origin, gather, write_report
    from tiercut.topologies import load_topology

    check_writable(output)
    beside = _side_by_side(recorded or [])
    file = read_query(query)
    named = conditions_of(conditions, file)
    before = load_topology(topology)
    loaded = named.apply(before, load_profile(profile), flags_of(Conditions))
    asked = query_of("solve", question, file)
    options = who.options(named=flags_of(SolverOptions))
    with at_work("gathering"):
        found = gather(*loaded, asked, solver=who.solver, options=options, changes=changes)
    origin = Origin(
        topology=topology,
        profile=profile,
        before=before,
        conditions=named,
        question=question if file is None else merged(file.question, question),
        command=shlex.join(["tiercut", *sys.argv[1:]]),
    )
    write_report(found, output, origin=origin, recorded=beside)
    note(f"wrote {output} ({output.stat().st_size / 1e3:,.0f} kB): open it in a browser")
