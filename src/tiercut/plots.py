"""Pictures: one function for each, which takes a result and ``ax=None`` and returns the axes that it drew on.

>>> import tiercut
>>> answer = tiercut.frontier("mobile", "resnet20-digits32")
>>> ax = tiercut.plots.trade_off(answer)
>>> tiercut.plots.save(ax.figure, "frontier.svg")

Pictures of several panels take the place of the axes that are given, and return the panels. Names are imported when
they are first used, so that matplotlib is needed only for drawing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.analysis.frontier_behind import frontier_behind
    from tiercut.report.pictures import plot_answer as answer
    from tiercut.report.plots.latencies import plot_latencies as latencies
    from tiercut.report.plots.plan_bars import bars_height, bars_legend
    from tiercut.report.plots.plan_bars import plot_plan_bars as plan_bars
    from tiercut.report.plots.profile import plot_profile as profile
    from tiercut.report.plots.replayed import plot_replayed as replayed
    from tiercut.report.plots.several_measures import plot_several_measures as several_measures
    from tiercut.report.plots.trade_off import plot_trade_off as trade_off
    from tiercut.report.plots.waterfall import plot_waterfall as waterfall
    from tiercut.report.plots.why import plot_why as why
    from tiercut.report.save import Picture, save
    from tiercut.report.topology.drawing import draw as topology

__all__ = [
    "Picture",
    "answer",
    "bars_height",
    "bars_legend",
    "frontier_behind",
    "latencies",
    "plan_bars",
    "profile",
    "replayed",
    "save",
    "several_measures",
    "topology",
    "trade_off",
    "waterfall",
    "why",
]

_HOMES = {
    "Picture": "report.save.Picture",
    "answer": "report.pictures.plot_answer",
    "bars_height": "report.plots.plan_bars.bars_height",
    "bars_legend": "report.plots.plan_bars.bars_legend",
    "frontier_behind": "analysis.frontier_behind.frontier_behind",
    "latencies": "report.plots.latencies.plot_latencies",
    "plan_bars": "report.plots.plan_bars.plot_plan_bars",
    "profile": "report.plots.profile.plot_profile",
    "replayed": "report.plots.replayed.plot_replayed",
    "save": "report.save.save",
    "several_measures": "report.plots.several_measures.plot_several_measures",
    "topology": "report.topology.drawing.draw",
    "trade_off": "report.plots.trade_off.plot_trade_off",
    "waterfall": "report.plots.waterfall.plot_waterfall",
    "why": "report.plots.why.plot_why",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tiercut.plots' has no attribute '{name}'")
    home, _, attribute = _HOMES[name].rpartition(".")
    return getattr(import_module(f"tiercut.{home}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
