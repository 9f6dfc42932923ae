"""The picture of a plan that was run, with its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.report.plots.run import plot_run
from tiercut.report.plots.style import figure_of
from tiercut.report.runs.tables import became, disturbance_rows, hop_rows, run_rows
from tiercut.report.saving import Picture

if TYPE_CHECKING:
    from tiercut.offloader import Run

__all__ = ["run_picture"]


def run_picture(run: Run) -> Picture:
    """Return the latency of every frame by its parts, with what was predicted and measured as rows."""
    tables = [run_rows(run)]
    tables += [hop_rows(run)] if run.hops else []
    tables += [disturbance_rows(run)] if run.disturbances else []
    return Picture(figure_of(plot_run(run)), run.title, None, tuple(tables), (became(run),))
