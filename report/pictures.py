"""Pictures of whole results: what to draw of each, with its title and the rows of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.report.answers.asked import asked_rows
from tiercut.report.answers.frontier import frontier_lines
from tiercut.report.plots.style import figure_of
from tiercut.report.profile_rows import profile_rows
from tiercut.report.rows import (
    Column,
    Rows,
    exit_rows,
    figure_rows,
    plan_rows,
    plan_text,
    server_rows,
    stage_rows,
    step_rows,
)
from tiercut.report.saving import Picture
from tiercut.report.stream import frame_rows, verdict_text
from tiercut.report.why import why_lines, why_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from tiercut.analysis import Answer, Explanation, Replay, Stream, Why
    from tiercut.profiling import Profile
    from tiercut.report.plots.zoom import Zoom
    from tiercut.topologies import Topology

__all__ = [
    "answer_picture",
    "explanation_picture",
    "plot_answer",
    "profile_picture",
    "replay_picture",
    "stream_picture",
    "topology_picture",
    "why_picture",
]


def answer_picture(
    answer: Answer, *, frontier: Answer | None = None, seed: int = 0, zoom: Zoom | None = None
) -> Picture:
    """Return the picture that fits an answer (see `plot_answer`), with what was asked and every plan."""
    problem = answer.space.problem
    figure = figure_of(plot_answer(answer, frontier=frontier, seed=seed, zoom=zoom))
    title, rows = f"{problem.profile} on {problem.topology}", (plan_rows(answer),)
    tables = (*rows, stage_rows(answer.best)) if answer.query.kind == "solve" else rows
    return Picture(figure, title, asked_rows(answer), tables, tuple(frontier_lines(answer)))


def plot_answer(
    answer: Answer,
    *,
    frontier: Answer | None = None,
    seed: int = 0,
    zoom: Zoom | None = None,
    ax: Axes | None = None,
) -> Axes | Sequence[Axes]:
    """Draw an answer as it is best seen: a ranking, and what has no accuracies, as bars of its plans.

    Parameters
    ----------
    answer
        With at least one plan.
    frontier
        The frontier of the same space, for the best plan of a question about accuracy.
    seed
        Of the sampled decisions.
    zoom
        Ends of the axes by measure, in inner units (see `tiercut.report.plots.zoom`); bars have none.
    ax
        Where to draw; by default on a figure of its own.

    Raises
    ------
    QuestionError
        If the picture has no axis for a measure that is zoomed.
    """
    from tiercut.report.plots.plan_bars import plot_plan_bars
    from tiercut.report.plots.replayed import plot_replayed, replayed_plans
    from tiercut.report.plots.several_measures import plot_several_measures
    from tiercut.report.plots.trade_off import plot_trade_off
    from tiercut.report.plots.zoom import zoomed

    if answer.replayed is not None:
        panels = plot_replayed(answer, ax)
        points = replayed_plans(answer.replayed).chosen.T
        zoomed(panels[0], zoom, ("latency", "accuracy"), (1e3, 100.0), tuple(points))
        return panels
    if answer.query.many:
        return plot_several_measures(answer, ax, zoom=zoom)
    if answer.query.kind == "rank" or not answer.space.knows_accuracy:
        bars = plot_plan_bars(answer, ax=ax)
        zoomed(bars, zoom, ())
        return bars
    return plot_trade_off(answer, frontier=frontier, seed=seed, zoom=zoom, ax=ax)


def replay_picture(replay: Replay) -> Picture:
    """Return the latencies of a replay, with its exits as rows."""
    from tiercut.report.plots.latencies import plot_latencies

    title = f"{replay.replayed}: {replay.samples:,} samples"
    return Picture(figure_of(plot_latencies(replay)), title, tables=(exit_rows(replay), figure_rows(replay)))


def stream_picture(stream: Stream) -> Picture:
    """Return the time line of the first frames of a stream, with what became of all and the servers as rows."""
    from tiercut.report.plots.time_line import plot_time_line

    tables = frame_rows(stream), server_rows(stream)
    lines = (verdict_text(stream),)
    return Picture(figure_of(plot_time_line(stream)), f"{stream.profile} on {stream.topology}", None, tables, lines)


def explanation_picture(explanation: Explanation) -> Picture:
    """Return the latency of a plan as a waterfall, with its steps as rows."""
    from tiercut.report.plots.waterfall import plot_waterfall

    figure, title = figure_of(plot_waterfall(explanation)), plan_text(explanation.plan)
    return Picture(figure, title, tables=(step_rows(explanation),))


def why_picture(why: Why) -> Picture:
    """Return where the best plan changes, with the plans by letter as rows."""
    from tiercut.report.plots.why import key_of, panels, plot_why

    columns = Column("region", "left"), Column("plan", "left", fold=True)
    rows = Rows("the best plans, with their figures as things are now", columns, tuple(key_of(panels(why)[1]).items()))
    tables, lines = (rows, *why_rows(why)), tuple(why_lines(why))
    head = None if why.answer is None else asked_rows(why.answer)
    return Picture(figure_of(plot_why(why)), f"Why {plan_text(why.plan)}", head, tables, lines)


def profile_picture(profile: Profile) -> Picture:
    """Return what was measured of a network."""
    from tiercut.report.plots.profile import plot_profile

    return Picture(figure_of(plot_profile(profile)), profile.name, tables=tuple(profile_rows(profile)))


def topology_picture(topology: Topology) -> Picture:
    """Return nodes and links."""
    from tiercut.report.topology.drawing import draw

    return Picture(figure_of(draw(topology)), topology.name)
